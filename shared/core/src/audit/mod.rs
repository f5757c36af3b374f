//! The audit log: who did what, written in the batch that makes it true, and chained afterwards.
//!
//! An entry carries a MAC from the moment it is written. A sealer links entries into a hash
//! chain; `verify` walks the chain (docs/audit.md, docs/decisions/0011).

mod entry;
mod seal;
mod store;
mod verify;

use serde_json::{Value as Json, json};

pub use entry::{AuditKeys, Stored};
pub(crate) use seal::run as seal_pending;
pub use verify::{Bad, Fault, Head, Page, Report, VERIFY, verify_all};
pub(crate) use verify::{Cursor, page};

use crate::guard::client::network;
use crate::http::{Actor, Context, Error};
use crate::port::{Dialect, Platform};
use crate::sql::{CredentialQuery, Row, Statement, TenantQuery, Value};
use crate::tenancy::TenantId;

crate::queries! {
    /// `?1` tenant or NULL, `?2` id, `?3` actor, `?4` action, `?5` target, `?6` request, `?7` now,
    /// `?8` network or NULL, `?9` change or NULL, `?10` MAC.
    APPEND: SystemQuery = "audit.append", crate::record_where!("");
}

/// Every statement of the audit log.
pub(crate) static ALL_QUERIES: [&[&crate::sql::Query]; 2] = [QUERIES, store::QUERIES];

/// The text of a statement that records an entry only where its change was made: `$from` finds
/// the row as the change left it. `?1` tenant, `?2` id of the entry, `?3` actor, `?4` action,
/// `?5` target, `?6` request, `?7` now, `?8` network, `?9` change, `?10` MAC; bound by
/// [`Entry::record`]; a statement with more of them starts at `?11`. The id comes back where an
/// entry was written. A trigger marks what it inserts as not yet sealed.
#[macro_export]
macro_rules! record_where {
    ($($from:tt)+) => {
        concat!(
            "INSERT INTO audit_log (id, tenant_id, actor, action, target, request_id, created_at, \
             network, change, mac) SELECT ?2, CAST(?1 AS TEXT), ?3, ?4, ?5, ?6, ?7, \
             CAST(?8 AS TEXT), CAST(?9 AS TEXT), ?10 ",
            $($from)+,
            " RETURNING id"
        )
    };
}

/// The text of a statement of the tenant `?1` that does something only where its batch wrote the
/// record `?3` before. The text given must end within its `WHERE`.
#[macro_export]
macro_rules! while_recorded {
    ($($statement:tt)+) => {
        concat!(
            $($statement)+,
            " AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?3 AND tenant_id = ?1)"
        )
    };
}

/// An entry that is there after its batch only if the change it tells of was made, so that later
/// statements can ask for it.
#[derive(Debug, Clone)]
pub struct Record {
    /// Id of the entry.
    pub id: String,
    /// Writes it.
    pub statement: Statement,
}

/// One thing that was done.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// In which tenant; none where the act belongs to a user alone.
    pub tenant: Option<&'a str>,
    /// Who did it: an id, never a name or address.
    pub actor: &'a str,
    /// What: `domain.act`, a stable name.
    pub action: &'static str,
    /// To what: an id.
    pub target: &'a str,
}

impl<'a> Entry<'a> {
    /// What `actor` did, in the tenant it acts in.
    pub fn by(actor: &'a Actor, action: &'static str, target: &'a str) -> Self {
        Self {
            tenant: Some(actor.tenant.as_str()),
            actor: &actor.user,
            action,
            target,
        }
    }

    /// The statement that records it.
    pub fn append<P: Platform>(&self, cx: &Context<'_, P>) -> Result<Statement, Error> {
        self.append_change(cx, None)
    }

    /// Like [`Self::append`], with what changed, as for [`Self::record_change`].
    pub fn append_change<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        change: Option<&Json>,
    ) -> Result<Statement, Error> {
        let (_, params) = self.values(cx, change)?;
        let mut statement = APPEND.bind([self.tenant.into()]);
        statement.params.extend(params);
        Ok(statement)
    }

    /// The same by a statement of the domain, made with [`crate::record_where!`], that records
    /// nothing where nothing was changed. The entry belongs to `tenant`.
    pub fn record<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        query: &'static TenantQuery,
        tenant: &TenantId,
    ) -> Result<Record, Error> {
        self.record_change(cx, query, tenant, None)
    }

    /// Like [`Self::record`], with what changed: an object with the members `before` and `after`
    /// where there is such a thing. It is shown to the tenant and kept for good, so it must hold
    /// neither secrets nor personal data.
    pub fn record_change<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        query: &'static TenantQuery,
        tenant: &TenantId,
        change: Option<&Json>,
    ) -> Result<Record, Error> {
        let entry = Entry {
            tenant: Some(tenant.as_str()),
            ..*self
        };
        let (id, params) = entry.values(cx, change)?;
        let statement = query.bind(tenant, params);
        Ok(Record { id, statement })
    }

    /// Like [`Self::record`], for an act that belongs to a user more than to a tenant: the entry's
    /// tenant is the one it names, or none.
    pub fn record_own<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        query: &'static CredentialQuery,
    ) -> Result<Record, Error> {
        let (id, params) = self.values(cx, None)?;
        let mut statement = query.bind([self.tenant.into()]);
        statement.params.extend(params);
        Ok(Record { id, statement })
    }

    /// The id, and the values from `?2` on.
    fn values<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        change: Option<&Json>,
    ) -> Result<(String, [Value; 9]), Error> {
        let id = cx.new_id("aud")?;
        let stored = Stored {
            id: id.clone(),
            tenant: self.tenant.map(str::to_owned),
            actor: self.actor.to_owned(),
            action: self.action.to_owned(),
            target: self.target.to_owned(),
            request: cx.ids.request_id.clone(),
            created_at: cx.now.0,
            network: network(cx.client),
            change: change.map(Json::to_string),
            mac: None,
        };
        let mac = cx.ready()?.audit.mac(&stored);
        let params = [
            stored.id.into(),
            stored.actor.into(),
            stored.action.into(),
            stored.target.into(),
            stored.request.into(),
            stored.created_at.into(),
            stored.network.into(),
            stored.change.into(),
            mac.into(),
        ];
        Ok((id, params))
    }
}

/// The second sink: a line for each entry that a batch has written. `rows` are what the
/// statements returned. The line has ids only; network and change stay in the database.
pub(crate) fn told<'a>(
    statements: &'a [Statement],
    rows: &'a [Vec<Row>],
) -> impl Iterator<Item = Vec<(&'static str, Json)>> + 'a {
    let written = statements.iter().zip(rows);
    written
        .filter(|(statement, rows)| !rows.is_empty() && records(statement))
        .map(|(statement, _)| line(&statement.params))
}

/// Whether the statement was made with [`record_where!`].
fn records(statement: &Statement) -> bool {
    let text = statement.query.text(Dialect::Sqlite);
    text.starts_with("INSERT INTO audit_log ")
}

fn line(params: &[Value]) -> Vec<(&'static str, Json)> {
    let names = ["tenant", "audit_id", "actor", "action", "target"];
    let shown = names.into_iter().zip(params).map(|(name, value)| {
        let value = match value {
            Value::Text(text) => json!(text),
            Value::Int(number) => json!(number),
            Value::Null => Json::Null,
        };
        (name, value)
    });
    shown.collect()
}
