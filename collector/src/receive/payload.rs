//! What a request carries, and how it is written.

use costflame_profile::Signal;

use super::body::Held;
use crate::decode::Encoding;

/// What differs between the signals of OTLP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Export {
    pub(crate) signal: Signal,
    /// Label of the metrics.
    pub(crate) name: &'static str,
    pub(crate) http_path: &'static str,
    pub(crate) grpc_path: &'static str,
    /// The count of a partial success in JSON.
    pub(crate) rejected_key: &'static str,
}

pub(crate) const EXPORTS: [Export; 3] = [
    Export {
        signal: Signal::Span,
        name: "traces",
        http_path: "/v1/traces",
        grpc_path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        rejected_key: "rejectedSpans",
    },
    Export {
        signal: Signal::Log,
        name: "logs",
        http_path: "/v1/logs",
        grpc_path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        rejected_key: "rejectedLogRecords",
    },
    Export {
        signal: Signal::Metric,
        name: "metrics",
        http_path: "/v1/metrics",
        grpc_path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        rejected_key: "rejectedDataPoints",
    },
];

/// How a message is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Protobuf.
    Protobuf,
    /// The JSON mapping of OTLP.
    Json,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// A body as received.
#[derive(Debug)]
pub struct Payload {
    /// How the message is encoded.
    pub format: Format,
    /// How it is compressed.
    pub encoding: Encoding,
    pub(crate) held: Held,
}
