{{/*
What the operator may do, by need. No wildcard; docs/SECURITY.md gives the reason of each verb, and a test compares them
with what the operator really does. The same rules make a ClusterRole, or a Role in each namespace.
*/}}

{{/* Its own kinds: the work itself. */}}
{{- define "qlik-operator.rules.kinds" -}}
- apiGroups: [qlik-operator.dev]
  resources: [qliktenants, qlikidentityproviders, qlikoauthclients]
  verbs: [get, list, watch, patch]
- apiGroups: [qlik-operator.dev]
  resources: [qliktenants/status, qlikidentityproviders/status, qlikoauthclients/status, qlikoffboardings/status]
  verbs: [patch]
- apiGroups: [qlik-operator.dev]
  resources: [qlikoffboardings]
  verbs: [get, list, watch, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* Secrets by name: never listed, never watched. */}}
{{- define "qlik-operator.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, update, delete]
{{- end -}}

{{/* A namespace that is being deleted never deactivates a tenant. In a Role this is about the Role's own namespace. */}}
{{- define "qlik-operator.rules.namespaces" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end -}}

{{/* Nor does the deletion of the kind itself. No Role can grant this: in namespace mode discovery tells it. */}}
{{- define "qlik-operator.rules.definitions" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames:
    - qliktenants.qlik-operator.dev
    - qlikidentityproviders.qlik-operator.dev
    - qlikoauthclients.qlik-operator.dev
  verbs: [get]
{{- end -}}

{{/* The election; create cannot be limited to a name. */}}
{{- define "qlik-operator.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "qlik-operator.fullname" . }}]
  verbs: [get, update]
{{- end -}}

{{/*
The deactivations of the last hour, and tenants that were let go where no record could be written, in the operator's own
namespace; create cannot be limited to a name.
*/}}
{{- define "qlik-operator.rules.own" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames:
    - qlik-operator-deactivations
    - qlik-operator-released-1
    - qlik-operator-released-2
    - qlik-operator-released-3
  verbs: [get, update]
{{- end -}}
