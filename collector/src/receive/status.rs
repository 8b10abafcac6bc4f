//! Why a request is refused, and what each transport says then.
//!
//! Status codes are part of durability: an OTLP client drops its data on any answer that is not
//! listed as retryable by the protocol (HTTP 429, 502, 503, 504; gRPC UNAVAILABLE and a few more).
//! So whatever may pass later is 503 and UNAVAILABLE with a delay. 429 would fit an overload too,
//! but the Python exporter for HTTP drops on it.

use std::time::Duration;

use axum::http::StatusCode;
use costflame_access::Denied;
use prost::Message as _;
use serde_json::json;
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::decode::{DecodeError, InflateError};

/// Longest message sent to a client, in bytes.
const MAX_MESSAGE_BYTES: usize = 1024;

/// A request of which nothing is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not let in, which is found out before the body is read.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Not a path of OTLP.
    #[error("unknown path: OTLP is served at /v1/traces, /v1/logs and /v1/metrics")]
    NotFound,
    /// Not POST.
    #[error("only POST is allowed")]
    MethodNotAllowed,
    /// Neither protobuf nor JSON.
    #[error("unsupported content type: use application/x-protobuf or application/json")]
    UnsupportedType,
    /// A compression other than gzip and zstd.
    #[error("unsupported compression: use gzip, zstd or none")]
    UnsupportedEncoding,
    /// The body is not what it claims to be; sending it again cannot help.
    #[error("{message}")]
    Invalid {
        /// Label of the metrics.
        reason: &'static str,
        /// For the sender's developer.
        message: String,
    },
    /// A bound of one request is exceeded; sending it again cannot help, smaller batches do.
    #[error("{message}")]
    TooLarge {
        /// Label of the metrics.
        reason: &'static str,
        /// For the sender's developer.
        message: String,
    },
    /// The body did not arrive in time, or had to make room for others that do.
    #[error("the request body did not arrive in time")]
    Slow {
        /// When to try again.
        retry_after: Duration,
    },
    /// A bound over all requests stayed exhausted for the time a request waits.
    #[error("overloaded: no room for {what}")]
    Busy {
        /// Label of the metrics.
        reason: &'static str,
        /// What there is no room for.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// The database cannot commit now.
    #[error("{why}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What is wrong with it, in general words.
        why: &'static str,
    },
    /// A bug of ours.
    #[error("internal error")]
    Internal,
}

/// One line of the table: what HTTP says, what gRPC says, the label in the metrics.
struct Row(StatusCode, Code, &'static str);

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        let (reason, message) = (error.label(), error.to_string());
        match error.is_too_large() {
            true => Self::TooLarge { reason, message },
            false => Self::Invalid { reason, message },
        }
    }
}

impl From<InflateError> for Refusal {
    fn from(error: InflateError) -> Self {
        let message = error.to_string();
        match error.is_too_large() {
            true => Self::TooLarge {
                reason: "too_large",
                message,
            },
            false => Self::Invalid {
                reason: "malformed_compression",
                message,
            },
        }
    }
}

impl Refusal {
    /// A body that does not follow the protocol.
    pub(crate) fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            reason,
            message: message.into(),
        }
    }

    fn row(&self) -> Row {
        match self {
            Self::Denied(denied) if denied.is_known() => {
                Row(StatusCode::FORBIDDEN, Code::PermissionDenied, "forbidden")
            }
            Self::Denied(_) => Row(
                StatusCode::UNAUTHORIZED,
                Code::Unauthenticated,
                "unauthenticated",
            ),
            Self::NotFound => Row(StatusCode::NOT_FOUND, Code::Unimplemented, "not_found"),
            Self::MethodNotAllowed => Row(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::Unimplemented,
                "method",
            ),
            Self::UnsupportedType => Row(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::InvalidArgument,
                "content_type",
            ),
            Self::UnsupportedEncoding => Row(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::Unimplemented,
                "compression",
            ),
            Self::Invalid { reason, .. } => {
                Row(StatusCode::BAD_REQUEST, Code::InvalidArgument, reason)
            }
            Self::TooLarge { reason, .. } => Row(
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::ResourceExhausted,
                reason,
            ),
            Self::Slow { .. } => Row(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "slow"),
            Self::Busy { reason, .. } => {
                Row(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, reason)
            }
            Self::Unavailable { .. } => Row(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                "unavailable",
            ),
            Self::Internal => Row(
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::Internal,
                "internal",
            ),
        }
    }

    /// Status of the HTTP answer.
    #[must_use]
    pub fn http(&self) -> StatusCode {
        self.row().0
    }

    /// Code of the gRPC answer, also the `code` inside the body of the HTTP answer.
    #[must_use]
    pub fn grpc(&self) -> Code {
        self.row().1
    }

    /// Label of the metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.row().2
    }

    /// When the client should send the same bytes again; `None` = never.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Slow { retry_after }
            | Self::Busy { retry_after, .. }
            | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// True when the same bytes may be accepted later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retry_after().is_some()
    }

    /// The refusal as gRPC sends it: `RetryInfo` when retryable, `BadRequest` when invalid.
    #[must_use]
    pub fn to_grpc(&self) -> tonic::Status {
        let mut details = ErrorDetails::new();
        if let Some(delay) = self.retry_after() {
            details.set_retry_info(Some(delay));
        }
        if let Self::Invalid { message, .. } = self {
            details.add_bad_request_violation("body", bounded(message));
        }
        tonic::Status::with_error_details(self.grpc(), bounded(&self.to_string()), details)
    }

    /// The refusal as a `google.rpc.Status` message in protobuf.
    #[must_use]
    pub fn to_protobuf(&self) -> Vec<u8> {
        let status = self.to_grpc();
        if status.details().is_empty() {
            let bare = tonic_types::Status {
                code: status.code() as i32,
                message: status.message().to_owned(),
                details: Vec::new(),
            };
            return bare.encode_to_vec();
        }
        status.details().to_vec()
    }

    /// The refusal as a `google.rpc.Status` in the JSON mapping of protobuf.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let text = self.to_string();
        let message = bounded(&text);
        let mut details = Vec::new();
        if let Some(delay) = self.retry_after() {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", delay.as_secs_f64()),
            }));
        }
        if let Self::Invalid { .. } = self {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": "body", "description": message}],
            }));
        }
        let status = json!({"code": self.grpc() as i32, "message": message, "details": details});
        status.to_string().into_bytes()
    }
}

/// The longest prefix of a message that fits an answer.
pub(crate) fn bounded(message: &str) -> &str {
    &message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(3);

    /// Every refusal with the HTTP status, the gRPC code and whether a client may retry.
    fn table() -> Vec<(Refusal, u16, Code, bool)> {
        let other_scope = Denied::OtherScope {
            has: "read",
            needs: "ingest",
        };
        vec![
            (Denied::NoKey.into(), 401, Code::Unauthenticated, false),
            (Denied::BadKey.into(), 401, Code::Unauthenticated, false),
            (other_scope.into(), 403, Code::PermissionDenied, false),
            (Refusal::NotFound, 404, Code::Unimplemented, false),
            (Refusal::MethodNotAllowed, 405, Code::Unimplemented, false),
            (Refusal::UnsupportedType, 415, Code::InvalidArgument, false),
            (
                Refusal::UnsupportedEncoding,
                415,
                Code::Unimplemented,
                false,
            ),
            (
                Refusal::invalid("bad", "bad"),
                400,
                Code::InvalidArgument,
                false,
            ),
            (
                Refusal::TooLarge {
                    reason: "big",
                    message: "big".into(),
                },
                413,
                Code::ResourceExhausted,
                false,
            ),
            (
                Refusal::Slow { retry_after: DELAY },
                503,
                Code::Unavailable,
                true,
            ),
            (
                Refusal::Busy {
                    reason: "full",
                    what: "it",
                    retry_after: DELAY,
                },
                503,
                Code::Unavailable,
                true,
            ),
            (
                Refusal::Unavailable {
                    retry_after: DELAY,
                    why: "the database is unavailable",
                },
                503,
                Code::Unavailable,
                true,
            ),
            (Refusal::Internal, 500, Code::Internal, false),
        ]
    }

    #[test]
    fn each_refusal_has_its_codes_and_a_delay_exactly_when_retryable() {
        for (refusal, http, grpc, retryable) in table() {
            assert_eq!(refusal.http().as_u16(), http, "{refusal:?}");
            assert_eq!(refusal.grpc(), grpc, "{refusal:?}");
            assert_eq!(refusal.is_retryable(), retryable, "{refusal:?}");
            let delay = refusal
                .to_grpc()
                .get_details_retry_info()
                .and_then(|info| info.retry_delay);
            assert_eq!(delay, retryable.then_some(DELAY), "{refusal:?}");
        }
    }

    #[test]
    fn retryable_codes_are_those_clients_retry() {
        let http_retryable = [429, 502, 503, 504];
        for (refusal, http, grpc, retryable) in table() {
            assert_eq!(http_retryable.contains(&http), retryable, "{refusal:?}");
            assert_eq!(grpc == Code::Unavailable, retryable, "{refusal:?}");
        }
    }

    #[test]
    fn bodies_say_the_same_in_protobuf_and_json() {
        for (refusal, _, code, _) in table() {
            let protobuf = tonic_types::Status::decode(&*refusal.to_protobuf()).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&refusal.to_json()).unwrap();
            assert_eq!(protobuf.code, code as i32);
            assert_eq!(json["code"], code as i32);
            assert_eq!(json["message"], *protobuf.message);
            let types: Vec<_> = protobuf
                .details
                .iter()
                .map(|any| any.type_url.clone())
                .collect();
            let listed = json["details"].as_array().unwrap();
            assert_eq!(
                listed
                    .iter()
                    .map(|any| any["@type"].as_str().unwrap())
                    .collect::<Vec<_>>(),
                types
            );
        }
    }

    #[test]
    fn messages_are_bounded_at_a_character() {
        let refusal = Refusal::invalid("bad", "é".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(refusal.to_grpc().message().len(), MAX_MESSAGE_BYTES);
        assert!(refusal.to_protobuf().len() < 4 * MAX_MESSAGE_BYTES);
    }
}
