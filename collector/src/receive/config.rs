//! Settings of the receiver: every bound, its unit and its default.

use std::time::Duration;

use crate::{decode::Limits, listen::ListenConfig};

const MIB: usize = 1 << 20;

/// Bounds and times of the receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverConfig {
    /// Largest request, in bytes, both as sent and decompressed. Default 64 MiB, the OTLP recommendation.
    pub max_request_bytes: usize,
    /// Bytes of request bodies held in memory over all requests, 1 MiB to 4 GiB. Default 96 MiB.
    pub max_inflight_bytes: usize,
    /// Spans in one request; a request of more is refused. Default 100,000.
    pub max_spans_per_request: usize,
    /// Attributes of one span; a span of more is refused by partial success, since the usage may be
    /// what lies beyond. Default 8192.
    pub max_attributes_per_span: usize,
    /// Nested arrays and maps in an attribute value, at most 128; a span of more is refused by
    /// partial success. Default 32.
    pub max_attribute_depth: usize,
    /// Connections of each port.
    pub listen: ListenConfig,
    /// How long a request waits for memory or for room in the commit queue before it is refused
    /// with a retry delay. Default 2 s.
    pub admission_wait: Duration,
    /// How long a sender may take for one body. Default 30 s.
    pub body_timeout: Duration,
    /// Retry delay told to refused clients, at least 1 s. Default 1 s.
    pub retry_delay: Duration,
    /// Group commit.
    pub commit: CommitConfig,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            max_request_bytes: limits.max_request_bytes,
            max_inflight_bytes: 96 * MIB,
            max_spans_per_request: limits.max_spans_per_request,
            max_attributes_per_span: limits.max_attributes_per_span,
            max_attribute_depth: limits.max_attribute_depth,
            listen: ListenConfig::default(),
            admission_wait: Duration::from_secs(2),
            body_timeout: Duration::from_secs(30),
            retry_delay: Duration::from_secs(1),
            commit: CommitConfig::default(),
        }
    }
}

impl ReceiverConfig {
    /// The bounds of decoding.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_request_bytes: self.max_request_bytes,
            max_spans_per_request: self.max_spans_per_request,
            max_attributes_per_span: self.max_attributes_per_span,
            max_attribute_depth: self.max_attribute_depth,
            ..Limits::default()
        }
    }
}

/// How waiting requests share transactions.
#[derive(Clone, Debug, PartialEq)]
pub struct CommitConfig {
    /// Transactions in flight at once, at least 1. Default 2: the next one is written while one waits for the disk.
    pub committers: usize,
    /// Rows after which a transaction is closed. Default 8192.
    pub max_rows: usize,
    /// How long a transaction waits for company. Default 2 ms.
    pub linger: Duration,
    /// Estimated bytes of rows waiting for or inside a transaction, 1 MiB to 4 GiB. Default 48 MiB.
    pub queue_bytes: usize,
    /// How long one transaction may take before its requests are told to retry. Default 8 s, below
    /// the 10 s that an OTLP exporter waits for its answer.
    pub timeout: Duration,
}

impl Default for CommitConfig {
    fn default() -> Self {
        Self {
            committers: 2,
            max_rows: 8192,
            linger: Duration::from_millis(2),
            queue_bytes: 48 * MIB,
            timeout: Duration::from_secs(8),
        }
    }
}
