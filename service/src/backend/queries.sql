-- Every statement of the backend. Name, purpose, named parameters (psycopg style).

-- name: insert_payment
-- Write a new payment. No row comes back when the idempotency key is taken.
INSERT INTO payments (id, user_id, amount, currency, idempotency_key)
VALUES (%(id)s, %(user_id)s, %(amount)s, %(currency)s, %(idempotency_key)s)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING *;

-- name: payment_by_id
SELECT * FROM payments WHERE id = %(id)s;

-- name: payment_by_idempotency_key
SELECT * FROM payments WHERE idempotency_key = %(idempotency_key)s;

-- name: payment_submitted_seconds
-- How long ago the payment was handed to the chain, by the database's clock.
SELECT extract(epoch FROM clock_timestamp() - submitted_at)::float8 AS seconds
FROM payments WHERE id = %(id)s;

-- name: submit_payment
-- created -> submitted. No row comes back when another run was first.
UPDATE payments
SET state = 'submitted', blockchain_tx_id = %(blockchain_tx_id)s, submitted_at = clock_timestamp()
WHERE id = %(id)s AND state = 'created'
RETURNING *;

-- name: confirm_payment
-- submitted -> confirmed.
UPDATE payments
SET state = 'confirmed', finished_at = clock_timestamp()
WHERE id = %(id)s AND state = 'submitted'
RETURNING *;

-- name: fail_payment
-- created or submitted -> failed.
UPDATE payments
SET state = 'failed', error_type = %(error_type)s, finished_at = clock_timestamp()
WHERE id = %(id)s AND state = ANY(%(from_states)s)
RETURNING *;

-- name: job_gauges
-- One row a known job: waiting jobs that are due, seconds the oldest has been due, unix
-- seconds of the last success. Every row repeats the age of the freshest worker heartbeat.
SELECT
    job.name AS job,
    coalesce(waiting.backlog, 0) AS backlog,
    coalesce(waiting.oldest_age, 0)::float8 AS oldest_pending_age,
    extract(epoch FROM success.at)::float8 AS last_success,
    (SELECT extract(epoch FROM now() - max(last_heartbeat))::float8 FROM procrastinate_workers)
        AS heartbeat_age
FROM unnest(%(jobs)s::text[]) AS job (name)
LEFT JOIN LATERAL (
    SELECT
        count(*) AS backlog,
        extract(epoch FROM now() - min(coalesce(todo.scheduled_at, deferred.at))) AS oldest_age
    FROM procrastinate_jobs AS todo
    LEFT JOIN LATERAL (
        SELECT min(at) AS at FROM procrastinate_events
        WHERE job_id = todo.id AND type = 'deferred'
    ) AS deferred ON true
    WHERE todo.status = 'todo' AND todo.task_name = job.name
        AND coalesce(todo.scheduled_at, now()) <= now()
) AS waiting ON true
LEFT JOIN LATERAL (
    SELECT succeeded.at
    FROM procrastinate_events AS succeeded
    INNER JOIN procrastinate_jobs AS done ON done.id = succeeded.job_id
    WHERE succeeded.type = 'succeeded' AND done.task_name = job.name
    ORDER BY succeeded.at DESC
    LIMIT 1
) AS success ON true;

-- name: freshest_heartbeat
-- Seconds since the freshest heartbeat of any worker; NULL without workers.
SELECT extract(epoch FROM clock_timestamp() - max(last_heartbeat))::float8 AS age
FROM procrastinate_workers;

-- name: try_rescue_lock
-- One worker at a time, until the transaction ends.
SELECT pg_try_advisory_xact_lock(%(key)s) AS taken;

-- name: create_migrations_table
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: applied_migrations
SELECT name FROM schema_migrations;

-- name: has_migrations_table
SELECT to_regclass('schema_migrations') IS NOT NULL AS found;

-- name: record_migration
INSERT INTO schema_migrations (name) VALUES (%(name)s);

-- name: has_procrastinate
SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS found;
