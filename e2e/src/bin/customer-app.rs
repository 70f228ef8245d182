//! A customer's app: reads the Secret that it was given, calls its tenant again and again, and says how each call went.
//! It knows nothing of the operator, and has the right to read its one Secret.
//!
//! It behaves as Qlik's SDKs do: one access token for many calls, another one when a call is answered with 401; only when
//! the call is refused with that one too, it counts as refused.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use e2e::app::{self, App, As, Given};
use e2e::process::interval;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

/// A customer's app.
#[derive(Debug, Parser)]
#[command(name = "customer-app", version)]
struct Arguments {
    /// Namespace of the Secret.
    #[arg(long)]
    namespace: String,
    /// Name of the Secret.
    #[arg(long)]
    secret: String,
    /// Where Qlik Cloud is.
    #[arg(long)]
    qlik_connect_to: SocketAddr,
    /// Certificate authority of Qlik Cloud.
    #[arg(long)]
    qlik_ca_file: PathBuf,
    /// Milliseconds between two calls.
    #[arg(long, default_value_t = 50)]
    every_ms: u64,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own, which knows nothing of the operator's clients and clock"
)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let secrets: Api<Secret> = Api::namespaced(Client::try_default().await?, &arguments.namespace);
    let app = App::at(arguments.qlik_connect_to, &arguments.qlik_ca_file, jiff::Timestamp::now)?;
    let mut again = interval(Duration::from_millis(arguments.every_ms));
    let mut token = None;
    loop {
        again.tick().await;
        let said = match call(&app, &secrets, (&arguments.secret, &mut token)).await {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                token = None;
                format!("refused: {error}")
            }
        };
        writeln!(io::stdout(), "{said}")?;
    }
}

/// One call, with the token at hand or, where that is not good any more, with another one.
async fn call(
    app: &App<'_>,
    secrets: &Api<Secret>,
    (name, token): (&str, &mut Option<String>),
) -> Result<(), Box<dyn Error>> {
    let given = read(secrets, name).await?;
    if let Some(known) = token.as_deref() {
        match app.get(&given, known, "/api/v1/users/me").await {
            Ok(_) => {}
            Err(app::Error::Refused { status: 401, .. }) => *token = None,
            Err(error) => return Err(error.into()),
        }
    }
    // Another token each time: that is what shows whether the secret still works.
    let fresh = app.token(&given, As::Itself).await?;
    let answer = match app.get(&given, &fresh, "/api/v1/users/me").await {
        // The calendar was turned between the two calls, and the token's time with it.
        Err(app::Error::Refused { status: 401, .. }) => {
            let fresh = app.token(&given, As::Itself).await?;
            app.get(&given, &fresh, "/api/v1/users/me").await
        }
        answer => answer,
    };
    answer?;
    *token = Some(fresh);
    Ok(())
}

async fn read(secrets: &Api<Secret>, name: &str) -> Result<Given, Box<dyn Error>> {
    let secret = secrets.get(name).await?;
    let text = |(key, value): (String, k8s_openapi::ByteString)| Ok((key, String::from_utf8(value.0)?));
    secret.data.unwrap_or_default().into_iter().map(text).collect()
}
