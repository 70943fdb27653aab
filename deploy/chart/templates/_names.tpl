{{/* A part's name: of the release and the part. (list root part) */}}
{{- define "glasshouse.name" -}}
{{- $root := index . 0 -}}
{{- if gt (len $root.Release.Name) 36 -}}
{{- fail (printf "the release's name %q has over 36 characters: names of Pods are made of it, choose a shorter one" $root.Release.Name) -}}
{{- end -}}
{{- printf "%s-%s" $root.Release.Name (index . 1) -}}
{{- end -}}

{{/* What selects a part's Pods. It can never be changed. (list root part) */}}
{{- define "glasshouse.selector" -}}
app.kubernetes.io/name: glasshouse
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of a part's objects. (list root part) */}}
{{- define "glasshouse.labels" -}}
{{- $root := index . 0 -}}
{{ include "glasshouse.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "glasshouse.image" -}}
{{- .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}

{{/* A committed file. (list root path) */}}
{{- define "glasshouse.file" -}}
{{- $root := index . 0 -}}
{{- $path := printf "files/%s" (index . 1) -}}
{{- if not ($root.Files.Glob $path) -}}
{{- fail (printf "the chart has no %s: run `make chart`" $path) -}}
{{- end -}}
{{ $root.Files.Get $path }}
{{- end -}}

{{/* Where edges reach this release's gateways. */}}
{{- define "glasshouse.gatewayAddress" -}}
{{- if .Values.edge.gateway -}}
{{ .Values.edge.gateway }}
{{- else -}}
https://{{ include "glasshouse.name" (list . "gateway") }}.{{ .Release.Namespace }}.svc:4318
{{- end -}}
{{- end -}}

{{/* The names by which a Service is reached, with commas. (list root name) */}}
{{- define "glasshouse.hosts" -}}
{{- $name := index . 1 -}}
{{- $long := printf "%s.%s" $name (index . 0).Release.Namespace -}}
{{- join "," (list $name $long (printf "%s.svc" $long) (printf "%s.svc.cluster.local" $long)) -}}
{{- end -}}

{{/* Whether the operator of Prometheus is to read our rules and monitors: "true", or nothing. A
     Prometheus of this release is none of its. */}}
{{- define "glasshouse.operator" -}}
{{- $served := .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PrometheusRule" -}}
{{- if and (not .Values.backends.prometheus.run) (or (eq .Values.monitoring.as "operator") (and (eq .Values.monitoring.as "auto") $served)) -}}
true
{{- end -}}
{{- end -}}

{{/* A text with its links to Grafana and runbooks set. (list root text) */}}
{{- define "glasshouse.linked" -}}
{{- $monitoring := (index . 0).Values.monitoring -}}
{{- $text := index . 1 -}}
{{- with $monitoring.runbooks -}}
{{- $text = $text | replace "{{ $externalURL }}/user/" (printf "%s/" (trimSuffix "/" .)) | replace "${prometheus}/user/" (printf "%s/" (trimSuffix "/" .)) -}}
{{- end -}}
{{- with $monitoring.grafana -}}
{{- $text = $text | replace "{{ $externalLabels.grafana }}" (trimSuffix "/" .) -}}
{{- end -}}
{{ $text }}
{{- end -}}

{{/* A file of rules as it is here: links set, without alerts that are left out. (list root path) */}}
{{- define "glasshouse.rules" -}}
{{- $root := index . 0 -}}
{{- $rules := include "glasshouse.linked" (list $root ($root.Files.Get (index . 1))) | fromYaml -}}
{{- range $group := $rules.groups -}}
{{- $kept := list -}}
{{- range $rule := $group.rules -}}
{{- if not (has (default "" $rule.alert) $root.Values.monitoring.leaveOut) -}}
{{- $kept = append $kept $rule -}}
{{- end -}}
{{- end -}}
{{- $_ := set $group "rules" $kept -}}
{{- end -}}
{{ toYaml $rules }}
{{- end -}}

{{/* Where a backend takes OTLP. (list root backend) */}}
{{- define "glasshouse.backend" -}}
{{- $root := index . 0 -}}
{{- $backend := index . 1 -}}
{{- $values := index $root.Values.backends $backend -}}
{{- if $values.run -}}
{{- $host := printf "http://%s.%s.svc" (include "glasshouse.name" (list $root $backend)) $root.Release.Namespace -}}
{{- get (dict "loki" (printf "%s:3100/otlp" $host) "tempo" (printf "%s:4318" $host) "prometheus" (printf "%s:9090/api/v1/otlp" $host)) $backend -}}
{{- else -}}
{{ $values.address }}
{{- end -}}
{{- end -}}
