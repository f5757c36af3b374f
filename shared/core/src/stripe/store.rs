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
    /// `?1` tenant from metadata, `?2` customer, `?3` lookup key. The metadata goes first.
    TARGET: SystemQuery = "stripe.target", "
        SELECT t.id AS tenant_id, p.id AS plan_id FROM tenants t
        LEFT JOIN plans p ON p.stripe_lookup_key = ?3
        WHERE t.id = ?1 OR t.stripe_customer_id = ?2
        ORDER BY CASE WHEN t.id = ?1 THEN 0 ELSE 1 END LIMIT 1";
    /// `?1` tenant, `?2` subscription, `?3` plan, `?4` status, `?5` period end, `?6` cancel at,
    /// `?7` version, `?8` now. An older version changes nothing.
    PUT_SUBSCRIPTION: TenantQuery = "stripe.put_subscription", "
        INSERT INTO subscriptions (tenant_id, id, plan_id, status, current_period_end, cancel_at,
            version_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
        ON CONFLICT (id) DO UPDATE SET plan_id = excluded.plan_id, status = excluded.status,
            current_period_end = excluded.current_period_end, cancel_at = excluded.cancel_at,
            version_at = excluded.version_at, updated_at = excluded.updated_at
        WHERE subscriptions.version_at <= excluded.version_at
            AND subscriptions.tenant_id = excluded.tenant_id";
    /// `?1` tenant, `?2` customer, `?3` now. The plan follows from the subscriptions that give
    /// access (past due is a grace that Stripe's dunning ends), whatever order events came in.
    SET_PLAN: TenantQuery = "stripe.set_plan", "
        UPDATE tenants SET
            plan_id = COALESCE((SELECT s.plan_id FROM subscriptions s
                WHERE s.tenant_id = tenants.id AND s.status IN ('trialing', 'active', 'past_due')
                ORDER BY s.version_at DESC, s.id LIMIT 1), 'FREE'),
            stripe_customer_id = COALESCE(tenants.stripe_customer_id, ?2),
            epoch = tenants.epoch + 1, updated_at = ?3
        WHERE id = ?1";
    /// `?1` id, `?2` now, `?3` what was done.
    DONE: SystemQuery = "stripe.done",
        "UPDATE stripe_inbox SET done_at = ?2, outcome = ?3 WHERE id = ?1 AND done_at IS NULL";
    /// `?1` id: another delivery may try at once.
    RELEASE: SystemQuery = "stripe.release",
        "UPDATE stripe_inbox SET claimed_until = 0 WHERE id = ?1 AND done_at IS NULL";
}
