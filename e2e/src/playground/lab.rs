//! An empty cluster to install the operator into, as its documentation says.
//!
//! There is no node, so what the Deployment's container says is run as a process here: the same arguments, environment,
//! service account and mounted Secrets.

use super::Screen;
use super::up::{follow_clock, kubeconfig};
use crate::chart::Container;
use crate::cluster::Cluster;
use crate::cluster::binaries::{self, Helm};
use crate::process::{Guarded, interval};
use crate::stage::{Error, PATIENCE, Setup, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The operator's namespace and the name of its Deployment.
const OPERATOR: &str = "qlik-operator";
/// How often the Deployment is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// A control plane with namespaces and credentials, and no operator.
pub struct Lab {
    stage: Stage,
}

impl Lab {
    /// Prepares what a platform engineer finds before the operator is installed.
    pub async fn on(cluster: &'static Cluster) -> Result<Self, Error> {
        if cluster.outlives_us() {
            return Err("this installs for the whole cluster, so it is for the embedded one only: unset CLUSTER".into());
        }
        let stage = Stage::on(cluster, Setup { installed: false, ..Setup::new("customers") }).await?;
        let lab = Self { stage };
        lab.kubectl(&["create", "namespace", OPERATOR]).await?;
        let us = lab.stage.directory().join("us");
        let from = |name: &str| format!("--from-file={}", us.join(name).display());
        let (id, secret) = (from("clientId"), from("clientSecret"));
        lab.kubectl(&["--namespace", OPERATOR, "create", "secret", "generic", "qlik-us", &id, &secret]).await?;
        let ca = lab.stage.sim.ca_file().ok_or("the simulator has no authority")?;
        let ca = format!("--from-file=ca.crt={}", ca.display());
        lab.kubectl(&["--namespace", OPERATOR, "create", "configmap", "qlik-ca", &ca]).await?;
        fs::write(lab.file("values.yaml"), lab.values()?)?;
        lab.watch_nothing()?;
        Ok(lab)
    }

    /// Says what is where and runs what is installed; ends only with an error.
    pub async fn keep(&self, screen: &Screen) -> Result<(), Error> {
        self.introduce(screen).await?;
        tokio::select! {
            ran = self.run_what_is_installed(screen) => ran,
            followed = follow_clock(&self.stage) => followed,
        }
    }

    async fn run_what_is_installed(&self, screen: &Screen) -> Result<(), Error> {
        let deployments: Api<Deployment> = Api::namespaced(self.stage.admin(), OPERATOR);
        let mut looks = interval(LOOK);
        let mut running: Option<(String, Guarded)> = None;
        for number in 1_u32.. {
            looks.tick().await;
            let wanted = deployments.get_opt(OPERATOR).await?.map(version).transpose()?;
            if running.as_ref().map(|(version, _)| version) == wanted.as_ref() {
                continue;
            }
            if let Some((_, former)) = running.take() {
                former.terminate()?;
                former.wait(PATIENCE).await?;
                self.watch_nothing()?;
                screen.say("The operator's process has ended.")?;
            }
            if let Some(version) = wanted {
                running = Some((version, self.start(number, screen).await?));
            }
        }
        Ok(())
    }

    async fn start(&self, number: u32, screen: &Screen) -> Result<Guarded, Error> {
        let directory = self.file(&format!("pod-{number}"));
        let container = Container::of(self.stage.cluster, (OPERATOR, OPERATOR), &directory).await?;
        let process = container.launch()?.spawn(directory.join("log"))?;
        let line = process.wait_for_line(PATIENCE, |line| line.contains("serving /livez")).await?;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        let address = line["address"].as_str().ok_or("the log does not tell the address")?;
        let targets =
            json!([{ "targets": [address], "labels": { "job": OPERATOR, "pod": format!("process-{number}") } }]);
        self.watch(&targets)?;
        screen.say(&format!(
            "The operator runs: http://{address}/readyz and /metrics, log {}",
            process.log_path().display()
        ))?;
        Ok(process)
    }

    async fn introduce(&self, screen: &Screen) -> Result<(), Error> {
        let ready = self.stage.sim.ready();
        let admin = ready.admin.clone().unwrap_or_default();
        let (kubernetes, helm) = (binaries::directory().await?, binaries::helm(Helm::V4).await?);
        let helm = helm.parent().ok_or("helm is nowhere")?;
        screen.heading("A cluster without an operator")?;
        screen.say(&format!(
            "Kubernetes       {} (for customers: namespace {})",
            self.stage.cluster.server(),
            self.stage.ns()
        ))?;
        screen.say(&format!("for the operator namespace {OPERATOR}: Secret qlik-us, ConfigMap qlik-ca"))?;
        screen.say(&format!("chart values     {}", self.file("values.yaml").display()))?;
        screen.say(&format!("for Prometheus   {}", self.file("prometheus.yaml").display()))?;
        screen.say(&format!("Qlik Cloud       back office http://{admin}/_sim/… (tenants, journal, clock, faults)"))?;
        screen.heading("In another terminal, from this directory")?;
        let path = format!("{}:{}", kubernetes.display(), helm.display());
        screen.command(&format!("export KUBECONFIG={} PATH={path}:$PATH", kubeconfig(&self.stage)?.display()))?;
        for (what, command) in self.hints(&admin) {
            screen.aside(&format!("  # {what}"))?;
            screen.command(&command)?;
        }
        screen.aside("There is no node here: what is installed is run as a process, and its pod stays Pending.")?;
        screen.heading("Ctrl-C ends everything and leaves nothing")?;
        Ok(())
    }

    fn hints(&self, admin: &str) -> [(&'static str, String); 8] {
        let turn = "curl -X POST -H 'content-type: application/json'";
        let values = self.file("values.yaml");
        let prometheus = self.file("prometheus.yaml");
        let data = self.file("prometheus-data");
        [
            (
                "install",
                format!(
                    "helm install {OPERATOR} charts/qlik-operator --namespace {OPERATOR} --values {}",
                    values.display()
                ),
            ),
            ("a first tenant", "kubectl apply --filename config/samples/default-credentials.yaml".to_owned()),
            ("what becomes of it", "kubectl get qliktenants --watch".to_owned()),
            ("every request that Qlik Cloud got", format!("curl --silent http://{admin}/_sim/journal")),
            ("20 days pass", format!("{turn} http://{admin}/_sim/clock -d '{{\"advanceSeconds\": 1728000}}'")),
            (
                "alerts, with Debian's prometheus package",
                format!(
                    "prometheus --config.file={} --storage.tsdb.path={} --web.listen-address=127.0.0.1:9090",
                    prometheus.display(),
                    data.display()
                ),
            ),
            ("which alerts there are", "curl --silent http://127.0.0.1:9090/api/v1/alerts".to_owned()),
            ("uninstall", format!("helm uninstall {OPERATOR} --namespace {OPERATOR}")),
        ]
    }

    fn values(&self) -> Result<String, Error> {
        let qlik = self.stage.sim.tls().ok_or("the simulator has no address")?;
        Ok(format!(
            "# Values of the chart for this cluster: the operator's own credentials, and a Qlik Cloud that is a stand-in.\n\
             regions:\n  us:\n    existingSecret: qlik-us\n    namespaces: [{}]\nqlik:\n  caConfigMap:\n    name: qlik-ca\n  \
             connectTo: \"{qlik}\"\nextraEnv:\n  - name: QLIK_OPERATOR_CLOCK_OFFSET_FILE # its calendar can be turned\n    value: {}\n",
            self.stage.ns(),
            self.stage.clock_file().display(),
        ))
    }

    /// A Prometheus that scrapes whatever runs, and knows the chart's alerts.
    fn watch_nothing(&self) -> Result<(), Error> {
        let alerts = crate::chart::folder().join("files/alerts.yaml");
        let (targets, alerts) = (self.file("targets.json"), alerts.display().to_string());
        self.watch(&json!([]))?;
        let config = format!(
            "global: {{scrape_interval: 5s, evaluation_interval: 5s}}\nrule_files: [{alerts}]\nscrape_configs:\n  - job_name: {OPERATOR}\n    \
             honor_labels: true\n    file_sd_configs:\n      - {{files: [{}], refresh_interval: 2s}}\n",
            targets.display()
        );
        Ok(fs::write(self.file("prometheus.yaml"), config)?)
    }

    /// Written beside and moved: Prometheus reads it at any moment.
    fn watch(&self, targets: &serde_json::Value) -> Result<(), Error> {
        let next = self.file("targets.next");
        fs::write(&next, targets.to_string())?;
        Ok(fs::rename(next, self.file("targets.json"))?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.stage.directory().join(name)
    }

    async fn kubectl(&self, args: &[&str]) -> Result<(), Error> {
        let done = self.stage.cluster.kubectl(args, "").await?;
        if done.success() { Ok(()) } else { Err(done.stderr.into()) }
    }
}

/// What of a Deployment makes another process of it.
fn version(deployment: Deployment) -> Result<String, Error> {
    let template = deployment.spec.map(|spec| (spec.replicas, spec.template));
    Ok(format!("{:?} {}", deployment.metadata.uid, serde_json::to_string(&template)?))
}
