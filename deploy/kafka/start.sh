#!/bin/bash
# Starts a broker; makes its storage first, once. Runs in the official image and in ours. Its arguments are
# Kafka's own, such as --override listeners=….
#
# Set from outside: what server.properties says, and KAFKA_CLUSTER_ID, the same for all three: 16 random bytes
# in URL-safe base64. KAFKA_HEAP_OPTS: the memory of the JVM.
set -euo pipefail

config=/etc/kafka/server.properties

fail() {
  echo "kafka: $1" >&2
  exit 1
}

for name in KAFKA_CLUSTER_ID KAFKA_NODE_ID KAFKA_HOST; do
  [ -n "${!name:-}" ] || fail "set $name"
done
[ -r "$config" ] || fail "$config cannot be read: mount deploy/kafka/server.properties there"
for name in kafka_certificate kafka_key kafka_authority; do
  [ -r "/run/secrets/$name" ] || fail "the secret $name cannot be read: glasshouse certificates --broker $KAFKA_HOST"
done
[ -w /var/lib/kafka ] || fail "/var/lib/kafka is not writable for user $(id -u)"

# Libraries for zstd and for snappy, which Tempo writes, are unpacked beside the data: /tmp may forbid to run what is
# in it.
options=(-XX:-UsePerfData -Dlog4j2.configurationFile=/etc/kafka/log4j2.yaml -DZstdTempFolder=/var/lib/kafka
  -Dorg.xerial.snappy.tempdir=/var/lib/kafka)

java "${options[@]}" -Xmx128m -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' kafka.tools.StorageTool \
  format --ignore-formatted --cluster-id "$KAFKA_CLUSTER_ID" --config "$config" ||
  fail "its storage could not be made: is it that of another cluster (KAFKA_CLUSTER_ID)?"
# shellcheck disable=SC2086 # several options in one variable, as Kafka's own scripts have it
exec java "${options[@]}" ${KAFKA_HEAP_OPTS:--Xms256m -Xmx512m} -XX:+ExitOnOutOfMemoryError -cp '/opt/kafka/libs/*' \
  kafka.Kafka "$config" "$@"
