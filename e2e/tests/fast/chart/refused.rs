//! Values that are wrong, and what people are told.

use e2e::chart::Release;
use e2e::cluster::binaries::Helm;
use e2e::nightly::nightly;

/// Values, and the part of the answer that tells what to do.
const WRONG: [(&str, &str); 29] = [
    ("replica: 2", "additional properties 'replica' not allowed"),
    ("replicas: two", "at '/replicas': got string, want integer"),
    ("replicas: 100", "at '/replicas': maximum: got 100, want 9"),
    ("image: {repository: ''}", "at '/image/repository': minLength: got 0, want 1"),
    (
        "image: {pullPolicy: Sometimes}",
        "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ),
    ("image: {digest: 4f53}", "image.digest \"4f53\" is not sha256: and 64 digits 0-9a-f"),
    ("image: {repository: 'r/q@sha256:aa'}", "carries a digest: write it as image.digest"),
    ("namespaces: customers", "at '/namespaces': got string, want array"),
    ("namespaces: [Customers]", "at '/namespaces/0': 'Customers' does not match pattern"),
    ("namespaces: [a, a]", "at '/namespaces': items at 0 and 1 are equal"),
    ("regions: {us: {existingSecret: qlik-us}}", "at '/regions/us': missing property 'namespaces'"),
    (
        "regions: {us: {existingSecret: qlik-us, namespaces: []}}",
        "at '/regions/us/namespaces': minItems: got 0, want 1",
    ),
    (
        "regions: {usa: {existingSecret: q, namespaces: ['*']}}",
        "regions.usa: Qlik Cloud has no region of this code; there are us eu de",
    ),
    (
        "regions: {us: {existingSecret: q, namespaces: [b]}}\nnamespaces: [a]",
        "regions.us.namespaces names \"b\", in which the operator does not work: add it to namespaces, or take it away here",
    ),
    (
        "regions: {us: {clientSecret: s, namespaces: ['*'], existingSecret: q}}",
        "additional properties 'clientSecret' not allowed",
    ),
    ("organization: {subscription: s}", "organization.subscription is of no use without organization.existingSecret"),
    ("drain: 25", "at '/drain': got number, want string"),
    ("drain: 25 seconds", "drain \"25 seconds\" is not a time such as 25s or 1m30s"),
    ("leaderElection: {leaseDuration: 15}", "at '/leaderElection/leaseDuration': got number, want string"),
    ("leaderElection: {retryPeriod: soon}", "leaderElection.retryPeriod \"soon\" is not a time such as 15s or 1m30s"),
    ("log: {format: xml}", "at '/log/format': value must be one of 'text', 'json'"),
    (
        "qlik: {domain: 'https://qlikcloud.com'}",
        "qlik.domain \"https://qlikcloud.com\" is not a domain such as qlikcloud.com",
    ),
    ("qlik: {connectTo: proxy:443}", "qlik.connectTo \"proxy:443\" is not an IP address and port such as 10.0.0.7:443"),
    (
        "otlp: {endpoint: 'collector:4318'}",
        "otlp.endpoint \"collector:4318\" is not a URL such as http://collector.monitoring:4318",
    ),
    (
        "metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}",
        "every series would be scraped twice; choose one",
    ),
    (
        "admissionPolicies: {deactivation: {enabled: true}}",
        "nobody could off-board a tenant any more; name at least one group",
    ),
    (
        "admissionPolicies: {warnings: {enabled: 'on'}}",
        "at '/admissionPolicies/warnings/enabled': value must be one of 'auto', true, false",
    ),
    ("serviceAccount: {create: false}", "say by serviceAccount.name which service account is there"),
    ("extraEnv: [{name: QLIK_OPERATOR_DRAIN, value: 1s}]", "extraEnv sets QLIK_OPERATOR_DRAIN"),
];

#[tokio::test]
async fn wrong_values_are_refused_in_words_that_help() {
    let mut unhelpful = Vec::new();
    for helm in Helm::ALL {
        // The words are the chart's own and those of one library of schemas in both; Helm 3 is asked about all by night.
        let every = if helm == Helm::V4 || nightly() { 1 } else { 7 };
        for (values, told) in WRONG.into_iter().step_by(every) {
            let done = Release { helm, ..Release::new(values) }.template().await.unwrap();
            if done.success() || !done.stderr.contains(told) {
                unhelpful.push(format!("{helm:?}: {values}\n  wanted: {told}\n  said: {}", done.stderr));
            }
        }
    }
    assert!(unhelpful.is_empty(), "{}", unhelpful.join("\n"));
}
