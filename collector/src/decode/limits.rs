//! What one request may cost: every bound, its default and what happens beyond it.

use super::outcome::DecodeError;

/// Deepest nesting of attribute values that a configuration can allow; checking recurses once per level.
pub const DEPTH_CEILING: usize = 128;

/// Bounds of one request. None of them is reached by telemetry of a working SDK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request after decompression. Beyond: the request is refused. Default 64 MiB, as OTLP recommends.
    pub max_request_bytes: usize,
    /// Spans in a request. Beyond: the request is refused. Default 100,000: 64 MiB of spans of usual size.
    pub max_spans_per_request: usize,
    /// Attributes of a span. Beyond: the span is refused, since the usage may be what lies beyond.
    /// Default 8,192: a flattened conversation of several hundred messages.
    pub max_attributes_per_span: usize,
    /// Attributes of a resource or scope. Beyond: not read. Default 1,024.
    pub max_attributes_per_envelope: usize,
    /// Nested arrays and maps in an attribute value, at most [`DEPTH_CEILING`]. Beyond: the span is refused. Default 32.
    pub max_attribute_depth: usize,
    /// Bytes of the name of a span or scope. Beyond: cut at a character. A longer trace state is not read. Default 4,096.
    pub max_name_bytes: usize,
    /// Events of a span. Beyond: not read. Default 4,096.
    pub max_events_per_span: usize,
    /// Links of a span. Beyond: not read. Default 1,024.
    pub max_links_per_span: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 64 << 20,
            max_spans_per_request: 100_000,
            max_attributes_per_span: 8_192,
            max_attributes_per_envelope: 1_024,
            max_attribute_depth: 32,
            max_name_bytes: 4_096,
            max_events_per_span: 4_096,
            max_links_per_span: 1_024,
        }
    }
}

impl Limits {
    pub(super) fn check_size(&self, bytes: usize) -> Result<(), DecodeError> {
        if bytes > self.max_request_bytes {
            Err(self.too_large(bytes))
        } else {
            Ok(())
        }
    }

    pub(super) fn too_large(&self, bytes: usize) -> DecodeError {
        DecodeError::TooLarge {
            unit: "bytes",
            found: bytes,
            limit: self.max_request_bytes,
        }
    }

    /// The nesting that is really allowed.
    pub(super) fn depth(&self) -> usize {
        self.max_attribute_depth.min(DEPTH_CEILING)
    }
}
