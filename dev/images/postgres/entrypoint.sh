#!/bin/bash
# Makes the database on the first start, then runs the server.
#
# Takes what the official image takes, as far as our compose file needs it: POSTGRES_USER,
# POSTGRES_DB, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS, PGDATA, and the
# scripts (*.sh) in /docker-entrypoint-initdb.d, which run once the database is made.
# Runs under any user number, on a read-only root file system with /tmp writable.
set -euo pipefail

fail() {
  echo "postgres: $1" >&2
  exit 1
}

read_password() {
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    [ -r "$POSTGRES_PASSWORD_FILE" ] || fail "POSTGRES_PASSWORD_FILE: $POSTGRES_PASSWORD_FILE cannot be read"
    cat "$POSTGRES_PASSWORD_FILE"
  else
    printf %s "${POSTGRES_PASSWORD:-}"
  fi
}

# Both programs that make a database insist that their user number has a name.
with_name() {
  LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD="$work/passwd" NSS_WRAPPER_GROUP="$work/group" "$@"
}

# On a server that only this container reaches, in a folder that is not yet the database's.
run_scripts() {
  local script
  compgen -G '/docker-entrypoint-initdb.d/*.sh' >/dev/null || return 0
  with_name pg_ctl --pgdata="$1" --silent --wait --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    PGDATA="$1" POSTGRES_USER="$2" POSTGRES_DB="$3" with_name bash "$script" || fail "$script failed"
  done
  with_name pg_ctl --pgdata="$1" --silent --wait --mode=fast stop
}

# The finished database appears under its name in one step: an interrupted start leaves
# only $PGDATA.new, which the next one clears away.
make_database() {
  local user=${POSTGRES_USER:-postgres} new="$PGDATA.new" password
  local database=${POSTGRES_DB:-$user}
  password=$(read_password)
  [ -n "$password" ] || fail "set POSTGRES_PASSWORD_FILE"
  case $database in *[!A-Za-z0-9_-]*) fail "POSTGRES_DB: only letters, digits, _ and -" ;; esac
  mkdir -p "$(dirname "$PGDATA")" 2>/dev/null && [ -w "$(dirname "$PGDATA")" ] ||
    fail "the folder above PGDATA ($PGDATA) is not writable for user $(id -u)"
  rm -rf "$new"
  work=$(mktemp -d) # not local: the trap outlives this function
  trap 'rm -rf "$work"' EXIT
  printf '%s\n' "$password" >"$work/password"
  printf 'postgres:x:%s:%s::/tmp:/bin/false\n' "$(id -u)" "$(id -g)" >"$work/passwd"
  printf 'postgres:x:%s:\n' "$(id -g)" >"$work/group"

  # shellcheck disable=SC2086 # several arguments in one variable, as the official image has it
  with_name initdb --pgdata="$new" --username="$user" --pwfile="$work/password" --encoding=UTF8 \
    --auth-host=scram-sha-256 --no-instructions ${POSTGRES_INITDB_ARGS:-}
  echo 'host all all all scram-sha-256' >>"$new/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$new/postgresql.conf"
  if [ "$database" != postgres ]; then
    # The single-user server needs no socket, so nobody can connect too early.
    echo "CREATE DATABASE \"$database\";" | with_name postgres --single -D "$new" postgres >/dev/null
  fi
  run_scripts "$new" "$user" "$database"
  sync
  mv -T "$new" "$PGDATA"
  rm -rf "$work"
  trap - EXIT
}

if [ "${1:-}" = postgres ]; then
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -z "$(ls -A "$PGDATA" 2>/dev/null)" ] || fail "PGDATA ($PGDATA) holds something else than a database"
    rmdir "$PGDATA" 2>/dev/null || true
    [ ! -e "$PGDATA" ] || fail "PGDATA ($PGDATA) must be a folder inside the volume, not the volume itself"
    make_database
  elif [ "$(cat "$PGDATA/PG_VERSION")" != 17 ]; then
    fail "the database was made by PostgreSQL $(cat "$PGDATA/PG_VERSION"), this is 17: dump and restore it"
  fi
fi
exec "$@"
