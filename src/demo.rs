//! `costflame demo`: a month of a small company's traffic, sent through the real OTLP exporter.
//!
//! Everything is derived from the seed and the hour it runs in: the same run again adds nothing, another day adds a month of
//! its own.

mod company;
mod scenarios;
mod trace;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};

use company::Month;

/// Spans in one export.
const BATCH: usize = 2_000;
/// Exports of one batch that may fail before the demo gives up.
const ATTEMPTS: u32 = 8;

/// What to send, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoConfig {
    /// OTLP/gRPC endpoint of a running costflame (or of any other receiver)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317")]
    endpoint: String,

    /// Days of traffic, ending now
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,

    /// Traces on a busy working day
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    traces_per_day: u32,

    /// Another seed makes another company
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Generates and sends the month.
pub(crate) fn run(config: &DemoConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(send(config))
}

async fn send(config: &DemoConfig) -> Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970")?;
    let hour = Duration::from_secs(now.as_secs() / 3_600 * 3_600);
    let month = Month::new(config.seed, hour, config.days, config.traces_per_day);
    let mut outlets = Outlets::new(&config.endpoint);
    let progress = ProgressBar::new(month.traces());
    progress.set_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} traces, {msg}")
            .expect("a valid template"),
    );
    for trace in month {
        for (service, span) in trace {
            outlets.push(service, span).await?;
        }
        progress.set_message(format!("{} spans", outlets.sent));
        progress.inc(1);
    }
    outlets.flush().await?;
    progress.finish_and_clear();
    report(progress.length().unwrap_or_default(), &outlets);
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "what the command did, also where no bar is drawn"
)]
fn report(traces: u64, outlets: &Outlets) {
    println!(
        "{} spans of {traces} traces sent to {}; they are settled within seconds",
        outlets.sent, outlets.endpoint
    );
}

/// One real exporter per service, since a resource belongs to an exporter.
struct Outlets {
    endpoint: String,
    by_service: BTreeMap<&'static str, (SpanExporter, Vec<SpanData>)>,
    sent: usize,
}

impl Outlets {
    fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            by_service: BTreeMap::new(),
            sent: 0,
        }
    }

    async fn push(&mut self, service: &'static str, span: SpanData) -> Result<()> {
        if !self.by_service.contains_key(service) {
            let exporter = exporter(&self.endpoint, service)?;
            self.by_service
                .insert(service, (exporter, Vec::with_capacity(BATCH)));
        }
        let (exporter, waiting) = self.by_service.get_mut(service).expect("inserted above");
        waiting.push(span);
        if waiting.len() >= BATCH {
            self.sent += waiting.len();
            export(exporter, std::mem::take(waiting)).await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        for (exporter, waiting) in self.by_service.values_mut() {
            self.sent += waiting.len();
            export(exporter, std::mem::take(waiting)).await?;
        }
        Ok(())
    }
}

fn exporter(endpoint: &str, service: &'static str) -> Result<SpanExporter> {
    let built = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build();
    let mut exporter =
        built.with_context(|| format!("`{endpoint}` is not an OTLP/gRPC endpoint"))?;
    let attributes = [
        KeyValue::new("service.version", "2026.47.1"),
        KeyValue::new("service.instance.id", format!("{service}-0")),
        KeyValue::new("deployment.environment.name", "production"),
    ];
    exporter.set_resource(
        &Resource::builder()
            .with_service_name(service)
            .with_attributes(attributes)
            .build(),
    );
    Ok(exporter)
}

/// The exporter itself does not retry; a busy receiver asks for it.
async fn export(exporter: &SpanExporter, batch: Vec<SpanData>) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut wait = Duration::from_millis(100);
    for attempt in 1..=ATTEMPTS {
        match exporter.export(batch.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) if attempt == ATTEMPTS => {
                bail!("the receiver does not take the spans: {error}; is costflame running?")
            }
            Err(_) => tokio::time::sleep(wait).await,
        }
        wait *= 2;
    }
    Ok(())
}
