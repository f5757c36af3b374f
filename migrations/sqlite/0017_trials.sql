-- A tenant's trial, one at most: which plan it gives, until when, and how far it has come. While it is `started`,
-- `ending` or `last_day` the tenant has its plan, unless it pays. `trial_event` names the event of the last step.
ALTER TABLE tenants ADD COLUMN trial_plan TEXT;
ALTER TABLE tenants ADD COLUMN trial_started_at INTEGER;
ALTER TABLE tenants ADD COLUMN trial_ends_at INTEGER;
ALTER TABLE tenants ADD COLUMN trial_stage TEXT CHECK (trial_stage IN ('started', 'ending', 'last_day', 'expired', 'converted'));
ALTER TABLE tenants ADD COLUMN trial_event TEXT;
CREATE INDEX tenants_trials ON tenants (trial_stage, trial_ends_at) WHERE trial_stage IS NOT NULL;
