//! Scenario: a destination goes away, flaps, refuses and hangs while clients send, and the server is killed with SIGKILL.
//! Guarantee: every span that was acknowledged arrives, calls with their verdict, in bounded memory, and senders notice nothing.

mod support;

use std::{
    collections::{HashMap, HashSet},
    io::Read as _,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::any};
use costflame_bench::load::{Body, CALLS_PER_TRACE, SPANS_PER_TRACE};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value,
};
use prost::Message as _;
use support::{Addresses, PATIENCE, Server, costflame, output, wait_until};
use tokio::net::TcpListener;

const TRACES: u64 = 5;

/// What the destination does.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Take,
    Busy,
    Refuse,
    Hang,
}

/// Trace and span.
type SpanKey = (Vec<u8>, Vec<u8>);

/// A destination that remembers each span and what was said about it.
#[derive(Clone)]
struct Backend {
    mood: Arc<Mutex<Mood>>,
    /// Whether a span counts, if it is a call.
    spans: Arc<Mutex<HashMap<SpanKey, Option<bool>>>>,
    url: String,
}

impl Backend {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let backend = Self {
            mood: Arc::new(Mutex::new(mood)),
            spans: Arc::default(),
            url: format!("http://{}", listener.local_addr().expect("bound")),
        };
        let router = Router::new()
            .fallback(any(answer))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(backend.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        backend
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    fn count(&self) -> usize {
        self.spans.lock().expect("no panic").len()
    }
}

/// What a backend may say to deceive whoever reads our log.
const HOSTILE: &str = "no\r\n2026-11-30T00:00:00Z ERROR costflame: forged\u{1b}[2J";

async fn answer(State(backend): State<Backend>, body: Bytes) -> (StatusCode, &'static str) {
    let mood = *backend.mood.lock().expect("no panic");
    match mood {
        Mood::Take => {}
        Mood::Busy => return (StatusCode::SERVICE_UNAVAILABLE, ""),
        Mood::Refuse => return (StatusCode::BAD_REQUEST, HOSTILE),
        Mood::Hang => std::future::pending().await,
    }
    let mut inflated = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&*body);
    decoder.read_to_end(&mut inflated).expect("gzip");
    let request = ExportTraceServiceRequest::decode(&*inflated).expect("spans");
    let mut known = backend.spans.lock().expect("no panic");
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|resource| resource.scope_spans);
    for span in scopes.flat_map(|scope| scope.spans) {
        let verdict = span
            .attributes
            .iter()
            .find(|one| one.key == "costflame.counted");
        let counted = verdict.and_then(|verdict| match verdict.value.as_ref()?.value.as_ref()? {
            Value::BoolValue(counted) => Some(*counted),
            _ => None,
        });
        known.insert((span.trace_id, span.span_id), counted);
    }
    (StatusCode::OK, "")
}

fn configure(folder: &Path, backend: &Backend, more: &str) {
    let text = format!(
        "settle_after = \"300ms\"\n[[forward]]\nname = \"backend\"\nendpoint = \"{}\"\ntimeout = \"1s\"\n{more}\n",
        backend.url
    );
    std::fs::write(folder.join("costflame.toml"), text).expect("writable");
}

async fn send(client: &reqwest::Client, server: &Server, body: Bytes) -> bool {
    let request = client
        .post(format!("{}/v1/traces", server.http))
        .header("content-type", "application/x-protobuf");
    match request.body(body).send().await {
        Ok(answer) => answer.status() == 200,
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_arrives_once_the_destination_is_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backend = Backend::start(Mood::Take).await;
    configure(folder.path(), &backend, "");
    let addresses = Addresses::free();
    let mut server = Server::start_with(folder.path(), "sqlite://c.db", &addresses, &[]);
    let client = reqwest::Client::new();
    let body = Body::new(5, TRACES, 1_795_388_725_000_000_000);
    let mut acknowledged = Vec::new();
    let outage: u64 = match std::env::var("OUTAGE_SECONDS") {
        Ok(seconds) => seconds.parse().expect("a number of seconds"),
        Err(_) => 20,
    };
    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut killed = false;
    for round in 1.. {
        // Of ten parts of the time the destination is there for two.
        let part = start.elapsed().as_secs() * 10 / outage;
        backend.set(match part {
            0 | 5 => Mood::Take,
            1 | 2 | 6 | 7 => Mood::Busy,
            _ => Mood::Hang,
        });
        if part >= 10 {
            break;
        }
        if part == 7 && !killed {
            killed = true;
            server.kill();
            server = Server::start_with(folder.path(), "sqlite://c.db", &addresses, &[]);
        }
        let before = Instant::now();
        if send(&client, &server, body.stamped(round)).await {
            slowest = slowest.max(before.elapsed());
            acknowledged.push(round);
        }
        // As many requests, however long it takes.
        tokio::time::sleep(Duration::from_millis(outage)).await;
    }
    assert!(acknowledged.len() > 50, "{} requests", acknowledged.len());
    assert!(
        slowest < Duration::from_secs(5),
        "no sender waited for the destination: {slowest:?}"
    );
    let peak = server.peak_resident_bytes();
    assert!(peak < 400 << 20, "{peak} bytes");

    backend.set(Mood::Take);
    let expected: HashSet<_> = acknowledged
        .iter()
        .flat_map(|round| body.trace_ids(*round))
        .map(|trace| trace.to_vec())
        .collect();
    wait_until("everything has arrived", || {
        let spans = backend.spans.lock().expect("no panic");
        let here = spans
            .keys()
            .filter(|(trace, _)| expected.contains(trace))
            .count();
        (here == expected.len() * SPANS_PER_TRACE).then_some(())
    });
    let spans = backend.spans.lock().expect("no panic");
    let of_calls: Vec<bool> = spans
        .iter()
        .filter(|((trace, _), _)| expected.contains(trace))
        .filter_map(|(_, counted)| *counted)
        .collect();
    assert_eq!(of_calls.len(), expected.len() * CALLS_PER_TRACE);
    assert!(of_calls.contains(&true));
    drop(spans);
    assert_eq!(server.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_retried_and_dropped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backend = Backend::start(Mood::Refuse).await;
    configure(folder.path(), &backend, "enrich = \"off\"");
    let server = Server::start(folder.path(), "sqlite://c.db");
    let client = reqwest::Client::new();
    let body = Body::new(5, 1, 1_795_388_725_000_000_000);
    for round in [1, 2] {
        assert!(send(&client, &server, body.stamped(round)).await);
    }
    let outbox = |args: &[&str]| {
        let mut command = costflame(folder.path());
        command
            .arg("outbox")
            .args(args)
            .args(["--database-url", "sqlite://c.db"]);
        let (code, out, err) = output(&mut command);
        assert_eq!(code, Some(0), "{err}");
        out
    };
    let listed = wait_until("both are dead", || {
        let listed = outbox(&["list", "--dead"]);
        (listed.matches("HTTP 400").count() == 2).then_some(listed)
    });
    assert!(listed.contains("backend: 2 dead"), "{listed}");
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(log.contains("ERROR costflame: forged"), "it is told: {log}");
    let is_own = |line: &str| !line.starts_with("2026-11-30T00:00:00Z");
    assert!(!log.contains('\u{1b}') && log.lines().all(is_own), "{log}");
    let id = listed
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().next());
    assert!(outbox(&["drop", "--id", id.expect("a row")]).contains("1 letters deleted"));

    backend.set(Mood::Take);
    assert!(outbox(&["retry", "--all"]).contains("1 letters wait again"));
    wait_until("it has arrived", || {
        (backend.count() == SPANS_PER_TRACE).then_some(())
    });
    let empty = wait_until("nothing is left", || {
        let listed = outbox(&["list"]);
        (!listed.contains("backend")).then_some(listed)
    });
    assert!(!empty.contains("traces"), "{empty}");
    let (code, _, err) = output(costflame(folder.path()).args(["outbox", "drop"]));
    assert!(code == Some(1) && err.contains("--all"), "{err}");
}

/// Cost and corrections on /metrics: the net; and the cost that the API says.
async fn net_and_sum(client: &reqwest::Client, server: &Server) -> (f64, f64) {
    let get = async |path: &str| {
        let answer = client.get(format!("{}{path}", server.api)).send().await;
        answer.expect("an answer").text().await.expect("text")
    };
    let metrics = get("/metrics").await;
    let sum = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    };
    let net = sum("costflame_cost_usd_total{") - sum("costflame_cost_corrections_usd_total{");
    let summary: serde_json::Value =
        serde_json::from_str(&get("/api/v1/summary?from=0&to=4102444800000").await).expect("JSON");
    let cost = summary["cost_usd"].as_str().expect("a sum").parse();
    let pending = &summary["pending"]["traces"];
    let cost = if *pending == 0 {
        cost.expect("a number")
    } else {
        f64::NAN
    };
    (net, cost)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_or_repriced_is_followed_by_the_outbox_and_the_counters() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backend = Backend::start(Mood::Refuse).await;
    configure(folder.path(), &backend, "enrich = \"off\"");
    let server = Server::start(folder.path(), "sqlite://c.db");
    let client = reqwest::Client::new();
    let body = Body::new(5, 3, 1_795_388_725_000_000_000);
    assert!(send(&client, &server, body.stamped(1)).await);
    let run = |args: &[&str]| {
        let mut command = costflame(folder.path());
        let (code, out, err) = output(command.args(args).args(["--database-url", "sqlite://c.db"]));
        assert_eq!(code, Some(0), "{err}");
        out
    };
    wait_until("it is dead", || {
        run(&["outbox", "list", "--dead"])
            .contains("HTTP 400")
            .then_some(())
    });
    let settled = async |smaller_than: f64| {
        let start = Instant::now();
        loop {
            let (net, sum) = net_and_sum(&client, &server).await;
            if sum > 0.0 && sum < smaller_than && (net - sum).abs() < 1e-9 {
                return sum;
            }
            assert!(start.elapsed() < PATIENCE, "counters {net}, sum {sum}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let all = settled(f64::MAX).await;

    let [gone, ..] = body.trace_ids(1).collect::<Vec<_>>()[..] else {
        panic!("three traces");
    };
    let hex: String = gone.iter().map(|byte| format!("{byte:02x}")).collect();
    let told = run(&["db", "delete", "--trace", &hex]);
    assert!(told.contains("10 spans and log records cut out"), "{told}");
    let less = settled(all).await;
    let prices = "[[override]]\nprovider = \"openai\"\nmatch = { starts_with = \"gpt\" }\nmultiplier = 0.5\n";
    std::fs::write(folder.path().join("prices.toml"), prices).expect("writable");
    let range = [
        "--from",
        "2026-01-01T00:00:00Z",
        "--to",
        "2027-12-31T00:00:00Z",
    ];
    let overrides = ["--price-overrides", "prices.toml"];
    run(&[&["reprice"][..], &range, &overrides].concat());
    settled(less).await;

    backend.set(Mood::Take);
    run(&["outbox", "retry", "--all"]);
    wait_until("the others have arrived", || {
        (backend.count() == 2 * SPANS_PER_TRACE).then_some(())
    });
    let spans = backend.spans.lock().expect("no panic");
    assert!(spans.keys().all(|(trace, _)| *trace != gone));
    drop(spans);

    run(&["project", "create", "search"]);
    let mut really = costflame(folder.path());
    really.args(["project", "delete", "search"]);
    let (code, _, err) = output(really.args(["--database-url", "sqlite://c.db"]));
    assert!(code == Some(1) && err.contains("--yes"), "{err}");
    run(&["project", "delete", "search", "--yes"]);
    assert!(!run(&["project", "list"]).contains("search"));
}

#[test]
fn mistakes_in_destinations_are_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fails = |text: &str, args: &[&str]| {
        std::fs::write(folder.path().join("costflame.toml"), text).expect("writable");
        let mut command = costflame(folder.path());
        let (code, _, err) = output(command.args(args));
        assert_eq!((code, err.trim().lines().count()), (Some(1), 1), "{err}");
        err
    };
    let err = fails("[[forward]]\nname = \"a\"\nendpont = \"x\"", &[]);
    assert!(
        err.contains("forward[0]") && err.contains("endpont"),
        "{err}"
    );
    let err = fails("[[forward]]\nname = \"a\"\nendpoint = \"b:1\"", &[]);
    assert!(err.contains("forward[0].endpoint"), "{err}");
    let err = fails(
        "[[forward]]\nname = \"a\"\nendpoint = \"http://b\"\nheaders = \"Bearer hunter2\"",
        &[],
    );
    assert!(
        err.contains("forward[0].headers") && !err.contains("hunter2"),
        "{err}"
    );
    let at = Addresses::free();
    let own = format!(
        "[[forward]]\nname = \"a\"\nendpoint = \"http://localhost:{}\"",
        at.http.rsplit(':').next().expect("a port")
    );
    let args = [
        "--otlp-http-addr",
        &at.http,
        "--otlp-grpc-addr",
        &at.grpc,
        "--http-addr",
        &at.api,
    ];
    let err = fails(&own, &args);
    assert!(err.contains("leads to costflame itself"), "{err}");
}
