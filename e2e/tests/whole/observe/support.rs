//! An operator that serves, and how it is asked.

use e2e::openmetrics::Scrape;
use e2e::stage::{Error, Operator, PATIENCE, Stage, address};
use reqwest::StatusCode;
use std::path::Path;

/// An operator that serves on a port of its own.
pub(crate) struct Shown {
    pub(crate) operator: Operator,
    base: String,
}

impl Shown {
    /// Starts one and waits until it serves; it may lack what it needs to work.
    pub(crate) async fn launch(stage: &Stage, kubeconfig: &Path, args: &[&str]) -> Self {
        let operator = stage.launch(kubeconfig, &[&["--listen", "127.0.0.1:0"], args].concat()).unwrap();
        let base = format!("http://{}", address(&operator, "serving /livez").await.unwrap());
        Self { operator, base }
    }

    /// Starts one and waits until it works.
    pub(crate) async fn start(stage: &Stage, args: &[&str]) -> Self {
        let shown = Self::launch(stage, stage.identity.kubeconfig(), args).await;
        shown.operator.wait_for_line(PATIENCE, |line| line.contains("started")).await.unwrap();
        shown
    }

    pub(crate) async fn get(&self, path: &str) -> Result<(StatusCode, String), Error> {
        let answer = reqwest::get(format!("{}{path}", self.base)).await?;
        Ok((answer.status(), answer.text().await?))
    }

    pub(crate) async fn is_ready(&self) -> Result<bool, Error> {
        Ok(self.get("/readyz").await?.0 == StatusCode::OK)
    }

    /// A scrape, which must be well formed.
    pub(crate) async fn scrape(&self) -> Result<Scrape, Error> {
        let answer = reqwest::get(format!("{}/metrics", self.base)).await?;
        let kind = answer.headers()["content-type"].to_str()?.to_owned();
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let text = answer.text().await?;
        Ok(Scrape::parse(&text).map_err(|problem| format!("{problem}\nin\n{text}"))?)
    }

    /// Waits until a scrape is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
        let mut last = Scrape::default();
        let found = e2e::process::until::<_, Error, _>(PATIENCE, what, async || {
            last = self.scrape().await?;
            Ok(wanted(&last).then(|| last.clone()))
        });
        match found.await {
            Ok(scrape) => scrape,
            Err(error) => panic!("{error}; the last scrape was {last:#?}"),
        }
    }
}
