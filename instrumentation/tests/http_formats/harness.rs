//! A provider that answers in given pieces, and what a span must say of it.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use costflame_instrumentation::{GenAiLayer, GenAiService, HttpCalls};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use tower::{Layer, Service};

use crate::support::{Recorder, int, text, value};

/// A body of given pieces, which may break off with an error.
pub(crate) struct Pieces(Vec<Result<Bytes, &'static str>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.0.remove(0).map(Frame::data)))
    }
}

/// A provider that answers once.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) pieces: Vec<Result<Bytes, &'static str>>,
}

impl Service<Request<Full<Bytes>>> for Answer {
    type Response = Response<Pieces>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Pieces>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        ready(Ok(response.body(Pieces(self.pieces.clone())).unwrap()))
    }
}

/// Futures' own executor refuses to run inside itself, as the exporter in memory does.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    });
    RUNTIME.block_on(future)
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const SSE: &str = "text/event-stream; charset=utf-8";
pub(crate) const AWS: &str = "application/vnd.amazon.eventstream";

/// A request and its response.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) url: &'static str,
    pub(crate) request: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) wire: Wire,
    pub(crate) span: &'static str,
    pub(crate) expected: Expected,
}

/// How a response is written.
#[derive(Clone, Copy)]
pub(crate) enum Wire {
    Text(&'static str),
    /// AWS's frames: event and payload.
    Frames(&'static [(&'static str, &'static str)]),
    /// AWS's frames around documents in base64.
    Chunks(&'static [&'static str]),
    /// One frame of AWS that is an exception.
    Exception(&'static str),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) id: Option<&'static str>,
    pub(crate) model: Option<&'static str>,
    pub(crate) finish: Option<&'static str>,
    pub(crate) input: Option<i64>,
    pub(crate) output: Option<i64>,
    pub(crate) cache_read: Option<i64>,
    pub(crate) cache_write: Option<i64>,
    pub(crate) reasoning: Option<i64>,
}

impl Case {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.edited(str::to_owned)
    }

    /// The same answer where nobody counts.
    pub(crate) fn body_without_usage(&self) -> Vec<u8> {
        self.edited(|text| {
            let counts = [
                "usage",
                "usageMetadata",
                "meta",
                "amazon-bedrock-invocationMetrics",
                "inputTextTokenCount",
                "tokenCount",
                "prompt_token_count",
                "generation_token_count",
            ];
            counts.iter().fold(text.to_owned(), |text, key| {
                text.replace(&format!("\"{key}\":"), "\"nothing\":")
            })
        })
    }

    fn edited(&self, edit: impl Fn(&str) -> String) -> Vec<u8> {
        match self.wire {
            Wire::Text(text) => edit(text).into_bytes(),
            Wire::Frames(frames) => {
                let frames = frames.iter();
                frames
                    .flat_map(|(event, payload)| frame(event, &edit(payload)))
                    .collect()
            }
            Wire::Chunks(documents) => {
                let chunk = |document: &&str| {
                    let bytes = BASE64_STANDARD.encode(edit(document));
                    frame("chunk", &format!(r#"{{"bytes":"{bytes}","p":"abcd"}}"#))
                };
                documents.iter().flat_map(chunk).collect()
            }
            Wire::Exception(name) => framed(
                &[(":exception-type", name), (":message-type", "exception")],
                r#"{"message":"slow down"}"#,
            ),
        }
    }
}

/// A streamed answer of which only the error matters.
pub(crate) fn streamed(url: &'static str, kind: &'static str, wire: Wire) -> Case {
    Case {
        name: "an error in a stream",
        url,
        request: r#"{"model":"m","stream":true}"#,
        kind,
        wire,
        span: "",
        expected: Expected::default(),
    }
}

/// A client of a provider that answers with this.
pub(crate) fn client(recorder: &Recorder, answer: Answer) -> GenAiService<Answer> {
    GenAiLayer::new(HttpCalls::new().genai(recorder.genai())).layer(answer)
}

/// Sends the case's request and reads its response in these pieces.
pub(crate) fn run(
    recorder: &Recorder,
    case: &Case,
    status: u16,
    pieces: Vec<Result<Bytes, &'static str>>,
) -> Vec<u8> {
    let answer = Answer {
        status,
        headers: vec![("content-type", case.kind.to_owned())],
        pieces,
    };
    let request = Request::post(case.url)
        .body(Full::from(case.request))
        .unwrap();
    let calls = HttpCalls::new().genai(recorder.spans_alone());
    let mut client = GenAiLayer::new(calls).layer(answer);
    let response = block_on(client.call(request)).unwrap();
    let mut body = response.into_body();
    let mut seen = Vec::new();
    while let Some(Ok(frame)) = block_on(body.frame()) {
        seen.extend_from_slice(&frame.into_data().unwrap());
    }
    seen
}

pub(crate) fn pieces(parts: &[&[u8]]) -> Vec<Result<Bytes, &'static str>> {
    parts
        .iter()
        .map(|part| Ok(Bytes::copy_from_slice(part)))
        .collect()
}

pub(crate) fn check(span: &SpanData, case: &Case) {
    let expected = &case.expected;
    assert_eq!(span.name, case.span, "{}", case.name);
    let texts = [
        ("gen_ai.response.id", expected.id.map(str::to_owned)),
        ("gen_ai.response.model", expected.model.map(str::to_owned)),
        (
            "gen_ai.response.finish_reasons",
            expected.finish.map(|reason| format!("[\"{reason}\"]")),
        ),
    ];
    for (key, wanted) in texts {
        assert_eq!(text(span, key), wanted, "{key} of {}", case.name);
    }
    let counts = [
        ("gen_ai.usage.input_tokens", expected.input),
        ("gen_ai.usage.output_tokens", expected.output),
        ("gen_ai.usage.cache_read.input_tokens", expected.cache_read),
        (
            "gen_ai.usage.cache_write.input_tokens",
            expected.cache_write,
        ),
        ("gen_ai.usage.reasoning.output_tokens", expected.reasoning),
    ];
    for (key, wanted) in counts {
        assert_eq!(int(span, key), wanted, "{key} of {}", case.name);
    }
    assert_eq!(
        value(span, "costflame.instrumentation.unread"),
        None,
        "{}",
        case.name
    );
    assert_eq!(
        span.status,
        Status::Unset,
        "{}: {:?}",
        case.name,
        value(span, "error.type")
    );
}

fn frame(event: &str, payload: &str) -> Vec<u8> {
    framed(
        &[
            (":event-type", event),
            (":content-type", JSON),
            (":message-type", "event"),
        ],
        payload,
    )
}

fn framed(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(name.len() as u8);
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend_from_slice(&(value.len() as u16).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = 12 + encoded.len() + payload.len() + 4;
    let mut frame = Vec::new();
    frame.extend_from_slice(&(total as u32).to_be_bytes());
    frame.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
    frame.extend_from_slice(&[1, 2, 3, 4]);
    frame.extend_from_slice(&encoded);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&[5, 6, 7, 8]);
    frame
}
