//! Rate limits of one tenant, which beat its plan's (docs/rate-limiting.md).

use serde_json::json;

use super::store::SET_LIMITS;
use crate::audit::Entry;
use crate::fields::Fields;
use crate::guard::rate_limit::Limits;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::Platform;

/// Gives a tenant limits of its own, or takes them back. They hold from the next request of each
/// caller on, and 5 s later at most for one that is refused.
pub(super) async fn set<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let limits = fields.opt_text("rateLimits", 1, 200)?;
    fields.finish()?;
    if let Some(text) = &limits
        && Limits::default().with(text).is_none()
    {
        let rule = "Must be pairs such as global=600,write=60:bucket.";
        return Err(Error::invalid("rateLimits", rule).into());
    }
    let actor = cx.service()?;
    let tenant = cx.require_tenant().await?.tenant;
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &actor,
        action: "organization.rate_limits",
        target: tenant.as_str(),
    };
    let change = SET_LIMITS.bind(&tenant, [limits.into(), cx.now.into()]);
    let rows = cx.batch(&[change, entry.append(cx)?]).await?;
    let row = rows.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    Ok(Reply::ok(&json!({
        "tenant": tenant.as_str(),
        "plan": row.text(0)?,
        "rateLimits": row.opt_text(1)?,
    })))
}
