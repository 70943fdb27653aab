-- One row an execution of a job, and the heartbeats of the workers.
CREATE TABLE job_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign key: the history outlives the queue's own rows.
    job_id bigint NOT NULL,
    job text NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0),
    worker text NOT NULL,
    -- Cron expression and next run of a scheduled job.
    schedule text,
    next_run_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('succeeded', 'failed', 'retried', 'aborted')),
    error_class text,
    UNIQUE (job_id, attempt),
    CHECK ((finished_at IS NULL) = (outcome IS NULL)),
    CHECK ((schedule IS NULL) = (next_run_at IS NULL)),
    CHECK (outcome <> 'succeeded' OR error_class IS NULL)
);

CREATE INDEX job_runs_last ON job_runs (job, finished_at DESC) WHERE finished_at IS NOT NULL;
CREATE INDEX job_runs_last_success ON job_runs (job, finished_at DESC)
WHERE outcome = 'succeeded';
CREATE INDEX job_runs_running ON job_runs (job) WHERE finished_at IS NULL;

-- The rows stay when a worker ends: the age of the freshest one shows that none is left.
CREATE TABLE worker_heartbeats (
    worker text PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopped_at timestamptz
);

-- job_runs took its place.
DROP INDEX procrastinate_events_succeeded_at;
