//! One snapshot of the whole database on SQLite.

use std::collections::HashSet;

use costflame_profile::PathId;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, sqlite::SqliteRow};

use super::{Sqlite, bind::MEASURES, halves, read};
use crate::{
    CallKey, CallRow, ClassSet, LandingRow, Measures, SeriesId, StoreError, TraceKey, TraceRow,
    call_columns::{call_row_columns, read_call_row, sixteen},
    call_row::DAY_US,
    claim_columns::{claim_row_columns, read_claim_row, read_trace_row, trace_row_columns},
    claim_row::{ClaimKey, ClaimRow, identity_lane},
    delta::{DimKey, DimTable, PathKey, SAMPLED_LANES, TraceBucket},
    guard::Guard,
    landing::trace_id,
    measures::COUNTS,
    query::Dialect,
    retention::DroppedBefore,
    snapshot::{PAGE, Snapshot, TRACE_COUNTS, UNSAMPLED, contradiction, dims_sql},
};

/// A read-only transaction.
pub(crate) struct SqliteSnapshot {
    guard: Guard<sqlx::Sqlite>,
}

impl SqliteSnapshot {
    /// Opens it.
    pub(crate) async fn open(sqlite: &Sqlite) -> Result<Self, StoreError> {
        let guard = Guard::begin(&sqlite.reader, "BEGIN").await?;
        Ok(Self { guard })
    }

    /// Ends it.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        self.guard.commit().await
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        self.guard.connection()
    }
}

impl Snapshot for SqliteSnapshot {
    async fn dropped_before(&mut self) -> Result<DroppedBefore, StoreError> {
        read::dropped_before(self.connection()).await
    }

    async fn dirty_traces(&mut self) -> Result<HashSet<TraceKey>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT project_id, trace_id FROM dirty")
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(read_key).collect()
    }

    async fn landed_traces(
        &mut self,
        after: Option<TraceKey>,
    ) -> Result<Vec<TraceKey>, StoreError> {
        let (project, lane, trace) = place(after);
        let rows = sqlx::query(
            "SELECT DISTINCT project_id, trace_id, lane FROM landing \
             WHERE (lane, trace_id, project_id) > ($1, $2, $3) ORDER BY lane, trace_id, project_id LIMIT $4",
        )
        .bind(lane)
        .bind(trace)
        .bind(project)
        .bind(PAGE)
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(read_key).collect()
    }

    async fn stored_traces(
        &mut self,
        after: Option<TraceKey>,
    ) -> Result<Vec<TraceRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            trace_row_columns!(),
            ", t.cost_hi, t.cost_lo, t.excluded_cost_hi, t.excluded_cost_lo, t.tokens_in_hi, t.tokens_in_lo, \
             t.tokens_out_hi, t.tokens_out_lo FROM traces t \
             WHERE (t.project_id, t.lane, t.trace_id) > ($1, $2, $3) \
             ORDER BY t.project_id, t.lane, t.trace_id LIMIT $4"
        );
        let (project, lane, trace) = place(after);
        let query = sqlx::query(SQL)
            .bind(project)
            .bind(lane)
            .bind(trace)
            .bind(PAGE);
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter()
            .map(|row| {
                read_trace_row!(
                    row,
                    [
                        halves(row, 17)?,
                        halves(row, 19)?,
                        halves(row, 21)?,
                        halves(row, 23)?
                    ]
                )
            })
            .collect()
    }

    async fn landed(&mut self, traces: &[TraceKey]) -> Result<Vec<LandingRow>, StoreError> {
        read::landed(self.connection(), traces).await
    }

    async fn traces(&mut self, traces: &[TraceKey]) -> Result<Vec<TraceRow>, StoreError> {
        read::traces(self.connection(), traces).await
    }

    async fn calls(
        &mut self,
        traces: &[TraceKey],
        days: (i32, i32),
    ) -> Result<Vec<CallRow>, StoreError> {
        read::calls(self.connection(), traces, days).await
    }

    async fn calls_at(&mut self, calls: &[(CallKey, i32)]) -> Result<Vec<CallRow>, StoreError> {
        read::calls_at(self.connection(), calls).await
    }

    async fn claims_after(&mut self, after: Option<ClaimKey>) -> Result<Vec<ClaimRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            claim_row_columns!(),
            " FROM claims c WHERE (c.project_id, c.identity_lane, c.identity, c.side, c.order_key, c.trace_id, c.span_id) \
             > ($1, $2, $3, $4, $5, $6, $7) \
             ORDER BY c.project_id, c.identity_lane, c.identity, c.side, c.order_key, c.trace_id, c.span_id LIMIT $8"
        );
        let query = match after {
            Some(key) => sqlx::query(SQL)
                .bind(key.project)
                .bind(identity_lane(&key.identity))
                .bind(key.identity.0.to_vec())
                .bind(key.side)
                .bind(key.order_key)
                .bind(key.trace_id.0.to_vec())
                .bind(key.span_id.0.to_vec()),
            None => sqlx::query(SQL)
                .bind(i32::MIN)
                .bind(0_i16)
                .bind(Vec::<u8>::new())
                .bind(0_i16)
                .bind(0_i64)
                .bind(Vec::<u8>::new())
                .bind(Vec::<u8>::new()),
        };
        let rows = query.bind(PAGE).fetch_all(self.connection()).await?;
        rows.iter().map(|row| read_claim_row!(row)).collect()
    }

    async fn days(&mut self) -> Result<Vec<(i32, i32)>, StoreError> {
        let days = sqlx::query_as(
            "SELECT project_id, start_day FROM calls UNION \
             SELECT project_id, bucket_us / 86400000000 FROM rollups UNION \
             SELECT project_id, bucket_us / 86400000000 FROM rollup_deltas UNION \
             SELECT project_id, day FROM dim_rollups UNION \
             SELECT project_id, day FROM dim_deltas ORDER BY 1, 2",
        )
        .fetch_all(self.connection())
        .await?;
        Ok(days)
    }

    async fn calls_on(
        &mut self,
        project: i32,
        day: i32,
        after: Option<CallKey>,
    ) -> Result<Vec<CallRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            call_row_columns!(),
            " FROM calls c WHERE c.project_id = $1 AND c.start_day = $2 AND (c.lane, c.trace_id, c.span_id) > ($3, $4, $5) \
             ORDER BY c.lane, c.trace_id, c.span_id LIMIT $6"
        );
        let (_, lane, trace) = place(after.map(|call| call.trace));
        let span = after.map_or(Vec::new(), |call| call.span_id.0.to_vec());
        let query = sqlx::query(SQL)
            .bind(project)
            .bind(day)
            .bind(lane)
            .bind(trace)
            .bind(span)
            .bind(PAGE);
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(|row| read_call_row!(row)).collect()
    }

    async fn rollups_on(
        &mut self,
        project: i32,
        day: i32,
        tier: i32,
    ) -> Result<Vec<(PathKey, Measures)>, StoreError> {
        let measures = &*MEASURES;
        let sql = format!(
            "SELECT project_id, bucket_us, path_id, series_id, {measures} FROM rollups \
             WHERE project_id = $1 AND tier = $2 AND bucket_us >= $3 AND bucket_us < $4 UNION ALL \
             SELECT project_id, bucket_us - bucket_us % ($2 * 1000000), path_id, series_id, {measures} \
             FROM rollup_deltas WHERE project_id = $1 AND bucket_us >= $3 AND bucket_us < $4"
        );
        let from = i64::from(day) * DAY_US;
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(project)
            .bind(tier)
            .bind(from)
            .bind(from + DAY_US.max(i64::from(tier) * 1_000_000));
        let rows = query.fetch_all(self.connection()).await?;
        let read = |row: &SqliteRow| {
            let key = PathKey {
                project: row.try_get(0)?,
                bucket_us: row.try_get(1)?,
                path: PathId(sixteen("path id", row.try_get(2)?)?),
                series: SeriesId(sixteen("series id", row.try_get(3)?)?),
            };
            Ok((key, read_measures(row, 4)?))
        };
        rows.iter().map(read).collect()
    }

    async fn dims_on(
        &mut self,
        project: i32,
        day: i32,
        table: DimTable,
    ) -> Result<Vec<(DimKey, Measures)>, StoreError> {
        let sql = dims_sql(Dialect::Sqlite, table, &MEASURES);
        let query = sqlx::query(AssertSqlSafe(sql)).bind(project).bind(day);
        let rows = query.fetch_all(self.connection()).await?;
        let read = |row: &SqliteRow| {
            let key = DimKey {
                project: row.try_get(0)?,
                hour_us: row.try_get(1)?,
                dimension: row.try_get::<&str, _>(2)?.into(),
                value: row.try_get::<&str, _>(3)?.into(),
                path: PathId(sixteen("path id", row.try_get(4)?)?),
                series: SeriesId(sixteen("series id", row.try_get(5)?)?),
            };
            Ok((key.within(table), read_measures(row, 6)?))
        };
        rows.iter().map(read).collect()
    }

    async fn wide(&mut self) -> Result<HashSet<(i32, i32, String)>, StoreError> {
        let rows = sqlx::query_as("SELECT project_id, day, dimension FROM dim_wide")
            .fetch_all(self.connection())
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn complete_since(&mut self, name: &str) -> Result<i32, StoreError> {
        let day: Option<i64> = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(self.connection())
            .await?;
        Ok(day.map_or(i32::MIN, |day| i32::try_from(day).unwrap_or(i32::MAX)))
    }

    async fn trace_counts(&mut self, tier: i32) -> Result<Vec<(TraceBucket, i64)>, StoreError> {
        let rows: Vec<(i32, i64, i64)> = sqlx::query_as(TRACE_COUNTS)
            .bind(tier)
            .fetch_all(self.connection())
            .await?;
        let row = |(project, bucket_us, traces)| ((project, bucket_us), traces);
        Ok(rows.into_iter().map(row).collect())
    }

    async fn unsampled(&mut self, from_day: i32) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar(UNSAMPLED)
            .bind(SAMPLED_LANES)
            .bind(from_day)
            .fetch_one(self.connection())
            .await?;
        Ok(count)
    }

    async fn contradictory_calls(&mut self) -> Result<Vec<CallRow>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            call_row_columns!(),
            " FROM calls c WHERE ",
            contradiction!(),
            " LIMIT $1"
        );
        let rows = sqlx::query(SQL)
            .bind(PAGE)
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(|row| read_call_row!(row)).collect()
    }

    async fn classes(&mut self, project: i32) -> Result<ClassSet, StoreError> {
        let sets: Vec<i32> =
            sqlx::query_scalar("SELECT classes FROM used_classes WHERE project_id = $1")
                .bind(project)
                .fetch_all(self.connection())
                .await?;
        Ok(sets
            .into_iter()
            .map(ClassSet)
            .fold(ClassSet::default(), ClassSet::union))
    }

    async fn missing(
        &mut self,
        project: i32,
        paths: &[[u8; 16]],
        series: &[[u8; 16]],
    ) -> Result<Vec<[u8; 16]>, StoreError> {
        let ids: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT unhex(value) FROM json_each($2) WHERE NOT EXISTS \
             (SELECT 1 FROM paths WHERE project_id = $1 AND path_id = unhex(value)) UNION ALL \
             SELECT unhex(value) FROM json_each($3) WHERE NOT EXISTS \
             (SELECT 1 FROM series WHERE project_id = $1 AND series_id = unhex(value))",
        )
        .bind(project)
        .bind(read::hex_array(paths))
        .bind(read::hex_array(series))
        .fetch_all(self.connection())
        .await?;
        ids.iter().map(|id| sixteen("id", id)).collect()
    }
}

/// Project, lane and trace to read on from.
fn place(after: Option<TraceKey>) -> (i32, i16, Vec<u8>) {
    after.map_or((i32::MIN, -1, Vec::new()), |key| {
        (key.project, key.lane(), key.trace_id.0.to_vec())
    })
}

fn read_key(row: &SqliteRow) -> Result<TraceKey, StoreError> {
    Ok(TraceKey {
        project: row.try_get(0)?,
        trace_id: trace_id(row.try_get(1)?)?,
    })
}

fn read_measures(row: &SqliteRow, from: usize) -> Result<Measures, StoreError> {
    let mut measures = Measures::default();
    for (place, count) in measures.counts.iter_mut().enumerate() {
        *count = row.try_get(from + place)?;
    }
    for (place, value) in measures.sums.iter_mut().enumerate() {
        *value = halves(row, from + COUNTS.len() + 2 * place)?;
    }
    Ok(measures)
}
