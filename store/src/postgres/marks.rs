//! Reading marks on Postgres.

use costflame_pricing::UsdSum;
use sqlx::{Row, postgres::PgRow};

use super::statement::query;
use super::{Postgres, sum};
use crate::{Mark, MarkId, MarkPage, StoreError, TraceKey, guard::Guard, landing::trace_id};

impl Postgres {
    /// See [`crate::Store::marks_after`].
    pub(crate) async fn marks_after(
        &self,
        lanes: &[i16],
        after: MarkId,
        limit: u32,
    ) -> Result<MarkPage, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let rows = query(
            "SELECT tx, id, project_id, trace_id, received_us, spans, calls, cost::text, root_ended, \
             pg_snapshot_xmin(pg_current_snapshot())::text::bigint \
             FROM dirty WHERE lane = ANY($1) AND (tx, id) > ($2, $3) ORDER BY tx, id LIMIT $4",
        )
        .bind(lanes)
        .bind(after.tx)
        .bind(after.id)
        .bind(i64::from(limit))
        .fetch_all(guard.connection())
        .await?;
        guard.commit().await?;
        let marks: Vec<Mark> = rows.iter().map(read_mark).collect::<Result<_, _>>()?;
        let xmin = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(9))?;
        // A transaction that started before these were read may still commit marks up from xmin.
        let safe = marks.iter().rev().find(|mark| mark.id.tx < xmin);
        Ok(MarkPage {
            next: safe.map_or(after, |mark| mark.id),
            marks,
        })
    }
}

fn read_mark(row: &PgRow) -> Result<Mark, StoreError> {
    Ok(Mark {
        id: MarkId {
            tx: row.try_get(0)?,
            id: row.try_get(1)?,
        },
        trace: TraceKey {
            project: row.try_get(2)?,
            trace_id: trace_id(row.try_get(3)?)?,
        },
        received_us: row.try_get(4)?,
        spans: row.try_get::<i32, _>(5)?.cast_unsigned(),
        calls: row.try_get::<i32, _>(6)?.cast_unsigned(),
        cost: UsdSum(sum(row, 7)?),
        root_ended: row.try_get(8)?,
    })
}
