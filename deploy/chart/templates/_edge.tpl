{{/* An edge's container. (list root values-of-the-edge) */}}
{{- define "glasshouse.edge" -}}
{{- $root := index . 0 -}}
{{- $edge := index . 1 -}}
{{ include "glasshouse.collector" (list $root $edge) }}
args:
  - --config=/etc/otelcol/config.yaml
  - --config=/etc/otelcol/edge.yaml
  {{- if eq $edge.to "kafka" }}
  - --config=/etc/otelcol/kafka.yaml
  {{- end }}
  - --config=own:/etc/own/collector # last: it refuses what would go round redaction
env:
  # Each Pod's counts are series of its own: two Pods of one name would undo each other's.
  - name: EDGE_NAME
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
  {{- $to := include "glasshouse.gatewayAddress" $root }}
  {{- $env := dict "TEMPO_ENDPOINT" $to "LOKI_ENDPOINT" $to "PROMETHEUS_ENDPOINT" $to "BACKEND_COMPRESSION" $edge.compression }}
  {{- if eq $edge.to "kafka" }}
  {{- $_ := set $env "KAFKA_BROKERS" $edge.kafka.brokers }}
  {{- $_ := set $env "EDGE_TENANT" $edge.kafka.tenant }}
  {{- end }}
  {{- $_ := set $env "OTLP_AUTH" $edge.auth }}
  {{- $_ := set $env "GLASSHOUSE_HOSTS" (include "glasshouse.hosts" (list $root (include "glasshouse.name" (list $root "edge")))) }}
  {{- $_ := set $env "GOMEMLIMIT" $edge.goMemoryLimit }}
  {{- include "glasshouse.env" $env | nindent 2 }}
volumeMounts:
  - { name: glasshouse-config, mountPath: /etc/otelcol, readOnly: true }
  - { name: glasshouse-own, mountPath: /etc/own/collector, readOnly: true }
  - { name: glasshouse-secrets, mountPath: /run/secrets, readOnly: true }
  # Not the disk's root, where some file systems have a folder of their own.
  - { name: glasshouse-queue, mountPath: /var/lib/otelcol, subPath: queue }
  - { name: glasshouse-tmp, mountPath: /tmp }
{{- end -}}

{{/* An edge's volumes but for its queue. (list root mode-of-secrets) */}}
{{- define "glasshouse.edgeVolumes" -}}
{{- $root := index . 0 -}}
{{- $secrets := $root.Values.edge.secrets -}}
- name: glasshouse-config
  configMap: { name: {{ include "glasshouse.name" (list $root "edge") }} }
- name: glasshouse-own
  configMap: { name: {{ include "glasshouse.name" (list $root "edge-own") }} }
- name: glasshouse-secrets
  projected:
    defaultMode: {{ index . 1 }}
    sources:
      - secret:
          name: {{ $secrets.token.name }}
          items: [{ key: {{ $secrets.token.key }}, path: otlp_token }]
      - secret:
          name: {{ $secrets.pseudonyms.name }}
          items: [{ key: {{ $secrets.pseudonyms.key }}, path: hmac_key }]
      - secret:
          name: {{ $secrets.certificate.name }}
          items:
            - { key: {{ $secrets.certificate.certificate }}, path: edge_certificate }
            - { key: {{ $secrets.certificate.key }}, path: edge_key }
            - { key: {{ $secrets.certificate.authority }}, path: {{ ternary "kafka" "gateway" (eq $root.Values.edge.to "kafka") }}_authority }
- name: glasshouse-tmp
  emptyDir: { sizeLimit: 64Mi }
{{- end -}}
