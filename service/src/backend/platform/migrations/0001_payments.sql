-- Payments and their way from created to confirmed or failed.
CREATE TABLE payments (
    id text PRIMARY KEY,
    user_id text NOT NULL,
    amount numeric NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    state text NOT NULL DEFAULT 'created'
        CHECK (state IN ('created', 'submitted', 'confirmed', 'failed')),
    -- SHA-256 of the header: callers may put anything into it.
    idempotency_key bytea UNIQUE,
    blockchain_tx_id text,
    error_type text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    submitted_at timestamptz,
    finished_at timestamptz,
    CHECK ((state = 'failed') = (error_type IS NOT NULL)),
    CHECK (state NOT IN ('submitted', 'confirmed') OR blockchain_tx_id IS NOT NULL)
);

-- For the gauge of each job's last success.
CREATE INDEX procrastinate_events_succeeded_at ON procrastinate_events (at DESC)
WHERE type = 'succeeded';
