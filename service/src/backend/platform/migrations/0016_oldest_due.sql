-- Since when the oldest due job of a name is due; NULL where none is. Inlined where it stands in FROM.
-- Its body is a text, so that it depends on no column of procrastinate's, whose migrations go on.
CREATE FUNCTION oldest_due(wanted text) RETURNS TABLE (at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT min(due.at)
    FROM (
        SELECT min(scheduled_at) AS at FROM procrastinate_jobs
        WHERE status = 'todo' AND task_name = wanted AND scheduled_at <= now()
        UNION ALL
        -- When each of 100,000 jobs was deferred takes seconds to look up; that of the first does not.
        SELECT min(event.at) FROM procrastinate_events AS event
        WHERE event.type = 'deferred' AND event.job_id = (
            SELECT id FROM procrastinate_jobs
            WHERE status = 'todo' AND task_name = wanted AND scheduled_at IS NULL
            ORDER BY scheduled_at, id
            LIMIT 1
        )
    ) AS due
$$;
