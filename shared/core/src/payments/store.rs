//! The rows of payments, of their history, and of what is paid for.

use super::machine::{guard, machine};
use super::model::{columns, known};

crate::queries! {
    /// `?1` key.
    PRODUCT: SystemQuery = "payments.product", "
        SELECT id, name, unit_amount_minor, currency, max_quantity, retired_at FROM products WHERE id = ?1";
    /// What can be paid for.
    PRODUCTS: SystemQuery = "payments.products", "
        SELECT id, name, unit_amount_minor, currency, max_quantity, retired_at
        FROM products WHERE retired_at IS NULL ORDER BY id";
    /// `?1` key, `?2` name, `?3` price of one, `?4` currency, `?5` most, `?6` when it was retired, or NULL,
    /// `?7` now.
    PUT_PRODUCT: SystemQuery = "payments.put_product", "
        INSERT INTO products (id, name, unit_amount_minor, currency, max_quantity, retired_at,
            created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name,
            unit_amount_minor = excluded.unit_amount_minor, currency = excluded.currency,
            max_quantity = excluded.max_quantity, updated_at = excluded.updated_at,
            retired_at = CASE WHEN excluded.retired_at IS NULL THEN NULL
                ELSE COALESCE(products.retired_at, excluded.retired_at) END";
    /// `?1` tenant, `?2` id.
    GET: TenantQuery = "payments.get", concat!(
        "SELECT ", columns!(), " FROM payments WHERE tenant_id = ?1 AND id = ?2");
    /// `?1` tenant, `?2` id.
    KNOWN: TenantQuery = "payments.known", concat!(
        "SELECT ", known!(), " FROM payments WHERE tenant_id = ?1 AND id = ?2");
    /// `?1` tenant, `?2` request.
    BY_REQUEST: TenantQuery = "payments.by_request", concat!(
        "SELECT ", columns!(), " FROM payments WHERE tenant_id = ?1 AND request = ?2");
    /// `?1` tenant, `?2` payment: its history, oldest first.
    TRANSITIONS: TenantQuery = "payments.transitions", "
        SELECT from_status, to_status, cause, created_at FROM payment_transitions
        WHERE tenant_id = ?1 AND payment_id = ?2 ORDER BY version LIMIT 100";
    /// `?1` tenant, `?2` time and `?3` id of the last one seen, `?4` most, `?5` member, `?6` to `?9` the roles and
    /// `?10` the bit that reach colleagues' payments, `?11` status or NULL for any.
    LIST: TenantQuery = "payments.list", concat!(
        "SELECT ", columns!(), " FROM payments
        WHERE tenant_id = ?1 AND (created_at, id) < (?2, ?3)
            AND (CAST(?11 AS TEXT) IS NULL OR status = ?11)
            AND (user_id = ?5 OR EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1
                AND ", crate::member_holds!("?6", "?7", "?8", "?9", "?10"), " AND m.user_id = ?5))
        ORDER BY created_at DESC, id DESC LIMIT ?4");
    /// `?1` tenant, `?2` request, `?3` a day ago: the key may be used for something else.
    FORGET: TenantQuery = "payments.forget_request", "
        UPDATE payments SET request = NULL
        WHERE tenant_id = ?1 AND request = ?2 AND created_at <= ?3";
    /// `?1` tenant, `?2` id, `?3` user, `?4` transition, `?5` product, `?6` quantity, `?7` amount,
    /// `?8` currency, `?9` metadata, `?10` request, `?11` now, `?12` when Stripe is asked.
    INSERT: TenantQuery = "payments.insert", "
        INSERT INTO payments (tenant_id, id, user_id, transition_id, product_id, quantity, amount_minor,
            currency, metadata, request, version, created_at, updated_at, next_check_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?11, ?12)
        ON CONFLICT (request) DO NOTHING";
    /// [`crate::audit::Entry::record`]: one that was just inserted.
    RECORD_CREATED: TenantQuery = "payments.record_created", crate::record_where!(
        "FROM payments WHERE tenant_id = ?1 AND id = ?5");
    /// `?1` tenant, `?2` id, `?3` `PaymentIntent`, `?4` what is to be done next, or NULL.
    SET_INTENT: TenantQuery = "payments.set_intent", "
        UPDATE payments SET payment_intent_id = ?3, next_action = CAST(?4 AS TEXT)
        WHERE tenant_id = ?1 AND id = ?2 AND payment_intent_id IS NULL";
    /// `?1` tenant, `?2` id, `?3` what is to be done next, or NULL, `?4` now.
    SET_ACTION: TenantQuery = "payments.set_action", "
        UPDATE payments SET next_action = CAST(?3 AS TEXT), version = version + 1, updated_at = ?4
        WHERE tenant_id = ?1 AND id = ?2 AND status IN ('payment_pending', 'processing', 'payment_failed')
            AND COALESCE(next_action, '') <> COALESCE(CAST(?3 AS TEXT), '')";
    /// `?1` tenant, `?2` id, `?3` state, `?4` transition, `?5` now, `?6` version or NULL for any,
    /// `?7` error, `?8` `PaymentIntent`, `?9` payment method, `?10` refund, `?11` event, `?12` when Stripe is
    /// asked again: each or NULL. The table of states is in the condition: of two that race one gets a row.
    MOVE: TenantQuery = "payments.move", concat!("
        UPDATE payments SET previous = status, status = ?3, transition_id = ?4, updated_at = ?5,
            version = version + 1, error = ?7, next_action = NULL, next_check_at = ?12,
            payment_intent_id = COALESCE(payment_intent_id, ?8),
            payment_method = COALESCE(?9, payment_method),
            paid_event = COALESCE(paid_event, ?11), refund_id = COALESCE(refund_id, CAST(?10 AS TEXT)),
            refunded_minor = CASE WHEN CAST(?10 AS TEXT) IS NULL THEN refunded_minor ELSE amount_minor END,
            refunded_at = CASE WHEN CAST(?10 AS TEXT) IS NULL THEN refunded_at
                ELSE COALESCE(refunded_at, CAST(?5 AS BIGINT)) END,
            paid_at = CASE WHEN CAST(?3 AS TEXT) = 'paid'
                THEN COALESCE(paid_at, CAST(?5 AS BIGINT)) ELSE paid_at END,
            confirmed_at = CASE WHEN CAST(?3 AS TEXT) = 'confirmed' THEN CAST(?5 AS BIGINT) ELSE confirmed_at END,
            completed_at = CASE WHEN CAST(?3 AS TEXT) = 'completed' THEN CAST(?5 AS BIGINT) ELSE completed_at END,
            cancelled_at = CASE WHEN CAST(?3 AS TEXT) = 'cancelled' THEN CAST(?5 AS BIGINT) ELSE cancelled_at END
        WHERE tenant_id = ?1 AND id = ?2 AND (CAST(?6 AS BIGINT) IS NULL OR version = ?6) AND ",
        machine!(guard), " RETURNING id");
    /// `?1` tenant, `?2` payment, `?3` transition, `?4` cause: of what was just done.
    HISTORY: TenantQuery = "payments.history", "
        INSERT INTO payment_transitions (tenant_id, id, payment_id, from_status, to_status, cause, version,
            created_at)
        SELECT tenant_id, transition_id, id, previous, status, CAST(?4 AS TEXT), version, updated_at
        FROM payments WHERE tenant_id = ?1 AND id = ?2 AND transition_id = ?3";
    /// `?7` payment, `?8` transition.
    PUBLISH_MOVED: TenantQuery = "payments.publish_moved", crate::publish_where!(
        "FROM payments WHERE tenant_id = ?1 AND id = ?7 AND transition_id = ?8");
    /// [`crate::audit::Entry::record`], `?11` transition.
    RECORD_MOVED: TenantQuery = "payments.record_moved", crate::record_where!(
        "FROM payments WHERE tenant_id = ?1 AND id = ?5 AND transition_id = ?11");
    /// `?1` tenant, `?2` id, `?3` version, `?4` metadata, `?5` now.
    UPDATE: TenantQuery = "payments.update", concat!("
        UPDATE payments SET metadata = ?4, version = version + 1, updated_at = ?5
        WHERE tenant_id = ?1 AND id = ?2 AND version = ?3 RETURNING ", columns!());
    /// [`crate::audit::Entry::record`], `?11` the version it has then.
    RECORD_UPDATED: TenantQuery = "payments.record_updated", crate::record_where!(
        "FROM payments WHERE tenant_id = ?1 AND id = ?5 AND version = ?11 AND updated_at = CAST(?7 AS BIGINT)");
    /// `?1` tenant, `?2` id, `?3` transition, `?4` refund, `?5` now: of what was paid after its cancellation.
    REFUND_LATE: TenantQuery = "payments.refund_late", "
        UPDATE payments SET previous = status, transition_id = ?3, refund_id = ?4, refunded_at = ?5,
            refunded_minor = amount_minor, next_check_at = NULL, version = version + 1, updated_at = ?5
        WHERE tenant_id = ?1 AND id = ?2 AND status = 'cancelled' AND refunded_at IS NULL RETURNING id";
    /// `?1` refund, `?2` when it is tried anew, `?3` now: it came to nothing.
    REFUND_FAILED: SystemQuery = "payments.refund_failed", "
        UPDATE payments SET refunded_at = NULL, refunded_minor = 0, next_check_at = ?2,
            version = version + 1, updated_at = ?3
        WHERE refund_id = ?1 AND refunded_at IS NOT NULL";
    /// `?1` tenant, `?2` id, `?3` what has gone back in all, `?4` now.
    REFUNDED: TenantQuery = "payments.refunded", "
        UPDATE payments SET refunded_minor = ?3, version = version + 1, updated_at = ?4,
            refunded_at = CASE WHEN CAST(?3 AS BIGINT) >= amount_minor
                THEN COALESCE(refunded_at, CAST(?4 AS BIGINT)) ELSE refunded_at END
        WHERE tenant_id = ?1 AND id = ?2 AND refunded_minor < ?3";
    /// `?1` the payment that a `PaymentIntent` names, or NULL, `?2` the `PaymentIntent`.
    FIND: SystemQuery = "payments.find", concat!(
        "SELECT ", known!(), " FROM payments WHERE payment_intent_id = ?2
        UNION ALL SELECT ", known!(), " FROM payments WHERE id = ?1 AND payment_intent_id IS NULL");
    /// `?1` now, `?2` most.
    DUE: SystemQuery = "payments.due", concat!(
        "SELECT ", known!(), " FROM payments
        WHERE next_check_at <= ?1 AND next_check_at IS NOT NULL ORDER BY next_check_at LIMIT ?2");
    /// `?1` tenant, `?2` id, `?3` when Stripe is asked again, or NULL.
    CHECKED: TenantQuery = "payments.checked", "
        UPDATE payments SET next_check_at = CAST(?3 AS BIGINT)
        WHERE tenant_id = ?1 AND id = ?2 AND next_check_at IS NOT NULL";
}
