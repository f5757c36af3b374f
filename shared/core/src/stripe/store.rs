//! The inbox of events, and what they change.

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
    LEAVE: SystemQuery = "stripe.leave", "
        UPDATE tenants SET
            plan_id = COALESCE((SELECT s.plan_id FROM subscriptions s
                WHERE s.tenant_id = tenants.id AND s.id <> ?1
                    AND s.status IN ('trialing', 'active', 'past_due')
                ORDER BY s.version_at DESC, s.id LIMIT 1), 'FREE'),
            epoch = tenants.epoch + 1, updated_at = ?4
        WHERE id = (SELECT tenant_id FROM subscriptions
            WHERE id = ?1 AND tenant_id <> ?2 AND version_at <= ?3)
        RETURNING id";
    /// `?1` tenant, `?2` subscription, `?3` plan, `?4` status, `?5` period end, `?6` cancel at,
    /// `?7` version, `?8` now. An older version changes nothing; no row comes back then.
    PUT_SUBSCRIPTION: TenantQuery = "stripe.put_subscription", "
        INSERT INTO subscriptions (tenant_id, id, plan_id, status, current_period_end, cancel_at,
            version_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
        ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id,
            plan_id = excluded.plan_id, status = excluded.status,
            current_period_end = excluded.current_period_end, cancel_at = excluded.cancel_at,
            version_at = excluded.version_at, updated_at = excluded.updated_at
        WHERE subscriptions.version_at <= excluded.version_at
        RETURNING id";
    /// The same for a price that is no plan of ours, without the plan: it keeps the one it has.
    PUT_STATUS: TenantQuery = "stripe.put_status", "
        UPDATE subscriptions SET tenant_id = ?1, status = ?3, current_period_end = ?4,
            cancel_at = ?5, version_at = ?6, updated_at = ?7
        WHERE id = ?2 AND version_at <= ?6
        RETURNING id";
    /// `?1` tenant, `?2` customer, `?3` now. The plan follows from the subscriptions that give
    /// access (past due is a grace that Stripe's dunning ends), whatever order events came in. A
    /// customer who buys for several tenants stays with the first one.
    SET_PLAN: TenantQuery = "stripe.set_plan", "
        UPDATE tenants SET
            plan_id = COALESCE((SELECT s.plan_id FROM subscriptions s
                WHERE s.tenant_id = tenants.id AND s.status IN ('trialing', 'active', 'past_due')
                ORDER BY s.version_at DESC, s.id LIMIT 1), 'FREE'),
            stripe_customer_id = CASE
                WHEN tenants.stripe_customer_id IS NULL AND NOT EXISTS
                    (SELECT 1 FROM tenants o WHERE o.stripe_customer_id = ?2) THEN ?2
                ELSE tenants.stripe_customer_id END,
            epoch = tenants.epoch + 1, updated_at = ?3
        WHERE id = ?1";
    /// `?1` id, `?2` now, `?3` what was done.
    DONE: SystemQuery = "stripe.done",
        "UPDATE stripe_inbox SET done_at = ?2, outcome = ?3 WHERE id = ?1 AND done_at IS NULL";
    /// `?1` id: another delivery may try at once.
    RELEASE: SystemQuery = "stripe.release",
        "UPDATE stripe_inbox SET claimed_until = 0 WHERE id = ?1 AND done_at IS NULL";
}
