//! Walking the chain, a bounded page at a time.

use super::entry::{AuditKeys, Stored};
use super::seal;
use super::store::{CHAIN, ENTRIES, GONE, HASH_AT, HEAD};
use crate::http::{Context, Error, RouteInfo, in_background};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::time::{DAY, Millis};

/// Links of one page.
const LINKS: usize = 500;
/// Entries of one page.
const ENTRIES_AT_ONCE: usize = 1_000;
/// An entry must be sealed within this time; the sealer comes every minute.
const PATIENCE: i64 = DAY;

/// What the tool's own verification appears as in logs.
pub static VERIFY: RouteInfo = RouteInfo::background("audit.verify", "tool:audit-verify");

/// What is wrong with an entry or its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The entry is not what was written.
    Edited,
    /// The entry is gone; its link is there.
    Deleted,
    /// A link is missing before this one.
    LinkMissing,
    /// The link does not follow the one before: links were exchanged or changed.
    Reordered,
    /// The chain was made anew without our key from here on.
    SealForged,
    /// The entry was put in by somebody without our key.
    EntryForged,
    /// The entry is older than a day and in no link.
    Unsealed,
    /// The chain does not reach, or differs from, what was expected of it.
    NotAsExpected,
}

impl Fault {
    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::LinkMissing => "link_missing",
            Self::Reordered => "reordered",
            Self::SealForged => "seal_forged",
            Self::EntryForged => "entry_forged",
            Self::Unsealed => "unsealed",
            Self::NotAsExpected => "not_as_expected",
        }
    }
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Id of the entry.
    pub id: String,
    /// Place in the chain, if it has one.
    pub position: Option<i64>,
    /// Why.
    pub fault: Fault,
}

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of links; the first is 1.
    pub position: i64,
    /// Hash of the last link.
    pub hash: String,
}

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// After the link at this position, which was found right; 0 is the start.
    Link(i64),
    /// After this entry, once all links are right.
    Entry(String),
}

impl Cursor {
    /// From text: a position or the id of an entry.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if crate::id::is_id("aud", text) || text == "aud_" {
            return Some(Self::Entry(text.to_owned()));
        }
        let position = text.parse().ok()?;
        (0..=crate::sql::MAX_INTEGER)
            .contains(&position)
            .then_some(Self::Link(position))
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Link(position) => position.to_string(),
            Self::Entry(id) => id.clone(),
        }
    }
}

/// What one page showed.
#[derive(Debug)]
pub struct Page {
    /// Links and entries that were looked at.
    pub checked: usize,
    /// The first thing wrong; then there is no next page.
    pub bad: Option<Bad>,
    pub(crate) next: Option<Cursor>,
}

/// What a whole walk showed.
#[derive(Debug)]
pub struct Report {
    /// Links and entries that were looked at.
    pub checked: usize,
    /// The first thing wrong.
    pub bad: Option<Bad>,
    /// Where the chain ends.
    pub head: Option<Head>,
}

/// Seals what waits, then walks the whole chain; outside any request, for the tool. `expected`
/// is a place and hash from an earlier walk or from the log, that the chain must still have.
///
/// # Errors
/// The database's own, and `NOT_CONFIGURED` without a sound configuration.
pub async fn verify_all<P: Platform>(
    platform: &P,
    expected: Option<&Head>,
) -> Result<Report, Error> {
    let work = async |cx: &Context<'_, P>| walk(cx, expected).await;
    let report = in_background(platform, &VERIFY, work).await;
    report.unwrap_or_else(|| Err(Error::new(crate::http::Code::NotConfigured)))
}

async fn walk<P: Platform>(cx: &Context<'_, P>, expected: Option<&Head>) -> Result<Report, Error> {
    seal::run(cx).await?;
    let mut cursor = Some(Cursor::Link(0));
    let (mut checked, mut bad) = (0_usize, None);
    while let Some(at) = cursor {
        let found = page(cx, &at).await?;
        checked = checked.saturating_add(found.checked);
        (cursor, bad) = (found.next, found.bad);
    }
    if let (None, Some(expected)) = (&bad, expected) {
        let rows = cx.query(HASH_AT.bind([expected.position.into()])).await?;
        let there = rows.first().map(|row| row.text(0)).transpose()?;
        if there != Some(expected.hash.as_str()) {
            bad = Some(Bad {
                id: String::new(),
                position: Some(expected.position),
                fault: Fault::NotAsExpected,
            });
        }
    }
    let head = head(cx).await?;
    Ok(Report { checked, bad, head })
}

/// Where the chain ends, if it has begun.
pub(crate) async fn head<P: Platform>(cx: &Context<'_, P>) -> Result<Option<Head>, Error> {
    let rows = cx.query(HEAD.bind([])).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Head {
        position: row.int(0)?,
        hash: row.text(1)?.to_owned(),
    }))
}

/// Looks at one page from `at` on.
pub(crate) async fn page<P: Platform>(cx: &Context<'_, P>, at: &Cursor) -> Result<Page, Error> {
    match at {
        Cursor::Link(position) => links(cx, *position).await,
        Cursor::Entry(id) => entries(cx, id).await,
    }
}

/// A link with its entry.
struct Link {
    position: i64,
    id: String,
    hash: String,
    mac: String,
    entry: Option<Stored>,
}

impl Link {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let there = row.opt_text(4)?.is_some();
        Ok(Self {
            position: row.int(0)?,
            id: row.text(1)?.to_owned(),
            hash: row.text(2)?.to_owned(),
            mac: row.text(3)?.to_owned(),
            entry: there.then(|| Stored::from_row(row, 4)).transpose()?,
        })
    }

    /// What is wrong with this link, after `previous`.
    fn judge(&self, keys: &AuditKeys, previous: Option<&Self>, start: i64) -> Option<Fault> {
        let before = previous.map_or(start, |link| link.position);
        if self.position != before.saturating_add(1) {
            return Some(Fault::LinkMissing);
        }
        let Some(entry) = &self.entry else {
            return Some(Fault::Deleted);
        };
        let right = entry.link(self.position, previous.map_or("", |link| &link.hash)) == self.hash;
        // Entries from before the chain have no MAC; they are its beginning and nowhere else.
        let bare = |link: &Self| link.entry.as_ref().is_none_or(|entry| entry.mac.is_none());
        let from_before = entry.mac.is_none() && previous.is_none_or(bare);
        if !from_before && !keys.is_ours(entry) {
            return Some(if right {
                Fault::EntryForged
            } else {
                Fault::Edited
            });
        }
        if !right {
            return Some(if from_before {
                Fault::Edited
            } else {
                Fault::Reordered
            });
        }
        (!keys.is_our_seal(&self.hash, &self.mac)).then_some(Fault::SealForged)
    }
}

async fn links<P: Platform>(cx: &Context<'_, P>, after: i64) -> Result<Page, Error> {
    let keys = &cx.ready()?.audit;
    // The link before is read again: the first new one rests on its hash.
    let most = i64::try_from(LINKS).unwrap_or(0).saturating_add(1);
    let rows = cx.query(CHAIN.bind([after.into(), most.into()])).await?;
    let links = rows
        .iter()
        .map(Link::from_row)
        .collect::<Result<Vec<_>, _>>()?;
    let mut previous = links.first().filter(|link| link.position == after);
    let fresh = links.iter().filter(|link| link.position > after);
    let mut checked = 0_usize;
    for link in fresh {
        // Without the link at `after` nothing can follow it.
        let start = if after == 0 { 0 } else { -1 };
        if let Some(fault) = link.judge(keys, previous, start) {
            let bad = Bad {
                id: link.id.clone(),
                position: Some(link.position),
                fault,
            };
            return Ok(Page {
                checked,
                bad: Some(bad),
                next: None,
            });
        }
        checked = checked.saturating_add(1);
        previous = Some(link);
    }
    let next = match links.last().filter(|_| checked >= LINKS) {
        Some(last) => Cursor::Link(last.position),
        None => Cursor::Entry("aud_".to_owned()),
    };
    Ok(Page {
        checked,
        bad: None,
        next: Some(next),
    })
}

/// Entries that no link holds: new ones may wait for the sealer, old ones may not.
async fn entries<P: Platform>(cx: &Context<'_, P>, after: &str) -> Result<Page, Error> {
    let most = i64::try_from(ENTRIES_AT_ONCE).unwrap_or(0);
    let read = [ENTRIES.bind([after.into(), most.into()]), GONE.bind([])];
    let rows = cx.batch(&read).await?;
    let [rows, gone] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let bad = |id: &str, fault| Page {
        checked: 0,
        bad: Some(Bad {
            id: id.to_owned(),
            position: None,
            fault,
        }),
        next: None,
    };
    if let Some(row) = gone.first() {
        return Ok(bad(row.text(0)?, Fault::Deleted));
    }
    let limit: Millis = cx.now.minus(PATIENCE);
    for row in rows {
        if row.opt_int(2)?.is_none() && row.int(1)? <= limit.0 {
            return Ok(bad(row.text(0)?, Fault::Unsealed));
        }
    }
    let last = rows.last().filter(|_| rows.len() >= ENTRIES_AT_ONCE);
    let next = last.map(|row| row.text(0)).transpose()?;
    Ok(Page {
        checked: rows.len(),
        bad: None,
        next: next.map(|id| Cursor::Entry(id.to_owned())),
    })
}
