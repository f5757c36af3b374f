//! Invoices as their tenant sees them, and what a service says became of one.

use serde_json::{Map, Value as Json, json};

use super::make::{Line, drafts, months, own};
use super::page;
use super::store::{GET, HELD, LINES, LIST, PUBLISH_SETTLED, RECORD_SETTLED, SETTLE, price};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Page, Reply, Response};
use crate::id::is_id;
use crate::metrics;
use crate::outbox::{Event, Topic};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::time::Millis;

/// An invoice's columns as `LIST` and `GET` read them.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) month: String,
    pub(super) status: String,
    pub(super) currency: String,
    pub(super) total: i64,
    pub(super) created_at: i64,
}

impl Head {
    /// What events tell of it.
    fn told(&self) -> Json {
        json!({
            "invoice": self.id,
            "number": self.number,
            "month": self.month,
            "amount_minor": self.total,
            "currency": self.currency,
        })
    }

    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            number: format!("INV-{:06}", row.int(1)?),
            month: row.text(2)?.to_owned(),
            status: row.text(3)?.to_owned(),
            currency: row.text(4)?.to_owned(),
            total: row.int(5)?,
            created_at: row.int(6)?,
        })
    }

    fn show(&self) -> Map<String, Json> {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Json| shown.insert(name.to_owned(), value);
        put("id", self.id.as_str().into());
        put("number", self.number.as_str().into());
        put("month", self.month.as_str().into());
        put("status", self.status.as_str().into());
        put("currency", self.currency.as_str().into());
        put("totalMinor", self.total.into());
        put("createdAt", Millis(self.created_at).rfc3339().into());
        shown
    }
}

/// The tenant's invoices, newest first.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let place = |row: &Row| Ok::<_, DatabaseError>((row.int(6)?, row.text(0)?.to_owned()));
    Ok(page.reply(rows, place, |row| Ok(Head::from_row(row)?.show().into()))?)
}

/// One invoice with its lines.
pub(super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (head, lines, _) = one(cx).await?;
    let mut shown = head.show();
    shown.insert("lines".to_owned(), lines.iter().map(show).collect());
    Ok(Reply::ok(&shown))
}

/// The same as a page for people, to be looked at and printed.
pub(super) async fn html<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (head, lines, name) = one(cx).await?;
    let (html, policy) = page::write(&head, &lines, &name);
    let response = Response::new(200, "text/html; charset=utf-8", html);
    let file = format!("inline; filename=\"{}.html\"", head.number);
    Ok(Reply::Raw(response)
        .with_header("content-security-policy", policy)
        .with_header("content-disposition", file))
}

/// What the path names, with the tenant's name.
async fn one<P: Platform>(cx: &Context<'_, P>) -> Result<(Head, Vec<Line>, String), Interrupt> {
    let id = cx.param();
    let (_, rows) = cx
        .load(|tenant| {
            vec![
                GET.bind(tenant, [id.into()]),
                LINES.bind(tenant, [id.into()]),
            ]
        })
        .await?;
    let [head, lines] = rows.as_slice() else {
        return Err(
            Error::from(DatabaseError::Shape("two results were expected".to_owned())).into(),
        );
    };
    let row = head.first().ok_or_else(|| Error::new(Code::NotFound))?;
    let lines = lines.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    Ok((Head::from_row(row)?, lines, row.text(7)?.to_owned()))
}

fn line(row: &Row) -> Result<Line, DatabaseError> {
    Ok(Line {
        meter: row.text(0)?.to_owned(),
        month: row.text(1)?.to_owned(),
        quantity: row.int(2)?,
        price: price(row, 3)?,
        amount: row.int(6)?,
    })
}

fn show(line: &Line) -> Json {
    json!({
        "meter": line.meter,
        "month": line.month,
        "quantity": line.quantity,
        "unitAmountMinor": line.price.unit_amount,
        "perUnits": line.price.per_units,
        "includedUnits": line.price.included,
        "amountMinor": line.amount,
    })
}

/// What would be billed if the present month ended now.
pub(super) async fn upcoming<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let months = months(cx.now)?;
    let (_, rows) = cx.load(|tenant| own(&months, tenant)).await?;
    let draft = drafts(&months, &rows)?.into_values().next();
    let draft = draft.unwrap_or_default();
    let [month, ..] = &months;
    Ok(Reply::ok(&json!({
        "month": month.name,
        "currency": Some(draft.currency.as_str()).filter(|text| !text.is_empty()),
        "totalMinor": draft.total(),
        "lines": draft.lines.iter().map(show).collect::<Vec<_>>(),
    })))
}

/// What became of an open invoice: a service that took the money says so.
pub(super) async fn settle<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let (status, topic) = match fields.text("status", 1, 20)?.as_str() {
        "paid" => ("paid", Topic::INVOICE_PAID),
        "void" => ("void", Topic::INVOICE_VOIDED),
        "uncollectible" => ("uncollectible", Topic::INVOICE_UNCOLLECTIBLE),
        _ => {
            let rule = "Must be paid, void or uncollectible.";
            return Err(Error::invalid("status", rule).into());
        }
    };
    fields.finish()?;
    let actor = cx.service()?;
    let id = cx.param();
    if !is_id("inv", id) {
        return Err(Error::new(Code::NotFound).into());
    }
    let tenant = cx.require_tenant().await?.tenant;
    let rows = cx.query(GET.bind(&tenant, [id.into()])).await?;
    let row = rows.first().ok_or_else(|| Error::new(Code::NotFound))?;
    let mut head = Head::from_row(row)?;
    // Who says it again, because the answer was lost, is told the same.
    if head.status != status {
        let entry = Entry {
            tenant: Some(tenant.as_str()),
            actor: &actor,
            action: "invoice.settle",
            target: id,
        };
        let mut record = entry.record(cx, &RECORD_SETTLED, &tenant)?.statement;
        record.params.push(id.into());
        let mut publish =
            Event::new(cx, topic, &head.told())?.publish_by(&PUBLISH_SETTLED, &tenant);
        publish.params.push(id.into());
        let held = HELD.bind(&tenant, [id.into()]);
        let change = SETTLE.bind(&tenant, [id.into(), status.into(), cx.now.into()]);
        let rows = cx.batch(&[held, record, publish, change]).await?;
        if rows.last().is_none_or(Vec::is_empty) {
            let rule = "Only an open invoice can be settled.";
            return Err(Error::new(Code::StateConflict).with_message(rule).into());
        }
        status.clone_into(&mut head.status);
        cx.count(metrics::invoices(status));
    }
    Ok(Reply::ok(&head.show()))
}
