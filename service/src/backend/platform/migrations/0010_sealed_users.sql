-- Who a row belongs to, encrypted, and a keyed digest to find it by. `seal_users` in migrate.py fills
-- them from user_id before the next migration drops that.
ALTER TABLE payments ADD COLUMN user_sealed bytea, ADD COLUMN user_digest bytea;
ALTER TABLE notifications ADD COLUMN user_sealed bytea, ADD COLUMN user_digest bytea;
ALTER TABLE automation_sessions ADD COLUMN user_sealed bytea, ADD COLUMN user_digest bytea;

-- The digest goes with the contact.
UPDATE payments SET contact_digest = NULL WHERE contact_sealed IS NULL;
ALTER TABLE payments ADD CHECK (contact_digest IS NULL OR contact_sealed IS NOT NULL);
