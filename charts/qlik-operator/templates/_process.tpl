{{/*
The operator's settings, and the files that it reads. Settings are environment variables and not arguments, so that an
overlay can change one of them without repeating the others.
*/}}

{{- define "qlik-operator.settings" -}}
{{- $v := .Values -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: QLIK_OPERATOR_LISTEN
  value: 0.0.0.0:8080
# Only what forwards a port of the pod gets there.
- name: QLIK_OPERATOR_ADMIN_LISTEN
  value: 127.0.0.1:8081
- name: QLIK_OPERATOR_LEADER_ELECTION_LEASE
  value: $(POD_NAMESPACE)/{{ include "qlik-operator.fullname" . }}
{{- with $v.leaderElection.leaseDuration }}
- name: QLIK_OPERATOR_LEADER_ELECT_LEASE_DURATION
  value: {{ . | quote }}
{{- end }}
{{- with $v.leaderElection.renewDeadline }}
- name: QLIK_OPERATOR_LEADER_ELECT_RENEW_DEADLINE
  value: {{ . | quote }}
{{- end }}
{{- with $v.leaderElection.retryPeriod }}
- name: QLIK_OPERATOR_LEADER_ELECT_RETRY_PERIOD
  value: {{ . | quote }}
{{- end }}
{{- with $v.namespaces }}
- name: QLIK_OPERATOR_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- if $v.regions }}
- name: QLIK_OPERATOR_REGIONAL_CREDENTIALS
  value: {{ include "qlik-operator.regions.directories" . | quote }}
- name: QLIK_OPERATOR_REGIONAL_NAMESPACES
  value: {{ include "qlik-operator.regions.namespaces" . | quote }}
{{- end }}
{{- if $v.organization.existingSecret }}
- name: QLIK_OPERATOR_ORGANIZATION_CREDENTIALS
  value: /etc/qlik/organization
{{- end }}
{{- with $v.organization.subscription }}
- name: QLIK_OPERATOR_ORGANIZATION_SUBSCRIPTION
  value: {{ . | quote }}
{{- end }}
{{- if and $v.organization.existingSecret $v.organization.isOurs }}
- name: QLIK_OPERATOR_ORGANIZATION_IS_OURS
  value: "true"
{{- end }}
{{- with $v.adoptionNamespaces }}
- name: QLIK_OPERATOR_ADOPTION_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- if and $v.admissionPolicies.requestedBy.enabled (include "qlik-operator.admission.mutates" $) }}
- name: QLIK_OPERATOR_REQUESTED_BY_IS_STAMPED
  value: "true"
{{- end }}
- name: QLIK_OPERATOR_QLIK_DOMAIN
  value: {{ $v.qlik.domain | quote }}
{{- if $v.qlik.caConfigMap.name }}
- name: QLIK_OPERATOR_QLIK_CA_FILE
  value: /etc/qlik/ca/ca.crt
{{- end }}
{{- with $v.qlik.connectTo }}
- name: QLIK_OPERATOR_QLIK_CONNECT_TO
  value: {{ . | quote }}
{{- end }}
{{- with $v.clusterId }}
- name: QLIK_OPERATOR_CLUSTER_ID
  value: {{ . | quote }}
{{- end }}
- name: QLIK_OPERATOR_NAMESPACE
  value: $(POD_NAMESPACE)
- name: QLIK_OPERATOR_MAX_DEACTIVATIONS
  value: {{ $v.maxDeactivations | quote }}
- name: QLIK_OPERATOR_CONCURRENCY
  value: {{ $v.concurrency | quote }}
- name: QLIK_OPERATOR_DRAIN
  value: {{ $v.drain | quote }}
- name: QLIK_OPERATOR_LOG
  value: {{ $v.log.filter | quote }}
- name: QLIK_OPERATOR_LOG_FORMAT
  value: {{ $v.log.format | quote }}
- name: QLIK_OPERATOR_METRICS_PER_OBJECT
  value: {{ join "," $v.metrics.perObject | quote }}
{{- with $v.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "qlik-operator.regions.directories" -}}
{{- $all := list -}}
{{- range $code, $_ := .Values.regions -}}
{{- $all = append $all (printf "%s=/etc/qlik/regions/%s" $code $code) -}}
{{- end -}}
{{- join ";" $all -}}
{{- end -}}

{{- define "qlik-operator.regions.namespaces" -}}
{{- $all := list -}}
{{- range $code, $region := .Values.regions -}}
{{- $all = append $all (printf "%s=%s" $code (join "," $region.namespaces)) -}}
{{- end -}}
{{- join ";" $all -}}
{{- end -}}

{{- define "qlik-operator.mounts" -}}
{{- range $code, $region := .Values.regions }}
- name: region-{{ $code }}
  mountPath: /etc/qlik/regions/{{ $code }}
  readOnly: true
{{- end }}
{{- if .Values.organization.existingSecret }}
- name: organization
  mountPath: /etc/qlik/organization
  readOnly: true
{{- end }}
{{- if .Values.qlik.caConfigMap.name }}
- name: ca
  mountPath: /etc/qlik/ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "qlik-operator.volumes" -}}
{{- range $code, $region := .Values.regions }}
- name: region-{{ $code }}
  secret:
    secretName: {{ $region.existingSecret }}
    {{- include "qlik-operator.credentials" $ | nindent 4 }}
{{- end }}
{{- with .Values.organization.existingSecret }}
- name: organization
  secret:
    secretName: {{ . }}
    {{- include "qlik-operator.credentials" $ | nindent 4 }}
{{- end }}
{{- with .Values.qlik.caConfigMap.name }}
- name: ca
  configMap:
    name: {{ . }}
    items:
      - key: {{ $.Values.qlik.caConfigMap.key }}
        path: ca.crt
{{- end }}
{{- end -}}

{{/* Only these two keys, readable by the operator's group alone. A Secret that is not there yet does not hold up the rest:
/readyz names it, and it is picked up when it comes. */}}
{{- define "qlik-operator.credentials" -}}
defaultMode: 0440
optional: true
items:
  - key: clientId
    path: clientId
  - key: clientSecret
    path: clientSecret
{{- end -}}
