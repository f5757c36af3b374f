//! Buying: a tenant is sent to Stripe's Checkout, and to Stripe's portal for what it has bought.
//!
//! A tenant has one subscription at most. One request at a time begins a Checkout for it; that one
//! ends every other open page of the tenant's, and then looks whether somebody has paid at one. So of
//! two pages only the later can be paid, whoever opened them and whatever answer was lost.

use serde_json::json;

use super::store::{BUYER, CHECKOUT, CHECKOUT_OVER, CUSTOMER, LIVE, PLAN};
use super::stripe::{self, Page, Session};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Actor, Code, Context, Error, Interrupt, Reply};
use crate::outbound;
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::stripe::{Form, client};
use crate::tenancy::TenantId;
use crate::time::{DAY, HOUR, MINUTE, Millis, SECOND};

/// Longer than all of Stripe's answers may take together.
const LEASE: i64 = 2 * MINUTE;

/// What a buyer says.
struct Order {
    plan: String,
    success: String,
    cancel: String,
}

/// `POST /api/v1/billing/checkout`: a page of Stripe's where the tenant pays for a plan. Nothing is
/// bought until somebody pays there, and no plan changes until the webhook tells of it.
pub(super) async fn begin<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let order = order(cx)?;
    let reads = |tenant: &TenantId| {
        let plan = PLAN.bind([order.plan.as_str().into()]);
        vec![LIVE.bind(tenant, []), plan]
    };
    let (actor, rows) = cx.load(reads).await?;
    let [live, plan] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let key = lookup_key(plan)?;
    if !live.is_empty() {
        return Err(has_one().into());
    }
    let now = cx.clock();
    let lease = CHECKOUT.bind(
        &actor.tenant,
        [
            now.into(),
            now.plus(LEASE).into(),
            // In an hour somebody looks whether it was paid, should no event tell.
            now.minus(DAY).plus(HOUR).into(),
        ],
    );
    let leased = cx.query(lease).await?;
    let Some(row) = leased.first() else {
        let busy = "A checkout of this organization is being made.";
        return Err(Error::new(Code::IdempotencyInProgress)
            .with_message(busy)
            .with_retry_after(2)
            .into());
    };
    let known = row.opt_text(0)?.map(str::to_owned);
    let over = CHECKOUT_OVER.bind(&actor.tenant, []);
    let session = match open(cx, &actor, &order, key, known, now).await {
        Ok(session) => session,
        Err(error) => {
            // It would run out by itself; ending it makes the next attempt quicker.
            let _ = cx.query(over).await;
            return Err(error.into());
        }
    };
    let entry = Entry::by(&actor, "billing.checkout", &order.plan);
    let writes = vec![over.clone(), entry.append(cx)?];
    let shown = json!({
        "id": session.id,
        "url": session.url,
        "plan": order.plan,
        "expiresAt": Millis(session.expires_at.saturating_mul(SECOND)).rfc3339(),
    });
    let done = cx.commit(&actor, writes, Reply::json(201, &shown)).await;
    if matches!(done, Err(Interrupt::Error(_))) {
        let _ = cx.query(over).await;
    }
    done
}

fn order<P: Platform>(cx: &Context<'_, P>) -> Result<Order, Error> {
    let mut fields = Fields::parse(cx.request.body)?;
    let plan = fields.text("plan", 1, 40)?;
    let success = place(cx, &mut fields, "successUrl", "/billing?checkout=done")?;
    let cancel = place(cx, &mut fields, "cancelUrl", "/billing?checkout=canceled")?;
    fields.finish()?;
    Ok(Order {
        plan,
        success,
        cancel,
    })
}

/// Where the browser comes back to: below `FRONTEND_URL` alone, or whoever may buy could send
/// colleagues anywhere by a link of Stripe's.
fn place<P: Platform>(
    cx: &Context<'_, P>,
    fields: &mut Fields,
    name: &'static str,
    default: &str,
) -> Result<String, Error> {
    let home = cx.config()?.frontend_url.as_str();
    let Some(given) = fields.opt_text(name, 1, 500)? else {
        let mut place = home.to_owned();
        place.push_str(default);
        return Ok(place);
    };
    let (scheme, rest) = home.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let below = given
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix("://"))
        .and_then(|rest| rest.strip_prefix(host));
    let sound = below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    if !sound
        || !given
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    {
        return Err(Error::invalid(
            name,
            "Must be an address below FRONTEND_URL.",
        ));
    }
    Ok(given)
}

/// The lookup key of a plan that can be bought, by the row of [`PLAN`].
pub(super) fn lookup_key(plan: &[Row]) -> Result<&str, Error> {
    let row = plan.first();
    let row = row.ok_or_else(|| Error::invalid("plan", "Must be the id of a plan."))?;
    let key = row.opt_text(0)?;
    key.ok_or_else(|| Error::invalid("plan", "Must be a plan that costs something."))
}

fn has_one() -> Error {
    let why = "There is a subscription already: change it with PUT /api/v1/billing/subscription.";
    Error::new(Code::StateConflict).with_message(why)
}

/// The page to pay at. Nobody else is here for this tenant.
async fn open<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    order: &Order,
    lookup_key: &str,
    known: Option<String>,
    now: Millis,
) -> Result<Session, Error> {
    let tenant = actor.tenant.as_str();
    let request = cx.idempotency_key().unwrap_or_default();
    let customer = match known {
        Some(customer) => customer,
        None => make_customer(cx, actor).await?,
    };
    for session in stripe::open_sessions(cx, &customer).await? {
        // A repetition whose first answer was lost gets what it has made.
        if session.is_by(request) {
            return Ok(session);
        }
        if session.is_of(tenant) {
            let mut path = "/v1/checkout/sessions/".to_owned();
            path.push_str(&session.id);
            path.push_str("/expire");
            let key = client::key(tenant, "expire", &session.id);
            client::post(cx, &path, Form::new(), key).await?;
        }
    }
    let all = stripe::subscriptions(cx, &customer).await?;
    if all.iter().any(|one| one.is_of(tenant) && one.lives()) {
        return Err(has_one());
    }
    let price = stripe::price(cx, lookup_key).await?;
    let form = Form::new()
        .with("mode", "subscription")
        .with("customer", &customer)
        .with("client_reference_id", tenant)
        .with("line_items[0][price]", &price)
        .with("line_items[0][quantity]", "1")
        .with("success_url", &order.success)
        .with("cancel_url", &order.cancel)
        .with_metadata("tenant_id", tenant)
        .with_metadata("request", request)
        .with("subscription_data[metadata][tenant_id]", tenant);
    // Not of the request alone: a page that was ended meanwhile must not come back.
    let mut own = request.to_owned();
    own.push_str(&now.0.to_string());
    let key = client::key(tenant, "checkout", &own);
    outbound::parse(&client::post(cx, "/v1/checkout/sessions", form, key).await?)
}

/// Makes the tenant's customer and keeps it.
async fn make_customer<P: Platform>(cx: &Context<'_, P>, actor: &Actor) -> Result<String, Error> {
    let made = stripe::customer(cx, actor.tenant.as_str()).await?;
    let keep = BUYER.bind(&actor.tenant, [made.as_str().into(), cx.now.into()]);
    let kept = cx.query(keep).await?;
    match kept.first() {
        Some(row) => Ok(row.text(0)?.to_owned()),
        // Another tenant has it: Stripe would not make that so, but somebody by hand.
        None => Ok(made),
    }
}

/// `POST /api/v1/billing/portal`: a page of Stripe's for cards, invoices and cancellation.
pub(super) async fn portal<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let back = place(cx, &mut fields, "returnUrl", "/billing")?;
    fields.finish()?;
    let (actor, rows) = cx.load(|tenant| vec![CUSTOMER.bind(tenant, [])]).await?;
    let row = rows.first().and_then(|rows| rows.first());
    let customer = row.map(|row| row.opt_text(0)).transpose()?.flatten();
    let Some(customer) = customer else {
        let why = "Nothing was bought yet: begin with POST /api/v1/billing/checkout.";
        return Err(Error::new(Code::StateConflict).with_message(why).into());
    };
    let form = Form::new()
        .with("customer", customer)
        .with("return_url", &back);
    let key = client::key(actor.tenant.as_str(), "portal", &cx.new_id("req")?);
    let body = client::post(cx, "/v1/billing_portal/sessions", form, key).await?;
    let page: Page = outbound::parse(&body)?;
    let entry = Entry::by(&actor, "billing.portal", customer);
    // Not a thing that was made: nothing is kept of it, as whoever has the address is in.
    let reply = Reply::ok(&json!({"url": page.url}));
    cx.commit(&actor, vec![entry.append(cx)?], reply).await
}
