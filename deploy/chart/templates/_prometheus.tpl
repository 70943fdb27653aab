{{/* prometheus/prometheus.yaml with the addresses of this release: what is not there is not scraped. */}}
{{- define "glasshouse.prometheusConfig" -}}
{{- $values := .Values -}}
{{- $config := include "glasshouse.file" (list . "backends/prometheus.yaml") | fromYaml -}}
{{- $_ := set $config.global "external_labels" (dict "grafana" $values.monitoring.grafana) -}}
{{- $_ := set $config "rule_files" (list "/etc/prometheus-rules/*.yaml") -}}
{{- $others := $values.backends.prometheus.alertmanagers -}}
{{- if $others -}}
{{- $_ := set $config.alerting "alertmanagers" (list (dict "static_configs" (list (dict "targets" $others)))) -}}
{{- else -}}
{{- $_ := unset $config "alerting" -}}
{{- end -}}
{{- $jobs := list -}}
{{- range $job := $config.scrape_configs -}}
{{- $name := $job.job_name -}}
{{- $there := eq $name "prometheus" -}}
{{- if and (eq $name "collector") $values.gateway.enabled -}}
{{- $there = true -}}
{{- $_ := unset $job "static_configs" -}}
{{- $_ := set $job "job_name" "glasshouse-gateway" -}}
{{- $pods := printf "%s-pods.%s.svc" (include "glasshouse.name" (list $ "gateway")) $.Release.Namespace -}}
{{- $_ := set $job "dns_sd_configs" (list (dict "names" (list $pods) "type" "A" "port" 8888 "refresh_interval" "15s")) -}}
{{- else if has $name (list "loki" "tempo") -}}
{{- $there = (index $values.backends $name).run -}}
{{- $port := ternary 3100 3200 (eq $name "loki") -}}
{{- $_ := set $job "static_configs" (list (dict "targets" (list (printf "%s:%d" (include "glasshouse.name" (list $ $name)) $port)))) -}}
{{- end -}}
{{- if $there -}}
{{- $jobs = append $jobs $job -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "scrape_configs" $jobs -}}
{{ toYaml $config }}
{{- end -}}
