//! The export request of metrics.

use super::{
    Kind::{
        Bool, Double, Enum, Fixed64, Hex, Message as Nested, Sfixed64, Sint32, Text, Uint32, Uint64,
    },
    Message, Role,
    common::{KEY_VALUE, RESOURCE, SCOPE},
    many, message, one,
};

/// `ExportMetricsServiceRequest`.
pub(in crate::decode) static METRICS: Message = message(
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
