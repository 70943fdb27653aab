#!/bin/bash
# Makes the backend's two roles, so that no program uses the superuser: `backend_owner` owns the
# tables and migrates, `backend` reads and writes rows. The first start of the container runs it.
# Safe to run again, which also brings a database of before into this form:
#
#   docker compose exec postgres bash /docker-entrypoint-initdb.d/roles.sh
set -euo pipefail

# On the server's socket: the superuser comes in by no other way.
run() {
  psql --no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 --dbname="${POSTGRES_DB:?}" "$@"
}

exists() {
  run --username="$1" --command='SELECT 1' >/dev/null 2>&1
}

# Where `backend` is the superuser that made the database, it cannot stop being one: it gets the
# superuser's name, and the name is free. Nobody can rename himself.
if ! exists "${POSTGRES_USER:?}" && exists backend; then
  run --username=backend --command='CREATE ROLE renaming SUPERUSER LOGIN'
  run --username=renaming --command="ALTER ROLE backend RENAME TO \"$POSTGRES_USER\""
  run --username="$POSTGRES_USER" --command='DROP ROLE renaming'
fi

# The passwords are read by psql: as arguments every process on the machine would see them.
run --username="$POSTGRES_USER" <<'SQL'
\set owner_password `cat "${OWNER_PASSWORD_FILE:?}"`
\set app_password `cat "${APP_PASSWORD_FILE:?}"`
\set database `printf %s "$POSTGRES_DB"`
BEGIN;
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['backend_owner', 'backend']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE backend_owner
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'owner_password';
ALTER ROLE backend
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'app_password';

-- To everybody Postgres gives temporary tables and, in the template databases, a connection.
REVOKE ALL ON DATABASE :"database", postgres, template1 FROM PUBLIC;
ALTER DATABASE :"database" OWNER TO backend_owner;
GRANT CONNECT ON DATABASE :"database" TO backend;
ALTER SCHEMA public OWNER TO backend_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO backend;

-- What a database of before has made as its superuser.
SELECT format('ALTER %s %s OWNER TO backend_owner', kind, name)
FROM (
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind,
        oid::regclass::text AS name
    FROM pg_class AS relation
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        -- An identity's sequence goes with its table.
        AND NOT EXISTS (
            SELECT FROM pg_depend WHERE objid = relation.oid AND deptype IN ('i', 'a')
                AND relation.relkind = 'S'
        )
    UNION ALL
    SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'TYPE', type.oid::regtype::text FROM pg_type AS type
    LEFT JOIN pg_class ON pg_class.oid = typrelid
    WHERE typnamespace = 'public'::regnamespace
        AND (typtype = 'e' OR typtype = 'c' AND relkind = 'c')
) AS object \gexec
COMMIT;
SQL

# Over TCP the superuser is refused, whatever password is sent.
refusal="host all \"$POSTGRES_USER\" all reject"
rules="${PGDATA:?}/pg_hba.conf"
if ! grep --quiet --line-regexp --fixed-strings "$refusal" "$rules"; then
  printf '%s\n%s\n' "$refusal" "$(cat "$rules")" >"$rules.new"
  chmod 600 "$rules.new"
  mv "$rules.new" "$rules"
fi
run --username="$POSTGRES_USER" --command='SELECT pg_reload_conf()' >/dev/null
