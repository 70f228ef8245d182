//! A place where the operator is installed, upgraded and uninstalled.

use e2e::chart::{Container, folder, repository};
use e2e::cluster::audit::{Filter, Position};
use e2e::cluster::binaries::Helm;
use e2e::process::Guarded;
pub(crate) use e2e::stage::INSTALLED as OPERATOR;
use e2e::stage::{Error, PATIENCE, Setup, Stage};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// With which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Helm(Helm),
    Kustomize,
}

/// For the whole cluster, or for the namespaces that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Cluster,
    Namespaced,
}

pub(crate) struct Site {
    pub(crate) stage: Stage,
    pub(crate) mode: Mode,
    way: Way,
    /// Copies of what is installed, so that a test may change them.
    files: PathBuf,
}

impl Site {
    /// The namespaces with the Secrets in them, as a platform engineer would prepare them; nothing is installed yet.
    pub(crate) async fn new(way: Way, mode: Mode) -> Result<Self, Error> {
        let stage = Stage::alone(Setup { installed: false, ..Setup::new("customers") }).await?;
        let files = stage.directory().join("files");
        for (from, to) in
            [(folder(), "chart"), (repository().join("config"), "config"), (repository().join("crds"), "crds")]
        {
            copy(&from, &files.join(to))?;
        }
        let site = Self { stage, mode, way, files };
        site.stage.prepare_installation().await?;
        Ok(site)
    }

    /// Installs, or upgrades what is installed.
    pub(crate) async fn install(&self) -> Result<(), Error> {
        match self.way {
            Way::Helm(helm) => {
                let chart = self.files.join("chart").display().to_string();
                let args = ["upgrade", "--install", OPERATOR, &chart, "--namespace", OPERATOR, "--values", "-"];
                self.stage.cluster.helm(helm, &args, &self.values()?).await?.succeeded()?;
            }
            Way::Kustomize => {
                let overlay = self.overlay()?;
                self.kubectl(&["apply", "--server-side", "--force-conflicts", "-k", &overlay]).await?;
            }
        }
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).await?;
        Ok(())
    }

    /// Removes the operator as the documentation says.
    pub(crate) async fn uninstall(&self) -> Result<(), Error> {
        match self.way {
            Way::Helm(helm) => {
                let args = ["uninstall", OPERATOR, "--namespace", OPERATOR];
                self.stage.cluster.helm(helm, &args, "").await?.succeeded()?;
            }
            Way::Kustomize => {
                let mut folders = vec![self.base().join("operator")];
                if self.mode == Mode::Namespaced {
                    folders.push(self.files.join("overlay/rights"));
                }
                for folder in folders {
                    self.kubectl(&["delete", "-k", &folder.display().to_string()]).await?;
                }
            }
        }
        Ok(())
    }

    /// Adds a column and an optional field to the definition of tenants, as a later version might.
    pub(crate) fn change_definition(&self) -> Result<(), Error> {
        let file = match self.way {
            Way::Helm(_) => "chart/files/crds/qliktenants.yaml",
            Way::Kustomize => "crds/qlik-operator.yaml",
        };
        let path = self.files.join(file);
        let text = fs::read_to_string(&path)?;
        let column = "    - jsonPath: .spec.region\n      name: Region\n";
        let field = "              adopt:\n";
        let changed = text
            .replacen(column, &format!("    - jsonPath: .spec.note\n      name: Note\n      type: string\n{column}"), 1)
            .replacen(field, &format!("              note:\n                type: string\n{field}"), 1);
        if !(changed.contains("name: Note") && changed.contains("              note:")) {
            return Err("the definition has changed so much that this test does not fit any more".into());
        }
        Ok(fs::write(path, changed)?)
    }

    /// Runs what the Deployment says, and waits until it works.
    pub(crate) async fn operator(&self) -> Result<Guarded, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = self.stage.directory().join(format!("pod-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let container = Container::of(self.stage.cluster, (OPERATOR, OPERATOR), &directory).await?;
        let (process, address) = container.start(&directory).await?;
        process.wait_for_line(PATIENCE, |line| line.contains("\"started\"")).await?;
        assert_eq!(container.probes, ["/livez", "/livez", "/readyz"]);
        for path in &container.probes {
            self.stage
                .until_some(path, async || {
                    let answer = reqwest::get(format!("http://{address}{path}")).await?;
                    Ok(answer.status().is_success().then_some(()))
                })
                .await?;
        }
        Ok(process)
    }

    /// What the operator was refused, as `VERB RESOURCE NAME`.
    pub(crate) async fn refused(&self) -> Result<BTreeSet<String>, Error> {
        let user = format!("system:serviceaccount:{OPERATOR}:{OPERATOR}");
        let entries = self.stage.cluster.audit()?.entries(Position::START, &Filter::new().user(&user)).await?;
        if entries.is_empty() {
            return Err("the operator asked for nothing".into());
        }
        let refused = entries.iter().filter(|entry| entry.code == 403);
        Ok(refused.map(|entry| format!("{} {} {}", entry.verb, entry.resource, entry.name)).collect())
    }

    /// Runs kubectl with all rights; fails when it does.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        Ok(self.stage.cluster.kubectl(args, "").await?.succeeded()?)
    }

    fn base(&self) -> PathBuf {
        self.files.join("config").join(if self.mode == Mode::Cluster { "default" } else { "namespaced" })
    }

    fn values(&self) -> Result<String, Error> {
        match self.mode {
            Mode::Cluster => self.stage.chart_values(&[]),
            Mode::Namespaced => self.stage.chart_values(&[self.stage.ns()]),
        }
    }

    fn qlik(&self) -> Result<String, Error> {
        Ok(self.stage.sim.tls().ok_or("the simulator has no address")?.to_string())
    }

    /// The same as an overlay, made after config/overlays/example.
    fn overlay(&self) -> Result<String, Error> {
        let overlay = self.files.join("overlay");
        fs::create_dir_all(overlay.join("rights"))?;
        let (base, ns) = (self.base(), self.stage.ns());
        let mut resources = vec!["../crds".to_owned()];
        let base = base.file_name().unwrap_or_default().display();
        resources.push(format!("../config/{base}/operator"));
        let mut settings = vec![
            ("QLIK_OPERATOR_REGIONAL_CREDENTIALS", "us=/etc/qlik/regions/us".to_owned()),
            ("QLIK_OPERATOR_REGIONAL_NAMESPACES", format!("us={ns}")),
            ("QLIK_OPERATOR_QLIK_CA_FILE", "/etc/qlik/ca/ca.crt".to_owned()),
            ("QLIK_OPERATOR_QLIK_CONNECT_TO", self.qlik()?),
            ("QLIK_OPERATOR_CLOCK_OFFSET_FILE", self.stage.clock_file().display().to_string()),
        ];
        if self.mode == Mode::Namespaced {
            resources.push("rights".to_owned());
            settings.push(("QLIK_OPERATOR_NAMESPACES", ns.to_owned()));
            let rights = format!("namespace: {ns}\nresources: [../../config/namespaced/rights]\n");
            fs::write(overlay.join("rights/kustomization.yaml"), rights)?;
        }
        let env: Vec<_> =
            settings.iter().map(|(name, value)| format!("{{name: {name}, value: \"{value}\"}}")).collect();
        let patch = include_str!("overlay.yaml").replace("SETTINGS", &env.join(", "));
        fs::write(overlay.join("patch.yaml"), patch)?;
        let kustomization = format!("resources: [{}]\npatches: [{{path: patch.yaml}}]\n", resources.join(", "));
        fs::write(overlay.join("kustomization.yaml"), kustomization)?;
        Ok(overlay.display().to_string())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
