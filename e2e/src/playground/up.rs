//! The same pieces, left running for whoever wants to try them.

use super::{Playground, Screen};
use crate::cluster::binaries;
use crate::process::interval;
use crate::stage::{Error, Stage};
use kube::config::Kubeconfig;
use std::path::PathBuf;
use std::time::Duration;

/// How often the operator's clock is set to Qlik Cloud's.
const FOLLOW: Duration = Duration::from_millis(100);

/// Says what is where and keeps everything running; ends only with an error, for instance when the operator ends.
pub async fn keep(playground: &Playground, screen: &Screen) -> Result<(), Error> {
    introduce(&playground.stage, playground, screen).await?;
    tokio::select! {
        exit = playground.operator.ended() => {
            Err(format!("the operator ended ({exit:?}); {}", playground.operator.tail()).into())
        }
        followed = follow_clock(&playground.stage) => followed,
    }
}

/// Whoever turns Qlik Cloud's clock turns the operator's with it: clocks that disagree rightly hold it up.
pub(super) async fn follow_clock(stage: &Stage) -> Result<(), Error> {
    let (mut ticks, mut told) = (interval(FOLLOW), Duration::ZERO);
    loop {
        ticks.tick().await;
        let offset = stage.sim.offset();
        if offset != told {
            stage.turn_operators(i64::try_from(offset.as_secs())?)?;
            told = offset;
        }
    }
}

async fn introduce(stage: &Stage, playground: &Playground, screen: &Screen) -> Result<(), Error> {
    let ready = stage.sim.ready();
    let (tls, admin) = (ready.tls.clone().unwrap_or_default(), ready.admin.clone().unwrap_or_default());
    let ca = ready.ca_file.clone().unwrap_or_default();
    let kubeconfig = kubeconfig(stage)?;
    let (log, programs) = (playground.operator.log_path(), binaries::directory().await?);
    screen.heading("Everything is up")?;
    screen.say(&format!("Kubernetes       {} (namespace {})", stage.cluster.server(), stage.ns()))?;
    screen.say(&format!("Qlik Cloud       TLS on {tls}, CA certificate {}", ca.display()))?;
    screen.say(&format!("its back office  http://{admin}/_sim/… (tenants, journal, clock, faults)"))?;
    screen.say(&format!("operator's log   {}", log.display()))?;
    screen.heading("In another terminal, from this directory")?;
    screen.command(&format!("export KUBECONFIG={} PATH={}:$PATH", kubeconfig.display(), programs.display()))?;
    for (what, command) in hints(&admin) {
        screen.aside(&format!("  # {what}"))?;
        screen.command(&command)?;
    }
    screen.heading("Ctrl-C ends everything and leaves nothing")?;
    Ok(())
}

fn hints(admin: &str) -> [(&'static str, String); 8] {
    let post = format!("curl -X POST -H 'content-type: application/json' http://{admin}/_sim");
    [
        ("a tenant", "kubectl apply -f config/samples/create-with-key.yaml".into()),
        ("what becomes of it", "kubectl get qliktenants --watch".into()),
        ("what can be written, and what it means", "kubectl explain qliktenant.spec --recursive".into()),
        ("the customer leaves", "kubectl apply -f config/samples/off-boarding/acme.yaml".into()),
        ("31 days pass", format!("{post}/clock -d '{{\"advanceSeconds\": 2678400}}'")),
        ("one more hour, after which a purge is believed", format!("{post}/clock -d '{{\"advanceSeconds\": 3660}}'")),
        ("Qlik Cloud's tenants", format!("curl http://{admin}/_sim/tenants")),
        ("every request that Qlik Cloud got", format!("curl http://{admin}/_sim/journal")),
    ]
}

/// A kubeconfig with all rights that starts in the playground's namespace.
pub(super) fn kubeconfig(stage: &Stage) -> Result<PathBuf, Error> {
    let mut kubeconfig = Kubeconfig::read_from(stage.cluster.kubeconfig())?;
    let current = kubeconfig.current_context.clone();
    for named in kubeconfig.contexts.iter_mut().filter(|named| Some(&named.name) == current.as_ref()) {
        if let Some(context) = &mut named.context {
            context.namespace = Some(stage.ns().to_owned());
        }
    }
    // The directory is readable by this user alone.
    let path = stage.directory().join("kubeconfig");
    std::fs::write(&path, serde_json::to_string_pretty(&kubeconfig)?)?;
    Ok(path)
}
