-- Events that are committed with the change they report, until the Collector has acknowledged them.
CREATE TABLE event_outbox (
    -- The order in which they are sent.
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Travels as log.record.uid: a repeat is known by it.
    id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    name text NOT NULL,
    message text NOT NULL,
    level integer NOT NULL,
    -- As they leave: redacted, users as pseudonyms. Not jsonb, which has an order of its own: the
    -- resource is part of what a repeat is known by.
    attributes json NOT NULL,
    resource json NOT NULL,
    traceparent text,
    -- Of sending it, refused by the Collector. From the first one on it is sent alone.
    refusals integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The Collector will not have it; kept for people.
    set_aside_at timestamptz
) WITH (
    -- Rows come and go: few are there at a time, and the dead ones in front of them are read.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);

CREATE INDEX event_outbox_new ON event_outbox (position) WHERE refusals = 0;
CREATE INDEX event_outbox_refused ON event_outbox (next_attempt_at)
WHERE refusals > 0 AND set_aside_at IS NULL;
