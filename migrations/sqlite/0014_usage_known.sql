-- What a batch of usage events brought that was stored already: positions, as a JSON array. The batch writes it when it
-- is admitted and reads it when it folds the rest into the hours. `admitted` is no longer written or
-- read, and goes with the release after this one.
ALTER TABLE usage_months ADD COLUMN known TEXT;
