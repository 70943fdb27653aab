-- What waits, by job: the gauges count it every few seconds, however long the queue is. The oldest of
-- those that are due at once is the one with the least id.
CREATE INDEX procrastinate_jobs_waiting ON procrastinate_jobs (task_name, scheduled_at, id)
WHERE status = 'todo';
