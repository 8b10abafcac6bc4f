//! OTLP over HTTP: protobuf and JSON, answered in the encoding of the request.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts},
};
use costflame_access::Gate;
use costflame_store::KeyScope;
use prost::Message as _;
use serde_json::json;

use super::{
    Accepted, Export, Format, Payload, Receiver, Refusal,
    body::{self, BodyLimits, Promise},
};
use crate::decode::Encoding;

/// Answers one request.
pub(crate) async fn export(
    receiver: &Receiver,
    gate: &Gate,
    kind: Export,
    request: Request,
) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let answer = match gate.admit(&head.headers, KeyScope::Ingest) {
        Ok(pass) => accept(receiver, pass.project, kind, &head, &mut body).await,
        Err(denied) => Err(denied.into()),
    };
    let format = format_of(&head.headers);
    let response = match &answer {
        Ok(accepted) => success(kind, format, accepted),
        Err(refusal) => refuse(receiver.body_limits(), &head, &mut body, refusal).await,
    };
    receiver.metrics().answered(
        "http",
        kind,
        response.status().as_str().to_owned(),
        answer.as_ref().err(),
    );
    response
}

/// Answers a path that OTLP does not know.
pub(crate) async fn not_found(receiver: &Receiver, request: Request) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    refuse(receiver.body_limits(), &head, &mut body, &Refusal::NotFound).await
}

async fn accept(
    receiver: &Receiver,
    project: i32,
    kind: Export,
    head: &Parts,
    body: &mut Body,
) -> Result<Accepted, Refusal> {
    if head.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let format = format_of(&head.headers).ok_or(Refusal::UnsupportedType)?;
    let encoding = encoding_of(&head.headers).ok_or(Refusal::UnsupportedEncoding)?;
    receiver.admit(project)?;
    let promise = Promise {
        frame: 0,
        compressed: encoding != Encoding::Identity,
        length: |_| None,
    };
    let held = body::read(body, promise, receiver.body_limits(), receiver.budget()).await?;
    receiver.metrics().read_body("http", held.bytes.len());
    receiver
        .export(
            project,
            kind.signal,
            Payload {
                format,
                encoding,
                held,
            },
        )
        .await
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(Format::Protobuf.content_type()) {
        return Some(Format::Protobuf);
    }
    essence
        .eq_ignore_ascii_case(Format::Json.content_type())
        .then_some(Format::Json)
}

fn encoding_of(headers: &HeaderMap) -> Option<Encoding> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else {
        return Some(Encoding::Identity);
    };
    if values.next().is_some() {
        return None;
    }
    Encoding::from_header(value.to_str().ok()?)
}

fn success(kind: Export, format: Option<Format>, accepted: &Accepted) -> Response<Body> {
    let format = format.unwrap_or(Format::Protobuf);
    let body = match format {
        Format::Protobuf => accepted.to_protobuf(),
        Format::Json => accepted.to_json(kind),
    };
    respond(StatusCode::OK, format, body)
}

/// Says why a request is refused, in its encoding.
pub(crate) async fn refuse(
    limits: BodyLimits,
    head: &Parts,
    body: &mut Body,
    refusal: &Refusal,
) -> Response<Body> {
    let limits = match refusal {
        Refusal::Denied(_) => limits.brief(),
        _ => limits,
    };
    // HTTP/2 can close one stream; HTTP/1.1 can only reset the connection, and the answer with it.
    let ends = head.version < Version::HTTP_2 && !body::discard(body, limits).await;
    let format = format_of(&head.headers).unwrap_or(Format::Json);
    let status = match format {
        Format::Protobuf => refusal.to_protobuf(),
        Format::Json => refusal.to_json(),
    };
    let mut response = respond(refusal.http(), format, status);
    let headers = response.headers_mut();
    if ends {
        // Or the sender's next request goes into a connection that is being closed.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(delay) = refusal.retry_after() {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    match refusal {
        Refusal::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::Denied(denied) if !denied.is_known() => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Refusal::UnsupportedEncoding => {
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("gzip, zstd"),
            );
        }
        _ => {}
    }
    response
}

fn respond(status: StatusCode, format: Format, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(format.content_type());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

impl Accepted {
    /// The Export…ServiceResponse of any signal: they are the same on the wire.
    pub(crate) fn to_protobuf(&self) -> Vec<u8> {
        use opentelemetry_proto::tonic::collector::trace::v1::{
            ExportTracePartialSuccess, ExportTraceServiceResponse,
        };
        let partial_success = (!self.is_full()).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(self.rejected).unwrap_or(i64::MAX),
            error_message: self.message.clone(),
        });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }

    fn to_json(&self, kind: Export) -> Vec<u8> {
        if self.is_full() {
            return b"{}".to_vec();
        }
        let rejected = self.rejected.to_string();
        let partial = json!({kind.rejected_key: rejected, "errorMessage": self.message});
        json!({"partialSuccess": partial}).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use bytes::Bytes;
    use futures::StreamExt as _;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// Whether the answer to somebody too slow says that the connection ends with it.
    async fn ends(version: Version, mut body: Body) -> bool {
        let request = Request::builder().version(version).body(());
        let (head, ()) = request.expect("a request").into_parts();
        let second = Duration::from_secs(1);
        let limits = BodyLimits {
            max: 100,
            timeout: second,
            retry_after: second,
        };
        let slow = Refusal::Slow {
            retry_after: second,
        };
        let response = refuse(limits, &head, &mut body, &slow).await;
        response.headers().get(header::CONNECTION).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_half_a_body_in_it_is_not_used_again() {
        let half = || {
            let first = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"half")));
            let frames = futures::stream::iter([first]).chain(futures::stream::pending());
            Body::new(StreamBody::new(frames))
        };
        assert!(ends(Version::HTTP_11, half()).await);
        assert!(ends(Version::HTTP_11, Body::from(vec![0; 101])).await);
        assert!(!ends(Version::HTTP_11, Body::from("whole")).await);
        assert!(!ends(Version::HTTP_2, half()).await, "only its stream ends");
    }

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn reads_the_content_type_without_its_parameters() {
        let format = |value| format_of(&headers(&[(header::CONTENT_TYPE, value)]));
        assert_eq!(format("application/x-protobuf"), Some(Format::Protobuf));
        assert_eq!(
            format("Application/JSON; charset=utf-8"),
            Some(Format::Json)
        );
        assert_eq!(format("application/grpc"), None);
        assert_eq!(format_of(&HeaderMap::new()), None);
    }

    #[test]
    fn reads_one_content_encoding() {
        let encoding = |value| encoding_of(&headers(&[(header::CONTENT_ENCODING, value)]));
        assert_eq!(encoding_of(&HeaderMap::new()), Some(Encoding::Identity));
        assert_eq!(encoding("gzip"), Some(Encoding::Gzip));
        assert_eq!(encoding("zstd"), Some(Encoding::Zstd));
        assert_eq!(encoding("identity"), Some(Encoding::Identity));
        assert_eq!(encoding("br"), None);
        assert_eq!(encoding("gzip, gzip"), None);
        let twice = [
            (header::CONTENT_ENCODING, "gzip"),
            (header::CONTENT_ENCODING, "gzip"),
        ];
        assert_eq!(encoding_of(&headers(&twice)), None);
    }
}
