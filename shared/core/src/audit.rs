//! The audit log: who did what, written in the batch that makes it true.

use crate::http::{Context, Error};
use crate::port::Platform;
use crate::sql::Statement;

crate::queries! {
    /// `?1` id, `?2` tenant or NULL, `?3` actor, `?4` action, `?5` target, `?6` request, `?7` now.
    APPEND: SystemQuery = "audit.append", "
        INSERT INTO audit_log (id, tenant_id, actor, action, target, request_id, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
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
}
