{{/* What Pod Security `restricted` asks of a Pod, and more. */}}
{{- define "glasshouse.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false # no addresses of other Services in the environment
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch # else each start goes through the whole disk
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* The same of a container, which may stand in somebody else's Pod. */}}
{{- define "glasshouse.containerSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Where a part's Pods run. (list values-of-the-part root) */}}
{{- define "glasshouse.placing" -}}
{{- $part := index . 0 -}}
{{- with (index . 1).Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A Collector's container but for its name, files and environment. (list root values-of-the-part) */}}
{{- define "glasshouse.collector" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
image: {{ include "glasshouse.image" $root.Values.image }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{ include "glasshouse.containerSecurity" . }}
ports:
  - { name: otlp-grpc, containerPort: 4317 }
  - { name: otlp-http, containerPort: 4318 }
  - { name: metrics, containerPort: 8888 }
  - { name: health, containerPort: 13133 }
# A long queue is compacted first: five minutes.
startupProbe:
  httpGet: { path: /, port: health }
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
livenessProbe:
  httpGet: { path: /, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /, port: health }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
lifecycle:
  # Meanwhile no Service leads here any more, and what is queued is sent.
  preStop: { sleep: { seconds: {{ int $part.drainSeconds }} } }
resources:
  {{- toYaml $part.resources | nindent 2 }}
{{- end -}}

{{/* Where a Collector sends, as its configuration reads it. (dict name value …) */}}
{{- define "glasshouse.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* A claim of one Pod's disk. (dict size storageClass) */}}
{{- define "glasshouse.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClass }}
storageClassName: {{ . }}
{{- end }}
resources: { requests: { storage: {{ .size }} } }
{{- end -}}
