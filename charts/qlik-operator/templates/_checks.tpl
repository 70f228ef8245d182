{{/* What the schema cannot say, or not in words that help. Included once, by the Deployment. */}}

{{- define "qlik-operator.checks" -}}
{{- $namespaces := .Values.namespaces -}}
{{- $codes := list "us" "eu" "de" "uk" "se" "jp" "ap" "sg" "in" "ae" "br" "fr" "il" -}}
{{- range $code, $region := .Values.regions -}}
  {{- if not (has $code $codes) -}}
    {{- fail (printf "regions.%s: Qlik Cloud has no region of this code; there are %s" $code (join " " $codes)) -}}
  {{- end -}}
  {{- if $namespaces -}}
    {{- range $region.namespaces -}}
      {{- if and (ne . "*") (not (has . $namespaces)) -}}
        {{- fail (printf "regions.%s.namespaces names %q, in which the operator does not work: add it to namespaces, or take it away here" $code .) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.organization.subscription (not .Values.organization.existingSecret) -}}
  {{- fail "organization.subscription is of no use without organization.existingSecret: name the Secret with the organization's clientId and clientSecret" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
  {{- fail "metrics.serviceMonitor and metrics.podMonitor are both enabled: every series would be scraped twice; choose one" -}}
{{- end -}}
{{- if and .Values.admissionPolicies.deactivation.enabled (not .Values.admissionPolicies.deactivation.groups) -}}
  {{- fail "admissionPolicies.deactivation is enabled and groups is empty: nobody could off-board a tenant any more; name at least one group" -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
  {{- fail "serviceAccount.create is false: say by serviceAccount.name which service account is there" -}}
{{- end -}}
{{- if and .Values.image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" .Values.image.digest)) -}}
  {{- fail (printf "image.digest %q is not sha256: and 64 digits 0-9a-f" .Values.image.digest) -}}
{{- end -}}
{{- if contains "@" .Values.image.repository -}}
  {{- fail (printf "image.repository %q carries a digest: write it as image.digest" .Values.image.repository) -}}
{{- end -}}
{{- if not (regexMatch "^([0-9]+m)?([0-9]+s)?$" .Values.drain) -}}
  {{- fail (printf "drain %q is not a time such as 25s or 1m30s" .Values.drain) -}}
{{- end -}}
{{- range $name, $time := .Values.leaderElection -}}
  {{- if and $time (not (regexMatch "^([0-9]+m)?([0-9]+s)?$" $time)) -}}
    {{- fail (printf "leaderElection.%s %q is not a time such as 15s or 1m30s" $name $time) -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.otlp.endpoint (not (regexMatch "^https?://[^/]+" .Values.otlp.endpoint)) -}}
  {{- fail (printf "otlp.endpoint %q is not a URL such as http://collector.monitoring:4318" .Values.otlp.endpoint) -}}
{{- end -}}
{{- if and .Values.qlik.connectTo (not (regexMatch "^([0-9.]+|\\[[0-9a-fA-F:]+\\]):[0-9]+$" .Values.qlik.connectTo)) -}}
  {{- fail (printf "qlik.connectTo %q is not an IP address and port such as 10.0.0.7:443" .Values.qlik.connectTo) -}}
{{- end -}}
{{- $set := dict -}}
{{- range include "qlik-operator.settings" . | fromYamlArray -}}
  {{- $_ := set $set .name true -}}
{{- end -}}
{{- range .Values.extraEnv -}}
  {{- if hasKey $set .name -}}
    {{- fail (printf "extraEnv sets %s once more or twice: the chart sets it from the value that is meant for it" .name) -}}
  {{- end -}}
  {{- $_ := set $set .name true -}}
{{- end -}}
{{- if regexMatch "[/:]" .Values.qlik.domain -}}
  {{- fail (printf "qlik.domain %q is not a domain such as qlikcloud.com: no scheme, no path" .Values.qlik.domain) -}}
{{- end -}}
{{- end -}}

{{/* Seconds of a time such as 1m30s. */}}
{{- define "qlik-operator.seconds" -}}
{{- $minutes := regexFind "[0-9]+m" . | trimSuffix "m" | default "0" | int -}}
{{- $seconds := regexFind "[0-9]+s" . | trimSuffix "s" | default "0" | int -}}
{{- add (mul 60 $minutes) $seconds -}}
{{- end -}}
