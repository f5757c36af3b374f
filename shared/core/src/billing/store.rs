//! Plans and subscriptions as they are read.

crate::queries! {
    /// All plans, in the order they are shown.
    PLANS: SystemQuery = "billing.plans", "
        SELECT id, name, monthly_events, max_api_keys, price_minor, currency, features,
            max_projects, max_agents
        FROM plans ORDER BY sort, id";
    /// `?1` plan.
    PLAN: SystemQuery = "billing.plan", "SELECT stripe_lookup_key FROM plans WHERE id = ?1";
    /// `?1` tenant. The subscription that gives the plan, or the latest one.
    SUBSCRIPTION: TenantQuery = "billing.subscription", "
        SELECT id, plan_id, status, current_period_end, cancel_at
        FROM subscriptions WHERE tenant_id = ?1
        ORDER BY CASE WHEN status IN ('trialing', 'active', 'past_due') THEN 0 ELSE 1 END,
            version_at DESC, id LIMIT 1";
    /// `?1` tenant. The subscription that has not ended: the one that gives the plan, if one does.
    LIVE: TenantQuery = "billing.live", "
        SELECT id, plan_id FROM subscriptions
        WHERE tenant_id = ?1 AND status NOT IN ('canceled', 'incomplete_expired')
        ORDER BY CASE WHEN status IN ('trialing', 'active', 'past_due') THEN 0 ELSE 1 END,
            version_at DESC, id LIMIT 1";
    /// `?1` tenant, `?2` now, `?3` end of the lease, `?4` a day before the customer is to be looked at.
    /// A row comes back for the one who may begin a checkout.
    CHECKOUT: TenantQuery = "billing.checkout", "
        UPDATE tenants SET checkout_until = ?3, stripe_checked_at = ?4
        WHERE id = ?1 AND (checkout_until IS NULL OR checkout_until <= ?2)
        RETURNING stripe_customer_id";
    /// `?1` tenant.
    CHECKOUT_OVER: TenantQuery = "billing.checkout_over",
        "UPDATE tenants SET checkout_until = NULL WHERE id = ?1";
    /// `?1` tenant, `?2` customer, `?3` now. The one that it has then comes back; none if another
    /// tenant has this one.
    BUYER: TenantQuery = "billing.buyer", "
        UPDATE tenants SET stripe_customer_id = COALESCE(stripe_customer_id, ?2), updated_at = ?3
        WHERE id = ?1 AND NOT EXISTS
            (SELECT 1 FROM tenants o WHERE o.stripe_customer_id = ?2 AND o.id <> ?1)
        RETURNING stripe_customer_id";
    /// `?1` tenant.
    CUSTOMER: TenantQuery = "billing.customer",
        "SELECT stripe_customer_id FROM tenants WHERE id = ?1";
    /// [`crate::audit::Entry::record`]
    RECORD: TenantQuery = "billing.record", crate::record_where!("");
    /// `?1` tenant, `?2` limits or NULL, `?3` now.
    SET_LIMITS: TenantQuery = "billing.set_limits", "
        UPDATE tenants SET rate_limits = ?2, updated_at = ?3 WHERE id = ?1
        RETURNING plan_id, rate_limits";
}
