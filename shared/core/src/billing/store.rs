//! Plans and subscriptions as they are read.

crate::queries! {
    /// All plans, in the order they are shown.
    PLANS: SystemQuery = "billing.plans", "
        SELECT id, name, monthly_events, max_api_keys, price_minor, currency, features,
            max_projects, max_agents
        FROM plans ORDER BY sort, id";
    /// `?1` tenant. The subscription that gives the plan, or the latest one.
    SUBSCRIPTION: TenantQuery = "billing.subscription", "
        SELECT id, plan_id, status, current_period_end, cancel_at
        FROM subscriptions WHERE tenant_id = ?1
        ORDER BY CASE WHEN status IN ('trialing', 'active', 'past_due') THEN 0 ELSE 1 END,
            version_at DESC, id LIMIT 1";
    /// `?1` tenant, `?2` limits or NULL, `?3` now.
    SET_LIMITS: TenantQuery = "billing.set_limits", "
        UPDATE tenants SET rate_limits = ?2, updated_at = ?3 WHERE id = ?1
        RETURNING plan_id, rate_limits";
}
