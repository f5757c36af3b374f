//! Making invoices, once a month is over.
//!
//! An invoice bills what is not on an invoice yet, of its month and of the two before: an event may
//! be 35 days old when it comes. So every unit that was counted is billed once, however late.

use std::collections::BTreeMap;

use serde_json::json;

use super::amount::Price;
use super::store::{
    ADD_LINE, BILLED, COUNT_UP, CREATE, DUE, LOOKED_AT, NUMBER, OWN_BILLED, OWN_USED,
    PUBLISH_CREATED, USED, Used,
};
use crate::http::{Code, Context, Error};
use crate::metrics;
use crate::outbox::{Event, Topic};
use crate::port::{DatabaseError, Level, Platform};
use crate::sql::{MAX_INTEGER, Row, Statement};
use crate::tenancy::TenantId;
use crate::time::{DAY, Millis, SECOND, month_bounds};

/// How long after its end a month is billed, so that what was still on its way is on the same
/// invoice.
const GRACE: i64 = DAY;
/// Tenants that are looked at with one statement.
const BATCH: i64 = 100;
/// How long one run goes on; what is left waits for the next.
const PATIENCE: i64 = 20 * SECOND;

/// A month and its hours.
#[derive(Debug, Clone)]
pub(super) struct Month {
    pub(super) name: String,
    from: Millis,
    to: Millis,
}

/// The month in which a moment lies, and the two before it, latest first.
///
/// # Errors
/// `INTERNAL` for a moment beyond year 9999.
pub(super) fn months(at: Millis) -> Result<[Month; 3], Error> {
    let month = |name: String| {
        let (from, to) = month_bounds(&name)?;
        Some(Month { name, from, to })
    };
    let all = || {
        let last = month(at.month())?;
        let second = month(last.from.minus(1).month())?;
        let third = month(second.from.minus(1).month())?;
        Some([last, second, third])
    };
    all().ok_or_else(|| Error::new(Code::Internal).with_cause("no month"))
}

/// A line of an invoice: usage of one meter and month that is on no invoice yet.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) meter: String,
    pub(super) month: String,
    pub(super) quantity: i64,
    pub(super) price: Price,
    pub(super) amount: i64,
}

/// Lines of one tenant, and the currency of its plan.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) currency: String,
    pub(super) lines: Vec<Line>,
}

impl Draft {
    pub(super) fn total(&self) -> i64 {
        let sum = self
            .lines
            .iter()
            .fold(0_i64, |sum, line| sum.saturating_add(line.amount));
        sum.clamp(MAX_INTEGER.saturating_neg(), MAX_INTEGER)
    }
}

/// What has not been billed yet, by tenant: from the rows of `USED` for each month, latest first,
/// and those of `BILLED`.
///
/// # Errors
/// `Shape` for other rows.
pub(super) fn drafts(
    months: &[Month; 3],
    rows: &[Vec<Row>],
) -> Result<BTreeMap<String, Draft>, DatabaseError> {
    let [used @ .., billed] = rows else {
        return Err(DatabaseError::Shape(
            "four results were expected".to_owned(),
        ));
    };
    let mut known = BTreeMap::new();
    for row in billed {
        known.insert((row.text(0)?, row.text(1)?, row.text(2)?), row.int(3)?);
    }
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    for (month, rows) in months.iter().zip(used) {
        for row in rows {
            let used = Used::from_row(row)?;
            let name = (
                used.tenant.as_str(),
                used.meter.as_str(),
                month.name.as_str(),
            );
            let billed = known.get(&name).copied().unwrap_or(0);
            if billed == used.quantity {
                continue;
            }
            let line = Line {
                amount: used.price.rest(billed, used.quantity),
                meter: used.meter,
                month: month.name.clone(),
                quantity: used.quantity.saturating_sub(billed),
                price: used.price,
            };
            let draft = drafts.entry(used.tenant).or_default();
            draft.currency = used.currency;
            draft.lines.push(line);
        }
    }
    Ok(drafts)
}

/// The statements whose rows [`drafts`] reads, for one tenant.
pub(super) fn own(months: &[Month; 3], tenant: &TenantId) -> Vec<Statement> {
    let [last, second, third] = months;
    let used = |month: &Month| {
        let bounds = [
            month.name.as_str().into(),
            month.from.into(),
            month.to.into(),
        ];
        OWN_USED.bind(tenant, bounds)
    };
    let names = months.each_ref().map(|month| month.name.as_str().into());
    vec![
        used(last),
        used(second),
        used(third),
        OWN_BILLED.bind(tenant, names),
    ]
}

/// Makes the invoices of the month that is over, and of those before it that no run has come to;
/// says how many there were.
pub(crate) async fn due<P: Platform>(cx: &Context<'_, P>) -> Result<String, Error> {
    let [this, last, _] = months(cx.now.minus(GRACE))?;
    let began = cx.platform.now();
    let (mut looked_at, mut made) = (0_usize, 0_u32);
    while cx.platform.now().since(began) < PATIENCE {
        let due = DUE.bind([last.name.as_str().into(), BATCH.into()]);
        let rows = cx.query(due).await?;
        let Some(first) = rows.first() else { break };
        // Month after month for whoever is behind: an invoice reaches back over two only.
        let through = first.text(1)?;
        let month = match month_bounds(through) {
            Some((_, next)) if next < this.from => next,
            _ => last.from,
        };
        let mut tenants = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.text(1)? == through {
                tenants.push(row.text(0)?.to_owned());
            }
        }
        made = made.saturating_add(bill(cx, &months(month)?, &tenants).await?);
        looked_at = looked_at.saturating_add(tenants.len());
    }
    Ok(format!(
        "{made} invoices, {looked_at} organizations looked at"
    ))
}

/// Bills these tenants; each invoice is a batch of its own, and what was done is not done again.
async fn bill<P: Platform>(
    cx: &Context<'_, P>,
    months: &[Month; 3],
    tenants: &[String],
) -> Result<u32, Error> {
    let [last, second, third] = months;
    let listed = json!(tenants).to_string();
    let used = |month: &Month| {
        let name = month.name.as_str();
        USED.bind([
            listed.as_str().into(),
            name.into(),
            month.from.into(),
            month.to.into(),
        ])
    };
    let name = |month: &Month| month.name.as_str().into();
    let billed = BILLED.bind([
        listed.as_str().into(),
        name(last),
        name(second),
        name(third),
    ]);
    let rows = cx
        .batch(&[used(last), used(second), used(third), billed])
        .await?;
    let (mut made, mut failed) = (0_u32, Vec::new());
    let mut failure = None;
    for (tenant, draft) in drafts(months, &rows)? {
        match create(cx, last, &tenant, &draft).await {
            Ok(is_new) => made = made.saturating_add(u32::from(is_new)),
            // One that fails must not hold up all others; it is due again in the next run.
            Err(error) => {
                failed.push(tenant);
                failure = Some(error);
            }
        }
    }
    let done: Vec<_> = tenants.iter().filter(|id| !failed.contains(id)).collect();
    let done = [json!(done).to_string().into(), last.name.as_str().into()];
    cx.query(LOOKED_AT.bind(done)).await?;
    failure.map_or(Ok(made), Err)
}

/// Writes one invoice with its lines and number; false if there is one for the month.
async fn create<P: Platform>(
    cx: &Context<'_, P>,
    month: &Month,
    tenant: &str,
    draft: &Draft,
) -> Result<bool, Error> {
    let tenant = TenantId::proven(tenant);
    let id = cx.new_id("inv")?;
    let mut writes = vec![CREATE.bind(
        &tenant,
        [
            id.as_str().into(),
            month.name.as_str().into(),
            draft.currency.as_str().into(),
            draft.total().into(),
            cx.now.into(),
        ],
    )];
    let told = json!({
        "invoice": id,
        "month": month.name,
        "amount_minor": draft.total(),
        "currency": draft.currency,
    });
    let event = Event::new(cx, Topic::INVOICE_CREATED, &told)?;
    let mut publish = event.publish_by(&PUBLISH_CREATED, &tenant);
    publish.params.push(id.as_str().into());
    writes.push(publish);
    for (position, line) in draft.lines.iter().enumerate() {
        writes.push(ADD_LINE.bind(
            &tenant,
            [
                id.as_str().into(),
                i64::try_from(position).unwrap_or(i64::MAX).into(),
                line.meter.as_str().into(),
                line.month.as_str().into(),
                line.quantity.into(),
                line.price.unit_amount.into(),
                line.price.per_units.into(),
                line.price.included.into(),
                line.amount.into(),
            ],
        ));
    }
    writes.push(COUNT_UP.bind([id.as_str().into()]));
    writes.push(NUMBER.bind(&tenant, [id.as_str().into()]));
    let rows = cx.batch(&writes).await?;
    let is_new = rows.last().is_some_and(|rows| !rows.is_empty());
    if is_new {
        cx.count(metrics::invoices("made"));
        let fields = [("invoice", json!(id)), ("month", json!(month.name))];
        cx.log(Level::Info, "invoice.made", &fields);
    }
    Ok(is_new)
}
