//! Pricing again on Postgres.

use std::collections::BTreeSet;

use costflame_profile::{Call, TraceId};
use sqlx::{PgConnection, Row};

use super::{
    Postgres,
    read::keys,
    session::PgSession,
    statement::{query, query_as, query_scalar},
};
use crate::{
    CallRow, LANES, LandingRow, StoreError, TraceKey,
    call_columns::{call_row_columns, read_call_row},
    guard::Guard,
    landing::trace_id,
    packed,
    reprice::{CALLS, Repricing, RepricingState, TRACES, Totals, first_of, resumed, step, terms},
};

impl Postgres {
    /// See [`crate::Store::begin_repricing`].
    pub(crate) async fn begin_repricing(
        &self,
        work: &Repricing<'_>,
        now_us: i64,
    ) -> Result<RepricingState, StoreError> {
        let (catalog, counted) = terms(work.catalog);
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let found = query_as(
            "SELECT id, lane, trace_id, seen, changed FROM repricings WHERE ended_us IS NULL AND project_id = $1 \
             AND from_us = $2 AND to_us = $3 AND catalog_id = $4 AND counted = $5 ORDER BY id DESC LIMIT 1",
        )
        .bind(work.project)
        .bind(work.from_us)
        .bind(work.to_us)
        .bind(catalog.0.to_vec())
        .bind(counted)
        .fetch_optional(guard.connection())
        .await?;
        if let Some(found) = found {
            guard.commit().await?;
            return resumed(found);
        }
        let begun = query_as(
            "INSERT INTO repricings (project_id, from_us, to_us, catalog_id, counted, started_us, lane, trace_id, seen, \
             changed) VALUES ($1, $2, $3, $4, $5, $6, 0, '', 0, 0) RETURNING id, lane, trace_id, seen, changed",
        )
        .bind(work.project)
        .bind(work.from_us)
        .bind(work.to_us)
        .bind(catalog.0.to_vec())
        .bind(counted)
        .bind(now_us)
        .fetch_one(guard.connection())
        .await?;
        guard.commit().await?;
        resumed(begun)
    }

    /// See [`crate::Store::reprice`].
    pub(crate) async fn reprice(
        &self,
        work: &Repricing<'_>,
        mut state: RepricingState,
        horizon_us: i64,
        now_us: i64,
    ) -> Result<RepricingState, StoreError> {
        while state.lane < LANES {
            let traces = self.traces_to_reprice(work, &state).await?;
            let Some(last) = traces.last().copied() else {
                (state.lane, state.after) = (state.lane + 1, None);
                continue;
            };
            state.after = Some(last);
            let session = PgSession::open_above(self, &BTreeSet::from([state.lane])).await?;
            return step(session, work, &traces, state, horizon_us, now_us).await;
        }
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        query("UPDATE repricings SET ended_us = $1 WHERE id = $2")
            .bind(now_us)
            .bind(state.id)
            .execute(guard.connection())
            .await?;
        guard.commit().await?;
        state.is_done = true;
        Ok(state)
    }

    /// The next traces of the lane with calls in the range, settled or only landed.
    async fn traces_to_reprice(
        &self,
        work: &Repricing<'_>,
        state: &RepricingState,
    ) -> Result<Vec<TraceId>, StoreError> {
        const CALLS: &str = "SELECT DISTINCT trace_id FROM calls WHERE project_id = $1 AND lane = $2 AND trace_id > $3 \
             AND start_us >= $4 AND start_us < $5 AND start_day BETWEEN $6 AND $7 ORDER BY trace_id LIMIT $8";
        const LANDED: &str = "SELECT DISTINCT trace_id FROM landing WHERE project_id = $1 AND lane = $2 AND trace_id > $3 \
             AND start_us >= $4 AND start_us < $5 AND call IS NOT NULL AND $6::integer <= $7::integer ORDER BY trace_id LIMIT $8";
        let after = state.after.map_or_else(Vec::new, |trace| trace.0.to_vec());
        let (first_day, last_day) = work.days();
        let mut lists = [Vec::new(), Vec::new()];
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        for (list, sql) in lists.iter_mut().zip([CALLS, LANDED]) {
            let rows = query(sql)
                .bind(work.project)
                .bind(state.lane)
                .bind(after.clone())
                .bind(work.from_us)
                .bind(work.to_us)
                .bind(first_day)
                .bind(last_day)
                .bind(TRACES)
                .fetch_all(guard.connection())
                .await?;
            for row in &rows {
                list.push(trace_id(row.try_get(0)?)?);
            }
        }
        guard.commit().await?;
        let [calls, landed] = lists;
        Ok(first_of(calls, landed))
    }

    /// See [`crate::Store::reprice_totals`].
    pub(crate) async fn reprice_totals(
        &self,
        work: &Repricing<'_>,
        seen: impl Fn(u64),
    ) -> Result<Totals, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            call_row_columns!(),
            " FROM calls c WHERE c.project_id = $1 AND c.start_us >= $2 AND c.start_us < $3 \
             AND (c.start_us, c.trace_id, c.span_id) > ($2, $4, $5) \
             ORDER BY c.start_us, c.trace_id, c.span_id LIMIT $6"
        );
        let mut totals = Totals::new();
        let (mut from_us, mut trace, mut span) = (work.from_us, Vec::new(), Vec::new());
        loop {
            let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
            let rows = query(SQL)
                .bind(work.project)
                .bind(from_us)
                .bind(work.to_us)
                .bind(trace)
                .bind(span)
                .bind(CALLS)
                .fetch_all(guard.connection())
                .await?;
            guard.commit().await?;
            let calls: Vec<CallRow> = rows
                .iter()
                .map(|row| read_call_row!(row))
                .collect::<Result<_, StoreError>>()?;
            let Some(last) = calls.last() else {
                return Ok(totals);
            };
            from_us = last.start_us;
            (trace, span) = (
                last.key.trace.trace_id.0.to_vec(),
                last.key.span_id.0.to_vec(),
            );
            calls.iter().for_each(|call| work.total(call, &mut totals));
            seen(calls.len() as u64);
        }
    }

    /// See [`crate::Store::count_calls`].
    pub(crate) async fn count_calls(
        &self,
        project: i32,
        from_us: i64,
        to_us: i64,
    ) -> Result<u64, StoreError> {
        let mut guard = Guard::begin(&self.pool, self.begin.plain).await?;
        let count: i64 = query_scalar(
            "SELECT COUNT(*) FROM calls WHERE project_id = $1 AND start_us >= $2 AND start_us < $3",
        )
        .bind(project)
        .bind(from_us)
        .bind(to_us)
        .fetch_one(guard.connection())
        .await?;
        guard.commit().await?;
        Ok(count.cast_unsigned())
    }
}

/// Writes calls and receipts of landed rows anew. Whoever settles waits for the lane and reads them then.
pub(super) async fn rewrite_landed(
    connection: &mut PgConnection,
    rows: &[LandingRow],
) -> Result<(), StoreError> {
    let rows: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row, row.span.call.as_ref()?)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let traces: Vec<TraceKey> = rows.iter().map(|(row, _)| row.trace()).collect();
    let (lanes, ids, projects) = keys(&traces);
    let packed = |(row, call): &(&LandingRow, &Call)| {
        packed::bytes(|out| packed::write_call(call, row.receipt.as_ref(), out))
    };
    query(
        "UPDATE landing l SET call = k.call FROM unnest($1::smallint[], $2::bytea[], $3::integer[], $4::bytea[], \
         $5::bigint[], $6::smallint[], $7::bigint[], $8::bytea[]) \
         AS k (lane, trace_id, project_id, span_id, content_hash, signal, received_us, call) \
         WHERE l.lane = k.lane AND l.trace_id = k.trace_id AND l.project_id = k.project_id AND l.span_id = k.span_id \
         AND l.content_hash = k.content_hash AND l.signal = k.signal AND l.received_us = k.received_us",
    )
    .bind(lanes)
    .bind(ids)
    .bind(projects)
    .bind(rows.iter().map(|(row, _)| row.span.span_id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(row, _)| row.span.content_hash.cast_signed()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(row, _)| row.span.signal as i16).collect::<Vec<_>>())
    .bind(rows.iter().map(|(row, _)| row.received_us).collect::<Vec<_>>())
    .bind(rows.iter().map(packed).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks traces, so that they are settled again.
pub(super) async fn mark(
    connection: &mut PgConnection,
    traces: &[TraceKey],
    now_us: i64,
) -> Result<(), StoreError> {
    if traces.is_empty() {
        return Ok(());
    }
    let (lanes, ids, projects) = keys(traces);
    query(
        "INSERT INTO dirty (lane, project_id, trace_id, received_us, spans, calls, cost, root_ended) \
         SELECT lane, project_id, trace_id, $4, 0, 0, 0, true \
         FROM unnest($1::smallint[], $2::bytea[], $3::integer[]) AS k (lane, trace_id, project_id)",
    )
    .bind(lanes)
    .bind(ids)
    .bind(projects)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes down how far a repricing has come.
pub(super) async fn note(
    connection: &mut PgConnection,
    state: &RepricingState,
) -> Result<(), StoreError> {
    query("UPDATE repricings SET lane = $1, trace_id = $2, seen = $3, changed = $4 WHERE id = $5")
        .bind(state.lane)
        .bind(state.after.map_or_else(Vec::new, |trace| trace.0.to_vec()))
        .bind(state.seen.cast_signed())
        .bind(state.changed.cast_signed())
        .bind(state.id)
        .execute(connection)
        .await?;
    Ok(())
}
