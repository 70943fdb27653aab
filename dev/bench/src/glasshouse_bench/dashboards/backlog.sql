-- A backlog of %(rows)s waiting jobs, and what belongs to them, as the service would have left it.
-- Beside it the same number of each that ended, over 30 days. Values are synthetic; `seed` chooses.

-- name: seed
SELECT setseed(%(seed)s);

-- name: users
-- A user has about ten of each.
CREATE TEMPORARY TABLE made_users AS
SELECT
    number AS id,
    decode(lpad(to_hex(number), 64, '0'), 'hex') AS digest,
    decode('0101' || repeat('ab', 60), 'hex') AS sealed,
    (ARRAY['shop', 'desk', 'app'])[1 + number % 3] AS owner
FROM generate_series(1, greatest(1, %(rows)s / 10)) AS number;

-- name: users_found
-- Without it, and what the planner then knows, the next statements take hours.
CREATE UNIQUE INDEX ON made_users (id);

-- name: users_counted
ANALYZE made_users;

-- name: moments
-- What is open is of the last hour, what has ended of the last 30 days.
CREATE TEMPORARY TABLE made_moments AS
SELECT
    number,
    number > %(rows)s AS is_open,
    now() - random() * CASE
        WHEN number > %(rows)s THEN interval '1 h' ELSE interval '30 d'
    END AS at
FROM generate_series(1, 2 * %(rows)s) AS number;

-- name: payments
INSERT INTO payments (
    id, owner, user_sealed, user_digest, amount, currency, state, idempotency_key,
    blockchain_tx_id, error_type, created_at, submitted_at, finished_at
)
SELECT
    'tx_' || lpad(to_hex(number), 32, '0'),
    person.owner,
    person.sealed,
    person.digest,
    round((random() * 1000 + 0.01)::numeric, 2),
    (ARRAY['EUR', 'GBP', 'JPY', 'USD'])[1 + number % 4],
    made.state,
    decode(md5('key' || number), 'hex'),
    CASE WHEN made.state <> 'created' THEN '0x' || md5('chain' || number) END,
    CASE WHEN made.state = 'failed' THEN 'not_mined' END,
    at,
    CASE WHEN made.state <> 'created' THEN at + interval '1 s' END,
    CASE WHEN made.state IN ('confirmed', 'failed') THEN at + interval '20 s' END
FROM made_moments
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN is_open THEN (ARRAY['created', 'submitted'])[1 + number % 2]
        ELSE (ARRAY['confirmed', 'confirmed', 'confirmed', 'failed'])[1 + number % 4]
    END AS state
) AS made
INNER JOIN made_users AS person ON person.id = 1 + number % greatest(1, %(rows)s / 10);

-- name: notifications
INSERT INTO notifications (
    id, owner, user_sealed, user_digest, channel, template, state, sealed, provider_message_id,
    error_type, created_at, finished_at
)
SELECT
    'ntf_' || lpad(to_hex(number), 32, '0'),
    person.owner,
    person.sealed,
    person.digest,
    (ARRAY['email', 'sms', 'push'])[1 + number % 3],
    'payment_confirmed',
    made.state,
    CASE WHEN made.state = 'queued' THEN person.sealed END,
    CASE WHEN made.state = 'delivered' THEN md5('message' || number) END,
    CASE WHEN made.state = 'failed' THEN 'refused' END,
    at,
    CASE WHEN made.state <> 'queued' THEN at + interval '5 s' END
FROM made_moments
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN is_open THEN 'queued'
        ELSE (ARRAY['delivered', 'delivered', 'failed'])[1 + number % 3]
    END AS state
) AS made
INNER JOIN made_users AS person ON person.id = 1 + number % greatest(1, %(rows)s / 10);

-- name: contacts
INSERT INTO contacts (id, owner, user_digest, channel, contact_digest, sealed, used_at)
SELECT
    'ct_' || id, owner, digest, 'email', digest, sealed, now() - random() * interval '300 d'
FROM made_users;

-- name: sessions
INSERT INTO automation_sessions (id, owner, user_sealed, user_digest, strategy, created_at)
SELECT
    'ses_' || id, owner, sealed, digest,
    (ARRAY['dca', 'rebalance', 'stop_loss', 'nightly_report'])[1 + id % 4],
    now() - random() * interval '30 d'
FROM made_users;

-- name: runs
INSERT INTO automation_runs (
    id, session_id, state, sla_seconds, within_sla, error_type, requested_at, finished_at
)
SELECT
    'run_' || lpad(to_hex(number), 32, '0'),
    'ses_' || 1 + number % greatest(1, %(rows)s / 10),
    made.state,
    60,
    CASE WHEN made.state <> 'requested' THEN made.state = 'completed' END,
    CASE WHEN made.state = 'failed' THEN 'refused' END,
    at,
    CASE WHEN made.state <> 'requested' THEN at + interval '5 s' END
FROM made_moments
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN is_open THEN 'requested'
        ELSE (ARRAY['completed', 'completed', 'failed'])[1 + number % 3]
    END AS state
) AS made;

-- name: steps
INSERT INTO automation_steps (run_id, position, name, result)
SELECT id, 0, 'quote', '{"price": "1"}' FROM automation_runs WHERE state <> 'requested';

-- name: jobs
-- All wait: two of three are due, one of six is a retry for later.
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at)
SELECT
    'default',
    made.task,
    jsonb_build_object(made.argument, made.prefix || lpad(to_hex(%(rows)s + number), 32, '0')),
    'todo',
    CASE number % 6
        WHEN 0 THEN now() + random() * interval '1 h'
        WHEN 1 THEN now() - random() * interval '1 h'
    END
FROM generate_series(1, %(rows)s) AS number
CROSS JOIN LATERAL (
    SELECT
        (ARRAY['confirm_payment', 'deliver_notification', 'run_automation'])[1 + number % 3] AS task,
        (ARRAY['payment_id', 'notification_id', 'run_id'])[1 + number % 3] AS argument,
        (ARRAY['tx_', 'ntf_', 'run_'])[1 + number % 3] AS prefix
) AS made;

-- name: ended_jobs
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)
SELECT
    'default',
    (ARRAY['confirm_payment', 'deliver_notification', 'run_automation'])[1 + number % 3],
    jsonb_build_object('payment_id', 'tx_' || lpad(to_hex(number), 32, '0')),
    'succeeded',
    1
FROM generate_series(1, %(rows)s) AS number;

-- name: ended_events
INSERT INTO procrastinate_events (job_id, type, at)
SELECT job.id, kind.type::procrastinate_job_event_type, now() - random() * interval '30 d'
FROM procrastinate_jobs AS job
CROSS JOIN (VALUES ('deferred'), ('started'), ('succeeded')) AS kind (type)
WHERE job.status = 'succeeded';

-- name: executions
INSERT INTO job_runs (job_id, job, attempt, worker, started_at, finished_at, outcome, error_class)
SELECT
    number,
    (ARRAY['confirm_payment', 'deliver_notification', 'run_automation'])[1 + number % 3],
    1,
    'worker-1',
    made.at,
    CASE WHEN number % 1000 > 0 THEN made.at + interval '1 s' END,
    CASE WHEN number % 1000 > 0 THEN made.outcome END,
    CASE WHEN number % 1000 > 0 AND made.outcome <> 'succeeded' THEN 'OSError' END
FROM generate_series(1, %(rows)s) AS number
CROSS JOIN LATERAL (
    SELECT
        now() - random() * interval '30 d' AS at,
        CASE number % 50 WHEN 0 THEN 'failed' WHEN 1 THEN 'retried' ELSE 'succeeded' END AS outcome
) AS made;

-- name: outbox
-- One of a thousand was refused, one of ten thousand set aside.
INSERT INTO event_outbox (
    id, occurred_at, name, message, level, attributes, resource, refusals, next_attempt_at,
    set_aside_at
)
SELECT
    gen_random_uuid(),
    now() - random() * interval '1 h',
    'payment.created',
    'Payment created',
    20,
    '{"payment.currency": "EUR", "user.hash": "0123456789abcdef"}',
    '{"service.name": "backend-api"}',
    CASE WHEN number % 1000 = 0 THEN 1 ELSE 0 END,
    now() - interval '1 min',
    CASE WHEN number % 10000 = 0 THEN now() END
FROM generate_series(1, %(rows)s) AS number;

-- name: heartbeats
INSERT INTO worker_heartbeats (worker) SELECT 'worker-' || number FROM generate_series(1, 3) AS number;
