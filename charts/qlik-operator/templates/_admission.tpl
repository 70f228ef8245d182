{{/* What the admission policies have in common. */}}

{{/* A namespace that is deleted takes its objects with it, and the operator then leaves every tenant alone. */}}
{{- define "qlik-operator.admission.sweeps" -}}
matchConditions:
  - name: not-the-end-of-the-namespace
    expression: >-
      request.operation != 'DELETE' || request.userInfo.username != 'system:serviceaccount:kube-system:namespace-controller'
{{- end -}}

{{- define "qlik-operator.admission.variables" -}}
- name: lifecycle
  expression: "object == null ? 'Active' : object.spec.?lifecycle.orValue('Active')"
- name: lifecycleBefore
  expression: "oldObject == null ? 'Active' : oldObject.spec.?lifecycle.orValue('Active')"
- name: onDelete
  expression: "object == null ? 'Retain' : object.spec.?offboarding.?onDelete.orValue('Retain')"
- name: onDeleteBefore
  expression: "oldObject == null ? 'Retain' : oldObject.spec.?offboarding.?onDelete.orValue('Retain')"
- name: terminating
  expression: "object != null && has(object.metadata.deletionTimestamp)"
# An object whose deletion somebody gets ready to deactivate the tenant.
- name: arms
  expression: >-
    request.operation != 'DELETE' && variables.onDelete == 'Deactivate' && variables.onDeleteBefore != 'Deactivate'
# The three ways: by declaration, by deletion, and by a change of mind while the deletion is under way.
- name: deactivates
  expression: >-
    variables.lifecycleBefore != 'Deactivated' && (request.operation == 'DELETE'
    ? variables.onDeleteBefore == 'Deactivate'
    : (variables.lifecycle == 'Deactivated'
    || (variables.terminating && variables.arms)))
{{- end -}}

{{/* What is known of the tenant: by the object as it was, which the operator has written the status of. */}}
{{- define "qlik-operator.admission.tenant" -}}
- name: phase
  expression: "oldObject == null ? '' : oldObject.?status.?phase.orValue('')"
- name: tenantId
  expression: "oldObject == null ? '' : oldObject.?status.?tenantId.orValue('')"
- name: hostnames
  expression: "oldObject == null ? [] : oldObject.?status.?hostnames.orValue([])"
- name: confirmBefore
  expression: "oldObject == null ? '' : oldObject.spec.?offboarding.?confirmHostname.orValue('').lowerAscii()"
- name: confirm
  expression: "object == null ? variables.confirmBefore : object.spec.?offboarding.?confirmHostname.orValue('').lowerAscii()"
# Where no hostname is known yet, nothing speaks against the one that is written.
- name: confirmed
  expression: "variables.hostnames.size() == 0 || variables.hostnames.exists(name, name.lowerAscii() == variables.confirm)"
- name: confirmedBefore
  expression: "variables.hostnames.size() == 0 || variables.hostnames.exists(name, name.lowerAscii() == variables.confirmBefore)"
- name: hostname
  expression: >-
    oldObject != null && oldObject.?status.?hostname.orValue('') != '' ? oldObject.status.hostname
    : variables.confirm != '' ? variables.confirm : request.name
- name: days
  expression: "string((object == null ? oldObject : object).spec.?offboarding.?purgeAfterDays.orValue(30))"
{{- end -}}

{{/* Not empty where the warnings are rendered: a Role cannot grant policies, so in namespace mode they wait to be asked for. */}}
{{- define "qlik-operator.admission.warns" -}}
{{- $enabled := .Values.admissionPolicies.warnings.enabled -}}
{{- if or (eq (toString $enabled) "true") (and (eq (toString $enabled) "auto") (not .Values.namespaces)) -}}true{{- end -}}
{{- end -}}

{{/* The version in which the API server takes MutatingAdmissionPolicies; empty where it takes none. */}}
{{- define "qlik-operator.admission.mutates" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1beta1
{{- end -}}
{{- end -}}

{{/* In namespace mode the policies are about its namespaces only. */}}
{{- define "qlik-operator.admission.scope" -}}
{{- with .Values.namespaces -}}
matchResources:
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values:
          {{- toYaml . | nindent 10 }}
{{- end -}}
{{- end -}}
