//! The export request of traces.

use super::{
    Kind::{Enum, Fixed32, Fixed64, Hex, Message as Nested, Text, Uint32},
    Message, Role,
    common::{KEY_VALUE, RESOURCE, SCOPE},
    many, message, one,
};

/// `ExportTraceServiceRequest`.
pub(in crate::decode) static TRACES: Message = message(
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

pub(super) static SPAN: Message = message(
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
