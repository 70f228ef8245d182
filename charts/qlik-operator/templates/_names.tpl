{{/* What things are called. */}}

{{- define "qlik-operator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Names of what is in no namespace: two releases must not share them. */}}
{{- define "qlik-operator.clusterName" -}}
{{- $name := include "qlik-operator.fullname" . -}}
{{- if eq $name .Release.Namespace -}}
{{- $name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Namespace $name | trunc 100 -}}
{{- end -}}
{{- end -}}

{{- define "qlik-operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "qlik-operator.fullname" .) -}}
{{- end -}}

{{/* What the Deployment, the Service and the monitors select pods by: must never change. */}}
{{- define "qlik-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "qlik-operator.labels" -}}
{{ include "qlik-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "qlik-operator.image" -}}
{{- with .Values.image -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Where a subject of a binding is: the one account that runs the operator. */}}
{{- define "qlik-operator.subject" -}}
kind: ServiceAccount
name: {{ include "qlik-operator.serviceAccountName" . }}
namespace: {{ .Release.Namespace }}
{{- end -}}
