//! What is asked of Stripe about subscriptions, and as much of the answers as is looked at.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::http::{Code, Context, Error};
use crate::outbound;
use crate::port::Platform;
use crate::stripe::{Form, client};
use crate::time::{Millis, SECOND};

/// A list, of which the first page is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
}

/// Anything, as far as it is named.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

/// A page of the customer portal.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    /// Where the browser goes, within a few minutes.
    pub(super) url: String,
}

/// A page of Checkout.
#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    /// Where the browser goes; nothing once it is over.
    pub(super) url: Option<String>,
    client_reference_id: Option<String>,
    /// Unix seconds.
    pub(super) expires_at: i64,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    tenant_id: Option<String>,
    request: Option<String>,
}

impl Session {
    pub(super) fn is_of(&self, tenant: &str) -> bool {
        self.client_reference_id.as_deref() == Some(tenant)
    }

    /// Whether this very request made it, and did not hear of it.
    pub(super) fn is_by(&self, request: &str) -> bool {
        self.metadata.request.as_deref() == Some(request)
    }
}

/// A subscription.
#[derive(Debug, Deserialize)]
pub(super) struct Subscription {
    id: String,
    status: String,
    cancel_at: Option<i64>,
    #[serde(default)]
    metadata: Metadata,
    items: List<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: String,
    current_period_end: Option<i64>,
}

impl Subscription {
    /// Whether it is this tenant's; one customer may pay for several. What names none is taken for it.
    pub(super) fn is_of(&self, tenant: &str) -> bool {
        self.metadata
            .tenant_id
            .as_deref()
            .is_none_or(|of| of == tenant)
    }

    /// Whether it gives anything, or still may.
    pub(super) fn lives(&self) -> bool {
        !["canceled", "incomplete_expired"].contains(&self.status.as_str())
    }

    /// The item that the plan's price stands on.
    pub(super) fn item(&self) -> Result<&str, Error> {
        let item = self.items.data.first().map(|item| item.id.as_str());
        item.ok_or_else(|| outbound::failed("a subscription without items"))
    }

    /// As it is shown: what Stripe said, before the webhook made it ours.
    pub(super) fn shown(&self, plan: &str) -> Json {
        let time =
            |seconds: Option<i64>| seconds.map(|s| Millis(s.saturating_mul(SECOND)).rfc3339());
        let item = self.items.data.first();
        json!({
            "id": self.id,
            "plan": plan,
            "status": self.status,
            "currentPeriodEnd": time(item.and_then(|item| item.current_period_end)),
            "cancelAt": time(self.cancel_at),
        })
    }
}

/// The id of the active price with that lookup key.
pub(super) async fn price<P: Platform>(cx: &Context<'_, P>, key: &str) -> Result<String, Error> {
    let query = Form::new()
        .with("active", "true")
        .with("limit", "1")
        .with("lookup_keys[]", key);
    let mut path = "/v1/prices?".to_owned();
    path.push_str(&query.into_text());
    let list: List<Named> = outbound::parse(&client::get(cx, &path).await?)?;
    let price = list.data.into_iter().next();
    price.map(|price| price.id).ok_or_else(|| {
        let why =
            "Stripe has no active price with the plan's lookup key; make one in its dashboard";
        Error::new(Code::BillingNotConfigured).with_cause(why)
    })
}

/// The tenant's customer, made if there is none. However often and from wherever it is asked for,
/// Stripe makes one.
pub(super) async fn customer<P: Platform>(
    cx: &Context<'_, P>,
    tenant: &str,
) -> Result<String, Error> {
    let form = Form::new().with_metadata("tenant_id", tenant);
    let key = client::key(tenant, "customer", "");
    let made: Named = outbound::parse(&client::post(cx, "/v1/customers", form, key).await?)?;
    Ok(made.id)
}

/// `/v1/subscriptions/sub_1`
pub(super) fn subscription(id: &str) -> String {
    let mut path = "/v1/subscriptions/".to_owned();
    path.push_str(id);
    path
}

/// All open pages of Checkout of a customer.
pub(super) async fn open_sessions<P: Platform>(
    cx: &Context<'_, P>,
    customer: &str,
) -> Result<Vec<Session>, Error> {
    let mut path = "/v1/checkout/sessions?status=open&limit=100&customer=".to_owned();
    path.push_str(customer);
    let list: List<Session> = outbound::parse(&client::get(cx, &path).await?)?;
    Ok(list.data)
}

/// All of a customer's subscriptions that have not ended.
pub(super) async fn subscriptions<P: Platform>(
    cx: &Context<'_, P>,
    customer: &str,
) -> Result<Vec<Subscription>, Error> {
    let mut path = "/v1/subscriptions?limit=100&customer=".to_owned();
    path.push_str(customer);
    let list: List<Subscription> = outbound::parse(&client::get(cx, &path).await?)?;
    Ok(list.data)
}
