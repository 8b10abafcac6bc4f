//! Bodies that cannot be read pass all the same; the span says so.

use http::Request;
use http_body_util::{BodyExt, Full};
use tower::Service;

use crate::{
    harness::{Answer, Case, Expected, JSON, Wire::Text, block_on, client, pieces, run},
    support::{Recorder, int, text},
};

#[test]
fn what_cannot_be_read_says_so_and_is_counted() {
    let recorder = Recorder::new();
    let mut case = Case {
        name: "unreadable",
        url: "https://api.openai.com/v1/chat/completions",
        request: r#"{"model":"gpt-4o"}"#,
        kind: JSON,
        wire: Text("{\"id\":\"c\",\"usage\":{\"prompt_tokens\":5,"),
        span: "chat gpt-4o",
        expected: Expected::default(),
    };
    run(&recorder, &case, 200, pieces(&[&case.body()]));
    let span = recorder.span();
    assert_eq!(
        text(&span, "costflame.instrumentation.unread").as_deref(),
        Some("invalid")
    );
    assert_eq!(int(&span, "gen_ai.usage.input_tokens"), Some(5));

    recorder.clear();
    case.request = "not json";
    case.wire = Text("{}");
    run(&recorder, &case, 200, pieces(&[&case.body()]));
    let span = recorder.span();
    assert_eq!(span.name, "chat");
    assert_eq!(
        text(&span, "costflame.instrumentation.unread").as_deref(),
        Some("request")
    );
}

#[test]
fn a_compressed_body_is_passed_on_and_said_to_be_unread() {
    let recorder = Recorder::new();
    let answer = Answer {
        status: 200,
        headers: vec![
            ("content-type", JSON.to_owned()),
            ("content-encoding", "gzip".to_owned()),
        ],
        pieces: pieces(&[b"\x1f\x8b..."]),
    };
    let mut service = client(&recorder, answer);
    let request = Request::post("https://api.openai.com/v1/chat/completions")
        .body(Full::from(r#"{"model":"m"}"#))
        .unwrap();
    let body = block_on(service.call(request)).unwrap().into_body();
    assert_eq!(
        block_on(body.collect()).unwrap().to_bytes(),
        &b"\x1f\x8b..."[..]
    );
    assert_eq!(
        text(&recorder.span(), "costflame.instrumentation.unread").as_deref(),
        Some("encoded")
    );
    let unread = recorder.metric("costflame.instrumentation.unread").unwrap();
    assert_eq!(unread.points[0].label("reason"), Some("encoded"));
}
