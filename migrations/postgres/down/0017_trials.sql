-- Undoes 0017_trials.sql: who is on trial is on the plan FREE.
UPDATE tenants SET plan_id = 'FREE', epoch = epoch + 1
    WHERE trial_stage IN ('started', 'ending', 'last_day') AND plan_id = trial_plan
        AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.tenant_id = tenants.id
            AND s.status IN ('trialing', 'active', 'past_due'));
DROP INDEX tenants_trials;
ALTER TABLE tenants DROP COLUMN trial_event;
ALTER TABLE tenants DROP COLUMN trial_stage;
ALTER TABLE tenants DROP COLUMN trial_ends_at;
ALTER TABLE tenants DROP COLUMN trial_started_at;
ALTER TABLE tenants DROP COLUMN trial_plan;
