//! The audit log: who did what, written in the batch that makes it true.

use crate::http::{Context, Error};
use crate::port::Platform;
use crate::sql::{Statement, TenantQuery};
use crate::tenancy::TenantId;

crate::queries! {
    /// `?1` id, `?2` tenant or NULL, `?3` actor, `?4` action, `?5` target, `?6` request, `?7` now.
    APPEND: SystemQuery = "audit.append", "
        INSERT INTO audit_log (id, tenant_id, actor, action, target, request_id, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
}

/// The text of a statement that records an entry only where its change was made: `$from` finds
/// the row as the change left it. `?1` tenant, `?2` id of the entry, `?3` actor, `?4` action,
/// `?5` target, `?6` request, `?7` now; bound by [`Entry::record`].
#[macro_export]
macro_rules! record_where {
    ($($from:tt)+) => {
        concat!(
            "INSERT INTO audit_log (id, tenant_id, actor, action, target, request_id, created_at) \
             SELECT ?2, ?1, ?3, ?4, ?5, ?6, ?7 ",
            $($from)+
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

impl Entry<'_> {
    /// The statement that records it.
    pub fn append<P: Platform>(&self, cx: &Context<'_, P>) -> Result<Statement, Error> {
        Ok(APPEND.bind([
            cx.new_id("aud")?.into(),
            self.tenant.into(),
            self.actor.into(),
            self.action.into(),
            self.target.into(),
            cx.ids.request_id.as_str().into(),
            cx.now.into(),
        ]))
    }

    /// The same by a statement of the domain, made with [`crate::record_where!`], that records
    /// nothing where nothing was changed. The entry belongs to `tenant`.
    pub fn record<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        query: &'static TenantQuery,
        tenant: &TenantId,
    ) -> Result<Record, Error> {
        let id = cx.new_id("aud")?;
        let params = [
            id.as_str().into(),
            self.actor.into(),
            self.action.into(),
            self.target.into(),
            cx.ids.request_id.as_str().into(),
            cx.now.into(),
        ];
        let statement = query.bind(tenant, params);
        Ok(Record { id, statement })
    }
}
