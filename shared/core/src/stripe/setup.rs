//! What Stripe must know before anybody can pay: a product and a price for each plan that costs something,
//! and where events go. For the operator's tool; no function of the product calls it.
//!
//! Everything is found again: a price by its lookup key, a product by an id of ours, the endpoint by its
//! address and version. So a second run finds nothing to do, and one that broke off is continued by the next.

use serde::Deserialize;
use serde_json::Value as Json;

use super::client;
use super::event::{API_VERSION, TYPES};
use super::form::Form;
use super::store::PLANS_FOR_SALE;
use crate::config::Secret;
use crate::crypto::base64url;
use crate::http::{Code, Context, Error, RouteInfo, in_background};
use crate::outbound;
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;

/// What it appears as in logs.
static SET_UP: RouteInfo = RouteInfo::background("stripe.set_up", "tool:stripe-setup");

/// Where the endpoint is, below the address of the API.
const WEBHOOK: &str = "/webhooks/stripe";
/// In the metadata of what this made: a plan's id.
const MARK: &str = "edgekeep_plan";

/// What was found and done.
#[derive(Debug, Default)]
pub struct Report {
    /// A line for each thing.
    pub lines: Vec<String>,
    /// How many of them are changes.
    pub changes: usize,
    /// The signing secret of an endpoint that was made. Stripe tells it this once; it is for nobody's log.
    pub secret: Option<Secret>,
}

/// Compares Stripe with the plans and brings it up to them; `dry` only says what it would do. `api` is the
/// public address of the API.
///
/// # Errors
/// As [`client::get`], the database's own, and `NOT_CONFIGURED` without a sound configuration.
pub async fn set_up<P: Platform>(platform: &P, api: &str, dry: bool) -> Result<Report, Error> {
    let work = async |cx: &Context<'_, P>| {
        let mut setup = Setup {
            cx,
            dry,
            report: Report::default(),
        };
        for row in cx.query(PLANS_FOR_SALE.bind([])).await? {
            setup.plan(&Plan::from_row(&row)?).await?;
        }
        setup.endpoint(api).await?;
        Ok(setup.report)
    };
    let report = in_background(platform, &SET_UP, work).await;
    report.unwrap_or_else(|| Err(Error::new(Code::NotConfigured)))
}

/// A plan that is sold.
struct Plan {
    id: String,
    name: String,
    amount: i64,
    currency: String,
    lookup_key: String,
}

impl Plan {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            amount: row.int(2)?,
            currency: row.text(3)?.to_owned(),
            lookup_key: row.text(4)?.to_owned(),
        })
    }

    /// The id that its product gets from us.
    fn product(&self) -> String {
        format!("edgekeep_{}", self.id)
    }

    fn cost(&self) -> String {
        format!("{} {} a month", self.amount, self.currency)
    }
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Product {
    id: String,
    name: String,
    #[serde(default)]
    metadata: Json,
}

#[derive(Deserialize)]
struct Price {
    id: String,
    product: String,
    active: bool,
    currency: String,
    unit_amount: Option<i64>,
    recurring: Option<Recurring>,
}

#[derive(Deserialize)]
struct Recurring {
    interval: String,
    interval_count: i64,
}

impl Price {
    fn is_of(&self, plan: &Plan) -> bool {
        let monthly = |every: &Recurring| every.interval == "month" && every.interval_count == 1;
        self.active
            && self.unit_amount == Some(plan.amount)
            && self.currency == plan.currency
            && self.recurring.as_ref().is_some_and(monthly)
    }
}

#[derive(Deserialize)]
struct Endpoint {
    id: String,
    url: String,
    status: String,
    api_version: Option<String>,
    enabled_events: Vec<String>,
    secret: Option<String>,
}

impl Endpoint {
    fn speaks_ours(&self) -> bool {
        self.api_version.as_deref() == Some(API_VERSION)
    }
}

struct Setup<'a, 'c, P: Platform> {
    cx: &'a Context<'c, P>,
    dry: bool,
    report: Report,
}

impl<P: Platform> Setup<'_, '_, P> {
    fn keep(&mut self, line: String) {
        self.report.lines.push(line);
    }

    fn change(&mut self, line: String) {
        self.report.changes = self.report.changes.saturating_add(1);
        self.report.lines.push(line);
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        outbound::parse(&client::get(self.cx, path).await?)
    }

    /// Makes or changes something; nothing in a dry run.
    async fn write(&self, path: &str, form: Form) -> Result<Option<Vec<u8>>, Error> {
        if self.dry {
            return Ok(None);
        }
        // Of this one call: what a former run began is found, not repeated.
        let key = base64url(&self.cx.random::<18>()?);
        client::post(self.cx, path, form, key).await.map(Some)
    }

    async fn plan(&mut self, plan: &Plan) -> Result<(), Error> {
        let query = Form::new()
            .with("limit", "1")
            .with("lookup_keys[]", &plan.lookup_key);
        let found: List<Price> = self
            .read(&format!("/v1/prices?{}", query.into_text()))
            .await?;
        let found = found.data.into_iter().next();
        let product = found.as_ref().map(|price| price.product.clone());
        let product = self.product(plan, product).await?;
        let key = &plan.lookup_key;
        let line = match &found {
            Some(price) if price.is_of(plan) => {
                let id = &price.id;
                self.keep(format!("price {key}: as it is, {} ({id})", plan.cost()));
                return Ok(());
            }
            Some(former) => format!(
                "price {key}: another one, {}; {} stays for those who have it",
                plan.cost(),
                former.id
            ),
            None => format!("price {key}: make it, {}", plan.cost()),
        };
        let form = Form::new()
            .with("product", &product)
            .with("currency", &plan.currency)
            .with("unit_amount", &plan.amount.to_string())
            .with_at(&["recurring", "interval"], "month")
            .with("lookup_key", key)
            .with("transfer_lookup_key", "true")
            .with_metadata(MARK, &plan.id);
        self.write("/v1/prices", form).await?;
        self.change(line);
        Ok(())
    }

    /// The product of a plan's price, made if there is none. One that somebody else made keeps its name.
    async fn product(&mut self, plan: &Plan, known: Option<String>) -> Result<String, Error> {
        let id = known.unwrap_or_else(|| plan.product());
        let found: Option<Product> = match self.read(&format!("/v1/products/{id}")).await {
            Ok(product) => Some(product),
            Err(error) if error.code() == Code::BillingObjectMissing => None,
            Err(error) => return Err(error),
        };
        let form = Form::new()
            .with("name", &plan.name)
            .with_metadata(MARK, &plan.id);
        match found {
            None => {
                self.write("/v1/products", form.with("id", &id)).await?;
                self.change(format!("product {id}: make it, {:?}", plan.name));
            }
            Some(product) if product.name == plan.name || product.metadata.get(MARK).is_none() => {
                self.keep(format!(
                    "product {}: as it is, {:?}",
                    product.id, product.name
                ));
            }
            Some(_) => {
                self.write(&format!("/v1/products/{id}"), form).await?;
                self.change(format!("product {id}: call it {:?}", plan.name));
            }
        }
        Ok(id)
    }

    async fn endpoint(&mut self, api: &str) -> Result<(), Error> {
        let url = format!("{}{WEBHOOK}", api.trim_end_matches('/'));
        let mut own = self.endpoints().await?;
        own.retain(|endpoint| endpoint.url == url);
        let (ours, others): (Vec<_>, Vec<_>) = own.into_iter().partition(Endpoint::speaks_ours);
        match ours.first() {
            Some(endpoint) => self.mend(&url, endpoint).await?,
            None => self.make(&url).await?,
        }
        // An endpoint's version cannot be changed, and until the new secret is deployed the old one serves.
        for old in others {
            let version = old.api_version.as_deref().unwrap_or("of the account");
            self.keep(format!(
                "endpoint {url}: {} speaks version {version}; delete it once the new secret is deployed",
                old.id
            ));
        }
        Ok(())
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let mut all: Vec<Endpoint> = Vec::new();
        loop {
            let mut path = "/v1/webhook_endpoints?limit=100".to_owned();
            if let Some(last) = all.last() {
                path.push_str("&starting_after=");
                path.push_str(&last.id);
            }
            let page: List<Endpoint> = self.read(&path).await?;
            let more = page.has_more && !page.data.is_empty();
            all.extend(page.data);
            if !more {
                return Ok(all);
            }
        }
    }

    async fn make(&mut self, url: &str) -> Result<(), Error> {
        let form = events(Form::new())
            .with("url", url)
            .with("api_version", API_VERSION)
            .with("description", "Edgekeep");
        if let Some(body) = self.write("/v1/webhook_endpoints", form).await? {
            let made: Endpoint = outbound::parse(&body)?;
            self.report.secret = made.secret.map(Secret::new);
        }
        let number = TYPES.len();
        self.change(format!(
            "endpoint {url}: make it, {number} types of events, version {API_VERSION}"
        ));
        Ok(())
    }

    /// Gives an endpoint the types of events that the webhook handles, and turns it on.
    async fn mend(&mut self, url: &str, endpoint: &Endpoint) -> Result<(), Error> {
        let has = |name: &str| endpoint.enabled_events.iter().any(|other| other == name);
        let lacks = TYPES.iter().filter(|name| !has(name));
        let lacks = lacks.map(|name| format!(" +{name}"));
        let surplus = endpoint.enabled_events.iter();
        let surplus = surplus.filter(|name| !TYPES.contains(&name.as_str()));
        let surplus = surplus.map(|name| format!(" -{name}"));
        let mut differs: String = lacks.chain(surplus).collect();
        if endpoint.status != "enabled" {
            differs.push_str(" turned on");
        }
        let id = &endpoint.id;
        if differs.is_empty() {
            self.keep(format!("endpoint {url}: as it is ({id})"));
            return Ok(());
        }
        let form = events(Form::new()).with("disabled", "false");
        let path = format!("/v1/webhook_endpoints/{id}");
        self.write(&path, form).await?;
        self.change(format!("endpoint {url}: change {id}:{differs}"));
        Ok(())
    }
}

fn events(mut form: Form) -> Form {
    for name in TYPES {
        form = form.with("enabled_events[]", name);
    }
    form
}
