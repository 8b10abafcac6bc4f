//! Landing on SQLite: multi-row inserts in one transaction of the writer.

use std::sync::LazyLock;

use costflame_profile::Role;
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    Sqlite,
    log::{begin_unsynced, commit_unsynced},
    multi_row::{Insert, MultiRow},
    outbox::insert_outbox,
};
use crate::{
    LandingRow, OutboxRow, StoreError, TraceKey,
    clean::clean,
    halves::split,
    landing::{COLUMN_COUNT, NewMark, landing_columns, link_bytes, marks, read_landing_row},
    packed,
    rows::lane,
};

impl Sqlite {
    /// See [`crate::Store::commit`].
    pub(crate) async fn commit(
        &self,
        rows: &[LandingRow],
        outbox: &[OutboxRow],
    ) -> Result<(), StoreError> {
        let marks = marks(rows);
        let mut guard = begin_unsynced(&self.writer).await?;
        SPANS.insert(guard.connection(), rows, bind_span).await?;
        MARKS.insert(guard.connection(), &marks, bind_mark).await?;
        for row in outbox {
            insert_outbox(guard.connection(), row).await?;
        }
        commit_unsynced(guard).await?;
        self.checkpoints.want();
        // Beside the next one, which has the writer already.
        self.log.sync().await
    }

    /// See [`crate::Store::raw_landing`].
    #[cfg(feature = "testing")]
    pub(crate) async fn raw_landing(&self, rows: &[LandingRow]) -> Result<(), StoreError> {
        let mut guard = crate::guard::Guard::begin(&self.writer, "BEGIN IMMEDIATE").await?;
        SPANS.insert(guard.connection(), rows, bind_span).await?;
        guard.commit().await
    }

    /// See [`crate::Store::landed`].
    pub(crate) async fn landed(&self, trace: TraceKey) -> Result<Vec<LandingRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            landing_columns!(),
            " FROM landing WHERE lane = $1 AND trace_id = $2 AND project_id = $3"
        );
        let rows = sqlx::query(SQL)
            .bind(trace.lane())
            .bind(trace.trace_id.0.to_vec())
            .bind(trace.project)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read_landing).collect()
    }
}

static SPANS: LazyLock<MultiRow> =
    LazyLock::new(|| MultiRow::new("landing", landing_columns!(), COLUMN_COUNT, ""));

static MARKS: LazyLock<MultiRow> = LazyLock::new(|| {
    MultiRow::new(
        "dirty",
        "lane, project_id, trace_id, received_us, spans, calls, cost_hi, cost_lo, root_ended",
        9,
        "",
    )
});

fn bind_span(insert: Insert, row: &LandingRow) -> Insert {
    let span = &row.span;
    insert
        .bind(row.received_us)
        .bind(span.start_us)
        .bind(span.end_us)
        .bind(span.content_hash.cast_signed())
        .bind(row.project)
        .bind(span.attribute_count.cast_signed())
        .bind(span.weight_milli.cast_signed())
        .bind(lane(&span.trace_id))
        .bind(span.kind as i16)
        .bind(span.span_kind as i16)
        .bind(span.role as i16)
        .bind(span.signal as i16)
        .bind(span.error)
        .bind(span.trace_id.0.to_vec())
        .bind(span.span_id.0.to_vec())
        .bind(span.parent_span_id.map(|id| id.0.to_vec()))
        .bind(clean(span.service.clone()))
        .bind(clean(span.label.clone()))
        .bind(clean(span.emitter.clone()))
        .bind(span.instance.clone().map(clean))
        .bind((!span.links.is_empty()).then(|| link_bytes(span).collect::<Vec<u8>>()))
        .bind(packed::write_said(span).map(packed::bytes))
        .bind(
            span.call
                .as_ref()
                .filter(|_| span.role != Role::Plain)
                .map(|call| {
                    packed::bytes(|out| packed::write_call(call, row.receipt.as_ref(), out))
                }),
        )
        .bind(row.sent.request)
        .bind(row.sent.system)
}

fn bind_mark(insert: Insert, mark: &NewMark) -> Insert {
    let (hi, lo) = split(mark.cost.0);
    insert
        .bind(mark.trace.lane())
        .bind(mark.trace.project)
        .bind(mark.trace.trace_id.0.to_vec())
        .bind(mark.received_us)
        .bind(mark.spans)
        .bind(mark.calls)
        .bind(hi)
        .bind(lo)
        .bind(mark.root_ended)
}

/// Reads a row of [`landing_columns`].
pub(super) fn read_landing(row: &SqliteRow) -> Result<LandingRow, StoreError> {
    read_landing_row!(row)
}
