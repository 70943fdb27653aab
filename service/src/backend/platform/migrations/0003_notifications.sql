-- Notifications and their way from queued to delivered or failed.
CREATE TABLE notifications (
    id text PRIMARY KEY,
    user_id text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    template text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'delivered', 'failed')),
    -- Recipient and data, encrypted; gone as soon as nothing is left to send.
    sealed bytea,
    provider_message_id text,
    error_type text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CHECK ((state = 'queued') = (sealed IS NOT NULL)),
    CHECK ((state = 'queued') = (finished_at IS NULL)),
    CHECK ((state = 'delivered') = (provider_message_id IS NOT NULL)),
    CHECK ((state = 'failed') = (error_type IS NOT NULL))
);

-- Whom to notify of a payment's end: encrypted, and gone when it is queued. The digest (keyed)
-- shows whether a repeated request names the same contact.
ALTER TABLE payments
    ADD COLUMN contact_sealed bytea,
    ADD COLUMN contact_digest bytea,
    ADD CHECK (contact_sealed IS NULL OR state IN ('created', 'submitted'));

-- What the sweeper looks for.
CREATE INDEX payments_open ON payments (created_at) WHERE state IN ('created', 'submitted');
CREATE INDEX procrastinate_jobs_payment ON procrastinate_jobs ((args ->> 'payment_id'))
WHERE status IN ('todo', 'doing');
