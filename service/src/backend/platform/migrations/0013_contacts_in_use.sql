-- When a contact was last of use: one that nobody has written to for long is deleted.
ALTER TABLE contacts ADD COLUMN used_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX contacts_by_use ON contacts (used_at);
