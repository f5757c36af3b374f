//! What can be paid for, and its price.

use serde_json::{Value as Json, json};

use super::store::{PRODUCT, PRODUCTS, PUT_PRODUCT};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement};

/// The greatest sum that Stripe takes, in minor units.
pub(super) const MAX_AMOUNT: i64 = 99_999_999;

/// A row of `products`.
pub(super) struct Product {
    key: String,
    name: String,
    pub(super) unit_amount: i64,
    pub(super) currency: String,
    pub(super) max_quantity: i64,
    pub(super) retired: bool,
}

impl Product {
    pub(super) fn find(key: &str) -> Statement {
        PRODUCT.bind([key.into()])
    }

    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            key: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            unit_amount: row.int(2)?,
            currency: row.text(3)?.to_owned(),
            max_quantity: row.int(4)?,
            retired: row.opt_int(5)?.is_some(),
        })
    }

    fn show(&self) -> Json {
        json!({
            "key": self.key,
            "name": self.name,
            "unitAmountMinor": self.unit_amount,
            "currency": self.currency,
            "maxQuantity": self.max_quantity,
            "active": !self.retired,
        })
    }
}

/// `PUT /api/v1/payments/products`: sets a product whole. Payments that were made keep their amount.
pub(super) async fn put<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let key = fields.text("key", 1, 64)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !key.bytes().all(plain) {
        let rule = "Must have 1 to 64 letters, digits and _ - . alone.";
        return Err(Error::invalid("key", rule).into());
    }
    let name = fields.text("name", 1, 200)?;
    let unit_amount = fields
        .opt_int("unitAmountMinor", 1, MAX_AMOUNT)?
        .ok_or_else(|| Error::invalid("unitAmountMinor", "Is required."))?;
    let currency = fields.text("currency", 3, 3)?;
    let max_quantity = fields.opt_int("maxQuantity", 1, 1_000_000)?.unwrap_or(1);
    let active = fields.opt_bool("active")?.unwrap_or(true);
    fields.finish()?;
    if !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        let rule = "Must be a currency of ISO 4217 in lower case, such as eur.";
        return Err(Error::invalid("currency", rule).into());
    }
    let product = Product {
        key: key.clone(),
        name,
        unit_amount,
        currency,
        max_quantity,
        retired: !active,
    };
    let actor = cx.service()?;
    let entry = Entry {
        tenant: None,
        actor: &actor,
        action: "product.set",
        target: &key,
    };
    let set = PUT_PRODUCT.bind([
        key.as_str().into(),
        product.name.as_str().into(),
        unit_amount.into(),
        product.currency.as_str().into(),
        max_quantity.into(),
        product.retired.then_some(cx.now).into(),
        cx.now.into(),
    ]);
    let change = json!({"after": product.show()});
    let record = entry.append_change(cx, Some(&change))?;
    cx.batch(&[set, record]).await?;
    Ok(Reply::ok(&product.show()))
}

/// `GET /api/v1/payments/products`: what can be paid for.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (_, rows) = cx.load(|_| vec![PRODUCTS.bind([])]).await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let all = rows.iter().map(|row| Ok(Product::from_row(row)?.show()));
    Ok(Reply::ok(
        &all.collect::<Result<Vec<Json>, DatabaseError>>()?,
    ))
}
