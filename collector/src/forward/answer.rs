//! What a destination's answer means, by the tables of the OTLP specification
//! (<https://opentelemetry.io/docs/specs/otlp/#failures>, `#failures-1` for HTTP).

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::receive::Format;

/// Bytes of a gRPC message's prefix: a flag and the length.
const PREFIX: usize = 5;

/// Longest text of an answer that is kept, in bytes.
const MAX_TEXT: usize = 512;

/// Longest delay that a destination may ask for.
const MAX_DELAY: Duration = Duration::from_secs(600);

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has been taken; `rejected` items of it never will be.
    Taken {
        /// Spans, records or points.
        rejected: u64,
        /// Why, or a warning.
        message: String,
    },
    /// It may be taken later.
    Retry {
        /// Not before, if the destination says so.
        after: Option<Duration>,
        /// What was heard.
        error: String,
    },
    /// It never will be.
    Refused {
        /// What was heard.
        error: String,
    },
}

impl Answer {
    /// No answer at all: the connection failed, or it took too long.
    pub(crate) fn nothing(error: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            error: error.into(),
        }
    }

    /// An answer over HTTP.
    pub(crate) fn of_http(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        format: Format,
    ) -> Self {
        if status.is_success() {
            return taken(body, format);
        }
        let error = format!("HTTP {}: {}", status.as_u16(), http_message(headers, body));
        match status.as_u16() {
            429 | 502 | 503 | 504 => Self::Retry {
                after: retry_after(headers),
                error,
            },
            _ => Self::Refused { error },
        }
    }

    /// An answer over gRPC; `trailers` are empty when the answer had no body.
    pub(crate) fn of_grpc(
        http: StatusCode,
        headers: &HeaderMap,
        trailers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let status = Status::from_header_map(trailers).or_else(|| Status::from_header_map(headers));
        let status = status.unwrap_or_else(|| Status::new(code_of(http), format!("HTTP {http}")));
        if status.code() == Code::Ok {
            return taken(body.get(PREFIX..).unwrap_or_default(), Format::Protobuf);
        }
        let delay = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay)
            .map(|delay| delay.min(MAX_DELAY));
        let error = format!("gRPC {:?}: {}", status.code(), cut(status.message()));
        let is_retryable = match status.code() {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => true,
            Code::ResourceExhausted => delay.is_some(),
            _ => false,
        };
        if is_retryable {
            Self::Retry {
                after: delay,
                error,
            }
        } else {
            Self::Refused { error }
        }
    }

    /// The same without the values of headers, should a destination repeat them.
    pub(crate) fn without(mut self, secrets: &[&str]) -> Self {
        let (Self::Taken { message: text, .. }
        | Self::Retry { error: text, .. }
        | Self::Refused { error: text }) = &mut self;
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            if text.contains(secret) {
                *text = text.replace(secret, "***");
            }
        }
        self
    }
}

/// What a proxy between us and a gRPC server means
/// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>); a server that ends without a status
/// has been cut off.
fn code_of(http: StatusCode) -> Code {
    match http.as_u16() {
        200 | 429 | 502 | 503 | 504 => Code::Unavailable,
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        _ => Code::Unknown,
    }
}

/// A success, perhaps of a part. The answers of all signals have the same fields.
fn taken(body: &[u8], format: Format) -> Answer {
    let partial = match format {
        Format::Protobuf => ExportTraceServiceResponse::decode(body)
            .ok()
            .and_then(|answer| answer.partial_success)
            .map(|partial| (partial.rejected_spans, partial.error_message)),
        Format::Json => partial_of_json(body),
    };
    let (rejected, message) = partial.unwrap_or_default();
    Answer::Taken {
        rejected: u64::try_from(rejected).unwrap_or_default(),
        message: cut(&message).to_owned(),
    }
}

fn partial_of_json(body: &[u8]) -> Option<(i64, String)> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let partial = answer.get("partialSuccess")?.as_object()?;
    let rejected = partial
        .iter()
        .find(|(key, _)| key.starts_with("rejected"))
        .and_then(|(_, count)| count.as_i64().or_else(|| count.as_str()?.parse().ok()));
    let message = partial
        .get("errorMessage")
        .and_then(serde_json::Value::as_str);
    Some((
        rejected.unwrap_or_default(),
        message.unwrap_or_default().to_owned(),
    ))
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(SystemTime::now())
            .unwrap_or_default(),
    };
    Some(delay.min(MAX_DELAY))
}

/// The message of a `google.rpc.Status` in either encoding, else the beginning of a text.
fn http_message(headers: &HeaderMap, body: &[u8]) -> String {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let message = if content_type.starts_with(Format::Protobuf.content_type()) {
        tonic_types::Status::decode(body)
            .ok()
            .map(|status| status.message)
    } else {
        serde_json::from_slice::<serde_json::Value>(body)
            .ok()
            .and_then(|status| Some(status.get("message")?.as_str()?.to_owned()))
    };
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    cut(message.trim()).to_owned()
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use tonic_types::ErrorDetails;

    use super::*;

    fn http(status: u16, headers: &[(header::HeaderName, &str)], body: &[u8]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        Answer::of_http(status, &headers, body, Format::Json)
    }

    fn is_retry(answer: &Answer) -> bool {
        matches!(answer, Answer::Retry { .. })
    }

    #[test]
    fn every_http_status_is_taken_retried_or_refused() {
        for status in 200..600 {
            let answer = http(status, &[], b"");
            match status {
                200..300 => assert!(matches!(answer, Answer::Taken { rejected: 0, .. })),
                429 | 502 | 503 | 504 => assert!(is_retry(&answer), "{status}"),
                _ => assert!(matches!(answer, Answer::Refused { .. }), "{status}"),
            }
        }
    }

    #[test]
    fn every_grpc_code_is_taken_retried_or_refused() {
        let retryable = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for number in 0..=16 {
            let code = Code::from_i32(number);
            for told in [None, Some(Duration::from_secs(7))] {
                let mut details = ErrorDetails::new();
                if told.is_some() {
                    details.set_retry_info(told);
                }
                let status = Status::with_error_details(code, "why", details);
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers).unwrap();
                let answer = Answer::of_grpc(StatusCode::OK, &HeaderMap::new(), &trailers, &[]);
                let expected =
                    retryable.contains(&code) || code == Code::ResourceExhausted && told.is_some();
                match answer {
                    Answer::Taken { .. } => assert_eq!(code, Code::Ok),
                    Answer::Retry { after, .. } => {
                        assert!(expected, "{code:?}");
                        assert_eq!(after, told, "{code:?}");
                    }
                    Answer::Refused { .. } => assert!(!expected && code != Code::Ok, "{code:?}"),
                }
            }
        }
    }

    #[test]
    fn a_proxy_in_front_of_grpc_is_understood() {
        for (status, retried) in [
            (200, true),
            (429, true),
            (502, true),
            (503, true),
            (504, true),
        ]
        .into_iter()
        .chain([400, 401, 403, 404, 413, 500].map(|status| (status, false)))
        {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer::of_grpc(status, &HeaderMap::new(), &HeaderMap::new(), &[]);
            assert_eq!(is_retry(&answer), retried, "{status}");
        }
    }

    #[test]
    fn delays_are_seconds_or_a_date_and_bounded() {
        let after = |text: &str| match http(503, &[(header::RETRY_AFTER, text)], b"") {
            Answer::Retry { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("999999999"), Some(MAX_DELAY));
        assert_eq!(after("soon"), None);
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let told = after(&later).unwrap();
        assert!((90..=100).contains(&told.as_secs()), "{told:?}");
    }

    #[test]
    fn partial_success_is_read_in_both_encodings() {
        let expected = Answer::Taken {
            rejected: 3,
            message: "too old".into(),
        };
        let json = br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#;
        assert_eq!(http(200, &[], json), expected);
        let message = ExportTraceServiceResponse {
            partial_success: Some(
                opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess {
                    rejected_spans: 3,
                    error_message: "too old".into(),
                },
            ),
        }
        .encode_to_vec();
        let none = HeaderMap::new();
        let over_http = Answer::of_http(StatusCode::OK, &none, &message, Format::Protobuf);
        assert_eq!(over_http, expected);
        let ok = HeaderMap::from_iter([(
            header::HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]);
        let framed = [&[0, 0, 0, 0, message.len() as u8], &message[..]].concat();
        assert_eq!(
            Answer::of_grpc(StatusCode::OK, &none, &ok, &framed),
            expected
        );
    }

    #[test]
    fn the_message_of_a_refusal_is_kept_without_secrets() {
        let error = |answer: Answer| match answer.without(&["hunter2", ""]) {
            Answer::Refused { error } => error,
            other => panic!("{other:?}"),
        };
        let json = [(header::CONTENT_TYPE, "application/json")];
        let answer = http(
            401,
            &json,
            br#"{"code":16,"message":"no such key: hunter2"}"#,
        );
        assert_eq!(error(answer), "HTTP 401: no such key: ***");
        assert_eq!(error(http(400, &[], b"<html>")), "HTTP 400: <html>");
        let status = tonic_types::Status {
            message: "é".repeat(1000),
            ..Default::default()
        };
        let protobuf = [(header::CONTENT_TYPE, "application/x-protobuf")];
        let text = error(http(400, &protobuf, &status.encode_to_vec()));
        assert_eq!(text.len(), "HTTP 400: ".len() + MAX_TEXT);
    }
}
