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
use crate::stage::{Error, INSTALLED as OPERATOR, PATIENCE, Setup, Stage};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

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
        lab.stage.prepare_installation().await?;
        fs::write(lab.file("values.yaml"), lab.stage.chart_values(&[])?)?;
        fs::write(lab.file("prometheus.yaml"), lab.prometheus())?;
        lab.watch(&json!([]))?;
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
                self.watch(&json!([]))?;
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
        let (process, address) = container.start(&directory).await?;
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

    /// The configuration of a Prometheus that scrapes whatever runs, and knows the chart's alerts.
    fn prometheus(&self) -> String {
        let alerts = crate::chart::folder().join("files/alerts.yaml");
        format!(
            "global: {{scrape_interval: 5s, evaluation_interval: 5s}}\nrule_files: [{}]\nscrape_configs:\n  - job_name: {OPERATOR}\n    \
             honor_labels: true\n    file_sd_configs:\n      - {{files: [{}], refresh_interval: 2s}}\n",
            alerts.display(),
            self.file("targets.json").display()
        )
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
}

/// What of a Deployment makes another process of it.
fn version(deployment: Deployment) -> Result<String, Error> {
    let template = deployment.spec.map(|spec| (spec.replicas, spec.template));
    Ok(format!("{:?} {}", deployment.metadata.uid, serde_json::to_string(&template)?))
}
