//! What holds for every format.

use std::convert::Infallible;

use bytes::Bytes;
use costflame_instrumentation::{Conventions, GenAiLayer, HttpCalls};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::Status;
use tower::{Layer, Service, service_fn};

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
fn a_request_is_sent_as_the_bytes_it_came_as() {
    let recorder = Recorder::new();
    let sent = Bytes::from_static(br#"{"model":"gpt-4o"}"#);
    let echo = service_fn(|request: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let mut service = GenAiLayer::new(HttpCalls::new().genai(recorder.genai())).layer(echo);
    let request = Request::post("https://api.openai.com/v1/chat/completions")
        .body(Full::from(sent.clone()))
        .unwrap();
    let response = block_on(service.call(request)).unwrap();
    let seen = block_on(response.into_body().collect()).unwrap().to_bytes();
    assert_eq!((seen.as_ptr(), seen.len()), (sent.as_ptr(), sent.len()));
    assert_eq!(recorder.span().name, "chat gpt-4o");
}

#[test]
fn a_body_dropped_anywhere_is_cancelled_unless_its_answer_is_known() {
    for case in cases() {
        let (recorder, body) = (Recorder::new(), case.body());
        for at in 1..body.len() {
            let answer = Answer {
                status: 200,
                headers: vec![("content-type", case.kind.to_owned())],
                pieces: pieces(&[&body[..at], &body[at..]]),
            };
            let request = Request::post(case.url)
                .body(Full::from(case.request))
                .unwrap();
            let calls = HttpCalls::new().genai(recorder.spans_alone());
            let mut client = GenAiLayer::new(calls).layer(answer);
            let mut response = block_on(client.call(request)).unwrap().into_body();
            block_on(response.frame()).unwrap().unwrap();
            drop(response);
            let span = recorder.span();
            let told = [
                "gen_ai.response.finish_reasons",
                "gen_ai.usage.output_tokens",
            ];
            let answered = told.iter().any(|key| value(&span, key).is_some());
            let error = text(&span, "error.type");
            assert_eq!(
                error.as_deref(),
                (!answered).then_some("cancelled"),
                "{} at {at}",
                case.name
            );
            assert_eq!(value(&span, "costflame.instrumentation.unread"), None);
            recorder.clear();
        }
    }
}

#[test]
fn no_text_of_a_prompt_or_an_answer_is_taken() {
    for case in cases() {
        let recorder = Recorder::new();
        let genai = recorder.builder(Conventions::Both).capture_content(true);
        let answer = Answer {
            status: 200,
            headers: vec![("content-type", case.kind.to_owned())],
            pieces: pieces(&[&case.body()]),
        };
        let mut service = GenAiLayer::new(HttpCalls::new().genai(genai.build())).layer(answer);
        let request = Request::post(case.url)
            .body(Full::from(case.request))
            .unwrap();
        let body = block_on(service.call(request)).unwrap().into_body();
        block_on(body.collect()).unwrap();
        for attribute in &recorder.span().attributes {
            let texts = attribute.value.as_str();
            assert!(
                !texts.split(['"', ' ']).any(|word| word == "hi"),
                "{attribute:?} of {}",
                case.name
            );
        }
    }
}
