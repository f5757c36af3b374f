//! Beginning a payment.

use serde_json::{Value as Json, json};

use super::machine::history;
use super::model::{Payment, action};
use super::products::{MAX_AMOUNT, Product};
use super::read::shown;
use super::settle::intent;
use super::store::{BY_REQUEST, FORGET, INSERT, RECORD_CREATED, SET_INTENT};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Actor, Code, Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::stripe::client;
use crate::stripe::payment::{self, Intent};
use crate::time::{DAY, MINUTE};

/// Bytes of a payment's metadata, and how deep it may be nested.
pub(super) const METADATA: (usize, usize) = (16_384, 8);
/// When Stripe is asked what became of a payment of which nothing was heard.
const FIRST_CHECK: i64 = 15 * MINUTE;

/// What a client asks for. The amount follows from it.
struct Wish {
    product: String,
    quantity: i64,
    metadata: String,
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::parse(body)?;
        let product = fields.text("product", 1, 64)?;
        let quantity = fields.opt_int("quantity", 1, 1_000_000)?.unwrap_or(1);
        let (bytes, depth) = METADATA;
        let metadata = fields.opt_free_object("metadata", bytes, depth)?;
        fields.finish()?;
        Ok(Self {
            product,
            quantity,
            metadata: metadata.map_or_else(|| "{}".to_owned(), |value| value.to_string()),
        })
    }

    fn is_of(&self, payment: &Payment) -> bool {
        // Metadata may have been changed since.
        let same = payment.known.version > 1 || self.metadata == payment.metadata;
        same && (&self.product, self.quantity) == (&payment.product, payment.quantity)
    }

    /// What it costs, by the row of the product.
    fn amount(&self, rows: &[Row]) -> Result<(i64, String), Error> {
        let product = rows.first().map(Product::from_row).transpose()?;
        let product = product
            .filter(|product| !product.retired)
            .ok_or_else(|| Error::invalid("product", "Must be a product that can be paid for."))?;
        let most = product
            .max_quantity
            .min(MAX_AMOUNT.checked_div(product.unit_amount).unwrap_or(1));
        if self.quantity > most {
            let rule = format!("Must be at most {most} of this product.");
            return Err(Error::invalid("quantity", rule));
        }
        let amount = product.unit_amount.saturating_mul(self.quantity);
        Ok((amount, product.currency))
    }
}

/// `POST /api/v1/payments`: 201 with what a browser needs to pay. A repetition with the same key gets the
/// same payment; what only Stripe keeps is read there again.
pub(super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    match begin(cx).await {
        Err(Interrupt::Replay(kept)) => Err(Interrupt::Replay(with_secret(cx, kept).await?)),
        done => done,
    }
}

async fn begin<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let wish = Wish::read(cx.request.body)?;
    // Before anything is written down: it could not be paid.
    if cx.config()?.stripe_key.is_none() {
        return Err(client::no_key().into());
    }
    let request = cx.idempotency_key().unwrap_or_default();
    let (actor, rows) = cx
        .load(|tenant| {
            let known = BY_REQUEST.bind(tenant, [request.into()]);
            vec![Product::find(&wish.product), known]
        })
        .await?;
    let [product, known] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let day_ago = cx.now.minus(DAY).0;
    let known = Payment::first(known)?.filter(|payment| payment.known.created_at > day_ago);
    let payment = match known {
        // It was begun, and nobody heard the answer.
        Some(payment) => payment,
        None => insert(cx, &actor, &wish, wish.amount(product)?, request).await?,
    };
    if !wish.is_of(&payment) {
        return Err(Error::new(Code::IdempotencyKeyReused).into());
    }
    let intent = intent(cx, &payment.known).await?;
    let next = intent.next_action();
    let set = SET_INTENT.bind(
        &actor.tenant,
        [
            payment.known.id.as_str().into(),
            intent.id.as_str().into(),
            next.into(),
        ],
    );
    let payment = payment.with_intent(&intent.id, next);
    let mut data = payment.show()?;
    let place = format!("/api/v1/payments/{}", payment.known.id);
    data.insert("clientSecret".to_owned(), Json::Null);
    let kept = shown(201, &data, payment.known.version).with_header("location", place.clone());
    data.insert("clientSecret".to_owned(), json!(intent.client_secret));
    let reply = shown(201, &data, payment.known.version).with_header("location", place);
    cx.commit_keeping(&actor, vec![set], reply, &kept).await
}

/// Writes the payment down before Stripe hears of it. Of two requests with one key both get the row of one.
async fn insert<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    wish: &Wish,
    (amount, currency): (i64, String),
    request: &str,
) -> Result<Payment, Error> {
    let (id, transition) = (cx.new_id("pay")?, cx.new_id("trn")?);
    let tenant = &actor.tenant;
    let forget = [request.into(), cx.now.minus(DAY).into()];
    let insert = INSERT.bind(
        tenant,
        [
            id.as_str().into(),
            actor.user.as_str().into(),
            transition.as_str().into(),
            wish.product.as_str().into(),
            wish.quantity.into(),
            amount.into(),
            currency.into(),
            wish.metadata.as_str().into(),
            request.into(),
            cx.now.into(),
            cx.now.plus(FIRST_CHECK).into(),
        ],
    );
    let change = json!({"after": {"version": 1}});
    let entry = Entry::by(actor, "payment.create", &id);
    let record = entry.record_change(cx, &RECORD_CREATED, tenant, Some(&change))?;
    let rows = cx
        .batch(&[
            FORGET.bind(tenant, forget),
            insert,
            history(tenant, &id, &transition, &cx.ids.request_id),
            record.statement,
            BY_REQUEST.bind(tenant, [request.into()]),
        ])
        .await?;
    let row = rows.last().map_or(&[][..], Vec::as_slice);
    let payment = Payment::first(row)?;
    payment.ok_or_else(|| DatabaseError::Shape("no payment".to_owned()).into())
}

/// The first answer with what is not kept of it.
async fn with_secret<P: Platform>(cx: &Context<'_, P>, kept: Reply) -> Result<Reply, Error> {
    let Reply::Json {
        status,
        data,
        headers,
        next_cursor,
    } = kept
    else {
        return Ok(kept);
    };
    let odd = || DatabaseError::Shape("a kept answer".to_owned());
    let mut shown: Json = serde_json::from_str(&data).map_err(|_| odd())?;
    let id = shown.get("paymentIntent").and_then(Json::as_str);
    let now: Intent = payment::retrieve(cx, id.ok_or_else(odd)?).await?;
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("nextAction".to_owned(), action(now.next_action()));
        shown.insert("clientSecret".to_owned(), json!(now.client_secret));
    }
    Ok(Reply::Json {
        status,
        data: shown.to_string(),
        headers,
        next_cursor,
    })
}
