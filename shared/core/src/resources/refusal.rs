//! Why the database refused: asked only then, because mostly it does not.

use super::create::Wish;
use super::model::{Head, Resource};
use super::read::Found;
use super::store::most_deleted;
use crate::http::{Actor, Code, Context, Error, Expected, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Value};

const MOST_DELETED: i64 = most_deleted!();

/// The answer to a creation that was refused: what somebody else has made for the same temporary
/// id meanwhile, or an error.
pub(super) async fn of_creation<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
    actor: &Actor,
    wish: &Wish,
) -> Result<Reply, Error> {
    let temp = wish.temp.as_ref().map(super::temp::TempId::stored);
    let mut reads = vec![room(cx, resource, actor, temp.into())];
    reads.extend(wish.reads(cx, resource, &actor.tenant));
    let rows = cx.batch(&reads).await?;
    let (room, rest) = rows.split_first().ok_or_else(no_rows)?;
    if let Some(known) = wish.judge(resource, rest)? {
        return Ok(known);
    }
    let room = Room::read(room)?;
    if room.taken.is_some_and(|name| name != resource.name) {
        let rule = "Stands for something of another kind already.";
        let error = Error::new(Code::StateConflict).with_message(rule);
        return Err(error.with_field("client_temp_id"));
    }
    Err(if !room.is_full() && room.holds_too_many_deleted() {
        room.littered(resource, actor, cx.plans_url())
    } else {
        room.full(resource, actor, cx.plans_url())
    })
}

/// The error for a change that was refused.
pub(super) async fn of_change<P: Platform>(
    cx: &Context<'_, P>,
    resource: &'static Resource,
    found: &Found,
    expected: &Expected,
) -> Result<Error, Error> {
    let (actor, id) = (&found.actor, cx.param());
    let mut reads = vec![
        resource.sql.get.bind(&actor.tenant, [id.into()]),
        room(cx, resource, actor, Value::Null),
    ];
    let children = resource.children.as_ref();
    reads.extend(children.map(|children| children.count.bind(&actor.tenant, [id.into()])));
    let rows = cx.batch(&reads).await?;
    let [row, room, rest @ ..] = rows.as_slice() else {
        return Err(no_rows().into());
    };
    let Some(row) = row.first() else {
        return Ok(Error::new(Code::NotFound));
    };
    let head = Head::of(row)?;
    // Somebody else has deleted it, or brought it back.
    if head.is_deleted != found.head.is_deleted {
        return Ok(if head.is_deleted {
            Error::new(Code::NotFound)
        } else {
            expected.overtaken(head.version)
        });
    }
    if head.version != found.head.version {
        return Ok(expected.overtaken(head.version));
    }
    if !head.is_deleted {
        let count = rest.first().and_then(|rows| rows.first());
        let count = count.map(|row| row.int(0)).transpose()?.unwrap_or(0);
        if let Some(children) = children.filter(|_| count > 0) {
            let (one, name) = (resource.one, children.name);
            let rule = format!("This {one} has {name}: {count}. Delete or move them first.");
            return Ok(Error::new(Code::StateConflict).with_message(rule));
        }
    }
    let belongs = resource.parent_of(row);
    if head.is_deleted {
        let room = Room::read(room)?;
        return Ok(match belongs {
            Some(parent) if !room.is_full() => {
                let rule = "What it belonged to is deleted; restore that first.";
                Error::new(Code::StateConflict)
                    .with_message(rule)
                    .with_field(resource.parent_field(parent))
            }
            _ => room.full(resource, actor, cx.plans_url()),
        });
    }
    Ok(match &resource.parent {
        Some(parent) => resource.orphaned(parent),
        None => expected.overtaken(head.version),
    })
}

fn no_rows() -> DatabaseError {
    DatabaseError::Shape("a row was expected".to_owned())
}

fn room<P: Platform>(
    cx: &Context<'_, P>,
    resource: &Resource,
    actor: &Actor,
    temp: Value,
) -> crate::sql::Statement {
    let params = [actor.user.as_str().into(), temp, cx.now.into()];
    resource.sql.room.bind(&actor.tenant, params)
}

/// A row of `ROOM`.
struct Room<'r> {
    most: Option<i64>,
    live: i64,
    taken: Option<&'r str>,
    kept: i64,
}

impl<'r> Room<'r> {
    fn read(rows: &'r [Row]) -> Result<Self, DatabaseError> {
        let row = rows.first().ok_or_else(no_rows)?;
        Ok(Self {
            most: row.opt_int(0)?,
            live: row.int(1)?,
            taken: row.opt_text(2)?,
            kept: row.int(3)?,
        })
    }

    fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.live >= most)
    }

    fn holds_too_many_deleted(&self) -> bool {
        let most = self.most.map(|most| most.saturating_add(MOST_DELETED));
        most.is_some_and(|most| self.kept >= most)
    }

    /// The error for a tenant that keeps too many deleted ones.
    fn littered(&self, resource: &Resource, actor: &Actor, plans: String) -> Error {
        let rule = format!(
            "At most {MOST_DELETED} deleted {} are kept; wait until the oldest goes, 30 days after its \
             deletion.",
            resource.name
        );
        let error = Error::new(Code::QuotaExceeded).with_message(rule);
        self.told(error, actor, plans).with_retry_after(3_600)
    }

    /// The error for a tenant without room. There was none when the database refused, so it is
    /// right even if somebody has made some since.
    fn full(&self, resource: &Resource, actor: &Actor, plans: String) -> Error {
        let (name, most) = (resource.name, self.most.unwrap_or(self.live));
        let rule = format!(
            "The plan allows {most} {name}; delete one that you do not need, or upgrade the plan."
        );
        // Somebody may delete one at any time.
        let error = Error::new(Code::QuotaExceeded).with_message(rule);
        self.told(error, actor, plans).with_retry_after(60)
    }

    fn told(&self, error: Error, actor: &Actor, plans: String) -> Error {
        error
            .with_member("plan", actor.plan.as_str())
            .with_member("limit", self.most.unwrap_or(self.live))
            .with_member("used", self.live)
            .with_member("upgrade_url", plans)
    }
}
