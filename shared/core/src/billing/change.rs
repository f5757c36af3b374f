//! Changing what was bought: another plan, an end, and taking the end back.
//!
//! Stripe does it and answers; our own rows follow from the webhook, which tells the same.

use serde_json::json;

use super::checkout::lookup_key;
use super::store::{LIVE, PLAN, RECORD};
use super::stripe::{self, Subscription};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Actor, Code, Context, Error, Interrupt, Reply};
use crate::outbound;
use crate::port::Platform;
use crate::sql::Row;
use crate::stripe::{Form, client};

/// How a change within a paid period is charged; the first is the default.
const PRORATIONS: [&str; 3] = ["create_prorations", "always_invoice", "none"];

/// `PUT /api/v1/billing/subscription`: another plan, up or down, at once.
pub(super) async fn plan<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let plan = fields.text("plan", 1, 40)?;
    let proration = fields.opt_text("proration", 1, 40)?;
    fields.finish()?;
    let [default, ..] = PRORATIONS;
    let proration = proration.as_deref().unwrap_or(default);
    if !PRORATIONS.contains(&proration) {
        let rule = "Must be create_prorations, always_invoice or none.";
        return Err(Error::invalid("proration", rule).into());
    }
    let (actor, rows) = cx
        .load(|tenant| vec![LIVE.bind(tenant, []), PLAN.bind([plan.as_str().into()])])
        .await?;
    let key = lookup_key(rows.get(1).map_or(&[][..], Vec::as_slice))?;
    let id = live(&rows)?.text(0)?;
    let path = stripe::subscription(id);
    let price = stripe::price(cx, key).await?;
    let now: Subscription = outbound::parse(&client::get(cx, &path).await?)?;
    let form = Form::new()
        .with("items[0][id]", now.item()?)
        .with("items[0][price]", &price)
        .with("proration_behavior", proration);
    // The same key and another price would be refused.
    let mut own = cx.idempotency_key().unwrap_or_default().to_owned();
    own.push_str(&price);
    let key = client::key(actor.tenant.as_str(), "change", &own);
    let body = client::post(cx, &path, form, key).await?;
    let change = json!({"before": {"plan": live(&rows)?.text(1)?}, "after": {"plan": plan}});
    told(
        cx,
        &actor,
        "billing.change_plan",
        id,
        &body,
        &plan,
        Some(&change),
    )
    .await
}

/// `DELETE /api/v1/billing/subscription`: at the end of the paid period, or with `?now=true` at once.
pub(super) async fn cancel<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let at_once = match cx.request.query_value("now")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("now", "Must be true or false.").into()),
    };
    let (actor, rows) = cx.load(|tenant| vec![LIVE.bind(tenant, [])]).await?;
    let row = live(&rows)?;
    let (id, plan) = (row.text(0)?, row.text(1)?);
    let (body, act) = if at_once {
        let path = stripe::subscription(id);
        let body = match client::delete(cx, &path).await {
            // It has ended, perhaps by an attempt whose answer was lost.
            Err(error) if error.code() == Code::BillingObjectMissing => {
                client::get(cx, &path).await?
            }
            ended => ended?,
        };
        (body, "billing.cancel_now")
    } else {
        (ends(cx, &actor, id, true).await?, "billing.cancel")
    };
    told(cx, &actor, act, id, &body, plan, None).await
}

/// `POST /api/v1/billing/subscription/resume`: it does not end with the period after all.
pub(super) async fn resume<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, rows) = cx.load(|tenant| vec![LIVE.bind(tenant, [])]).await?;
    let row = live(&rows)?;
    let (id, plan) = (row.text(0)?, row.text(1)?);
    let body = ends(cx, &actor, id, false).await?;
    told(cx, &actor, "billing.resume", id, &body, plan, None).await
}

/// Says whether it ends with the period. Repeating it changes nothing, so each request has a key of
/// its own.
async fn ends<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    id: &str,
    ends: bool,
) -> Result<Vec<u8>, Error> {
    let word = if ends { "true" } else { "false" };
    let form = Form::new().with("cancel_at_period_end", word);
    let key = client::key(actor.tenant.as_str(), "ends", &cx.new_id("req")?);
    client::post(cx, &stripe::subscription(id), form, key).await
}

/// The tenant's subscription that has not ended, by the rows of [`LIVE`].
fn live(rows: &[Vec<Row>]) -> Result<&Row, Error> {
    let row = rows.first().and_then(|rows| rows.first());
    row.ok_or_else(|| {
        let why = "There is no subscription: begin one with POST /api/v1/billing/checkout.";
        Error::new(Code::StateConflict).with_message(why)
    })
}

/// Records what was done, and tells what Stripe said.
async fn told<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    act: &'static str,
    id: &str,
    body: &[u8],
    plan: &str,
    change: Option<&serde_json::Value>,
) -> Result<Reply, Interrupt> {
    let said: Subscription = outbound::parse(body)?;
    let entry = Entry::by(actor, act, id);
    let record = entry.record_change(cx, &RECORD, &actor.tenant, change)?;
    let reply = Reply::json(202, &json!({"subscription": said.shown(plan)}));
    cx.commit(actor, vec![record.statement], reply).await
}
