#!/bin/bash
# Makes the topics of each tenant, lets its edges write to them and gateways read them, and takes back what is
# no longer so. Run again whenever tenants.yaml changes: what is in order stays as it is.
#
#   otlp_spans.<tenant>, otlp_logs.<tenant>, otlp_metrics.<tenant>
#
# Set from outside: KAFKA_BROKERS, with commas; KAFKA_GATEWAYS, the names in the gateways' certificates, with
# commas; TOPIC_PARTITIONS, which can be raised later, but not lowered. Files: tenants.yaml, `name in the
# certificate: tenant`, a line for each edge; admin.properties.
set -euo pipefail

folder=${KAFKA_FOLDER:-/etc/kafka}
tenants=$folder/tenants.yaml
signals=(spans logs metrics)

fail() {
  echo "kafka topics: $1" >&2
  exit 1
}

[ -n "${KAFKA_BROKERS:-}" ] || fail "set KAFKA_BROKERS"
[ -n "${KAFKA_GATEWAYS:-}" ] || fail "set KAFKA_GATEWAYS"
[ -r "$tenants" ] || fail "$tenants cannot be read: a line 'name in the certificate: tenant' for each edge"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs one of Kafka's tools. What it logs is shown when it fails: its last line says why.
kafka() {
  local class=$1
  shift
  java -XX:-UsePerfData -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlog4j2.configurationFile="$folder/log4j2.yaml" -cp "${KAFKA_LIBS:-/opt/kafka/libs}/*" \
    "org.apache.kafka.tools.$class" --bootstrap-server "$KAFKA_BROKERS" --command-config "$folder/admin.properties" "$@" \
    2>"$work/$class.log" ||
    fail "$class failed (are KAFKA_BROKERS there, do they trust kafka_admin_certificate?): $(grep . "$work/$class.log" | tail -1)"
}

# `edge tenant`, a line each. Kafka's names are narrower than a tenant's: these are what all can have.
sed -E 's/#.*//; s/["'\'']//g; s/^[[:space:]]+//; s/[[:space:]]+$//; /^$/d' "$tenants" >"$work/lines"
grep -vE '^[a-z0-9.-]+:[[:space:]]+[A-Za-z0-9._-]{1,150}$' "$work/lines" >"$work/wrong" || true
[ ! -s "$work/wrong" ] || fail "$tenants: '$(head -1 "$work/wrong")' is not 'name: tenant' with letters, digits, '.', '_' and '-'"
sed -E 's/:[[:space:]]+/ /' "$work/lines" | sort -u >"$work/edges"
[ -s "$work/edges" ] || fail "$tenants names no edge"

cut -d' ' -f2 "$work/edges" | sort -u | while read -r tenant; do
  for signal in "${signals[@]}"; do echo "otlp_$signal.$tenant"; done
done >"$work/topics"
kafka TopicCommand --list | sort >"$work/there"
while read -r topic; do
  kafka TopicCommand --create --if-not-exists --topic "$topic" --partitions "${TOPIC_PARTITIONS:-12}" </dev/null |
    grep -v '^WARNING: Due to limitations' || true
done < <(comm -23 <(sort "$work/topics") "$work/there")

# What is to be allowed, and what is: `pattern resource principal operation`, a line each.
{
  while read -r edge tenant; do
    for signal in "${signals[@]}"; do echo "LITERAL otlp_$signal.$tenant $edge WRITE"; done
  done <"$work/edges"
  tr ',' '\n' <<<"$KAFKA_GATEWAYS" | while read -r gateway; do
    for signal in "${signals[@]}"; do echo "PREFIXED otlp_$signal. $gateway READ"; done
    echo "PREFIXED glasshouse- $gateway READ"
  done
} | sort >"$work/wanted"
kafka AclCommand --list | awk '
  /^Current ACLs for resource/ {
    match($0, /name=[^,]+/); name = substr($0, RSTART + 5, RLENGTH - 5)
    match($0, /patternType=[A-Z]+/); pattern = substr($0, RSTART + 12, RLENGTH - 12)
  }
  /principal=User:/ && (name ~ /^otlp_(spans|logs|metrics)\./ || name ~ /^glasshouse-/) {
    match($0, /principal=User:[^,]+/); principal = substr($0, RSTART + 15, RLENGTH - 15)
    match($0, /operation=[A-Z_]+/); operation = substr($0, RSTART + 10, RLENGTH - 10)
    print pattern, name, principal, operation
  }' | sort >"$work/allowed"

# One call for each principal and operation.
change() {
  local how=$1 pattern resource principal operation calls key kind
  declare -A calls=()
  while read -r pattern resource principal operation; do
    kind=--topic
    [[ $resource != glasshouse-* ]] || kind=--group
    calls["$pattern $principal $operation"]+=" $kind $resource"
  done
  for key in "${!calls[@]}"; do
    read -r pattern principal operation <<<"$key"
    # shellcheck disable=SC2086 # several arguments, of names without spaces
    kafka AclCommand "$how" ${3:-} --allow-principal "User:$principal" --operation "$operation" \
      --resource-pattern-type "$pattern" ${calls[$key]} </dev/null >/dev/null
    echo "$2 $principal $operation:${calls[$key]}"
  done
}
change --remove "took back:" --force < <(comm -13 "$work/wanted" "$work/allowed")
change --add "allowed:" < <(comm -23 "$work/wanted" "$work/allowed")
echo "$(wc -l <"$work/topics") topics, $(wc -l <"$work/wanted") permissions: in order"
