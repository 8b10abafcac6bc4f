//! What both databases write at a commit: the columns of a span, and one mark per trace.

use std::collections::HashMap;

use costflame_pricing::UsdSum;
use costflame_profile::{FrameKind, Role, Signal, Span, SpanId, SpanKind, Text, TraceId};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::{LandingRow, Sent, StoreError, TraceKey, packed};

/// The columns of `landing`, in the order in which both databases write and read them.
macro_rules! landing_columns {
    () => {
        "received_us, start_us, end_us, content_hash, project_id, attribute_count, weight_milli, lane, kind, span_kind, \
         role, signal, error, trace_id, span_id, parent_span_id, service, label, emitter, instance, links, attribution, \
         call, sent_request, sent_system"
    };
}
pub(crate) use landing_columns;

/// Reads a row of [`landing_columns`] of either database.
macro_rules! read_landing_row {
    ($row:expr) => {
        $crate::landing::RawLanding {
            received_us: $row.try_get(0)?,
            start_us: $row.try_get(1)?,
            end_us: $row.try_get(2)?,
            content_hash: $row.try_get(3)?,
            project: $row.try_get(4)?,
            attribute_count: $row.try_get(5)?,
            weight_milli: $row.try_get(6)?,
            kind: $row.try_get(8)?,
            span_kind: $row.try_get(9)?,
            role: $row.try_get(10)?,
            signal: $row.try_get(11)?,
            error: $row.try_get(12)?,
            trace_id: $row.try_get(13)?,
            span_id: $row.try_get(14)?,
            parent_span_id: $row.try_get(15)?,
            service: $row.try_get(16)?,
            label: $row.try_get(17)?,
            emitter: $row.try_get(18)?,
            instance: $row.try_get(19)?,
            links: $row.try_get(20)?,
            attribution: $row.try_get(21)?,
            call: $row.try_get(22)?,
            sent: $crate::Sent {
                request: $row.try_get(23)?,
                system: $row.try_get(24)?,
            },
        }
        .read()
    };
}
pub(crate) use read_landing_row;

/// Number of [`landing_columns`].
pub(crate) const COLUMN_COUNT: usize = 25;

/// A mark before the database gave it an id.
pub(crate) struct NewMark {
    pub(crate) trace: TraceKey,
    pub(crate) received_us: i64,
    pub(crate) spans: i32,
    pub(crate) calls: i32,
    pub(crate) cost: UsdSum,
    pub(crate) root_ended: bool,
}

/// One mark per trace.
pub(crate) fn marks(rows: &[LandingRow]) -> Vec<NewMark> {
    let mut places: HashMap<TraceKey, usize, Xxh3DefaultBuilder> = HashMap::default();
    let mut marks: Vec<NewMark> = Vec::new();
    for row in rows {
        let trace = TraceKey {
            project: row.project,
            trace_id: row.span.trace_id,
        };
        let place = *places.entry(trace).or_insert(marks.len());
        if place == marks.len() {
            marks.push(NewMark {
                trace,
                received_us: row.received_us,
                spans: 0,
                calls: 0,
                cost: UsdSum::default(),
                root_ended: false,
            });
        }
        add(&mut marks[place], row);
    }
    marks
}

fn add(mark: &mut NewMark, row: &LandingRow) {
    mark.received_us = mark.received_us.max(row.received_us);
    mark.spans += 1;
    mark.root_ended |= row.span.parent_span_id.is_none() && row.span.signal == Signal::Span;
    if row.span.role == Role::Plain {
        return;
    }
    mark.calls += 1;
    if let Some(cost) = row.span.call.as_ref().and_then(|call| call.cost) {
        mark.cost += cost;
    }
}

/// The trace ids of the links, one after the other.
pub(crate) fn link_bytes(span: &Span) -> impl Iterator<Item = u8> {
    span.links.iter().flat_map(|link| link.0)
}

/// One row of `landing` as read, before it is checked.
pub(crate) struct RawLanding<'a> {
    pub(crate) received_us: i64,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) content_hash: i64,
    pub(crate) project: i32,
    pub(crate) attribute_count: i32,
    pub(crate) weight_milli: i32,
    pub(crate) kind: i16,
    pub(crate) span_kind: i16,
    pub(crate) role: i16,
    pub(crate) signal: i16,
    pub(crate) error: bool,
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) parent_span_id: Option<&'a [u8]>,
    pub(crate) service: &'a str,
    pub(crate) label: &'a str,
    pub(crate) emitter: &'a str,
    pub(crate) instance: Option<&'a str>,
    pub(crate) links: Option<&'a [u8]>,
    pub(crate) attribution: Option<&'a [u8]>,
    pub(crate) call: Option<&'a [u8]>,
    pub(crate) sent: Sent,
}

impl RawLanding<'_> {
    /// The row, with every value checked.
    pub(crate) fn read(&self) -> Result<LandingRow, StoreError> {
        let (call, receipt) = match self.call.map(packed::read_call).transpose()? {
            Some((call, receipt)) => (Some(call), receipt),
            None => (None, None),
        };
        let said = self.attribution.map(packed::read_said).transpose()?;
        let (attribution, above) = said.unwrap_or_default();
        let span = Span {
            trace_id: trace_id(self.trace_id)?,
            span_id: span_id(self.span_id)?,
            parent_span_id: self.parent_span_id.map(span_id).transpose()?,
            service: Text::from(self.service),
            kind: frame_kind(self.kind)?,
            label: Text::from(self.label),
            span_kind: span_kind(self.span_kind)?,
            start_us: self.start_us,
            end_us: self.end_us,
            error: self.error,
            role: role(self.role)?,
            call,
            attribution,
            above,
            signal: signal(self.signal)?,
            emitter: Text::from(self.emitter),
            instance: self.instance.map(Text::from),
            links: read_links(self.links.unwrap_or_default())?,
            attribute_count: self.attribute_count.cast_unsigned(),
            content_hash: self.content_hash.cast_unsigned(),
            weight_milli: self.weight_milli.cast_unsigned(),
        };
        Ok(LandingRow {
            project: self.project,
            received_us: self.received_us,
            span,
            receipt,
            sent: self.sent,
        })
    }
}

fn read_links(bytes: &[u8]) -> Result<Vec<TraceId>, StoreError> {
    bytes.chunks(16).map(trace_id).collect()
}

/// A trace id of 16 bytes.
pub(crate) fn trace_id(bytes: &[u8]) -> Result<TraceId, StoreError> {
    bytes
        .try_into()
        .map(TraceId)
        .map_err(|error| StoreError::corrupt("trace id", error))
}

/// A span id of 8 bytes.
pub(crate) fn span_id(bytes: &[u8]) -> Result<SpanId, StoreError> {
    bytes
        .try_into()
        .map(SpanId)
        .map_err(|error| StoreError::corrupt("span id", error))
}

/// The kind of a stored number.
pub(crate) fn frame_kind(stored: i16) -> Result<FrameKind, StoreError> {
    let place = usize::try_from(stored).unwrap_or(usize::MAX);
    FrameKind::ALL
        .get(place)
        .copied()
        .ok_or_else(|| StoreError::corrupt("frame kind", stored))
}

/// The signal of a stored number.
pub(crate) fn signal(stored: i16) -> Result<Signal, StoreError> {
    [Signal::Span, Signal::Log, Signal::Metric]
        .into_iter()
        .find(|signal| *signal as i16 == stored)
        .ok_or_else(|| StoreError::corrupt("signal", stored))
}

/// The OTLP kind of a stored number.
pub(crate) fn span_kind(stored: i16) -> Result<SpanKind, StoreError> {
    [
        SpanKind::Internal,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Producer,
        SpanKind::Consumer,
    ]
    .into_iter()
    .find(|kind| *kind as i16 == stored)
    .ok_or_else(|| StoreError::corrupt("span kind", stored))
}

fn role(stored: i16) -> Result<Role, StoreError> {
    [Role::Plain, Role::Call, Role::Aggregate]
        .into_iter()
        .find(|role| *role as i16 == stored)
        .ok_or_else(|| StoreError::corrupt("role", stored))
}
