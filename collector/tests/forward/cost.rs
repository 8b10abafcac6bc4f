//! The cost is added to the spans that count, once it is known, and nothing else changes.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;

use crate::{
    backend::{Backend, Taken},
    common::{attribute, request, span, text},
    pipeline::{Pipeline, to},
};

/// The `index`-th span, a call of gpt-4o that costs $0.0290025.
pub fn call(index: u64, parent: Option<u64>) -> Span {
    let mut call = child(index, "chat gpt-4o", parent);
    call.kind = 3;
    call.attributes = vec![
        attribute("gen_ai.operation.name", text("chat")),
        attribute("gen_ai.provider.name", text("openai")),
        attribute("gen_ai.response.model", text("gpt-4o-2024-08-06")),
        attribute("gen_ai.usage.input_tokens", Value::IntValue(7205)),
        attribute("gen_ai.usage.output_tokens", Value::IntValue(1099)),
    ];
    call
}

fn child(index: u64, name: &str, parent: Option<u64>) -> Span {
    let mut span = span(index, name);
    span.parent_span_id =
        parent.map_or_else(Vec::new, |parent| (parent + 1).to_be_bytes().to_vec());
    span
}

/// An agent that repeats the usage of the call below it, the call, and a plain step.
fn agent_trace() -> Vec<Span> {
    let mut agent = call(0, None);
    agent.name = "invoke_agent planner".into();
    agent.attributes[0] = attribute("gen_ai.operation.name", text("invoke_agent"));
    vec![agent, call(1, Some(0)), child(2, "step", Some(1))]
}

fn spans(taken: &Taken) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(&*taken.body).unwrap();
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn value(span: &Span, key: &str) -> Option<Value> {
    let mut found = span
        .attributes
        .iter()
        .filter(|attribute| attribute.key == key);
    let value = found.next()?.value.clone()?.value;
    assert!(found.next().is_none(), "{key} is unique");
    value
}

fn is_ours(attribute: &KeyValue) -> bool {
    attribute.key.starts_with("costflame.") || attribute.key == "gen_ai.usage.cost"
}

/// The spans without what was added.
fn stripped(taken: &Taken) -> Vec<Span> {
    let mut spans = spans(taken);
    for span in &mut spans {
        span.attributes.retain(|attribute| !is_ours(attribute));
    }
    spans
}

async fn through(more: &str, spans: Vec<Span>) -> Taken {
    let backend = Backend::start().await;
    let pipeline = Pipeline::start(&to("a", &backend.url(), more)).await;
    assert_eq!(
        pipeline
            .post("traces", request(spans).encode_to_vec())
            .await,
        200
    );
    backend.has(1).await.remove(0)
}

#[tokio::test]
async fn a_settled_call_carries_its_cost_and_an_excluded_one_none() {
    for more in [
        "",
        "protocol = \"http/json\"",
        "protocol = \"grpc\"\ncompression = \"zstd\"",
    ] {
        let mut taken = through(more, agent_trace()).await;
        if more.contains("json") {
            let limits = costflame_collector::decode::Limits::default();
            let signal = costflame_profile::Signal::Span;
            taken.body =
                costflame_collector::decode::json_to_protobuf(signal, &taken.body, &limits)
                    .unwrap();
        }
        let [agent, call, step] = &spans(&taken)[..] else {
            panic!("three spans");
        };
        assert_eq!(
            value(agent, "costflame.counted"),
            Some(Value::BoolValue(false))
        );
        assert_eq!(
            value(agent, "costflame.excluded.rule"),
            Some(text("aggregate"))
        );
        assert_eq!(value(agent, "gen_ai.usage.cost"), None);
        assert!(
            !agent
                .attributes
                .iter()
                .any(|attribute| attribute.key.starts_with("costflame.cost"))
        );

        assert_eq!(
            value(call, "costflame.counted"),
            Some(Value::BoolValue(true))
        );
        assert_eq!(value(call, "costflame.provisional"), None);
        assert_eq!(
            value(call, "gen_ai.usage.cost"),
            Some(Value::DoubleValue(0.029_002_5))
        );
        assert_eq!(
            value(call, "costflame.cost.total"),
            Some(Value::DoubleValue(0.029_002_5))
        );
        assert_eq!(
            value(call, "costflame.cost.picousd"),
            Some(Value::IntValue(29_002_500_000))
        );
        assert_eq!(
            value(call, "costflame.cost.input"),
            Some(Value::DoubleValue(0.018_012_5))
        );
        assert_eq!(
            value(call, "costflame.cost.output"),
            Some(Value::DoubleValue(0.010_99))
        );
        assert_eq!(value(call, "costflame.cost.source"), Some(text("catalog")));
        assert_eq!(
            value(call, "costflame.cost.price"),
            Some(text("openai/gpt-4o"))
        );
        assert!(
            matches!(value(call, "costflame.cost.catalog"), Some(Value::StringValue(id)) if id.len() == 16)
        );
        assert!(!step.attributes.iter().any(is_ours));
        assert_eq!(stripped(&taken), agent_trace());
    }
}

#[tokio::test]
async fn without_a_price_there_is_a_reason_instead() {
    let mut unknown = call(0, None);
    unknown.attributes[2] = attribute("gen_ai.response.model", text("nobody-knows-1"));
    let taken = through("", vec![unknown]).await;
    let span = &spans(&taken)[0];
    assert_eq!(
        value(span, "costflame.counted"),
        Some(Value::BoolValue(true))
    );
    assert_eq!(
        value(span, "costflame.cost.unpriced"),
        Some(text("unknown_model"))
    );
    assert_eq!(value(span, "gen_ai.usage.cost"), None);
}

#[tokio::test]
async fn a_key_that_is_there_is_not_repeated() {
    let mut own = call(0, None);
    own.attributes
        .push(attribute("gen_ai.usage.cost", Value::DoubleValue(9.0)));
    let taken = through("", vec![own]).await;
    let span = &spans(&taken)[0];
    assert_eq!(
        value(span, "gen_ai.usage.cost"),
        Some(Value::DoubleValue(9.0))
    );
    assert_eq!(
        value(span, "costflame.cost.total"),
        Some(Value::DoubleValue(0.029_002_5))
    );
}

#[tokio::test]
async fn off_adds_nothing() {
    let taken = through("enrich = \"off\"", agent_trace()).await;
    assert_eq!(taken.body, request(agent_trace()).encode_to_vec());
}

/// Where nothing settles.
async fn unsettled(more: &str) -> (Backend, Pipeline) {
    let backend = Backend::start().await;
    let pipeline = Pipeline::unsettled(&to("a", &backend.url(), more)).await;
    let body = request(agent_trace()).encode_to_vec();
    assert_eq!(pipeline.post("traces", body).await, 200);
    (backend, pipeline)
}

#[tokio::test]
async fn immediate_says_what_one_span_shows() {
    let (backend, _pipeline) = unsettled("enrich = \"immediate\"").await;
    let taken = backend.has(1).await.remove(0);
    let [agent, call, _] = &spans(&taken)[..] else {
        panic!("three spans");
    };
    for span in [agent, call] {
        assert_eq!(
            value(span, "costflame.provisional"),
            Some(Value::BoolValue(true))
        );
    }
    assert_eq!(
        value(agent, "costflame.counted"),
        Some(Value::BoolValue(false))
    );
    assert_eq!(value(agent, "gen_ai.usage.cost"), None);
    assert_eq!(
        value(call, "gen_ai.usage.cost"),
        Some(Value::DoubleValue(0.029_002_5))
    );
}

#[tokio::test]
async fn waiting_for_settling_has_an_end() {
    let (backend, pipeline) = unsettled("enrich_wait = \"700ms\"").await;
    let taken = backend.has(1).await.remove(0);
    let call = &spans(&taken)[1];
    assert_eq!(
        value(call, "costflame.provisional"),
        Some(Value::BoolValue(true))
    );
    assert_eq!(stripped(&taken), agent_trace());
    let early = "costflame_forward_provisional_total{destination=\"a\"}";
    assert_eq!(pipeline.rig.metric(early), 1);
}

#[tokio::test]
async fn nothing_is_sent_while_it_waits() {
    let (backend, pipeline) = unsettled("enrich_wait = \"1h\"").await;
    let mut seen = false;
    while !seen {
        let letters = pipeline
            .store
            .outbox_list(&Default::default(), 0, 10)
            .await
            .unwrap();
        // Looked at, and put off again.
        seen = letters[0].next_us > letters[0].received_us + 400_000;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(backend.asked(), 0);
    assert_eq!(pipeline.left().await, (1, 0));
}

#[tokio::test]
async fn filters_leave_spans_out() {
    let mut other = child(9, "no call here", None);
    other.trace_id = vec![9; 16];
    let all = [agent_trace(), vec![other.clone()]].concat();
    let names = |taken: &Taken| -> Vec<String> {
        stripped(taken).into_iter().map(|span| span.name).collect()
    };

    let taken = through("filter = \"traces_with_calls\"", all.clone()).await;
    assert_eq!(
        names(&taken),
        ["invoke_agent planner", "chat gpt-4o", "step"]
    );
    let taken = through("filter = \"calls_only\"", all.clone()).await;
    assert_eq!(names(&taken), ["invoke_agent planner", "chat gpt-4o"]);
    let taken = through("filter = \"calls_only\"\nenrich = \"off\"", all).await;
    assert_eq!(spans(&taken), agent_trace()[..2]);

    // Nothing is left of a request without calls.
    let backend = Backend::start().await;
    let pipeline = Pipeline::start(&to("a", &backend.url(), "filter = \"calls_only\"")).await;
    let body = request(vec![other]).encode_to_vec();
    assert_eq!(pipeline.post("traces", body).await, 200);
    pipeline.until_left((0, 0)).await;
    assert_eq!(backend.asked(), 0);
}
