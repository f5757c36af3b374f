//! The tenant's own part of the audit log.

use serde_json::{Value as Json, json};

use crate::http::{Context, Error, Interrupt, Page, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::time::Millis;

crate::queries! {
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most; `?5` action, `?6`
    /// actor, `?7` target, each NULL for any.
    LIST: TenantQuery = "organizations.audit", "
        SELECT id, actor, action, target, request_id, created_at, network, change
        FROM audit_log
        WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3)
            AND (CAST(?5 AS TEXT) IS NULL OR action = ?5)
            AND (CAST(?6 AS TEXT) IS NULL OR actor = ?6)
            AND (CAST(?7 AS TEXT) IS NULL OR target = ?7)
        ORDER BY created_at DESC, id DESC LIMIT ?4";
}

/// What was done in the tenant, newest first.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (action, actor, target) = (
        filter(cx, "action")?,
        filter(cx, "actor")?,
        filter(cx, "target")?,
    );
    let [time, id, most] = page.params();
    let (_, rows) = cx
        .load(|tenant| {
            let params = [time, id, most, action.into(), actor.into(), target.into()];
            vec![LIST.bind(tenant, params)]
        })
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    Ok(page.reply(rows, |row| Ok((row.int(5)?, row.text(0)?.to_owned())), show)?)
}

/// A filter of the query: a name or an id.
fn filter<P: Platform>(cx: &Context<'_, P>, name: &'static str) -> Result<Option<String>, Error> {
    let Some(text) = cx.request.query_value(name)? else {
        return Ok(None);
    };
    let plain = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain {
        Ok(Some(text))
    } else {
        Err(Error::invalid(name, "Must be a name or an id."))
    }
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    let change = row.opt_text(7)?.map(serde_json::from_str::<Json>);
    Ok(json!({
        "id": row.text(0)?,
        "actor": row.text(1)?,
        "action": row.text(2)?,
        "target": row.text(3)?,
        "requestId": row.text(4)?,
        "createdAt": Millis(row.int(5)?).rfc3339(),
        "network": row.opt_text(6)?,
        "change": change.and_then(Result::ok),
    }))
}
