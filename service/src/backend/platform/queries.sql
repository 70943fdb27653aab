-- Every statement of the backend. Name, purpose, named parameters (psycopg style).

-- name: insert_payment
-- Write a new payment. No row comes back when the idempotency key is taken.
INSERT INTO payments
    (
        id, owner, user_sealed, user_digest, amount, currency, idempotency_key,
        contact_sealed, contact_digest
    )
VALUES (
    %(id)s, %(owner)s, %(user_sealed)s, %(user_digest)s, %(amount)s, %(currency)s,
    %(idempotency_key)s,
    %(contact_sealed)s, %(contact_digest)s
)
ON CONFLICT (owner, idempotency_key) DO NOTHING
RETURNING *;

-- name: payment_by_id
SELECT * FROM payments WHERE id = %(id)s;

-- name: payment_by_idempotency_key
SELECT * FROM payments WHERE owner = %(owner)s AND idempotency_key = %(idempotency_key)s;

-- name: payment_ages
-- Seconds since creation and submission, by the database's clock.
SELECT
    extract(epoch FROM clock_timestamp() - created_at)::float8 AS created,
    extract(epoch FROM clock_timestamp() - submitted_at)::float8 AS submitted
FROM payments WHERE id = %(id)s;

-- name: stuck_payments
-- Open payments without a job that waits or runs, oldest first.
SELECT payments.id
FROM payments
WHERE payments.state IN ('created', 'submitted')
    AND payments.created_at < clock_timestamp() - make_interval(secs => %(older_than)s)
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.args ->> 'payment_id' = payments.id AND job.status IN ('todo', 'doing')
    )
ORDER BY payments.created_at
LIMIT %(limit)s;

-- name: submit_payment
-- created -> submitted. No row comes back when another run was first.
UPDATE payments
SET state = 'submitted', blockchain_tx_id = %(blockchain_tx_id)s, submitted_at = clock_timestamp()
WHERE id = %(id)s AND state = 'created'
RETURNING *;

-- name: confirm_payment
-- submitted -> confirmed. The contact comes back as it was, and is gone from the row.
UPDATE payments
SET
    state = 'confirmed',
    finished_at = clock_timestamp(),
    contact_sealed = NULL,
    contact_digest = NULL
FROM (SELECT id, contact_sealed FROM payments WHERE id = %(id)s FOR UPDATE) AS before
WHERE payments.id = before.id AND payments.state = 'submitted'
RETURNING payments.*, before.contact_sealed AS contact_sealed;

-- name: fail_payment
-- created or submitted -> failed. The contact as above.
UPDATE payments
SET
    state = 'failed',
    error_type = %(error_type)s,
    finished_at = clock_timestamp(),
    contact_sealed = NULL,
    contact_digest = NULL
FROM (SELECT id, contact_sealed FROM payments WHERE id = %(id)s FOR UPDATE) AS before
WHERE payments.id = before.id AND payments.state = ANY(%(from_states)s)
RETURNING payments.*, before.contact_sealed AS contact_sealed;

-- name: insert_notification
INSERT INTO notifications (id, owner, user_sealed, user_digest, channel, template, sealed)
VALUES (
    %(id)s, %(owner)s, %(user_sealed)s, %(user_digest)s, %(channel)s, %(template)s,
    %(sealed)s
)
RETURNING *;

-- name: notification_by_id
SELECT * FROM notifications WHERE id = %(id)s;

-- name: deliver_notification
-- queued -> delivered. No row comes back when it was not queued.
UPDATE notifications
SET
    state = 'delivered',
    provider_message_id = %(message_id)s,
    sealed = NULL,
    finished_at = clock_timestamp()
WHERE id = %(id)s AND state = 'queued'
RETURNING *;

-- name: fail_notification
-- queued -> failed.
UPDATE notifications
SET state = 'failed', error_type = %(error_type)s, sealed = NULL, finished_at = clock_timestamp()
WHERE id = %(id)s AND state = 'queued'
RETURNING *;

-- name: automation_session
-- The user's session of a strategy, whatever key it was made under.
SELECT id FROM automation_sessions
WHERE owner = %(owner)s AND user_digest = ANY(%(digests)s) AND strategy = %(strategy)s
LIMIT 1;

-- name: insert_automation_session
-- Of two at once the second gets the first one's.
INSERT INTO automation_sessions (id, owner, user_sealed, user_digest, strategy)
VALUES (%(id)s, %(owner)s, %(user_sealed)s, %(user_digest)s, %(strategy)s)
ON CONFLICT (owner, user_digest, strategy) DO UPDATE SET user_digest = excluded.user_digest
RETURNING id;

-- name: insert_run
-- Write a requested run. No row comes back when its slot was filled before.
INSERT INTO automation_runs (id, session_id, sla_seconds, contact_sealed, scheduled_for)
VALUES (%(id)s, %(session_id)s, %(sla_seconds)s, %(contact_sealed)s, %(scheduled_for)s)
ON CONFLICT (session_id, scheduled_for) DO NOTHING
RETURNING id;

-- name: run_by_id
SELECT run.*, session.owner, session.user_sealed, session.strategy
FROM automation_runs AS run
INNER JOIN automation_sessions AS session ON session.id = run.session_id
WHERE run.id = %(id)s;

-- name: run_steps
SELECT name, result FROM automation_steps WHERE run_id = %(id)s ORDER BY position;

-- name: insert_step
-- Record a finished step. A step that another execution recorded first stays as it is.
INSERT INTO automation_steps (run_id, position, name, result)
VALUES (%(run_id)s, %(position)s, %(name)s, %(result)s)
ON CONFLICT (run_id, position) DO NOTHING;

-- name: end_run
-- requested -> completed or failed. A failed run is never within its SLA.
UPDATE automation_runs AS run
SET
    state = %(state)s,
    error_type = %(error_type)s,
    finished_at = ended.at,
    within_sla = %(error_type)s::text IS NULL
        AND ended.at - run.requested_at <= make_interval(secs => run.sla_seconds),
    contact_sealed = NULL
FROM
    (SELECT id, contact_sealed FROM automation_runs WHERE id = %(id)s FOR UPDATE) AS before,
    (SELECT clock_timestamp() AS at) AS ended,
    automation_sessions AS session
WHERE run.id = before.id AND run.state = 'requested' AND session.id = run.session_id
RETURNING
    run.*, session.owner, session.user_sealed, session.strategy,
    before.contact_sealed AS contact_sealed;

-- name: set_contact
-- A user's address on a channel.
INSERT INTO contacts (id, owner, user_digest, channel, contact_digest, sealed)
VALUES (%(id)s, %(owner)s, %(user_digest)s, %(channel)s, %(contact_digest)s, %(sealed)s)
ON CONFLICT (owner, user_digest, channel) DO UPDATE
SET
    id = excluded.id,
    contact_digest = excluded.contact_digest,
    sealed = excluded.sealed,
    created_at = excluded.created_at,
    used_at = excluded.used_at;

-- name: delete_contact
DELETE FROM contacts
WHERE owner = %(owner)s AND user_digest = ANY(%(user_digests)s) AND channel = %(channel)s;

-- name: find_contact
-- A registered contact, and whether its last use is worth a note: not each message is to write.
SELECT id, used_at < clock_timestamp() - interval '1 day' AS is_stale FROM contacts
WHERE owner = %(owner)s
    AND user_digest = ANY(%(user_digests)s)
    AND channel = %(channel)s
    AND contact_digest = ANY(%(contact_digests)s);

-- name: note_use_of_contact
UPDATE contacts SET used_at = clock_timestamp() WHERE id = %(id)s;

-- name: payment_totals
-- What a user has paid, by currency.
SELECT currency, sum(amount) AS total
FROM payments
WHERE owner = %(owner)s AND user_digest = ANY(%(digests)s) AND state = 'confirmed'
GROUP BY currency ORDER BY currency;

-- name: report_payments
-- Payments of the last day by state and currency.
SELECT state, currency, count(*) AS payments, sum(amount) AS total
FROM payments WHERE created_at > clock_timestamp() - interval '1 day'
GROUP BY state, currency ORDER BY state, currency;

-- name: report_notifications
-- Notifications of the last day by channel and state.
SELECT channel, state, count(*) AS notifications
FROM notifications WHERE created_at > clock_timestamp() - interval '1 day'
GROUP BY channel, state ORDER BY channel, state;

-- name: forget_jobs
-- Delete jobs that ended over so many days ago. Looks only at the oldest of the queue, so that a
-- round ends soon however much there is.
DELETE FROM procrastinate_jobs AS job
USING (SELECT id FROM procrastinate_jobs ORDER BY id LIMIT %(limit)s) AS oldest
WHERE job.id = oldest.id
    AND job.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
    AND NOT EXISTS (
        SELECT FROM procrastinate_events AS event
        WHERE event.job_id = job.id AND event.at > now() - make_interval(days => %(days)s)
    );

-- name: forget_job_runs
-- Delete runs that ended over so many days ago, likewise. The last run of a job stays, and so does
-- its last success: gauges and alerts live on them.
DELETE FROM job_runs AS run
USING (SELECT id FROM job_runs ORDER BY id LIMIT %(limit)s) AS oldest
WHERE run.id = oldest.id
    AND run.finished_at < now() - make_interval(days => %(days)s)
    AND EXISTS (
        SELECT FROM job_runs AS newer
        WHERE newer.job = run.job
            AND newer.finished_at > run.finished_at
            AND (newer.outcome = 'succeeded' OR run.outcome <> 'succeeded')
    );

-- name: forget_payments
-- Delete payments that ended over so many days ago, the oldest first.
DELETE FROM payments
WHERE id IN (
    SELECT id FROM payments
    WHERE finished_at < now() - make_interval(days => %(days)s)
    ORDER BY finished_at
    LIMIT %(limit)s
);

-- name: forget_notifications
DELETE FROM notifications
WHERE id IN (
    SELECT id FROM notifications
    WHERE finished_at < now() - make_interval(days => %(days)s)
    ORDER BY finished_at
    LIMIT %(limit)s
);

-- name: forget_automation
-- Delete runs that ended over so many days ago. Their steps go along.
DELETE FROM automation_runs
WHERE id IN (
    SELECT id FROM automation_runs
    WHERE finished_at < now() - make_interval(days => %(days)s)
    ORDER BY finished_at
    LIMIT %(limit)s
);

-- name: forget_sessions
-- Delete sessions whose last run was deleted. One of today may be about to get its first run.
DELETE FROM automation_sessions
WHERE id IN (
    SELECT session.id FROM automation_sessions AS session
    WHERE session.created_at < now() - make_interval(days => %(days)s)
        AND NOT EXISTS (SELECT FROM automation_runs WHERE session_id = session.id)
    LIMIT %(limit)s
);

-- name: forget_contacts
-- Delete contacts that nobody has registered or written to for so many days.
DELETE FROM contacts
WHERE id IN (
    SELECT id FROM contacts
    WHERE used_at < now() - make_interval(days => %(days)s)
    ORDER BY used_at
    LIMIT %(limit)s
);

-- name: open_work_of
-- What is still to be done for a user: of one caller, or of all.
SELECT
    (
        SELECT count(*) FROM payments
        WHERE user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR owner = %(owner)s) AND state IN ('created', 'submitted')
    ) AS payments,
    (
        SELECT count(*) FROM notifications
        WHERE user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR owner = %(owner)s) AND state = 'queued'
    ) AS notifications,
    (
        SELECT count(*) FROM automation_runs AS run
        INNER JOIN automation_sessions AS session ON session.id = run.session_id
        WHERE session.user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR session.owner = %(owner)s) AND run.state = 'requested'
    ) AS runs;

-- name: erase_jobs_of
-- Jobs that wait for what is about to be deleted.
DELETE FROM procrastinate_jobs
WHERE status = 'todo' AND (
    args ->> 'payment_id' IN (
        SELECT id FROM payments WHERE user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR owner = %(owner)s)
    )
    OR args ->> 'notification_id' IN (
        SELECT id FROM notifications WHERE user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR owner = %(owner)s)
    )
    OR args ->> 'run_id' IN (
        SELECT run.id FROM automation_runs AS run
        INNER JOIN automation_sessions AS session ON session.id = run.session_id
        WHERE session.user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR session.owner = %(owner)s)
    )
);

-- name: contacts_of
SELECT id, sealed FROM contacts
WHERE user_digest = ANY(%(digests)s)
    AND (%(owner)s::text IS NULL OR owner = %(owner)s);

-- name: erase_contacts_of
DELETE FROM contacts
WHERE user_digest = ANY(%(digests)s)
    AND (%(owner)s::text IS NULL OR owner = %(owner)s);

-- name: erase_payments_of
DELETE FROM payments
WHERE user_digest = ANY(%(digests)s)
    AND (%(owner)s::text IS NULL OR owner = %(owner)s);

-- name: erase_notifications_of
DELETE FROM notifications
WHERE user_digest = ANY(%(digests)s)
    AND (%(owner)s::text IS NULL OR owner = %(owner)s);

-- name: erase_runs_of
-- Their steps go along.
DELETE FROM automation_runs
WHERE session_id IN (
    SELECT id FROM automation_sessions WHERE user_digest = ANY(%(digests)s)
            AND (%(owner)s::text IS NULL OR owner = %(owner)s)
);

-- name: erase_sessions_of
DELETE FROM automation_sessions
WHERE user_digest = ANY(%(digests)s)
    AND (%(owner)s::text IS NULL OR owner = %(owner)s);

-- name: erase_events_of
-- Events that nobody has taken yet, by the pseudonyms in them.
DELETE FROM event_outbox WHERE attributes::text ~ %(pattern)s OR message ~ %(pattern)s;

-- name: insert_event
-- Write an event into the outbox, in the transaction of the change it reports.
INSERT INTO event_outbox
    (id, occurred_at, name, message, level, attributes, resource, traceparent)
VALUES (
    %(id)s, %(occurred_at)s, %(name)s, %(message)s, %(level)s, %(attributes)s::json,
    %(resource)s::json, %(traceparent)s
);

-- name: new_events
-- The oldest events that were never refused and that no other worker is sending.
SELECT * FROM event_outbox
WHERE refusals = 0
ORDER BY position
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;

-- name: refused_events
-- Likewise one that was refused and is due again.
SELECT * FROM event_outbox
WHERE refusals > 0 AND set_aside_at IS NULL AND next_attempt_at <= clock_timestamp()
ORDER BY next_attempt_at
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;

-- name: delete_events
DELETE FROM event_outbox WHERE position = ANY(%(positions)s);

-- name: refuse_events
-- The Collector has refused them, in one request. The pause doubles from the second time on.
UPDATE event_outbox
SET
    refusals = refusals + 1,
    next_attempt_at = clock_timestamp() + CASE
        WHEN %(alone)s THEN make_interval(secs => 2 ^ least(refusals, 16))
        ELSE interval '0'
    END,
    set_aside_at = CASE
        WHEN %(alone)s AND refusals + 1 >= %(limit)s THEN clock_timestamp()
    END
WHERE position = ANY(%(positions)s)
RETURNING id, name, set_aside_at IS NOT NULL AS is_set_aside;

-- name: forget_events
-- Delete events that nobody took for so many days, refused or not.
DELETE FROM event_outbox
WHERE position IN (SELECT position FROM event_outbox ORDER BY position LIMIT %(limit)s)
    AND occurred_at < now() - make_interval(days => %(days)s);

-- name: outbox_gauges
-- Events that wait, seconds since the oldest of them, and events that were set aside.
SELECT
    count(*) FILTER (WHERE set_aside_at IS NULL) AS waiting,
    coalesce(
        extract(epoch FROM clock_timestamp() - min(occurred_at) FILTER (WHERE set_aside_at IS NULL)),
        0
    )::float8 AS oldest_age,
    count(*) FILTER (WHERE set_aside_at IS NOT NULL) AS set_aside
FROM event_outbox;

-- name: start_job_run
-- An execution begins.
INSERT INTO job_runs (job_id, job, attempt, worker, schedule, next_run_at, trace_id)
VALUES (
    %(job_id)s, %(job)s, %(attempt)s, %(worker)s, %(schedule)s, %(next_run_at)s, %(trace_id)s
)
ON CONFLICT (job_id, attempt) DO UPDATE
SET started_at = clock_timestamp(), worker = excluded.worker, trace_id = excluded.trace_id,
    finished_at = NULL, outcome = NULL, error_class = NULL;

-- name: finish_job_run
-- An execution ends. No row comes back when it was given up for lost before.
UPDATE job_runs
SET finished_at = clock_timestamp(), outcome = %(outcome)s, error_class = %(error_class)s
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND finished_at IS NULL
RETURNING *, extract(epoch FROM finished_at - started_at)::float8 AS duration;

-- name: beat
-- A worker lives.
INSERT INTO worker_heartbeats (worker) VALUES (%(worker)s)
ON CONFLICT (worker) DO UPDATE SET beat_at = clock_timestamp(), stopped_at = NULL;

-- name: stop_beating
-- A worker ends as asked.
UPDATE worker_heartbeats SET stopped_at = clock_timestamp() WHERE worker = %(worker)s;

-- name: forget_workers
-- Workers of yesterday; the freshest stays, whatever its age.
DELETE FROM worker_heartbeats
WHERE beat_at < clock_timestamp() - interval '1 day'
    AND beat_at < (SELECT max(beat_at) FROM worker_heartbeats);

-- name: job_gauges
-- One row a known job: waiting jobs that are due, seconds the oldest has been due, unix
-- seconds of the last success. Every row repeats the age of the freshest worker heartbeat.
SELECT
    job.name AS job,
    waiting.backlog,
    coalesce(extract(epoch FROM now() - oldest.at), 0)::float8 AS oldest_pending_age,
    extract(epoch FROM success.at)::float8 AS last_success,
    (SELECT extract(epoch FROM now() - max(beat_at))::float8 FROM worker_heartbeats)
        AS heartbeat_age
FROM unnest(%(jobs)s::text[]) AS job (name)
CROSS JOIN LATERAL (
    SELECT count(*) AS backlog FROM procrastinate_jobs
    WHERE status = 'todo' AND task_name = job.name
        AND (scheduled_at IS NULL OR scheduled_at <= now())
) AS waiting
CROSS JOIN LATERAL oldest_due(job.name) AS oldest
LEFT JOIN LATERAL (
    SELECT finished_at AS at
    FROM job_runs
    WHERE job_runs.job = job.name AND outcome = 'succeeded'
    ORDER BY finished_at DESC
    LIMIT 1
) AS success ON true;

-- name: job_status
-- One row a known job: counts (failed ones of the last day), seconds the oldest has been due,
-- its last end, last success and last failure, and when a job that waits for its next attempt is
-- due.
SELECT
    job.name AS job,
    waiting.pending,
    coalesce(extract(epoch FROM now() - oldest.at), 0)::float8 AS oldest_pending_age,
    waiting.next_attempt,
    (SELECT count(*) FROM job_runs WHERE job_runs.job = job.name AND finished_at IS NULL)
        AS running,
    (
        SELECT count(*) FROM job_runs
        WHERE job_runs.job = job.name AND outcome = 'failed'
            AND finished_at > now() - interval '1 day'
    ) AS failed,
    last.finished_at AS last_finished,
    last.outcome AS last_outcome,
    last.error_class AS last_error,
    success.finished_at AS last_success,
    failure.finished_at AS last_failure,
    failure.error_class AS last_failure_error,
    failure.trace_id AS last_failure_trace
FROM unnest(%(jobs)s::text[]) AS job (name)
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE scheduled_at IS NULL OR scheduled_at <= now()) AS pending,
        min(scheduled_at) FILTER (WHERE scheduled_at > now()) AS next_attempt
    FROM procrastinate_jobs
    WHERE status = 'todo' AND task_name = job.name
) AS waiting
CROSS JOIN LATERAL oldest_due(job.name) AS oldest
LEFT JOIN LATERAL (
    SELECT finished_at, outcome, error_class
    FROM job_runs
    WHERE job_runs.job = job.name AND finished_at IS NOT NULL
    ORDER BY finished_at DESC
    LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT finished_at
    FROM job_runs
    WHERE job_runs.job = job.name AND outcome = 'succeeded'
    ORDER BY finished_at DESC
    LIMIT 1
) AS success ON true
LEFT JOIN LATERAL (
    SELECT finished_at, error_class, trace_id
    FROM job_runs
    WHERE job_runs.job = job.name AND outcome = 'failed'
    ORDER BY finished_at DESC
    LIMIT 1
) AS failure ON true;

-- name: worker_status
SELECT
    worker,
    started_at,
    stopped_at IS NOT NULL AS stopped,
    extract(epoch FROM clock_timestamp() - beat_at)::float8 AS heartbeat_age
FROM worker_heartbeats
ORDER BY beat_at DESC
LIMIT %(limit)s;

-- name: freshest_heartbeat
-- Seconds since the freshest heartbeat of any worker; NULL where none ever ran.
SELECT extract(epoch FROM clock_timestamp() - max(beat_at))::float8 AS age
FROM worker_heartbeats;

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
