-- The trace of an execution, so that a failed one can be looked into. Rows of before have none.
ALTER TABLE job_runs ADD COLUMN trace_id text CHECK (trace_id ~ '^[0-9a-f]{32}$');

-- Failures are rare: without it a job that never failed would be read to its first run.
CREATE INDEX job_runs_last_failure ON job_runs (job, finished_at DESC) WHERE outcome = 'failed';
