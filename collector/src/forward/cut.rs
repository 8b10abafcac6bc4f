//! Cutting what somebody wants deleted out of requests that wait to be forwarded, or were refused.

use std::{collections::HashSet, io};

use costflame_profile::TraceId;
use costflame_store::Request;

use super::{
    encode::{BodyError, unpack},
    outgoing::{LEVEL, ZSTD},
    splice::{Edit, edit_items},
};
use crate::{
    decode::wire::{Reader, WireError},
    dialect::is_user_key,
};

/// Signals as stored.
const TRACES: u8 = 0;
const LOGS: u8 = 1;

/// What is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct Doomed {
    /// Everything of these traces.
    pub traces: HashSet<TraceId>,
    /// Everything that names this user in one of the attributes that name users.
    pub user: Option<String>,
}

/// What is left of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// All of it.
    Everything,
    /// The request without so many spans or log records.
    Some(Request, u64),
    /// Nothing of its so many spans or log records.
    Nothing(u64),
}

/// A stored request that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("request {outbox_id} of the outbox cannot be read: {source}")]
pub struct CutError {
    outbox_id: i64,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Field numbers of a span, or of a log record.
#[derive(Clone, Copy)]
struct Fields {
    trace_id: u32,
    attributes: u32,
}

impl Doomed {
    /// Cuts spans and log records out of a stored request. Metrics belong to no trace and stay.
    ///
    /// # Errors
    /// Its bytes cannot be read.
    pub fn cut(&self, request: &Request) -> Result<Left, CutError> {
        let fields = match request.signal {
            TRACES => Fields {
                trace_id: 1,
                attributes: 9,
            },
            LOGS => Fields {
                trace_id: 9,
                attributes: 6,
            },
            _ => return Ok(Left::Everything),
        };
        let failed = |source: BodyError| CutError {
            outbox_id: request.outbox_id,
            source: source.into(),
        };
        self.cut_fields(request, fields).map_err(failed)
    }

    fn cut_fields(&self, request: &Request, fields: Fields) -> Result<Left, BodyError> {
        let body = unpack(
            request.codec,
            request.body.clone(),
            request.raw_bytes as usize,
        )?;
        let mut gone = 0;
        let left = edit_items(&body, |item| {
            let is_doomed = self.concerns(item, fields)?;
            gone += u64::from(is_doomed);
            Ok(if is_doomed { Edit::Drop } else { Edit::Keep })
        })?;
        Ok(match left {
            _ if gone == 0 => Left::Everything,
            None => Left::Nothing(gone),
            Some(left) => Left::Some(again(request, &left, gone)?, gone),
        })
    }

    fn concerns(&self, mut item: Reader<'_>, fields: Fields) -> Result<bool, WireError> {
        while let Some(field) = item.next_field()? {
            if field.number == fields.trace_id {
                let id = field.bytes()?.try_into().map(TraceId);
                if id.is_ok_and(|id| self.traces.contains(&id)) {
                    return Ok(true);
                }
            } else if field.number == fields.attributes
                && let Some(user) = &self.user
                && names(field.message()?, user)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an attribute names this user.
fn names(mut entry: Reader<'_>, user: &str) -> Result<bool, WireError> {
    let (mut is_user, mut value) = (false, None);
    while let Some(field) = entry.next_field()? {
        match field.number {
            1 => is_user = std::str::from_utf8(field.bytes()?).is_ok_and(is_user_key),
            2 => value = Some(field.message()?),
            _ => {}
        }
    }
    let Some(mut value) = value.filter(|_| is_user) else {
        return Ok(false);
    };
    while let Some(field) = value.next_field()? {
        // A text.
        if field.number == 1 && field.bytes()? == user.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn again(request: &Request, left: &[u8], gone: u64) -> io::Result<Request> {
    let body = match request.codec {
        ZSTD => zstd::bulk::compress(left, LEVEL)?,
        _ => left.to_vec(),
    };
    Ok(Request {
        raw_bytes: u32::try_from(left.len()).unwrap_or(u32::MAX),
        items: request
            .items
            .saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX)),
        body,
        ..*request
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
        common::v1::{AnyValue, KeyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    };
    use prost::Message;

    use super::*;

    fn attribute(key: &str, value: &str) -> KeyValue {
        let value = Some(Value::StringValue(value.into()));
        KeyValue {
            key: key.into(),
            value: Some(AnyValue { value }),
            ..KeyValue::default()
        }
    }

    fn stored(signal: u8, items: u32, message: &impl Message) -> Request {
        let raw = message.encode_to_vec();
        Request {
            outbox_id: 1,
            signal,
            codec: ZSTD,
            raw_bytes: raw.len() as u32,
            items,
            body: zstd::bulk::compress(&raw, LEVEL).unwrap(),
        }
    }

    fn traces(traces: &[(u8, &str)]) -> Request {
        let spans = traces.iter().map(|(trace, user)| Span {
            trace_id: vec![*trace; 16],
            span_id: vec![1; 8],
            attributes: vec![attribute("user.id", user), attribute("other", "ada")],
            ..Span::default()
        });
        let scope_spans = vec![ScopeSpans {
            spans: spans.collect(),
            ..ScopeSpans::default()
        }];
        let resource_spans = vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }];
        stored(
            TRACES,
            traces.len() as u32,
            &ExportTraceServiceRequest { resource_spans },
        )
    }

    fn logs(records: &[(u8, &str)]) -> Request {
        let log_records = records.iter().map(|(trace, user)| LogRecord {
            trace_id: vec![*trace; 16],
            // Long, so that lengths take as many bytes after as before.
            attributes: vec![attribute("user.id", user), attribute("a", &"x".repeat(99))],
            ..LogRecord::default()
        });
        let scope_logs = vec![ScopeLogs {
            log_records: log_records.collect(),
            ..ScopeLogs::default()
        }];
        let resource_logs = vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }];
        stored(
            LOGS,
            records.len() as u32,
            &ExportLogsServiceRequest { resource_logs },
        )
    }

    #[test]
    fn a_trace_and_a_user_leave_the_others() {
        let doomed = Doomed {
            traces: HashSet::from([TraceId([1; 16])]),
            user: Some("ada".into()),
        };
        let all = [(1, "bob"), (2, "ada"), (3, "adam"), (4, "bob")];
        for (request, left) in [
            (traces(&all), traces(&all[2..])),
            (logs(&all), logs(&all[2..])),
        ] {
            assert_eq!(doomed.cut(&request).unwrap(), Left::Some(left, 2));
        }
        assert_eq!(doomed.cut(&traces(&all[..2])).unwrap(), Left::Nothing(2));
        assert_eq!(doomed.cut(&logs(&all[3..])).unwrap(), Left::Everything);
        assert!(matches!(
            doomed.cut(&Request {
                body: vec![1],
                ..logs(&all)
            }),
            Err(CutError { outbox_id: 1, .. })
        ));
    }
}
