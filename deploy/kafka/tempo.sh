#!/bin/bash
# Makes the topic over which Tempo's processes share traces, and lets them use it, and nothing else. They speak no
# TLS to Kafka, so the brokers know them as nobody: on a listener of a network that only they are on.
#
# Set from outside: KAFKA_BROKERS, with commas; TEMPO_TOPIC; TEMPO_PARTITIONS, one for each pair of live-stores.
set -euo pipefail

folder=${KAFKA_FOLDER:-/etc/kafka}

kafka() {
  local class=$1
  shift
  java -XX:-UsePerfData -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlog4j2.configurationFile="$folder/log4j2.yaml" -cp "${KAFKA_LIBS:-/opt/kafka/libs}/*" \
    "org.apache.kafka.tools.$class" --bootstrap-server "$KAFKA_BROKERS" --command-config "$folder/admin.properties" "$@"
}

kafka TopicCommand --create --if-not-exists --topic "$TEMPO_TOPIC" --partitions "${TEMPO_PARTITIONS:-1}"
kafka AclCommand --add --allow-principal User:ANONYMOUS --operation READ --operation WRITE --operation DESCRIBE \
  --topic "$TEMPO_TOPIC" >/dev/null
# Of what reads for blocks and for the service map; of live-stores, by the beginning of their names.
kafka AclCommand --add --allow-principal User:ANONYMOUS --operation READ --group block-builder \
  --group metrics-generator >/dev/null
kafka AclCommand --add --allow-principal User:ANONYMOUS --operation READ --group tempo-live-store- \
  --resource-pattern-type prefixed >/dev/null
echo "topic $TEMPO_TOPIC: in order"
