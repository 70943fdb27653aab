-- A registered contact in full, encrypted: digests alone could not be made again under a new key.
-- Those of before, if there are any, are registered anew.
DELETE FROM contacts;
ALTER TABLE contacts
    DROP CONSTRAINT contacts_pkey,
    ADD COLUMN id text PRIMARY KEY,
    ADD COLUMN sealed bytea NOT NULL,
    ADD UNIQUE (owner, user_digest, channel);
