//! Secrets stay unseen: neither our own types nor anything below us prints them, not even at the level TRACE.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::testing::{Server, acme, answer, credential, is_token, tenant_id, token};
use super::{Region, Secret};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().map_err(|_| std::io::Error::other("poisoned"))?.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every secret here contains the word: the client's, the token, the licence key sent and the licence key received. The
/// error answer repeats one, in a length that licence keys have.
#[tokio::test]
async fn no_canary_is_ever_seen() {
    // Tests beside this one have no subscriber, and what they come by first would then count as switched off for all.
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::sink);
    // Another test of this process may have set one already, which does as well.
    let _ = everything.try_init();
    let long = format!("canary-{}", "k".repeat(100));
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(captured.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let echoed = long.clone();
    let server = Server::start(move |request| match request.uri().path() {
        _ if is_token(request) => token("canary-token"),
        "/api/v1/licenses/overview" => answer(200, r#"{"licenseKey":"canary-license"}"#),
        _ => answer(400, &format!(r#"{{"errors":[{{"title":"bad key {echoed}"}}],"traceId":"trace-7"}}"#)),
    })
    .await;
    let cloud = server.cloud();
    let credential = credential();
    let api = cloud.tenant(&acme(&cloud), &credential);
    let license = api.license().await.unwrap();
    let error = cloud.register(Region::Us, &credential).create(&Secret::new(long.clone()), false).await.unwrap_err();
    let missing = api.get(&tenant_id()).await.unwrap_err();
    assert!(server.journal().len() >= 5);
    drop(guard);
    let printed = format!("{license:?} {credential:?} {error} {error:?} {missing:?}");
    assert!(!printed.contains("canary"), "{printed}");
    let lines = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(lines.contains("qlik.call") && lines.contains("trace-7"), "our own spans are there");
    assert!(lines.contains("hyper_util::client"), "the crates below us are heard");
    let leaks: Vec<_> = lines.lines().filter(|line| line.contains("canary")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
