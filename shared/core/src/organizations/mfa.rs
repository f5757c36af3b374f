//! Whether a tenant asks its members for a second factor.

use serde_json::json;

use crate::audit::Entry;
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Guarded, Interrupt, Reply};
use crate::port::Platform;

crate::queries! {
    /// `?1` tenant, `?2` `all`, `admins` or NULL, `?3` now, `?4` session of the caller: nobody asks
    /// others for what they have not done themselves.
    REQUIRE: TenantQuery = "organizations.require_mfa", "
        UPDATE tenants SET mfa_required_for = ?2, updated_at = ?3
        WHERE id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM sessions
            WHERE id = ?4 AND tenant_id = ?1 AND amr <> REPLACE(amr, ' ', '')))
        RETURNING id";
    /// Only where the tenant is as `REQUIRE` left it.
    RECORD: TenantQuery = "organizations.record_mfa",
        crate::record_where!("FROM tenants WHERE id = ?1 AND id = ?5 AND updated_at = ?7");
}

/// Asks all members for a second factor, or founders and admins alone, or nobody. It holds from
/// the next request on, for sessions that exist too.
pub(super) async fn require<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let wanted = fields.text("required", 1, 20)?;
    fields.finish()?;
    let (stored, action) = match wanted.as_str() {
        "all" => (Some("all"), "tenant.mfa_required_all"),
        "admins" => (Some("admins"), "tenant.mfa_required_admins"),
        "none" => (None, "tenant.mfa_required_none"),
        _ => return Err(Error::invalid("required", "Must be all, admins or none.").into()),
    };
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let session = match cx.credential() {
        Credential::Member(claims) => claims.session.as_str(),
        _ => "",
    };
    let entry = Entry::by(&actor, action, actor.tenant.as_str());
    let guarded = Guarded {
        lock: None,
        change: REQUIRE.bind(
            &actor.tenant,
            [stored.into(), cx.now.into(), session.into()],
        ),
        record: entry.record(cx, &RECORD, &actor.tenant)?,
        rest: Vec::new(),
    };
    let reply = Reply::ok(&json!({"required": wanted}));
    let done = cx
        .commit_guarded(&actor, guarded, reply.clone(), &reply)
        .await?;
    Ok(done.ok_or_else(|| {
        let yourself = "Sign in with a second factor yourself before you ask others for one.";
        Error::new(Code::MfaRequired).with_message(yourself)
    })?)
}
