//! Reading marks on SQLite.

use costflame_pricing::UsdSum;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Sqlite, halves};
use crate::{Mark, MarkId, MarkPage, StoreError, TraceKey, landing::trace_id};

impl Sqlite {
    /// See [`crate::Store::marks_after`].
    pub(crate) async fn marks_after(
        &self,
        lanes: &[i16],
        after: MarkId,
        limit: u32,
    ) -> Result<MarkPage, StoreError> {
        let lanes = serde_json::to_string(lanes).unwrap_or_default();
        let rows = sqlx::query(
            "SELECT id, project_id, trace_id, received_us, spans, calls, cost_hi, cost_lo, root_ended FROM dirty \
             WHERE id > $1 AND lane IN (SELECT value FROM json_each($2)) ORDER BY id LIMIT $3",
        )
        .bind(after.id)
        .bind(lanes)
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        let marks: Vec<Mark> = rows.iter().map(read_mark).collect::<Result<_, _>>()?;
        Ok(MarkPage {
            next: marks.last().map_or(after, |mark| mark.id),
            marks,
        })
    }
}

fn read_mark(row: &SqliteRow) -> Result<Mark, StoreError> {
    Ok(Mark {
        id: MarkId {
            tx: 0,
            id: row.try_get(0)?,
        },
        trace: TraceKey {
            project: row.try_get(1)?,
            trace_id: trace_id(row.try_get(2)?)?,
        },
        received_us: row.try_get(3)?,
        spans: row.try_get::<i32, _>(4)?.cast_unsigned(),
        calls: row.try_get::<i32, _>(5)?.cast_unsigned(),
        cost: UsdSum(halves(row, 6)?),
        root_ended: row.try_get(8)?,
    })
}
