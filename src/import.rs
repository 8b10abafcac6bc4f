//! `costflame import FILE…`: OTLP files as the Collector's file exporter writes them.

mod progress;
mod records;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::http::{
    Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use clap::{Args, ValueEnum};
use futures::{StreamExt, stream};
use http_body_util::Full;
use indicatif::{ProgressBar, ProgressStyle};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use progress::Progress;
use records::{Record, Records};

use crate::https::{HttpClient, Trust};

/// Requests on their way at once.
const IN_FLIGHT: usize = 8;
/// Answered requests after which the progress is written down.
const REMEMBER_EVERY: usize = 64;
/// Longest answer of a receiver, in bytes; as OTLP recommends.
const MOST_BYTES: usize = 4 << 20;
/// Attempts for one request; with growing pauses they span about a minute.
const ATTEMPTS: u32 = 9;

/// What to load, and where to.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportConfig {
    /// Files: JSON lines or length-prefixed protobuf, plain, gzip or zstd
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// OTLP/HTTP endpoint of a running costflame
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318")]
    endpoint: String,

    /// An API key for ingest, where the receiver asks for one
    #[arg(
        long,
        value_name = "KEY",
        env = "COSTFLAME_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,

    #[command(flatten)]
    trust: Trust,

    /// What protobuf files hold; JSON says so itself
    #[arg(long, value_name = "SIGNAL", default_value = "traces")]
    signal: Signal,

    /// Where to remember how far each file has come, so that a second run goes on from there
    #[arg(long, value_name = "FILE", default_value = "costflame-import.json")]
    progress: PathBuf,

    /// Begin every file from its start
    #[arg(long)]
    restart: bool,
}

/// An OTLP signal, as its path on the receiver is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Logs => "v1/logs",
            Self::Metrics => "v1/metrics",
        }
    }
}

/// What became of the records of all files.
#[derive(Debug, Default)]
struct Outcome {
    accepted: u64,
    refused: Vec<String>,
}

/// Loads the files one after the other.
pub(crate) fn run(config: &ImportConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let outcome = runtime.block_on(import(config))?;
    report(&outcome);
    if !outcome.refused.is_empty() {
        bail!(
            "{} of {} records were refused",
            outcome.refused.len(),
            outcome.accepted + outcome.refused.len() as u64
        );
    }
    Ok(())
}

async fn import(config: &ImportConfig) -> Result<Outcome> {
    let client = HttpClient::new(&config.endpoint, &config.trust)?;
    let mut progress = if config.restart {
        Progress::default()
    } else {
        Progress::read(&config.progress)?
    };
    let mut outcome = Outcome::default();
    for path in &config.files {
        import_file(config, path, &client, &mut progress, &mut outcome).await?;
    }
    Ok(outcome)
}

async fn import_file(
    config: &ImportConfig,
    path: &Path,
    client: &HttpClient,
    progress: &mut Progress,
    outcome: &mut Outcome,
) -> Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bar = progress_bar(&file, path)?;
    let key = progress::key(path)?;
    let begin = progress.offset(&key);
    let records = Records::open(bar.wrap_read(file), config.signal)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let wanted =
        records.skip_while(|record| record.as_ref().is_ok_and(|record| record.end <= begin));
    let mut answers = stream::iter(wanted)
        .map(|record| async {
            let record = record?;
            let answer = send(client, config, &record).await?;
            anyhow::Ok((record.number, record.end, answer))
        })
        .buffered(IN_FLIGHT);
    let mut since = 0;
    while let Some(answer) = answers.next().await {
        let (number, end, answer) = answer.with_context(|| path.display().to_string())?;
        match answer {
            Ok(()) => outcome.accepted += 1,
            Err(why) => outcome
                .refused
                .push(format!("{}, record {number}: {why}", path.display())),
        }
        progress.set(&key, end);
        since += 1;
        if since == REMEMBER_EVERY {
            progress.write(&config.progress)?;
            since = 0;
        }
    }
    progress.write(&config.progress)?;
    bar.finish_with_message(format!("{}: done", path.display()));
    Ok(())
}

fn progress_bar(file: &File, path: &Path) -> Result<ProgressBar> {
    let bar = ProgressBar::new(file.metadata().context("cannot read its size")?.len());
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {msg}")
        .expect("a valid template");
    bar.set_style(style);
    bar.set_message(path.display().to_string());
    Ok(bar)
}

/// Sends one record until it is accepted or refused for good. The outer error ends the import.
async fn send(
    client: &HttpClient,
    config: &ImportConfig,
    record: &Record,
) -> Result<Result<(), String>> {
    let endpoint = &config.endpoint;
    let url = format!(
        "{}/{}",
        endpoint.trim_end_matches('/'),
        record.signal.path()
    );
    let content_type = if record.json {
        "application/json"
    } else {
        "application/x-protobuf"
    };
    let mut pause = Duration::from_millis(250);
    let mut last = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let mut request = Request::post(&url).header(CONTENT_TYPE, content_type);
        if let Some(key) = &config.api_key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request
            .body(Full::from(record.body.clone()))
            .with_context(|| format!("`{endpoint}` is no address"))?;
        match client.send(request, MOST_BYTES).await {
            Ok(answer) if answer.status().is_success() => {
                return Ok(rejected(answer.body(), record.json).map_or(Ok(()), Err));
            }
            Ok(answer) if !is_retryable(answer.status()) => {
                let text = String::from_utf8_lossy(answer.body());
                return Ok(Err(format!("{} {}", answer.status(), text.trim())));
            }
            Ok(answer) => last = answer.status().to_string(),
            Err(error) => last = format!("{error:#}"),
        }
    }
    bail!(
        "{endpoint} does not take the data ({last}); is costflame running? A second run goes on from here"
    )
}

/// What a partial success says was left out.
fn rejected(body: &[u8], json: bool) -> Option<String> {
    let (count, message) = if json {
        let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
        let partial = answer.get("partialSuccess")?;
        let count = partial.get("rejectedSpans")?;
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
        (
            count,
            partial
                .get("errorMessage")
                .and_then(|text| text.as_str())
                .unwrap_or_default()
                .to_owned(),
        )
    } else {
        let partial = ExportTraceServiceResponse::decode(body)
            .ok()?
            .partial_success?;
        (partial.rejected_spans, partial.error_message)
    };
    (count > 0).then(|| format!("{count} spans refused: {message}"))
}

fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

#[expect(clippy::print_stderr, reason = "addressed to the person who runs it")]
fn report(outcome: &Outcome) {
    const SHOWN: usize = 20;
    for line in outcome.refused.iter().take(SHOWN) {
        eprintln!("refused: {line}");
    }
    if let Some(more) = outcome
        .refused
        .len()
        .checked_sub(SHOWN)
        .filter(|more| *more > 0)
    {
        eprintln!("… and {more} more");
    }
    eprintln!("{} records accepted", outcome.accepted);
}
