#!/bin/sh
# Writes what nginx.conf includes, from the environment and the secret, and becomes nginx.
set -eu

fail() {
  echo "proxy: $1" >&2
  exit 1
}

folder=/tmp/proxy
mkdir -p "$folder"
umask 077

# Of several lines the first is current.
IFS= read -r password <"$OPERATOR_PASSWORD_FILE" || [ -n "$password" ] ||
  fail "OPERATOR_PASSWORD_FILE names an empty file: delete it and run make up"
printf 'glasshouse:{PLAIN}%s\n' "$password" >"$folder/passwords"

: >"$folder/hosts.conf"
: >"$folder/origins.conf"
IFS=', '
# Not quoted: the blanks and commas between the names split them.
for host in localhost 127.0.0.1 '[::1]' ${GLASSHOUSE_HOSTS:-}; do
  case $host in
  '[::1]') pattern='\[::1\]' ;;
  *[!A-Za-z0-9.-]*) fail "GLASSHOUSE_HOSTS must be host names with commas between, without ports: not '$host'" ;;
  *) pattern=$(printf %s "$host" | sed 's/\./\\./g') ;;
  esac
  printf '"~*^%s$" 0;\n' "$pattern" >>"$folder/hosts.conf"
  printf '"~*^https?://%s(:[0-9]+)?$" 0;\n' "$pattern" >>"$folder/origins.conf"
done

# Whose records are read where Loki and Tempo keep tenants apart: the operator may read any, and names another
# by the header. Without a tenant no header is handed on.
case ${GLASSHOUSE_TENANT:-} in
*[!A-Za-z0-9._\|-]*) fail "GLASSHOUSE_TENANT must be a tenant, or several with | between: not '$GLASSHOUSE_TENANT'" ;;
esac
{
  printf '"" "%s";\n' "${GLASSHOUSE_TENANT:-}"
  # Of others nothing is handed on: a header is no place for anything else.
  # shellcheck disable=SC2016 # a variable of nginx
  printf '"~^[A-Za-z0-9._|-]{1,300}$" $http_x_scope_orgid;\n'
} >"$folder/tenants.conf"
# Where the runbooks are: on one machine that is Prometheus itself.
# shellcheck disable=SC2016 # a variable of nginx
printf 'set $runbooks %s;\n' "${RUNBOOKS_ADDRESS:-prometheus:9090}" >"$folder/runbooks.conf"

# Until the whole header has come, between two reads of a body, between two requests; and how many
# requests at once on one port.
cat >"$folder/limits.conf" <<END
client_header_timeout ${PROXY_HEADER_TIMEOUT_S:-10}s;
client_body_timeout ${PROXY_READ_TIMEOUT_S:-10}s;
send_timeout ${PROXY_READ_TIMEOUT_S:-10}s;
keepalive_timeout ${PROXY_IDLE_TIMEOUT_S:-30}s;
limit_conn requests ${PROXY_MAX_REQUESTS:-128};
END

exec nginx -e stderr -c /etc/proxy/nginx.conf -g 'daemon off;'
