{{- /* Selectors: with a component on the workloads, without one where the live release forgot it. */ -}}
{{- define "site" -}}
app.kubernetes.io/name: matomo
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "site" . }}
{{- end }}
