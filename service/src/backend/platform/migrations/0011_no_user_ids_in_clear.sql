ALTER TABLE payments
    ALTER COLUMN user_sealed SET NOT NULL,
    ALTER COLUMN user_digest SET NOT NULL,
    DROP COLUMN user_id;
ALTER TABLE notifications
    ALTER COLUMN user_sealed SET NOT NULL,
    ALTER COLUMN user_digest SET NOT NULL,
    DROP COLUMN user_id;
-- Its UNIQUE (owner, user_id, strategy) goes with the column.
ALTER TABLE automation_sessions
    ALTER COLUMN user_sealed SET NOT NULL,
    ALTER COLUMN user_digest SET NOT NULL,
    DROP COLUMN user_id,
    ADD UNIQUE (owner, user_digest, strategy);

CREATE INDEX payments_user ON payments (user_digest);
CREATE INDEX notifications_user ON notifications (user_digest);
CREATE INDEX automation_runs_session ON automation_runs (session_id);

-- Under which key a row is encrypted: what begins each value. For a change of keys.
CREATE INDEX payments_key ON payments (substring(user_sealed FROM 1 FOR 2));
CREATE INDEX notifications_key ON notifications (substring(user_sealed FROM 1 FOR 2));
CREATE INDEX automation_sessions_key ON automation_sessions (substring(user_sealed FROM 1 FOR 2));

-- For retention.
CREATE INDEX payments_finished ON payments (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX notifications_finished ON notifications (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX automation_runs_finished ON automation_runs (finished_at)
WHERE finished_at IS NOT NULL;

-- A run is deleted with its steps.
ALTER TABLE automation_steps
    DROP CONSTRAINT automation_steps_run_id_fkey,
    ADD CONSTRAINT automation_steps_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES automation_runs (id) ON DELETE CASCADE;
