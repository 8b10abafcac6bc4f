//! Landing on Postgres: COPY of the spans and of their marks in one transaction.

use costflame_profile::Role;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::statement::query;
use super::{Postgres, copy::CopyBuffer, outbox::insert_outbox};
use crate::{
    LandingRow, OutboxRow, StoreError, TraceKey,
    guard::Guard,
    landing::{COLUMN_COUNT, NewMark, landing_columns, link_bytes, marks, read_landing_row},
    packed,
    rows::lane,
};

/// Bytes sent in one message.
const CHUNK: usize = 256 << 10;

impl Postgres {
    /// See [`crate::Store::commit`].
    pub(crate) async fn commit(
        &self,
        rows: &[LandingRow],
        outbox: &[OutboxRow],
    ) -> Result<(), StoreError> {
        let spans = encode_landing(rows);
        let marks = encode_marks(&marks(rows));
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        copy(guard.connection(), COPY_LANDING, &spans).await?;
        copy(guard.connection(), COPY_MARKS, &marks).await?;
        for row in outbox {
            insert_outbox(guard.connection(), row).await?;
        }
        guard.commit().await
    }

    /// See [`crate::Store::raw_landing`].
    #[cfg(feature = "testing")]
    pub(crate) async fn raw_landing(&self, rows: &[LandingRow]) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        copy(&mut connection, COPY_LANDING, &encode_landing(rows)).await
    }

    /// See [`crate::Store::landed`].
    pub(crate) async fn landed(&self, trace: TraceKey) -> Result<Vec<LandingRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            landing_columns!(),
            " FROM landing WHERE lane = $1 AND trace_id = $2 AND project_id = $3"
        );
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let rows = query(SQL)
            .bind(trace.lane())
            .bind(&trace.trace_id.0[..])
            .bind(trace.project)
            .fetch_all(guard.connection())
            .await?;
        guard.commit().await?;
        rows.iter().map(read_landing).collect()
    }
}

const COPY_LANDING: &str = concat!(
    "COPY landing (",
    landing_columns!(),
    ") FROM STDIN (FORMAT binary)"
);

const COPY_MARKS: &str = "COPY dirty (lane, project_id, trace_id, received_us, spans, calls, cost, root_ended) \
     FROM STDIN (FORMAT binary)";

pub(super) async fn copy(
    connection: &mut PgConnection,
    sql: &str,
    stream: &[u8],
) -> Result<(), StoreError> {
    let mut copy = connection.copy_in_raw(sql).await?;
    for chunk in stream.chunks(CHUNK) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    Ok(())
}

fn encode_landing(rows: &[LandingRow]) -> Vec<u8> {
    let mut out = CopyBuffer::new(COLUMN_COUNT as i16, rows.len() * 320);
    for row in rows {
        encode_span(row, &mut out);
    }
    out.finish()
}

fn encode_span(row: &LandingRow, out: &mut CopyBuffer) {
    let span = &row.span;
    out.row();
    out.i64(row.received_us);
    out.i64(span.start_us);
    out.i64(span.end_us);
    out.i64(span.content_hash.cast_signed());
    out.i32(row.project);
    out.i32(span.attribute_count.cast_signed());
    out.i32(span.weight_milli.cast_signed());
    out.i16(lane(&span.trace_id));
    out.i16(span.kind as i16);
    out.i16(span.span_kind as i16);
    out.i16(span.role as i16);
    out.i16(span.signal as i16);
    out.bool(span.error);
    out.bytes(&span.trace_id.0);
    out.bytes(&span.span_id.0);
    out.optional(span.parent_span_id.as_ref(), |out, id| out.bytes(&id.0));
    out.text(&span.service);
    out.text(&span.label);
    out.text(&span.emitter);
    out.optional(span.instance.as_deref(), CopyBuffer::text);
    match span.links.is_empty() {
        true => out.null(),
        false => out.packed(|bytes| bytes.extend(link_bytes(span))),
    }
    match packed::write_said(span) {
        None => out.null(),
        Some(write) => out.packed(write),
    }
    match span.call.as_ref().filter(|_| span.role != Role::Plain) {
        None => out.null(),
        Some(call) => out.packed(|bytes| packed::write_call(call, row.receipt.as_ref(), bytes)),
    }
    for hash in [row.sent.request, row.sent.system] {
        out.optional(hash.as_ref(), |out, hash| out.i64(*hash));
    }
}

fn encode_marks(marks: &[NewMark]) -> Vec<u8> {
    let mut out = CopyBuffer::new(8, marks.len() * 100);
    for mark in marks {
        out.row();
        out.i16(mark.trace.lane());
        out.i32(mark.trace.project);
        out.bytes(&mark.trace.trace_id.0);
        out.i64(mark.received_us);
        out.i32(mark.spans);
        out.i32(mark.calls);
        out.numeric(mark.cost.0);
        out.bool(mark.root_ended);
    }
    out.finish()
}

/// Reads a row of [`landing_columns`].
pub(super) fn read_landing(row: &PgRow) -> Result<LandingRow, StoreError> {
    read_landing_row!(row)
}
