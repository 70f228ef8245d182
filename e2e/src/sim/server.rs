//! Listeners for the virtual hosts: accept, handshake, and one task for each connection.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::exchange::{Shared, exchange};

/// Serves a listener for as long as the runtime lives. Its connections end with it.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // out of descriptors, most likely: let others go first
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no delay cannot be set");
    }
    match tls {
        None => speak(stream, "http", shared).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => speak(stream, "https", shared).await,
            Err(error) => tracing::debug!(%error, "the TLS handshake failed"),
        },
    }
}

/// Speaks HTTP/1.1 or HTTP/2 until the client is done or a fault closes the connection.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &'static str,
    shared: Arc<Shared>,
) {
    let kill = Arc::new(Notify::new());
    let service = {
        let kill = Arc::clone(&kill);
        service_fn(move |request: Request<Incoming>| {
            exchange(Arc::clone(&shared), scheme, Arc::clone(&kill), request.map(Body::new))
        })
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // dates are virtual; what hyper answers by itself, to what is no HTTP at all, goes without
    builder.http1().auto_date_header(false);
    builder.http2().auto_date_header(false);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        }
        () = kill.notified() => {}
    }
}
