//! The sealer: links what was written since its last run to the end of the chain.

use serde_json::{Value as Json, json};

use super::entry::{AuditKeys, Stored};
use super::store::{HEAD, PENDING, SEAL, SEALED};
use crate::http::{Context, Error};
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::Row;

/// Entries of one batch: some 50 KB of parameters.
const BATCH: i64 = 250;
/// Batches of one run; what is left waits for the next.
const ROUNDS: u32 = 20;

/// The end of the chain.
struct End {
    position: i64,
    hash: String,
}

impl End {
    fn from_rows(rows: &[Row]) -> Result<Self, DatabaseError> {
        rows.first().map_or_else(
            || {
                Ok(Self {
                    position: 0,
                    hash: String::new(),
                })
            },
            |row| {
                Ok(Self {
                    position: row.int(0)?,
                    hash: row.text(1)?.to_owned(),
                })
            },
        )
    }

    /// The entry's link as a row of the list that [`SEAL`] takes.
    fn append(&mut self, keys: &AuditKeys, entry: &Stored) -> Json {
        self.position = self.position.saturating_add(1);
        self.hash = entry.link(self.position, &self.hash);
        json!([self.position, entry.id, self.hash, keys.seal(&self.hash)])
    }
}

/// Seals what waits, at most [`BATCH`] × [`ROUNDS`] entries; says what it did. Safe beside other
/// sealers: each batch takes positions that only one of them can have, and leaves nothing behind
/// when it does not get them.
pub(crate) async fn run<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let keys = &cx.ready()?.audit;
    let read = [HEAD.bind([]), PENDING.bind([BATCH.into()])];
    let rows = cx.batch(&read).await?;
    let [head, mut waiting] = two(rows)?;
    let mut end = End::from_rows(&head)?;
    let (mut count, mut odd) = (0_usize, 0_usize);
    for _ in 0..ROUNDS {
        if waiting.is_empty() {
            break;
        }
        let before = end.position;
        let mut seals = Vec::with_capacity(waiting.len());
        for row in &waiting {
            let entry = Stored::from_row(row, 0)?;
            // It is sealed all the same, so that it stays where it can be seen.
            if entry.mac.is_some() && !keys.is_ours(&entry) {
                odd = odd.saturating_add(1);
                let fields = [("audit_id", json!(entry.id))];
                cx.log(Level::Error, "audit.forged", &fields);
            }
            seals.push(end.append(keys, &entry));
        }
        let list = Json::Array(seals).to_string();
        let writes = [
            SEAL.bind([list.as_str().into()]),
            SEALED.bind([list.as_str().into()]),
            PENDING.bind([BATCH.into()]),
        ];
        let sealed = waiting.len();
        waiting = match cx.batch(&writes).await {
            Ok(mut rows) => rows.pop().unwrap_or_default(),
            Err(error) => {
                // Another sealer took the positions: the rest is its work.
                let now = End::from_rows(&cx.query(HEAD.bind([])).await?)?;
                if now.position > before {
                    return Ok(told(count, odd));
                }
                return Err(error);
            }
        };
        count = count.saturating_add(sealed);
        let place = [("position", json!(end.position)), ("hash", json!(end.hash))];
        // An anchor outside of the database: docs/audit.md says how to use it.
        cx.line(Level::Info, "audit.sealed", &place);
    }
    Ok(told(count, odd))
}

fn told(count: usize, odd: usize) -> String {
    if odd == 0 {
        format!("{count} entries")
    } else {
        format!("{count} entries, {odd} with a wrong MAC")
    }
}

fn two(rows: Vec<Vec<Row>>) -> Result<[Vec<Row>; 2], DatabaseError> {
    rows.try_into()
        .map_err(|_| DatabaseError::Shape("two results were expected".to_owned()))
}
