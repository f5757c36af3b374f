//! The inbox of events, and what they change.

/// Whether a subscription gives its plan: past due is a grace, until it has lapsed. `$subscription` is the
/// name of its row; `Subscription::gives_access` names the same states.
#[macro_export]
#[doc(hidden)]
macro_rules! gives_access {
    ($subscription:literal) => {
        concat!(
            $subscription,
            ".status IN ('trialing', 'active', 'past_due') AND ",
            $subscription,
            ".lapsed_at IS NULL"
        )
    };
}

crate::queries! {
    /// `?1` id, `?2` type, `?3` object, `?4` payload, `?5` now, `?6` end of the claim. A row comes
    /// back for the one who may apply the event: the first, or the next after a claim ran out.
    CLAIM: SystemQuery = "stripe.claim", "
        INSERT INTO stripe_inbox (id, type, object_id, payload, received_at, claimed_until, attempts)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)
        ON CONFLICT (id) DO UPDATE SET
            claimed_until = excluded.claimed_until, attempts = stripe_inbox.attempts + 1
        WHERE stripe_inbox.done_at IS NULL AND stripe_inbox.claimed_until <= excluded.received_at
        RETURNING attempts";
    /// `?1` id.
    DONE_AT: SystemQuery = "stripe.done_at", "SELECT done_at FROM stripe_inbox WHERE id = ?1";
    /// `?1` tenant from metadata, `?2` customer, `?3` lookup key, `?4` subscription: whom each of
    /// them names, as far as we know it.
    TARGET: SystemQuery = "stripe.target", "
        SELECT (SELECT id FROM tenants WHERE id = ?1) AS named,
            (SELECT tenant_id FROM subscriptions WHERE id = ?4) AS holder,
            (SELECT id FROM tenants WHERE stripe_customer_id = ?2) AS buyer,
            (SELECT id FROM plans WHERE stripe_lookup_key = ?3) AS plan_id";
    /// `?1` subscription. First in a batch: events of one subscription are applied one after the
    /// other. For PostgreSQL only; the others have one writer.
    HELD: SystemQuery = "stripe.held", "SELECT tenant_id FROM subscriptions WHERE id = ?1",
        postgres = "SELECT tenant_id FROM subscriptions WHERE id = ?1 FOR NO KEY UPDATE";
    /// `?1` subscription, `?2` the tenant it belongs to now, `?3` version, `?4` now. The tenant
    /// that is about to lose it gets the plan of what it has left; its id comes back.
    LEAVE: SystemQuery = "stripe.leave", concat!("
        UPDATE tenants SET
            plan_id = COALESCE((SELECT s.plan_id FROM subscriptions s
                WHERE s.tenant_id = tenants.id AND s.id <> ?1
                    AND ", crate::gives_access!("s"), "
                ORDER BY s.version_at DESC, s.id LIMIT 1),
                CASE WHEN ", crate::trial_gives!("tenants", "?4"), " THEN tenants.trial_plan END, 'FREE'),
            epoch = tenants.epoch + 1, updated_at = ?4
        WHERE id = (SELECT tenant_id FROM subscriptions
            WHERE id = ?1 AND tenant_id <> ?2 AND version_at <= ?3)
        RETURNING id");
    /// `?1` tenant, `?2` subscription, `?3` plan, `?4` status, `?5` period end, `?6` cancel at,
    /// `?7` version, `?8` now. An older version changes nothing; no row comes back then.
    PUT_SUBSCRIPTION: TenantQuery = "stripe.put_subscription", "
        INSERT INTO subscriptions (tenant_id, id, plan_id, status, current_period_end, cancel_at,
            version_at, created_at, updated_at, checked_at, past_due_since)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8,
            CASE WHEN CAST(?4 AS TEXT) NOT IN ('canceled', 'incomplete_expired')
                THEN CAST(?8 AS BIGINT) END, 
            CASE WHEN CAST(?4 AS TEXT) = 'past_due' THEN CAST(?8 AS BIGINT) END)
        ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id,
            plan_id = excluded.plan_id, status = excluded.status,
            current_period_end = excluded.current_period_end, cancel_at = excluded.cancel_at,
            version_at = excluded.version_at, updated_at = excluded.updated_at,
            checked_at = excluded.checked_at,
            past_due_since = CASE WHEN excluded.status = 'past_due'
                THEN COALESCE(subscriptions.past_due_since, excluded.updated_at) END,
            lapsed_at = CASE WHEN excluded.status = 'past_due' THEN subscriptions.lapsed_at END
        WHERE subscriptions.version_at <= excluded.version_at
        RETURNING id";
    /// The same for a price that is no plan of ours, without the plan: it keeps the one it has.
    PUT_STATUS: TenantQuery = "stripe.put_status", "
        UPDATE subscriptions SET tenant_id = ?1, status = ?3, current_period_end = ?4,
            cancel_at = ?5, version_at = ?6, updated_at = ?7,
            checked_at = CASE WHEN CAST(?3 AS TEXT) NOT IN ('canceled', 'incomplete_expired')
                THEN CAST(?7 AS BIGINT) END,
            past_due_since = CASE WHEN CAST(?3 AS TEXT) = 'past_due'
                THEN COALESCE(past_due_since, CAST(?7 AS BIGINT)) END,
            lapsed_at = CASE WHEN CAST(?3 AS TEXT) = 'past_due' THEN lapsed_at END
        WHERE id = ?2 AND version_at <= ?6
        RETURNING id";
    /// `?1` tenant, `?2` customer, `?3` now. The plan follows from the subscriptions that give
    /// access (past due is a grace, until it has lapsed), whatever order events came in, then from a
    /// trial that runs; who pays after a trial has expired is converted. A
    /// customer who buys for several tenants stays with the first one.
    SET_PLAN: TenantQuery = "stripe.set_plan", concat!("
        UPDATE tenants SET
            plan_id = COALESCE((SELECT s.plan_id FROM subscriptions s
                WHERE s.tenant_id = tenants.id
                    AND ", crate::gives_access!("s"), "
                ORDER BY s.version_at DESC, s.id LIMIT 1),
                CASE WHEN ", crate::trial_gives!("tenants", "?3"), " THEN tenants.trial_plan END, 'FREE'),
            trial_stage = CASE WHEN tenants.trial_stage = 'expired' AND EXISTS
                    (SELECT 1 FROM subscriptions p WHERE p.tenant_id = tenants.id
                        AND ", crate::gives_access!("p"), ") THEN 'converted'
                ELSE tenants.trial_stage END,
            stripe_customer_id = CASE
                WHEN tenants.stripe_customer_id IS NULL AND NOT EXISTS
                    (SELECT 1 FROM tenants o WHERE o.stripe_customer_id = ?2) THEN ?2
                ELSE tenants.stripe_customer_id END,
            epoch = tenants.epoch + 1, updated_at = ?3
        WHERE id = ?1");
    /// `?7` subscription, `?8` version: only if this event changed it.
    PUBLISH_CHANGED: TenantQuery = "stripe.publish_changed", crate::publish_where!("
        FROM subscriptions WHERE tenant_id = ?1 AND id = ?7 AND version_at = ?8
            AND updated_at = CAST(?6 AS BIGINT)");
    /// `?1` tenant, `?2` id, `?3` number, `?4` status, `?5` currency, `?6` total, `?7` paid,
    /// `?8` subscription, `?9` begin and `?10` end of the period, `?11` address, `?12` when it could
    /// not be paid, `?13` version, `?14` made, `?15` now.
    PUT_INVOICE: TenantQuery = "stripe.put_invoice", "
        INSERT INTO stripe_invoices (tenant_id, id, number, status, currency, total_minor,
            paid_minor, subscription_id, period_start, period_end, hosted_url, failed_at,
            version_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id, number = excluded.number,
            status = excluded.status, total_minor = excluded.total_minor,
            paid_minor = excluded.paid_minor, hosted_url = excluded.hosted_url,
            failed_at = CASE WHEN excluded.status = 'open'
                THEN COALESCE(excluded.failed_at, stripe_invoices.failed_at) END,
            version_at = excluded.version_at, updated_at = excluded.updated_at
        WHERE stripe_invoices.version_at <= excluded.version_at
        RETURNING id";
    /// `?1` id, `?2` tenant or NULL, `?3` kind, `?4` status, `?5` amount, `?6` currency, `?7`
    /// charge, `?8` payment, `?9` version, `?10` made, `?11` now.
    PUT_INCIDENT: SystemQuery = "stripe.put_incident", "
        INSERT INTO stripe_incidents (id, tenant_id, kind, status, amount_minor, currency,
            charge_id, payment_intent_id, version_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status,
            amount_minor = excluded.amount_minor, version_at = excluded.version_at,
            tenant_id = COALESCE(excluded.tenant_id, stripe_incidents.tenant_id),
            updated_at = excluded.updated_at
        WHERE stripe_incidents.version_at <= excluded.version_at
        RETURNING id";
    /// `?1` alert, `?2` tenant or NULL, `?3` dispute, `?4` now: while it is not decided.
    PUT_ALERT: SystemQuery = "stripe.put_alert", "
        INSERT INTO alerts (id, tenant_id, kind, severity, message, created_at)
        SELECT ?1, CAST(?2 AS TEXT), 'stripe.dispute', 'critical',
            'A customer disputes a charge: ' || id, CAST(?4 AS BIGINT)
        FROM stripe_incidents WHERE id = ?3 AND status NOT IN ('won', 'lost', 'warning_closed')
        ON CONFLICT (id) DO NOTHING";
    /// `?1` alert, `?2` dispute, `?3` now.
    RESOLVE_ALERT: SystemQuery = "stripe.resolve_alert", "
        UPDATE alerts SET resolved_at = ?3 WHERE id = ?1 AND resolved_at IS NULL
            AND EXISTS (SELECT 1 FROM stripe_incidents
                WHERE id = ?2 AND status IN ('won', 'lost', 'warning_closed'))";
    /// `?1` tenant, `?2` customer, `?3` now: the tenant's, if it has none and nobody has this one.
    SET_CUSTOMER: TenantQuery = "stripe.set_customer", "
        UPDATE tenants SET stripe_customer_id = ?2, updated_at = ?3
        WHERE id = ?1 AND stripe_customer_id IS NULL AND NOT EXISTS
            (SELECT 1 FROM tenants o WHERE o.stripe_customer_id = ?2)";
    /// `?1` now less the grace, `?2` most.
    OVERDUE: SystemQuery = "stripe.overdue", "
        SELECT id, tenant_id FROM subscriptions
        WHERE past_due_since <= ?1 AND past_due_since IS NOT NULL AND lapsed_at IS NULL
        ORDER BY past_due_since LIMIT ?2";
    /// `?1` tenant, `?2` subscription, `?3` now less the grace, `?4` now.
    LAPSE: TenantQuery = "stripe.lapse", "
        UPDATE subscriptions SET lapsed_at = ?4, updated_at = ?4
        WHERE id = ?2 AND tenant_id = ?1 AND past_due_since <= ?3 AND lapsed_at IS NULL
        RETURNING id";
    /// [`crate::audit::Entry::record`], `?11` subscription.
    RECORD_LAPSED: TenantQuery = "stripe.record_lapsed", crate::record_where!(
        "FROM subscriptions WHERE tenant_id = ?1 AND id = ?11 AND lapsed_at = ?7");
    /// `?1` now less an hour, `?2` now less a day, `?3` most. Those of which nothing was heard for a
    /// day, and those whose period has ended.
    STALE: SystemQuery = "stripe.stale", "
        SELECT id FROM subscriptions
        WHERE checked_at IS NOT NULL AND checked_at <= ?1
            AND (checked_at <= ?2 OR current_period_end <= ?1)
        ORDER BY checked_at LIMIT ?3";
    /// `?1` now less a day, `?2` most.
    BUYERS: SystemQuery = "stripe.buyers", "
        SELECT id, stripe_customer_id FROM tenants
        WHERE stripe_customer_id IS NOT NULL AND stripe_checked_at <= ?1
        ORDER BY stripe_checked_at LIMIT ?2";
    /// `?1` subscription: as we have it.
    STATE: SystemQuery = "stripe.state", "
        SELECT tenant_id, plan_id, status, current_period_end, cancel_at
        FROM subscriptions WHERE id = ?1";
    /// `?1` subscription, `?2` now.
    CHECKED: SystemQuery = "stripe.checked",
        "UPDATE subscriptions SET checked_at = ?2 WHERE id = ?1 AND checked_at IS NOT NULL";
    /// `?1` tenant, `?2` now.
    BUYER_CHECKED: SystemQuery = "stripe.buyer_checked",
        "UPDATE tenants SET stripe_checked_at = ?2 WHERE id = ?1";
    /// Plans that Stripe is to know.
    PLANS_FOR_SALE: SystemQuery = "stripe.plans_for_sale", "
        SELECT id, name, price_minor, currency, stripe_lookup_key FROM plans
        WHERE stripe_lookup_key IS NOT NULL ORDER BY sort, id";
    /// `?1` id, `?2` now, `?3` what was done.
    DONE: SystemQuery = "stripe.done",
        "UPDATE stripe_inbox SET done_at = ?2, outcome = ?3 WHERE id = ?1 AND done_at IS NULL";
    /// `?1` id: another delivery may try at once.
    RELEASE: SystemQuery = "stripe.release",
        "UPDATE stripe_inbox SET claimed_until = 0 WHERE id = ?1 AND done_at IS NULL";
}
