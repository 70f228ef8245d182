{{/* What both admission policies have in common. */}}

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
# The three ways: by declaration, by deletion, and by a change of mind while the deletion is under way.
- name: deactivates
  expression: >-
    variables.lifecycleBefore != 'Deactivated' && (request.operation == 'DELETE'
    ? variables.onDeleteBefore == 'Deactivate'
    : (variables.lifecycle == 'Deactivated'
    || (variables.terminating && variables.onDelete == 'Deactivate' && variables.onDeleteBefore != 'Deactivate')))
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
