-- A session holds one user's runs of one strategy.
CREATE TABLE automation_sessions (
    id text PRIMARY KEY,
    user_id text NOT NULL,
    strategy text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (user_id, strategy)
);

CREATE TABLE automation_runs (
    id text PRIMARY KEY,
    session_id text NOT NULL REFERENCES automation_sessions (id),
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'completed', 'failed')),
    sla_seconds double precision NOT NULL CHECK (sla_seconds > 0),
    within_sla boolean,
    error_type text,
    contact_sealed bytea,
    -- The slot of its cron that a scheduled run fills; each slot once.
    scheduled_for timestamptz,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    UNIQUE (session_id, scheduled_for),
    CHECK ((state = 'requested') = (finished_at IS NULL)),
    CHECK ((state = 'requested') = (within_sla IS NULL)),
    CHECK ((state = 'failed') = (error_type IS NOT NULL)),
    CHECK (contact_sealed IS NULL OR state = 'requested')
);

-- The result of each finished step. A run goes on after the last one.
CREATE TABLE automation_steps (
    run_id text NOT NULL REFERENCES automation_runs (id),
    position integer NOT NULL CHECK (position >= 0),
    name text NOT NULL,
    result jsonb NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, position)
);
