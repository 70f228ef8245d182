//! The patch for Argo CD's settings with health checks and actions, put together from the Lua files in `config/argocd/lua`.

use std::fmt::Write;

const OBJECT: &str = include_str!("../../../config/argocd/lua/object.lua");
const HEALTH: &str = include_str!("../../../config/argocd/lua/health.lua");
const NOW: &str = include_str!("../../../config/argocd/lua/now.lua");
const OFFER: &str = include_str!("../../../config/argocd/lua/offer.lua");
const ASK: &str = include_str!("../../../config/argocd/lua/ask.lua");

const HEAD: &str = "\
# Health checks and actions for the kinds of qlik-operator.dev. Made by `make argocd-config` from the files in lua/.
# Put it into a running Argo CD with
#   kubectl patch configmap argocd-cm --namespace argocd --type merge --patch-file config/argocd/argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
";

/// Something that people can ask for in Argo CD.
pub struct Action {
    /// Its name in `argocd app actions`.
    pub name: &'static str,
    /// What the web page calls it.
    title: &'static str,
    icon: &'static str,
    /// The annotation that it writes, without the group.
    annotation: &'static str,
    /// Defines `function`.
    source: &'static str,
    function: &'static str,
}

const RECONCILE: Action = Action {
    name: "reconcile",
    title: "Reconcile now",
    icon: "fa-sync",
    annotation: "requested-at",
    source: include_str!("../../../config/argocd/lua/reconcile.lua"),
    function: "reconcile",
};

const ROTATE: Action = Action {
    name: "rotate",
    title: "Replace the secret or key now",
    icon: "fa-key",
    annotation: "rotate-at",
    source: include_str!("../../../config/argocd/lua/rotate.lua"),
    function: "rotate",
};

const REACTIVATE: Action = Action {
    name: "reactivate",
    title: "Bring the tenant back",
    icon: "fa-undo",
    annotation: "reactivate",
    source: include_str!("../../../config/argocd/lua/reactivate.lua"),
    function: "reactivate",
};

const RESTART_PURGE_WINDOW: Action = Action {
    name: "restart-purge-window",
    title: "Restart the purge window",
    icon: "fa-hourglass-start",
    annotation: "restart-purge-window",
    source: include_str!("../../../config/argocd/lua/restart-purge-window.lua"),
    function: "restart_purge_window",
};

/// The kinds, each with what can be asked for.
pub const KINDS: [(&str, &[Action]); 4] = [
    ("QlikTenant", &[RECONCILE, REACTIVATE, RESTART_PURGE_WINDOW]),
    ("QlikIdentityProvider", &[RECONCILE, ROTATE]),
    ("QlikOAuthClient", &[RECONCILE, ROTATE]),
    ("QlikOffboarding", &[RECONCILE]),
];

/// The script that tells the health of any of the kinds.
pub fn health() -> String {
    join(&[OBJECT, HEALTH])
}

/// The script that lists what can be asked for.
pub fn discovery(actions: &[Action]) -> String {
    let sources: Vec<_> = actions.iter().map(|action| action.source).collect();
    let offers = actions.iter().fold(String::new(), |offers, Action { name, title, icon, function, .. }| {
        offers + &format!("  [\"{name}\"] = offer(\"{title}\", \"{icon}\", {function}()),\n")
    });
    let list = format!("return {{\n{offers}}}\n");
    join(&[&[OBJECT, NOW, OFFER], &sources[..], &[&list]].concat())
}

impl Action {
    /// The script that carries it out.
    pub fn script(&self) -> String {
        let end = format!("return ask(\"{}\", {}())\n", self.annotation, self.function);
        join(&[OBJECT, NOW, self.source, ASK, &end])
    }
}

fn join(parts: &[&str]) -> String {
    parts.join("\n")
}

/// The whole document.
pub fn config_map() -> String {
    KINDS.iter().fold(HEAD.to_owned(), |mut document, (kind, actions)| {
        block(&mut document, 2, &format!("resource.customizations.health.qlik-operator.dev_{kind}"), &health());
        block(
            &mut document,
            2,
            &format!("resource.customizations.actions.qlik-operator.dev_{kind}"),
            &customization(actions),
        );
        document
    })
}

/// What Argo CD wants to know of the actions of one kind, as a document of its own.
fn customization(actions: &[Action]) -> String {
    let mut document = String::new();
    block(&mut document, 0, "discovery.lua", &discovery(actions));
    document += "definitions:\n";
    for action in actions {
        document = document + "  - name: " + action.name + "\n";
        block(&mut document, 4, "action.lua", &action.script());
    }
    document
}

/// Appends a key with a text of several lines.
fn block(document: &mut String, indent: usize, key: &str, text: &str) {
    let spaces = " ".repeat(indent);
    // Writing to a string cannot fail.
    let _ = writeln!(document, "{spaces}{key}: |");
    for line in text.lines() {
        let _ = if line.is_empty() { writeln!(document) } else { writeln!(document, "{spaces}  {line}") };
    }
}
