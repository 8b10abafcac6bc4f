//! What holds for every format.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::Status;
use tower::Service;

use crate::{
    anthropic, bedrock, cohere, gemini,
    harness::{Answer, Case, Expected, SSE, block_on, check, client, pieces, run},
    openai,
    support::{Recorder, int, text, value},
};

fn cases() -> Vec<Case> {
    let all = [
        openai::cases(),
        anthropic::cases(),
        gemini::cases(),
        bedrock::cases(),
        cohere::cases(),
    ];
    all.concat()
}

fn failing() -> Vec<(Case, &'static str)> {
    let all = [
        openai::failing(),
        anthropic::failing(),
        gemini::failing(),
        bedrock::failing(),
        cohere::failing(),
    ];
    all.concat()
}

/// A body at once, byte by byte, and in two pieces at every place there is.
fn splits(body: &[u8]) -> Vec<Vec<Result<Bytes, &'static str>>> {
    let mut splits = vec![pieces(&[body]), pieces(&body.chunks(1).collect::<Vec<_>>())];
    splits.extend((1..body.len()).map(|at| pieces(&[&body[..at], &body[at..]])));
    splits
}

#[test]
fn every_format_is_read_wherever_its_bytes_are_split() {
    for case in cases() {
        let recorder = Recorder::new();
        let body = case.body();
        for split in splits(&body) {
            assert_eq!(run(&recorder, &case, 200, split), body, "{}", case.name);
            check(&recorder.span(), &case);
            recorder.clear();
        }
    }
}

#[test]
fn an_answer_without_usage_is_a_span_without_usage_wherever_it_is_split() {
    for mut case in cases() {
        let body = case.body_without_usage();
        case.expected = Expected {
            id: case.expected.id,
            model: case.expected.model,
            finish: case.expected.finish,
            ..Expected::default()
        };
        let recorder = Recorder::new();
        for split in splits(&body) {
            assert_eq!(run(&recorder, &case, 200, split), body, "{}", case.name);
            check(&recorder.span(), &case);
            recorder.clear();
        }
    }
}

#[test]
fn a_body_broken_off_anywhere_ends_its_span() {
    for case in cases() {
        let (recorder, body) = (Recorder::new(), case.body());
        for at in 0..body.len() {
            let mut parts = pieces(&[&body[..at]]);
            parts.push(Err("connection reset"));
            assert_eq!(run(&recorder, &case, 200, parts), &body[..at]);
            let error = text(&recorder.span(), "error.type");
            assert_eq!(error.as_deref(), Some("body"), "{}", case.name);
            recorder.clear();
        }
    }
}

#[test]
fn what_was_told_before_a_stream_broke_off_is_kept() {
    let anthropic = anthropic::cases();
    let case = anthropic.iter().find(|case| case.kind == SSE);
    let (recorder, case) = (Recorder::new(), case.unwrap());
    let mut parts = pieces(&[&case.body()[..300]]);
    parts.push(Err("connection reset"));
    run(&recorder, case, 200, parts);
    let span = recorder.span();
    assert_eq!(text(&span, "gen_ai.response.id").as_deref(), Some("msg_1"));
    assert_eq!(int(&span, "gen_ai.usage.input_tokens"), Some(1320));
}

#[test]
fn an_error_inside_a_stream_is_named_wherever_it_is_split() {
    for (case, error) in failing() {
        let (recorder, body) = (Recorder::new(), case.body());
        for split in splits(&body) {
            assert_eq!(run(&recorder, &case, 200, split), body, "{}", case.url);
            let span = recorder.span();
            assert_eq!(
                text(&span, "error.type").as_deref(),
                Some(error),
                "{}",
                case.url
            );
            assert!(matches!(span.status, Status::Error { .. }));
            recorder.clear();
        }
    }
}

#[test]
fn no_bytes_are_copied_on_their_way() {
    for case in cases() {
        let recorder = Recorder::new();
        let sent = Bytes::from(case.body());
        let answer = Answer {
            status: 200,
            headers: vec![("content-type", case.kind.to_owned())],
            pieces: vec![Ok(sent.clone())],
        };
        let request = Request::post(case.url)
            .body(Full::from(case.request))
            .unwrap();
        let mut body = block_on(client(&recorder, answer).call(request))
            .unwrap()
            .into_body();
        let seen = block_on(body.frame())
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap();
        assert_eq!((seen.as_ptr(), seen.len()), (sent.as_ptr(), sent.len()));
    }
}

#[test]
fn a_body_dropped_halfway_is_cancelled_unless_its_answer_is_known() {
    let cases = openai::cases();
    let case = cases.iter().find(|case| case.kind == SSE).unwrap();
    let body = case.body();
    let finished = body
        .windows(7)
        .position(|bytes| bytes == b"length\"")
        .unwrap();
    for (at, error) in [(20, Some("cancelled")), (finished + 40, None)] {
        let recorder = Recorder::new();
        let answer = Answer {
            status: 200,
            headers: vec![("content-type", SSE.to_owned())],
            pieces: pieces(&[&body[..at], &body[at..]]),
        };
        let request = Request::post(case.url)
            .body(Full::from(case.request))
            .unwrap();
        let mut response = block_on(client(&recorder, answer).call(request))
            .unwrap()
            .into_body();
        block_on(response.frame()).unwrap().unwrap();
        drop(response);
        let span = recorder.span();
        assert_eq!(text(&span, "error.type").as_deref(), error);
        assert_eq!(value(&span, "costflame.instrumentation.unread"), None);
    }
}
