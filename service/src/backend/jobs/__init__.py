"""The job queue: tasks, worker, schedule and history."""
