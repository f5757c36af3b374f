//! The rows of prices and invoices.

use super::amount::Price;
use crate::port::DatabaseError;
use crate::sql::Row;

/// The ids in the JSON array `?1`.
macro_rules! listed {
    (sqlite) => {
        "(SELECT value FROM json_each(?1))"
    };
    (postgres) => {
        "(SELECT jsonb_array_elements_text(CAST(CAST(?1 AS TEXT) AS jsonb)))"
    };
}

/// Usage of the month `?2`, whose hours are from `?3` to before `?4`, as far as it has a price.
macro_rules! used {
    ($whose:expr) => {
        concat!(
            "SELECT t.id AS tenant, h.meter, CAST(SUM(h.quantity) AS BIGINT) AS quantity,
                p.unit_amount_minor, p.per_units, p.included_units, l.currency
            FROM tenants t
            JOIN plans l ON l.id = t.plan_id
            JOIN prices p ON p.plan_id = t.plan_id AND p.from_month =
                (SELECT MAX(q.from_month) FROM prices q
                WHERE q.plan_id = p.plan_id AND q.meter = p.meter AND q.from_month <= ?2)
            JOIN usage_hourly h ON h.tenant_id = t.id AND h.meter = p.meter
                AND h.hour >= ?3 AND h.hour < ?4
            WHERE t.id ",
            $whose,
            " GROUP BY t.id, h.meter, p.unit_amount_minor, p.per_units, p.included_units, l.currency
            ORDER BY t.id, h.meter"
        )
    };
}

macro_rules! billed {
    ($whose:expr) => {
        concat!(
            "SELECT tenant_id, meter, month, CAST(SUM(quantity) AS BIGINT) AS quantity
            FROM invoice_lines WHERE month IN (?2, ?3, ?4) AND tenant_id ",
            $whose,
            " GROUP BY tenant_id, meter, month"
        )
    };
}

crate::queries! {
    /// `?1` plan, `?2` meter, `?3` first month, `?4` price, `?5` of so many units, `?6` free units,
    /// `?7` now.
    PUT_PRICE: SystemQuery = "invoices.put_price", "
        INSERT INTO prices (plan_id, meter, from_month, unit_amount_minor, per_units, included_units, updated_at)
        SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM plans WHERE id = ?1
        ON CONFLICT (plan_id, meter, from_month) DO UPDATE SET
            unit_amount_minor = excluded.unit_amount_minor, per_units = excluded.per_units,
            included_units = excluded.included_units, updated_at = excluded.updated_at
        RETURNING plan_id";
    /// All prices, the ones of old months too.
    PRICES: SystemQuery = "invoices.prices", "
        SELECT plan_id, meter, from_month, unit_amount_minor, per_units, included_units, currency
        FROM prices JOIN plans ON plans.id = plan_id
        ORDER BY sort, plan_id, meter, from_month";
    /// `?1` month, `?2` most. Tenants whose usage of that month was not looked at yet, and through
    /// which month it was (empty for never), if anything has a price at all.
    DUE: SystemQuery = "invoices.due", "
        SELECT id, invoiced_through FROM tenants WHERE invoiced_through < ?1 AND EXISTS (SELECT 1 FROM prices)
        ORDER BY invoiced_through, id LIMIT ?2";
    /// `?1` tenants as a JSON array, `?2` month, `?3` its first hour, `?4` the hour after it.
    USED: SystemQuery = "invoices.used", used!(concat!("IN ", listed!(sqlite))),
        postgres = used!(concat!("IN ", listed!(postgres)));
    /// `?1` tenants as a JSON array, `?2` to `?4` months: what is on an invoice already.
    BILLED: SystemQuery = "invoices.billed", billed!(concat!("IN ", listed!(sqlite))),
        postgres = billed!(concat!("IN ", listed!(postgres)));
    /// The same as [`USED`] for `?1`, one tenant.
    OWN_USED: TenantQuery = "invoices.own_used", used!("= ?1");
    /// The same as [`BILLED`] for `?1`, one tenant.
    OWN_BILLED: TenantQuery = "invoices.own_billed", billed!("= ?1");
    /// `?1` tenants as a JSON array, `?2` month: there is nothing to bill.
    LOOKED_AT: SystemQuery = "invoices.looked_at",
        concat!("UPDATE tenants SET invoiced_through = ?2 WHERE invoiced_through < ?2 AND id IN ", listed!(sqlite)),
        postgres = concat!("UPDATE tenants SET invoiced_through = ?2 WHERE invoiced_through < ?2 AND id IN ", listed!(postgres));
    /// `?1` tenant, `?2` id, `?3` month, `?4` currency, `?5` total, `?6` now. There is one for each
    /// month; whatever comes after it in the batch asks for its id.
    CREATE: TenantQuery = "invoices.create", "
        INSERT INTO invoices (tenant_id, id, month, status, currency, total_minor, created_at, updated_at)
        VALUES (?1, ?2, ?3, 'open', ?4, ?5, ?6, ?6)
        ON CONFLICT DO NOTHING";
    /// `?1` tenant, `?2` invoice, `?3` position, `?4` meter, `?5` month, `?6` quantity, `?7` price,
    /// `?8` of so many units, `?9` free units, `?10` amount.
    ADD_LINE: TenantQuery = "invoices.add_line", "
        INSERT INTO invoice_lines (tenant_id, invoice_id, position, meter, month, quantity,
            unit_amount_minor, per_units, included_units, amount_minor)
        SELECT tenant_id, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
        FROM invoices WHERE tenant_id = ?1 AND id = ?2";
    /// `?1` invoice. Whoever counts up holds the row until its batch is done or undone, so no number
    /// is given twice and none is left out.
    COUNT_UP: SystemQuery = "invoices.count_up", "
        UPDATE invoice_numbers SET last = last + 1
        WHERE id = 1 AND EXISTS (SELECT 1 FROM invoices WHERE id = ?1 AND sequence IS NULL)";
    /// `?1` tenant, `?2` invoice. A row comes back for an invoice that is new.
    NUMBER: TenantQuery = "invoices.number", "
        UPDATE invoices SET sequence = (SELECT last FROM invoice_numbers WHERE id = 1)
        WHERE tenant_id = ?1 AND id = ?2 AND sequence IS NULL
        RETURNING sequence";
    /// `?1` tenant, `?2` and `?3` the place after which to go on, `?4` most.
    LIST: TenantQuery = "invoices.list", "
        SELECT id, sequence, month, status, currency, total_minor, created_at
        FROM invoices WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3)
        ORDER BY created_at DESC, id DESC LIMIT ?4";
    /// `?1` tenant, `?2` id.
    GET: TenantQuery = "invoices.get", "
        SELECT i.id, i.sequence, i.month, i.status, i.currency, i.total_minor, i.created_at, t.name
        FROM invoices i JOIN tenants t ON t.id = i.tenant_id
        WHERE i.tenant_id = ?1 AND i.id = ?2";
    /// `?1` tenant, `?2` invoice.
    LINES: TenantQuery = "invoices.lines", "
        SELECT meter, month, quantity, unit_amount_minor, per_units, included_units, amount_minor
        FROM invoice_lines WHERE tenant_id = ?1 AND invoice_id = ?2 ORDER BY position";
    /// `?7` invoice: only if this batch made it.
    PUBLISH_CREATED: TenantQuery = "invoices.publish_created", crate::publish_where!("
        FROM invoices WHERE tenant_id = ?1 AND id = ?7");
    /// `?1` tenant, `?2` id. First in the batch that settles: the next one sees what became of it. For
    /// PostgreSQL only; the others have one writer.
    HELD: TenantQuery = "invoices.held", "SELECT id FROM invoices WHERE tenant_id = ?1 AND id = ?2",
        postgres = "SELECT id FROM invoices WHERE tenant_id = ?1 AND id = ?2 FOR NO KEY UPDATE";
    /// `?7` invoice: only while it is open, so before [`SETTLE`].
    PUBLISH_SETTLED: TenantQuery = "invoices.publish_settled", crate::publish_where!("
        FROM invoices WHERE tenant_id = ?1 AND id = ?7 AND status = 'open'");
    /// [`crate::audit::Entry::record`], `?11` invoice: the same.
    RECORD_SETTLED: TenantQuery = "invoices.record_settled", crate::record_where!(
        "FROM invoices WHERE tenant_id = ?1 AND id = ?11 AND status = 'open'");
    /// `?1` tenant, `?2` id, `?3` new state, `?4` now. Only an open invoice changes.
    SETTLE: TenantQuery = "invoices.settle", "
        UPDATE invoices SET status = ?3, updated_at = ?4
        WHERE tenant_id = ?1 AND id = ?2 AND status = 'open'
        RETURNING id";
}

/// Usage of one tenant, meter and month ([`USED`]).
#[derive(Debug)]
pub(super) struct Used {
    pub(super) tenant: String,
    pub(super) meter: String,
    pub(super) quantity: i64,
    pub(super) price: Price,
    pub(super) currency: String,
}

impl Used {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            tenant: row.text(0)?.to_owned(),
            meter: row.text(1)?.to_owned(),
            quantity: row.int(2)?,
            price: price(row, 3)?,
            currency: row.text(6)?.to_owned(),
        })
    }
}

/// A price in three columns from `at` on.
pub(super) fn price(row: &Row, at: usize) -> Result<Price, DatabaseError> {
    Ok(Price {
        unit_amount: row.int(at)?,
        per_units: row.int(at.saturating_add(1))?,
        included: row.int(at.saturating_add(2))?,
    })
}
