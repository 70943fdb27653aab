{{/* One process with one disk. (dict root part args ports mounts volumes health ready path) */}}
{{- define "glasshouse.backendSet" -}}
{{- $root := .root -}}
{{- $part := .part -}}
{{- $values := index $root.Values.backends $part -}}
{{- $name := include "glasshouse.name" (list $root $part) -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels:
    {{- include "glasshouse.labels" (list $root $part) | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels:
    {{- include "glasshouse.labels" (list $root $part) | nindent 4 }}
spec:
  selector:
    {{- include "glasshouse.selector" (list $root $part) | nindent 4 }}
  ports:
    {{- range $port, $number := .ports }}
    - { name: {{ $port }}, port: {{ $number }}, targetPort: {{ $port }} }
    {{- end }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $name }}
  labels:
    {{- include "glasshouse.labels" (list $root $part) | nindent 4 }}
spec:
  replicas: 1 # of one that keeps what it has on one disk
  serviceName: {{ $name }}
  selector:
    matchLabels:
      {{- include "glasshouse.selector" (list $root $part) | nindent 6 }}
  persistentVolumeClaimRetentionPolicy: { whenDeleted: Retain, whenScaled: Retain }
  template:
    metadata:
      labels:
        {{- include "glasshouse.selector" (list $root $part) | nindent 8 }}
      annotations:
        glasshouse.dev/config: {{ .config | sha256sum }}
    spec:
      serviceAccountName: {{ $name }}
      {{- include "glasshouse.podSecurity" $root | nindent 6 }}
      {{- include "glasshouse.placing" (list (dict) $root) | nindent 6 }}
      terminationGracePeriodSeconds: 60
      containers:
        - name: {{ $part }}
          image: {{ include "glasshouse.image" $values.image }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          {{- include "glasshouse.containerSecurity" . | nindent 10 }}
          args:
            {{- toYaml .args | nindent 12 }}
          env:
            - { name: GOMEMLIMIT, value: {{ $values.goMemoryLimit }} }
          ports:
            {{- range $port, $number := .ports }}
            - { name: {{ $port }}, containerPort: {{ $number }} }
            {{- end }}
          # It reads its log of what was not yet written: ten minutes.
          startupProbe:
            httpGet: { path: {{ .ready }}, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 120
          livenessProbe:
            httpGet: { path: {{ .alive }}, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: {{ .ready }}, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 3
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            {{- range $volume, $path := .configs }}
            - { name: {{ $volume }}, mountPath: {{ $path }}, readOnly: true }
            {{- end }}
            - { name: disk, mountPath: {{ .path }}, subPath: data }
            - { name: tmp, mountPath: /tmp }
      volumes:
        {{- range $volume, $path := .configs }}
        - name: {{ $volume }}
          configMap: { name: {{ $root.Release.Name }}-{{ $volume }} }
        {{- end }}
        - name: tmp
          emptyDir: { sizeLimit: 64Mi }
  volumeClaimTemplates:
    - metadata:
        name: disk
        labels:
          {{- include "glasshouse.selector" (list $root $part) | nindent 10 }}
      spec:
        {{- include "glasshouse.claim" $values.disk | nindent 8 }}
{{- end -}}

{{/* Its configuration. (list root part file text) */}}
{{- define "glasshouse.backendConfig" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "glasshouse.name" (list $root (index . 1)) }}
  labels:
    {{- include "glasshouse.labels" (list $root (index . 1)) | nindent 4 }}
data:
  {{ index . 2 }}: |-
    {{- index . 3 | nindent 4 }}
{{- end -}}
