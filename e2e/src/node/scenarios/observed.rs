//! What people look at: logs, metrics, the log level.

use super::fact;
use crate::node::Error;
use crate::node::ground::{CUSTOMERS, Ground, RELEASE, SYSTEM};
use crate::process::{Guarded, Launch, until};
use qlik_operator::crd::REQUESTED_AT;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let logs = logs(ground).await?;
    let first: serde_json::Value = serde_json::from_str(logs.lines().next().ok_or("no logs")?)?;
    let metrics = Forwarded::to(ground, 8080).await?.get("/metrics").await?;
    let series = metrics.lines().filter(|line| line.starts_with("qlik_operator_")).count();
    let admin = Forwarded::to(ground, 8081).await?;
    let before = admin.get("/log").await?;
    admin.put("/log", "info,qlik_operator=debug").await?;
    let after = admin.get("/log").await?;
    until::<_, Error, _>(PATIENCE, "the log says more", async || {
        // A pass for it to say something about.
        let asked = format!("{REQUESTED_AT}=look-{:08x}", rand::random::<u32>());
        let args = ["annotate", "--overwrite", "--namespace", CUSTOMERS, "qliktenant/acme", &asked];
        ground.kubectl(&args, "").await?;
        Ok(self::logs(ground).await?.contains(r#""level":"DEBUG""#).then_some(()))
    })
    .await?;
    admin.put("/log", before.trim()).await?;
    Ok(vec![
        fact(format!("its log is JSON: {}", first["message"]), first["message"].is_string())?,
        fact(format!("{series} series of metrics, of which one says that it leads"), {
            metrics.lines().any(|line| line == "qlik_operator_leader 1")
        })?,
        fact(format!("the log level was {:?} and became {:?}, and debug lines came", before.trim(), after.trim()), {
            before != after && after.contains("debug")
        })?,
    ])
}

async fn logs(ground: &Ground) -> Result<String, Error> {
    ground.kubectl(&["logs", "--namespace", SYSTEM, &format!("deployment/{RELEASE}")], "").await
}

/// A port of the pod, forwarded by kubectl.
struct Forwarded {
    _kubectl: Guarded,
    address: String,
    http: reqwest::Client,
}

impl Forwarded {
    async fn to(ground: &Ground, port: u16) -> Result<Self, Error> {
        let kubectl = Launch::new(ground.cluster.programs().join("kubectl"))
            .arg("--kubeconfig")
            .arg(ground.cluster.kubeconfig())
            .args(["port-forward", "--namespace", SYSTEM, &format!("deployment/{RELEASE}"), &format!(":{port}")])
            .spawn(ground.directory.join(format!("port-forward-{port}.log")))?;
        let forwarding = |line: &str| line.starts_with("Forwarding from 127.0.0.1:");
        let line = kubectl.wait_for_line(PATIENCE, forwarding).await?;
        let address = line.split_whitespace().nth(2).ok_or("no address")?.to_owned();
        Ok(Self { _kubectl: kubectl, address, http: reqwest::Client::builder().no_proxy().build()? })
    }

    async fn get(&self, path: &str) -> Result<String, Error> {
        let answer = self.http.get(format!("http://{}{path}", self.address)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    async fn put(&self, path: &str, body: &str) -> Result<(), Error> {
        let answer = self.http.put(format!("http://{}{path}", self.address)).body(body.to_owned()).send().await?;
        answer.error_for_status()?;
        Ok(())
    }
}
