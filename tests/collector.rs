//! Scenario: SDK → OpenTelemetry Collector → costflame → OpenTelemetry Collector → files.
//! Guarantee: every span, log record and metric arrives as it was sent, with its resource and scope, but for what calls are told they cost.

mod support;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    logs::v1::LogsData,
    metrics::v1::MetricsData,
    trace::v1::{Span, TracesData},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message;
use support::{
    Addresses, Server,
    api::{ALL_TIME, get, settled_summary},
    costflame, output, wait_until,
};

const RECORDED: [&str; 4] = [
    "claude-code/plain",
    "codex/tools",
    "strands/agent",
    "anthropic-sdk-native/tools",
];

/// Resource, scope and the record itself, encoded; the order of records is nobody's promise.
type Record = [Vec<u8>; 3];

/// The Collector that `cargo xtask test` has built; `None` only where its flag allows that.
fn otelcol() -> Option<PathBuf> {
    if std::env::var_os("WITHOUT_COLLECTOR").is_some() {
        return None;
    }
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/otelcol/otelcol");
    assert!(
        built.exists(),
        "{} is missing: `cargo xtask test` builds it with Go, `cargo xtask test --without-collector` goes without",
        built.display()
    );
    Some(built)
}

/// A running Collector. Dropping it kills it.
struct Collector(Child);

impl Collector {
    fn start(binary: &Path, name: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let config = format!("tests/collector/{name}.yaml");
        let log = std::fs::File::create(folder.join(format!("{name}.log"))).expect("a log");
        let child = Command::new(binary)
            .arg("--config")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(config))
            .env("FOLDER", folder)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.expect("the Collector starts"))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Already gone at worst.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The bodies of one signal.
fn recorded(signal: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let folders = RECORDED.map(|scenario| std::fs::read_dir(corpus.join(scenario)));
    let files = folders
        .into_iter()
        .flat_map(|files| files.expect("recorded"));
    let paths = files.map(|file| file.expect("readable").path());
    let ending = format!(".{signal}.pb");
    paths
        .filter(|path| path.to_string_lossy().ends_with(&ending))
        .map(|path| std::fs::read(path).expect("readable"))
        .collect()
}

/// The messages that the file exporter has written so far, each behind its length in four bytes.
fn written(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let (mut rest, mut messages) = (&bytes[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((message, after)) = after.split_at_checked(length) else {
            break;
        };
        messages.push(message.to_vec());
        rest = after;
    }
    messages
}

fn decode<M: Message + Default>(bodies: &[Vec<u8>]) -> Vec<M> {
    let decoded = bodies.iter().map(|body| M::decode(&**body));
    decoded.map(|message| message.expect("OTLP")).collect()
}

/// Spans with what stands around them, in any order.
fn spans(bodies: &[Vec<u8>], mut visit: impl FnMut(&mut Span)) -> Vec<Record> {
    let mut found = Vec::new();
    for resource in decode::<TracesData>(bodies)
        .into_iter()
        .flat_map(|data| data.resource_spans)
    {
        let around = resource.resource.unwrap_or_default().encode_to_vec();
        for scope in resource.scope_spans {
            let inner = scope.scope.unwrap_or_default().encode_to_vec();
            for mut span in scope.spans {
                visit(&mut span);
                found.push([around.clone(), inner.clone(), span.encode_to_vec()]);
            }
        }
    }
    found.sort();
    found
}

fn logs(bodies: &[Vec<u8>]) -> Vec<Record> {
    let mut found = Vec::new();
    for resource in decode::<LogsData>(bodies)
        .into_iter()
        .flat_map(|data| data.resource_logs)
    {
        let around = resource.resource.unwrap_or_default().encode_to_vec();
        for scope in resource.scope_logs {
            let inner = scope.scope.unwrap_or_default().encode_to_vec();
            for mut log in scope.log_records {
                // The Collector writes a missing body as an empty one.
                log.body.get_or_insert_default();
                found.push([around.clone(), inner.clone(), log.encode_to_vec()]);
            }
        }
    }
    found.sort();
    found
}

fn metrics(bodies: &[Vec<u8>]) -> Vec<Record> {
    let mut found = Vec::new();
    for resource in decode::<MetricsData>(bodies)
        .into_iter()
        .flat_map(|data| data.resource_metrics)
    {
        let around = resource.resource.unwrap_or_default().encode_to_vec();
        for scope in resource.scope_metrics {
            let inner = scope.scope.unwrap_or_default().encode_to_vec();
            let records = scope.metrics.iter();
            found.extend(records.map(|one| [around.clone(), inner.clone(), one.encode_to_vec()]));
        }
    }
    found.sort();
    found
}

/// Takes off a span what was added to it: its cost in pico-dollars, zero for most.
fn strip(span: &mut Span) -> i64 {
    let exact = span
        .attributes
        .iter()
        .find(|one| one.key == "costflame.cost.picousd");
    let exact = exact.and_then(|one| one.value.as_ref()?.value.clone());
    let added = |key: &str| key == "gen_ai.usage.cost" || key.starts_with("costflame.");
    span.attributes.retain(|attribute| !added(&attribute.key));
    match exact {
        Some(Value::IntValue(cost)) => cost,
        _ => 0,
    }
}

/// Two spans by the SDK and its exporter.
fn emit(endpoint: String) {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .expect("an exporter");
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .build();
    let tracer = provider.tracer("pipeline");
    tracer.in_span("outer of the SDK", |_| {
        tracer.in_span("inner of the SDK", |_| ())
    });
    provider.shutdown().expect("everything is sent");
}

async fn post(address: &str, signal: &str) {
    let client = reqwest::Client::new();
    for body in recorded(signal) {
        let request = client
            .post(format!("http://{address}/v1/{signal}"))
            .header("content-type", "application/x-protobuf")
            .body(body);
        let answer = request.send().await.expect("the Collector answers");
        assert_eq!(answer.status(), 200);
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cost of a call in the API's answer.
fn pico_dollars(call: &serde_json::Value) -> i128 {
    let usd = call["cost_usd"].as_str().expect("a decimal");
    let (whole, fraction) = usd.split_once('.').unwrap_or((usd, ""));
    let digits = format!("{whole}{fraction:0<12}");
    digits.parse().expect("at most twelve decimal places")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_between_two_collectors() {
    let Some(binary) = otelcol() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let (before, after) = (Addresses::free(), Addresses::free());
    let config = format!(
        "settle_after = \"300ms\"\n[[forward]]\nname = \"after\"\nprotocol = \"grpc\"\nendpoint = \"http://{}\"\n",
        after.grpc
    );
    std::fs::write(folder.join("costflame.toml"), config).expect("writable");
    let server = Server::start(folder, "sqlite://c.db");
    let costflame_grpc = server.grpc.trim_start_matches("http://");
    let _after = Collector::start(&binary, "after", folder, &[("RECEIVE_GRPC", &after.grpc)]);
    let variables = [
        ("RECEIVE_GRPC", &*before.grpc),
        ("RECEIVE_HTTP", &before.http),
        ("COSTFLAME_GRPC", costflame_grpc),
    ];
    let _before = Collector::start(&binary, "before", folder, &variables);
    for address in [&before.http, &before.grpc] {
        wait_until("the Collector listens", || {
            std::net::TcpStream::connect(address).ok()
        });
    }

    for signal in ["traces", "logs", "metrics"] {
        post(&before.http, signal).await;
    }
    let endpoint = format!("http://{}", before.grpc);
    let emitted = tokio::task::spawn_blocking(|| emit(endpoint)).await;
    emitted.expect("sent");

    let file = |name: &str| written(&folder.join(name));
    let original = spans(&recorded("traces"), |_| ());
    assert!(original.len() > 10);
    wait_until("every span has arrived", || {
        (spans(&file("arrived.traces"), |_| ()).len() >= original.len() + 2).then_some(())
    });
    let mut costs = HashMap::new();
    let mut arrived = spans(&file("arrived.traces"), |span| {
        costs.insert(hex(&span.span_id), i128::from(strip(span)));
    });
    assert_eq!(
        arrived,
        spans(&file("sent.traces"), |_| ()),
        "as the Collector sent them"
    );
    arrived.retain(|one| original.binary_search(one).is_err());
    let rest = arrived
        .iter()
        .map(|[_, _, span]| Span::decode(&**span).expect("OTLP").name);
    let mut rest: Vec<_> = rest.collect();
    rest.sort();
    assert_eq!(rest, ["inner of the SDK", "outer of the SDK"]);

    let original = logs(&recorded("logs"));
    assert!(original.len() > 10);
    wait_until("every log record has arrived", || {
        (logs(&file("arrived.logs")).len() >= original.len()).then_some(())
    });
    assert_eq!(logs(&file("arrived.logs")), original);

    let original = metrics(&recorded("metrics"));
    assert!(original.len() > 3);
    wait_until("every metric has arrived", || {
        (metrics(&file("arrived.metrics")).len() >= original.len()).then_some(())
    });
    assert_eq!(metrics(&file("arrived.metrics")), original);

    let summary = settled_summary(&server).await;
    let calls = get(&server, &format!("calls?{ALL_TIME}&counted=true")).await;
    let calls = calls["calls"].as_array().expect("calls");
    // What logs alone reported has no span to carry its cost.
    let of_spans = calls
        .iter()
        .filter(|call| costs.contains_key(call["span_id"].as_str().expect("an id")));
    let exact: HashMap<_, _> = of_spans
        .map(|call| {
            (
                call["span_id"].as_str().expect("an id").to_owned(),
                pico_dollars(call),
            )
        })
        .collect();
    costs.retain(|_, cost| *cost != 0);
    assert!(exact.len() > 10 && exact.len() < calls.len());
    assert_eq!(costs, exact, "each span says what its call costs");

    imported_again(folder, &summary).await;
}

/// What the Collector has written beside is the same month, imported.
async fn imported_again(folder: &Path, summary: &serde_json::Value) {
    let other = folder.join("imported");
    std::fs::create_dir(&other).expect("writable");
    let soon = ["--settle-after", "300ms"];
    let server = Server::start_with(&other, "sqlite://c.db", &Addresses::free(), &soon);
    for signal in ["traces", "logs", "metrics"] {
        let mut import = costflame(&other);
        import.args(["import", "--endpoint", &server.http, "--signal", signal]);
        let (code, _, err) = output(import.arg(folder.join(format!("sent.{signal}"))));
        assert_eq!(code, Some(0), "{err}");
    }
    let again = settled_summary(&server).await;
    for figure in ["cost_usd", "calls", "tokens"] {
        assert_eq!(again[figure], summary[figure], "{figure}");
    }
}
