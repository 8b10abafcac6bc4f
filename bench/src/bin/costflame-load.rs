//! Drives an OTLP endpoint with seeded agent traces and prints what was acknowledged as one line of JSON.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use costflame_bench::{
    processor,
    send::{Load, send},
};

/// Sends agent traces of ten spans, five of them model calls, over two services.
#[derive(Debug, Parser)]
#[command(name = "costflame-load")]
struct Options {
    /// Base URL of the endpoint, such as http://127.0.0.1:4318
    url: String,
    /// OTLP/gRPC instead of OTLP/HTTP
    #[arg(long)]
    grpc: bool,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Spans per request
    #[arg(long, default_value_t = 1_000)]
    spans_per_request: usize,
    /// Spans per second in all; as fast as they are acknowledged if not given
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Of the traces: another one makes other ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what this program is for")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut outcome = send(&Load {
        url: options.url,
        grpc: options.grpc,
        connections: options.connections,
        spans_per_request: options.spans_per_request,
        rate: options.rate,
        time: Duration::from_secs_f64(options.seconds),
        seed: options.seed,
    })
    .await?;
    outcome.cpu_seconds = processor::seconds_of(std::process::id())?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
