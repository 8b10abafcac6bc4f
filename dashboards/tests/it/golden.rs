//! One small trace, every answer in full: what programs may rely on.

use std::sync::Arc;

use costflame_pricing::{Catalog, PriceRequest, TokenClass, Usage, Usd};
use costflame_profile::{
    Attribution, Call, FrameKind, Role, Signal, Span, SpanId, SpanKind, TraceId,
};
use costflame_store::{CatalogRow, LandingRow, Sent};
use serde_json::Value;

use super::{
    support::both,
    traffic::{START_US, land_and_settle},
};

/// `(number, parent, kind, label)` of a span that starts at that many seconds.
fn span(number: u8, parent: u8, kind: FrameKind, label: &str) -> Span {
    let start_us = START_US + i64::from(number) * 1_000_000;
    Span {
        trace_id: TraceId([0x11; 16]),
        span_id: SpanId([number; 8]),
        parent_span_id: (parent > 0).then_some(SpanId([parent; 8])),
        service: "shop".into(),
        kind,
        label: label.into(),
        span_kind: SpanKind::Internal,
        start_us,
        end_us: start_us + 250_000,
        error: false,
        role: Role::Plain,
        call: None,
        attribution: Arc::default(),
        above: Vec::new(),
        signal: Signal::Span,
        emitter: "opentelemetry.instrumentation.openai_v2@2.1b0".into(),
        instance: None,
        links: Vec::new(),
        attribute_count: 4,
        content_hash: u64::from(number),
        weight_milli: 0,
    }
}

fn usage(classes: &[(TokenClass, u64)]) -> Usage {
    let mut usage = Usage::default();
    classes
        .iter()
        .for_each(|(class, tokens)| usage.set(*class, *tokens));
    usage
}

/// A call of `model` with this usage.
fn call(span: Span, model: &str, usage: Usage) -> LandingRow {
    let request = PriceRequest {
        provider: Some("openai"),
        response_model: Some(model),
        ..PriceRequest::default()
    };
    let normal = costflame_pricing::Normal {
        usage,
        ..costflame_pricing::Normal::default()
    };
    let mut receipt = Catalog::embedded().price(&request, Some(&normal));
    // The snapshot's identity changes with every update of the prices; these must not.
    receipt.catalog = costflame_pricing::CatalogId([0xca; 8]);
    receipt.reported = (model == "gpt-4o").then_some(Usd(12_000_000_000));
    let call = Call {
        operation: Some("chat".into()),
        provider: Some("openai".into()),
        request_model: Some(model.into()),
        response_model: Some(model.into()),
        response_id: Some(format!("chatcmpl-0123456789abcdef{}", span.span_id).into()),
        usage,
        cost: receipt.cost,
    };
    let role = if span.kind == FrameKind::Model {
        Role::Call
    } else {
        Role::Aggregate
    };
    let span = Span {
        role,
        span_kind: SpanKind::Client,
        call: Some(call),
        ..span
    };
    LandingRow {
        receipt: Some(receipt),
        ..plain(span)
    }
}

fn plain(span: Span) -> LandingRow {
    LandingRow {
        project: 1,
        received_us: START_US + 60_000_000,
        span,
        receipt: None,
        sent: Sent::default(),
    }
}

/// A request, an agent that repeats its calls, a tool with an agent of its own, a failure, an unknown model.
pub(crate) fn rows() -> Vec<LandingRow> {
    use TokenClass::{CacheRead, Input, Output, Reasoning};
    let root = Span {
        attribution: Arc::new(Attribution {
            environment: Some("prod".into()),
            feature: Some("checkout".into()),
            user: Some("ann".into()),
            session: Some("s1".into()),
            prompt: Some("greet".into()),
            prompt_version: Some("3".into()),
            tags: vec![("team".into(), "blue".into())],
            ..Attribution::default()
        }),
        ..span(1, 0, FrameKind::Request, "POST /chat")
    };
    let failed = Span {
        error: true,
        ..span(6, 5, FrameKind::Model, "gpt-4o-mini")
    };
    vec![
        plain(root),
        call(
            span(2, 1, FrameKind::Agent, "planner"),
            "gpt-4o",
            usage(&[(Input, 3_205), (Output, 99)]),
        ),
        call(
            span(3, 2, FrameKind::Model, "gpt-4o"),
            "gpt-4o",
            usage(&[
                (Input, 1_205),
                (CacheRead, 2_000),
                (Output, 90),
                (Reasoning, 9),
            ]),
        ),
        plain(span(4, 2, FrameKind::Tool, "search")),
        plain(span(5, 4, FrameKind::Agent, "reader")),
        call(failed, "gpt-4o-mini", usage(&[(Input, 77)])),
        call(
            span(7, 5, FrameKind::Model, "mystery-9"),
            "mystery-9",
            usage(&[(Input, 10), (Output, 1)]),
        ),
    ]
}

/// Path ids are hashes of all this; short names keep the files readable.
pub(crate) fn shorten(value: &mut Value, known: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() == 32 && !text.starts_with("1111") => {
            let place = known.iter().position(|id| id == text).unwrap_or_else(|| {
                known.push(text.clone());
                known.len() - 1
            });
            *text = format!("path {place}");
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shorten(value, known)),
        Value::Object(fields) => fields.values_mut().for_each(|value| shorten(value, known)),
        _ => {}
    }
}

#[tokio::test]
async fn answers_stay_as_they_are() {
    let day = "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z";
    let questions = [
        ("summary", format!("/summary?{day}")),
        (
            "breakdown_model",
            format!("/breakdown?by=model&limit=2&{day}"),
        ),
        ("breakdown_path", format!("/breakdown?by=path&{day}")),
        (
            "timeseries",
            format!("/timeseries?by=tool&interval=day&limit=1&tz=Europe/Berlin&{day}"),
        ),
        ("flamegraph", format!("/flamegraph?{day}")),
        (
            "flamegraph_difference",
            format!("/flamegraph?metric=tokens&base.model=gpt-4o&{day}"),
        ),
        (
            "flamegraph_pruned",
            format!("/flamegraph?max_nodes=3&metric=calls&{day}"),
        ),
        (
            "movers",
            format!("/movers?by=path&base.model=gpt-4o&limit=2&{day}"),
        ),
        ("why", format!("/why?base.model=gpt-4o&{day}")),
        ("traces", format!("/traces?{day}")),
        ("trace", format!("/traces/{}", "11".repeat(16))),
        ("calls", format!("/calls?limit=3&{day}")),
        (
            "receipt",
            format!("/calls/{}/{}", "11".repeat(16), "03".repeat(8)),
        ),
        (
            "receipt_aggregate",
            format!("/calls/{}/{}", "11".repeat(16), "02".repeat(8)),
        ),
        ("values_path", format!("/values?key=path&q=GPT&{day}")),
        ("values_tag", format!("/values?key=tag.team&{day}")),
        ("models", format!("/models?{day}")),
        ("health", "/health".to_owned()),
    ];
    let catalog = CatalogRow {
        id: costflame_pricing::CatalogId([0xca; 8]),
        source: "genai-prices".to_owned(),
        sha256: [0xca; 32],
        fetched_us: START_US,
        body: Vec::new(),
    };
    let [sqlite, postgres] = both().await;
    for api in [&sqlite, &postgres] {
        api.store.put_catalog(&catalog).await.unwrap();
        land_and_settle(&api.store, &rows()).await;
    }
    let mut known = Vec::new();
    for (name, question) in questions {
        let mut answer = sqlite.get(&question).await;
        let mut other = postgres.get(&question).await;
        if name == "health" {
            for answer in [&mut answer, &mut other] {
                answer["database"]["kind"] = "one of two".into();
                assert!(answer["database"]["bytes"].as_u64() > Some(0));
                answer["database"]["bytes"] = "some".into();
                answer["uptime_s"] = 0.into();
                answer["version"] = "0".into();
            }
        }
        if name == "models" {
            for answer in [&mut answer, &mut other] {
                answer["catalog"] = "of the built-in prices".into();
            }
        }
        assert_eq!(answer, other, "{name}");
        shorten(&mut answer, &mut known);
        insta::assert_json_snapshot!(name, answer);
    }
}

#[tokio::test]
async fn estimates_stand_beside_what_was_observed() {
    let mut rows = rows();
    rows[0].span.weight_milli = 3_333;
    let [sqlite, postgres] = both().await;
    for api in [&sqlite, &postgres] {
        land_and_settle(&api.store, &rows).await;
    }
    let day = "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z";
    let trace = "11".repeat(16);
    let questions = [
        (format!("/summary?{day}"), ""),
        (format!("/summary?user=ann&{day}"), ""),
        (format!("/summary?status=error&{day}"), ""),
        (format!("/breakdown?by=model&{day}"), "/rows/0"),
        (format!("/timeseries?interval=day&{day}"), "/series/0"),
        (format!("/flamegraph?{day}"), ""),
        (format!("/traces?{day}"), "/traces/0"),
        (format!("/traces/{trace}"), ""),
        (format!("/calls?limit=1&{day}"), "/calls/0"),
        (format!("/calls/{trace}/{}", "03".repeat(8)), ""),
    ];
    let mut answers = serde_json::Map::new();
    for (question, place) in questions {
        let [answer, other] = [sqlite.get(&question).await, postgres.get(&question).await];
        assert_eq!(answer, other, "{question}");
        let found = answer.pointer(place).unwrap();
        let observed = found.get("cost_usd").or(found.get("total"));
        let both = serde_json::json!({ "observed": observed, "estimate": found["estimate"] });
        answers.insert(question, both);
    }
    insta::assert_json_snapshot!("estimates", answers);
}

/// The document as a file, which the pages take their types from. `INSTA_UPDATE=always` writes it anew.
#[test]
fn the_document_stays_as_it_is() {
    let mut document = serde_json::to_value(costflame_dashboards::api::document()).unwrap();
    document["info"]["version"] = "0".into();
    let written = format!("{document:#}\n");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(file, &written).unwrap();
    }
    let stored = std::fs::read_to_string(file).unwrap();
    assert!(
        stored == written,
        "openapi.json is not what the handlers say: run this with INSTA_UPDATE=always"
    );
}

#[test]
fn operations_have_names_of_their_own() {
    let document = serde_json::to_value(costflame_dashboards::api::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut names: Vec<_> = paths
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
