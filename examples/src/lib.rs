//! What the example programs share: a provider that needs no key, and what they say at their end.
#![allow(clippy::print_stdout, reason = "examples talk to their user")]

mod provider;

use axum::Router;

pub use provider::{Answer, MockProvider};

/// The failure of an example.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves routes on a free port; its address.
///
/// # Errors
///
/// When no port is free.
pub async fn serve(routes: Router) -> Result<String, Error> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(address)
}

/// Says where the run can be seen.
pub fn where_to_look(what: &str) {
    println!("{what}");
    println!("The spans went to OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318 without it.");
    println!("With `costflame` running, look at http://127.0.0.1:4319: flamegraph, then traces.");
}
