//! The export request of logs.

use super::{
    Kind::{Enum, Fixed32, Fixed64, Hex, Message as Nested, Text, Uint32},
    Message, Role,
    common::{ANY_VALUE, KEY_VALUE, RESOURCE, SCOPE},
    many, message, one,
};

/// `ExportLogsServiceRequest`.
pub(in crate::decode) static LOGS: Message = message(
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
