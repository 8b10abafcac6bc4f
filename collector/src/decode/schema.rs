//! The messages of OTLP traces, logs and metrics, as tables: what each field is called in JSON and how it is written.
//!
//! Checking protobuf and turning JSON into protobuf both read these tables. Source: opentelemetry-proto 1.11.
//! Fields are searched in the order given, so the frequent ones come first.

use Kind::{
    Base64, Bool, Double, Enum, Fixed32, Fixed64, Hex, Int64, Message as Nested, Sfixed64, Sint32,
    Text, Uint32, Uint64,
};

/// A message type.
pub(super) struct Message {
    /// Its name in the protocol.
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) fields: &'static [Field],
}

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Leads to records.
    Envelope,
    /// A span, log record or data point; what several of them are called.
    Record(&'static str),
    /// A list of values: one level of nesting of an attribute.
    List,
    /// Anything else.
    Part,
}

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    /// The lowerCamelCase name.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
}

/// How a field is written.
pub(super) enum Kind {
    Text,
    /// Bytes that are hexadecimal in JSON: trace and span ids.
    Hex,
    /// Bytes that are base64 in JSON.
    Base64,
    Bool,
    /// With the names of its numbers from 0.
    Enum(&'static [&'static str]),
    Uint32,
    Uint64,
    Int64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Message),
}

impl Message {
    #[inline]
    pub(super) fn by_number(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// Finds a field by its JSON name, also in snake_case.
    pub(super) fn by_name(&self, name: &[u8]) -> Option<&'static Field> {
        let exact = self
            .fields
            .iter()
            .find(|field| field.name.as_bytes() == name);
        if exact.is_some() || !name.contains(&b'_') {
            return exact;
        }
        self.fields
            .iter()
            .find(|field| is_snake_case_of(field.name, name))
    }
}

fn is_snake_case_of(camel: &str, name: &[u8]) -> bool {
    let mut rest = name.iter();
    let matches = camel.bytes().all(|byte| match byte {
        b'A'..=b'Z' => {
            rest.next() == Some(&b'_') && rest.next() == Some(&byte.to_ascii_lowercase())
        }
        _ => rest.next() == Some(&byte),
    });
    matches && rest.next().is_none()
}

const fn message(name: &'static str, role: Role, fields: &'static [Field]) -> Message {
    Message { name, role, fields }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        repeated: false,
    }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        repeated: true,
    }
}

/// `ExportTraceServiceRequest`.
pub(super) static TRACES: Message = message(
    "ExportTraceServiceRequest",
    Role::Envelope,
    &[many(1, "resourceSpans", Nested(&RESOURCE_SPANS))],
);

static RESOURCE_SPANS: Message = message(
    "ResourceSpans",
    Role::Envelope,
    &[
        one(1, "resource", Nested(&RESOURCE)),
        many(2, "scopeSpans", Nested(&SCOPE_SPANS)),
        one(3, "schemaUrl", Text),
    ],
);

static SCOPE_SPANS: Message = message(
    "ScopeSpans",
    Role::Envelope,
    &[
        many(2, "spans", Nested(&SPAN)),
        one(1, "scope", Nested(&SCOPE)),
        one(3, "schemaUrl", Text),
    ],
);

static SPAN: Message = message(
    "Span",
    Role::Record("spans"),
    &[
        many(9, "attributes", Nested(&KEY_VALUE)),
        many(11, "events", Nested(&EVENT)),
        one(1, "traceId", Hex),
        one(2, "spanId", Hex),
        one(3, "traceState", Text),
        one(4, "parentSpanId", Hex),
        one(5, "name", Text),
        one(6, "kind", Enum(SPAN_KINDS)),
        one(7, "startTimeUnixNano", Fixed64),
        one(8, "endTimeUnixNano", Fixed64),
        one(10, "droppedAttributesCount", Uint32),
        one(12, "droppedEventsCount", Uint32),
        many(13, "links", Nested(&LINK)),
        one(14, "droppedLinksCount", Uint32),
        one(15, "status", Nested(&STATUS)),
        one(16, "flags", Fixed32),
    ],
);

const SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

static EVENT: Message = message(
    "Span.Event",
    Role::Part,
    &[
        many(3, "attributes", Nested(&KEY_VALUE)),
        one(1, "timeUnixNano", Fixed64),
        one(2, "name", Text),
        one(4, "droppedAttributesCount", Uint32),
    ],
);

static LINK: Message = message(
    "Span.Link",
    Role::Part,
    &[
        one(1, "traceId", Hex),
        one(2, "spanId", Hex),
        one(3, "traceState", Text),
        many(4, "attributes", Nested(&KEY_VALUE)),
        one(5, "droppedAttributesCount", Uint32),
        one(6, "flags", Fixed32),
    ],
);

static STATUS: Message = message(
    "Status",
    Role::Part,
    &[one(2, "message", Text), one(3, "code", Enum(STATUS_CODES))],
);

const STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

static RESOURCE: Message = message(
    "Resource",
    Role::Part,
    &[
        many(1, "attributes", Nested(&KEY_VALUE)),
        one(2, "droppedAttributesCount", Uint32),
        many(3, "entityRefs", Nested(&ENTITY_REF)),
    ],
);

static ENTITY_REF: Message = message(
    "EntityRef",
    Role::Part,
    &[
        one(1, "schemaUrl", Text),
        one(2, "type", Text),
        many(3, "idKeys", Text),
        many(4, "descriptionKeys", Text),
    ],
);

static SCOPE: Message = message(
    "InstrumentationScope",
    Role::Part,
    &[
        one(1, "name", Text),
        one(2, "version", Text),
        many(3, "attributes", Nested(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ],
);

/// `KeyValue`: an attribute.
pub(super) static KEY_VALUE: Message = message(
    "KeyValue",
    Role::Part,
    &[one(1, "key", Text), one(2, "value", Nested(&ANY_VALUE))],
);

static ANY_VALUE: Message = message(
    "AnyValue",
    Role::Part,
    &[
        one(1, "stringValue", Text),
        one(2, "boolValue", Bool),
        one(3, "intValue", Int64),
        one(4, "doubleValue", Double),
        one(5, "arrayValue", Nested(&ARRAY_VALUE)),
        one(6, "kvlistValue", Nested(&KEY_VALUE_LIST)),
        one(7, "bytesValue", Base64),
    ],
);

static ARRAY_VALUE: Message = message(
    "ArrayValue",
    Role::List,
    &[many(1, "values", Nested(&ANY_VALUE))],
);

static KEY_VALUE_LIST: Message = message(
    "KeyValueList",
    Role::List,
    &[many(1, "values", Nested(&KEY_VALUE))],
);

/// `ExportLogsServiceRequest`.
pub(super) static LOGS: Message = message(
    "ExportLogsServiceRequest",
    Role::Envelope,
    &[many(1, "resourceLogs", Nested(&RESOURCE_LOGS))],
);

static RESOURCE_LOGS: Message = message(
    "ResourceLogs",
    Role::Envelope,
    &[
        one(1, "resource", Nested(&RESOURCE)),
        many(2, "scopeLogs", Nested(&SCOPE_LOGS)),
        one(3, "schemaUrl", Text),
    ],
);

static SCOPE_LOGS: Message = message(
    "ScopeLogs",
    Role::Envelope,
    &[
        many(2, "logRecords", Nested(&LOG_RECORD)),
        one(1, "scope", Nested(&SCOPE)),
        one(3, "schemaUrl", Text),
    ],
);

static LOG_RECORD: Message = message(
    "LogRecord",
    Role::Record("log records"),
    &[
        many(6, "attributes", Nested(&KEY_VALUE)),
        one(1, "timeUnixNano", Fixed64),
        one(11, "observedTimeUnixNano", Fixed64),
        one(2, "severityNumber", Enum(SEVERITIES)),
        one(3, "severityText", Text),
        one(5, "body", Nested(&ANY_VALUE)),
        one(7, "droppedAttributesCount", Uint32),
        one(8, "flags", Fixed32),
        one(9, "traceId", Hex),
        one(10, "spanId", Hex),
        one(12, "eventName", Text),
    ],
);

const SEVERITIES: &[&str] = &[
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];

/// `ExportMetricsServiceRequest`.
pub(super) static METRICS: Message = message(
    "ExportMetricsServiceRequest",
    Role::Envelope,
    &[many(1, "resourceMetrics", Nested(&RESOURCE_METRICS))],
);

static RESOURCE_METRICS: Message = message(
    "ResourceMetrics",
    Role::Envelope,
    &[
        one(1, "resource", Nested(&RESOURCE)),
        many(2, "scopeMetrics", Nested(&SCOPE_METRICS)),
        one(3, "schemaUrl", Text),
    ],
);

static SCOPE_METRICS: Message = message(
    "ScopeMetrics",
    Role::Envelope,
    &[
        many(2, "metrics", Nested(&METRIC)),
        one(1, "scope", Nested(&SCOPE)),
        one(3, "schemaUrl", Text),
    ],
);

static METRIC: Message = message(
    "Metric",
    Role::Envelope,
    &[
        one(1, "name", Text),
        one(2, "description", Text),
        one(3, "unit", Text),
        one(5, "gauge", Nested(&GAUGE)),
        one(7, "sum", Nested(&SUM)),
        one(9, "histogram", Nested(&HISTOGRAM)),
        one(10, "exponentialHistogram", Nested(&EXPONENTIAL_HISTOGRAM)),
        one(11, "summary", Nested(&SUMMARY)),
        many(12, "metadata", Nested(&KEY_VALUE)),
    ],
);

const TEMPORALITIES: &[&str] = &[
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
];

static GAUGE: Message = message(
    "Gauge",
    Role::Envelope,
    &[many(1, "dataPoints", Nested(&NUMBER_DATA_POINT))],
);

static SUM: Message = message(
    "Sum",
    Role::Envelope,
    &[
        many(1, "dataPoints", Nested(&NUMBER_DATA_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
        one(3, "isMonotonic", Bool),
    ],
);

static HISTOGRAM: Message = message(
    "Histogram",
    Role::Envelope,
    &[
        many(1, "dataPoints", Nested(&HISTOGRAM_DATA_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
    ],
);

static EXPONENTIAL_HISTOGRAM: Message = message(
    "ExponentialHistogram",
    Role::Envelope,
    &[
        many(1, "dataPoints", Nested(&EXPONENTIAL_HISTOGRAM_DATA_POINT)),
        one(2, "aggregationTemporality", Enum(TEMPORALITIES)),
    ],
);

static SUMMARY: Message = message(
    "Summary",
    Role::Envelope,
    &[many(1, "dataPoints", Nested(&SUMMARY_DATA_POINT))],
);

static NUMBER_DATA_POINT: Message = message(
    "NumberDataPoint",
    Role::Record("data points"),
    &[
        many(7, "attributes", Nested(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "asDouble", Double),
        one(6, "asInt", Sfixed64),
        many(5, "exemplars", Nested(&EXEMPLAR)),
        one(8, "flags", Uint32),
    ],
);

static HISTOGRAM_DATA_POINT: Message = message(
    "HistogramDataPoint",
    Role::Record("data points"),
    &[
        many(9, "attributes", Nested(&KEY_VALUE)),
        many(6, "bucketCounts", Fixed64),
        many(7, "explicitBounds", Double),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(8, "exemplars", Nested(&EXEMPLAR)),
        one(10, "flags", Uint32),
        one(11, "min", Double),
        one(12, "max", Double),
    ],
);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = message(
    "ExponentialHistogramDataPoint",
    Role::Record("data points"),
    &[
        many(1, "attributes", Nested(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        one(6, "scale", Sint32),
        one(7, "zeroCount", Fixed64),
        one(8, "positive", Nested(&BUCKETS)),
        one(9, "negative", Nested(&BUCKETS)),
        one(10, "flags", Uint32),
        many(11, "exemplars", Nested(&EXEMPLAR)),
        one(12, "min", Double),
        one(13, "max", Double),
        one(14, "zeroThreshold", Double),
    ],
);

static BUCKETS: Message = message(
    "ExponentialHistogramDataPoint.Buckets",
    Role::Part,
    &[one(1, "offset", Sint32), many(2, "bucketCounts", Uint64)],
);

static SUMMARY_DATA_POINT: Message = message(
    "SummaryDataPoint",
    Role::Record("data points"),
    &[
        many(7, "attributes", Nested(&KEY_VALUE)),
        one(2, "startTimeUnixNano", Fixed64),
        one(3, "timeUnixNano", Fixed64),
        one(4, "count", Fixed64),
        one(5, "sum", Double),
        many(6, "quantileValues", Nested(&QUANTILE)),
        one(8, "flags", Uint32),
    ],
);

static QUANTILE: Message = message(
    "SummaryDataPoint.ValueAtQuantile",
    Role::Part,
    &[one(1, "quantile", Double), one(2, "value", Double)],
);

static EXEMPLAR: Message = message(
    "Exemplar",
    Role::Part,
    &[
        many(7, "filteredAttributes", Nested(&KEY_VALUE)),
        one(2, "timeUnixNano", Fixed64),
        one(3, "asDouble", Double),
        one(6, "asInt", Sfixed64),
        one(4, "spanId", Hex),
        one(5, "traceId", Hex),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_either_name() {
        let number = |name: &str| SPAN.by_name(name.as_bytes()).map(|field| field.number);
        assert_eq!(number("startTimeUnixNano"), Some(7));
        assert_eq!(number("start_time_unix_nano"), Some(7));
        for unknown in [
            "",
            "start_timeUnixNano",
            "StartTimeUnixNano",
            "start_time_unix_nano_",
            "starttimeunixnano",
        ] {
            assert_eq!(number(unknown), None, "{unknown}");
        }
    }
}
