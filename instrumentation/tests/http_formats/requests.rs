//! Which requests are calls, and what a request or a refusal says.

use costflame_instrumentation::{GenAiLayer, HttpCalls, Provider};
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service};

use crate::{
    harness::{Answer, Case, Expected, JSON, Wire::Text, block_on, client, pieces, run},
    support::{Recorder, int, text, value},
};

#[test]
fn a_refused_request_is_an_error_by_the_providers_name_or_the_status() {
    let openai = "https://api.openai.com/v1/chat/completions";
    let cases = [
        (
            429,
            r#"{"error":{"message":"x","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
            "rate_limit_exceeded",
        ),
        (
            401,
            r#"{"error":{"message":"x","type":"invalid_request_error","code":null}}"#,
            "invalid_request_error",
        ),
        (502, "<html>Bad Gateway</html>", "502"),
        (
            500,
            r#"{"error":{"code":"an id like 5f3c: never twice the same"}}"#,
            "500",
        ),
    ];
    for (status, body, error) in cases {
        let recorder = Recorder::new();
        let case = Case {
            name: "refused",
            url: openai,
            request: r#"{"model":"gpt-4o"}"#,
            kind: JSON,
            wire: Text(body),
            span: "chat gpt-4o",
            expected: Expected::default(),
        };
        run(&recorder, &case, status, pieces(&[body.as_bytes()]));
        let span = recorder.span();
        assert_eq!(text(&span, "error.type").as_deref(), Some(error));
        assert_eq!(value(&span, "costflame.instrumentation.unread"), None);
    }
}

#[test]
fn requests_become_the_attributes_of_their_page() {
    let recorder = Recorder::new();
    let case = Case {
        name: "request",
        url: "https://api.openai.com:8443/v1/chat/completions",
        request: r#"{"model":"gpt-4o","n":2,"max_completion_tokens":100,"temperature":1,"top_p":0.9,"seed":-7,"stop":["a","b"],"frequency_penalty":0.1,"presence_penalty":-0.2,"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{}},"service_tier":"flex","messages":[{"role":"user","content":"model"}]}"#,
        kind: JSON,
        wire: Text("{}"),
        span: "",
        expected: Expected::default(),
    };
    run(&recorder, &case, 200, pieces(&[&case.body()]));
    let span = recorder.span();
    for (key, expected) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o"),
        ("gen_ai.request.choice.count", "2"),
        ("gen_ai.request.max_tokens", "100"),
        ("gen_ai.request.temperature", "1"),
        ("gen_ai.request.top_p", "0.9"),
        ("gen_ai.request.seed", "-7"),
        ("gen_ai.request.stop_sequences", r#"["a","b"]"#),
        ("gen_ai.request.frequency_penalty", "0.1"),
        ("gen_ai.request.presence_penalty", "-0.2"),
        ("gen_ai.request.reasoning.level", "low"),
        ("gen_ai.output.type", "json"),
        ("openai.request.service_tier", "flex"),
        ("openai.api.type", "chat_completions"),
        ("server.address", "api.openai.com"),
        ("server.port", "8443"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(value(&span, "gen_ai.request.stream"), None);
}

#[test]
fn other_requests_pass_without_a_span() {
    let recorder = Recorder::new();
    for (method, url) in [
        ("GET", "https://api.openai.com/v1/responses"),
        ("POST", "https://example.com/v1/chat/completions"),
        ("POST", "https://api.openai.com/v1/files"),
    ] {
        let answer = Answer {
            status: 200,
            headers: Vec::new(),
            pieces: pieces(&[b"as it is"]),
        };
        let mut service = client(&recorder, answer);
        let request = Request::builder()
            .method(method)
            .uri(url)
            .body(Full::from("x"))
            .unwrap();
        let body = block_on(service.call(request)).unwrap().into_body();
        assert_eq!(block_on(body.collect()).unwrap().to_bytes(), "as it is");
    }
    assert!(recorder.spans().is_empty());
}

#[test]
fn own_hosts_are_recognised() {
    let recorder = Recorder::new();
    let answer = Answer {
        status: 200,
        headers: vec![("content-type", JSON.to_owned())],
        pieces: pieces(&[br#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#]),
    };
    let calls = HttpCalls::new()
        .genai(recorder.genai())
        .host("gateway.internal", Provider::from("our-gateway"));
    let mut service = GenAiLayer::new(calls).layer(answer);
    let request = Request::post("http://gateway.internal/v1/chat/completions")
        .body(Full::from(r#"{"model":"m"}"#))
        .unwrap();
    drop(block_on(service.call(request)).unwrap());
    let span = recorder.span();
    assert_eq!(
        text(&span, "gen_ai.provider.name").as_deref(),
        Some("our-gateway")
    );
    assert_eq!(int(&span, "server.port"), Some(80));
}
