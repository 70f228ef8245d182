//! What `helm template` makes of the chart.
use serde_json::Value;

use super::{Error, folder};
use crate::cluster::binaries::Helm;
use crate::cluster::helm;
use crate::process::{Output, finish};

/// A release that is only rendered.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// The namespace that it would be in.
    pub namespace: String,
    /// Its values, as YAML.
    pub values: String,
    /// By which Helm.
    pub helm: Helm,
    /// What its cluster serves beyond what Helm takes for granted, such as `group/version/Kind`.
    pub served: Vec<String>,
}

/// One Kubernetes object.
#[derive(Debug, Clone)]
pub struct Document {
    /// The template's name, for instance `rbac.yaml`; empty where it is not known.
    pub template: String,
    /// As rendered, without its source comment.
    pub text: String,
    /// What it says.
    pub value: Value,
}

impl Release {
    /// The release that the documentation speaks of, by Helm 4, with these values.
    pub fn new(values: &str) -> Self {
        let name = "qlik-operator".to_owned();
        Self { namespace: name.clone(), name, values: values.to_owned(), helm: Helm::V4, served: Vec::new() }
    }

    /// Runs `helm template`; the result may well be that it refuses.
    pub async fn template(&self) -> Result<Output, Error> {
        let home = tempfile::tempdir().map_err(|error| Error::Io("make a directory".to_owned(), error))?;
        let mut command = helm::command(self.helm, home.path()).await?;
        command.args(["template", &self.name]).arg(folder()).args(["--namespace", &self.namespace, "--values", "-"]);
        // Of the cluster that it may be for; helm has no cluster to ask.
        command.args(["--kube-version", "1.33.0"]);
        command.args(self.served.iter().flat_map(|served| ["--api-versions", served]));
        finish(command, &self.values).await.map_err(|error| Error::Io("run helm".to_owned(), error))
    }

    /// The objects.
    pub async fn render(&self) -> Result<Vec<Document>, Error> {
        let done = self.template().await?;
        if !done.success() {
            return Err(Error::Refused(done.stderr));
        }
        documents(&done.stdout)
    }
}

/// The objects of a YAML stream.
pub fn documents(stream: &str) -> Result<Vec<Document>, Error> {
    let mut found = Vec::new();
    for part in format!("\n{stream}").split("\n---\n") {
        let source = part.lines().find_map(|line| line.strip_prefix("# Source: "));
        let template = source.and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
        let lines: Vec<_> = part.lines().filter(|line| !line.starts_with("# Source: ")).collect();
        let text = format!("{}\n", lines.join("\n").trim());
        if text.lines().all(|line| line.is_empty() || line.starts_with('#')) {
            continue;
        }
        let value = serde_saphyr::from_str(&text).map_err(|error| Error::Document(format!("{error} in:\n{text}")))?;
        found.push(Document { template, text, value });
    }
    Ok(found)
}

impl Document {
    /// Its kind.
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace; empty where it has none.
    pub fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }
}
