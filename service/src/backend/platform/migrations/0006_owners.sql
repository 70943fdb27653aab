-- What the API made belongs to the caller who asked for it: nobody else sees it. Empty: made by the
-- clock, or before there were callers; then it is nobody's.
ALTER TABLE payments ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE automation_sessions ADD COLUMN owner text NOT NULL DEFAULT '';

-- One caller's keys are no other's business.
ALTER TABLE payments
    DROP CONSTRAINT payments_idempotency_key_key,
    ADD UNIQUE (owner, idempotency_key);

-- A session holds one user's runs of one strategy, and two callers may have a user of one name.
ALTER TABLE automation_sessions
    DROP CONSTRAINT automation_sessions_user_id_strategy_key,
    ADD UNIQUE (owner, user_id, strategy);

-- How a caller's users may be reached. Keyed digests alone: whom to write to comes with each
-- request, and is compared.
CREATE TABLE contacts (
    owner text NOT NULL,
    user_digest bytea NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    contact_digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (owner, user_digest, channel)
);
