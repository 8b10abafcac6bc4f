//! What checking needs of a database: everything, read in one snapshot, page by page.

use std::{collections::HashSet, future::Future};

use crate::{
    CallKey, CallRow, ClassSet, LandingRow, Measures, StoreError, TraceKey, TraceRow,
    claim_row::{ClaimKey, ClaimRow},
    delta::{DimKey, PathKey},
    retention::DroppedBefore,
};

/// A consistent view of the whole database.
pub(crate) trait Snapshot: Send {
    /// What has been dropped.
    fn dropped_before(&mut self) -> impl Future<Output = Result<DroppedBefore, StoreError>> + Send;

    /// Traces with a mark.
    fn dirty_traces(
        &mut self,
    ) -> impl Future<Output = Result<HashSet<TraceKey>, StoreError>> + Send;

    /// Traces with landed rows, a page of them after one, by lane and trace.
    fn landed_traces(
        &mut self,
        after: Option<TraceKey>,
    ) -> impl Future<Output = Result<Vec<TraceKey>, StoreError>> + Send;

    /// Rows of traces, a page of them after one, by key.
    fn stored_traces(
        &mut self,
        after: Option<TraceKey>,
    ) -> impl Future<Output = Result<Vec<TraceRow>, StoreError>> + Send;

    /// As in a settling.
    fn landed(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<Vec<LandingRow>, StoreError>> + Send;

    /// As in a settling.
    fn traces(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<Vec<TraceRow>, StoreError>> + Send;

    /// As in a settling.
    fn calls(
        &mut self,
        traces: &[TraceKey],
        days: (i32, i32),
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// As in a settling.
    fn calls_at(
        &mut self,
        calls: &[(CallKey, i32)],
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// Claims, a page of them after one, by key.
    fn claims_after(
        &mut self,
        after: Option<ClaimKey>,
    ) -> impl Future<Output = Result<Vec<ClaimRow>, StoreError>> + Send;

    /// Projects and UTC days that have calls or rollups.
    fn days(&mut self) -> impl Future<Output = Result<Vec<(i32, i32)>, StoreError>> + Send;

    /// Calls that start on a day, a page of them after one, by key.
    fn calls_on(
        &mut self,
        project: i32,
        day: i32,
        after: Option<CallKey>,
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// Rollups of a tier and differences on a day, or from that day on if a bucket has more; keys may repeat.
    fn rollups_on(
        &mut self,
        project: i32,
        day: i32,
        tier: i32,
    ) -> impl Future<Output = Result<Vec<(PathKey, Measures)>, StoreError>> + Send;

    /// Rollups by dimension and differences on a day; keys may repeat.
    fn dims_on(
        &mut self,
        project: i32,
        day: i32,
    ) -> impl Future<Output = Result<Vec<(DimKey, Measures)>, StoreError>> + Send;

    /// Calls whose state is not what their lost elections say.
    fn contradictory_calls(
        &mut self,
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// The token classes that calls of a project are known to have had.
    fn classes(
        &mut self,
        project: i32,
    ) -> impl Future<Output = Result<ClassSet, StoreError>> + Send;

    /// Which of these paths and of these series are not stored.
    fn missing(
        &mut self,
        project: i32,
        paths: &[[u8; 16]],
        series: &[[u8; 16]],
    ) -> impl Future<Output = Result<Vec<[u8; 16]>, StoreError>> + Send;
}

/// Finds calls whose `why` is not what their lost elections say.
macro_rules! contradiction {
    () => {
        "CASE c.why WHEN 0 THEN c.lost_response IS NOT NULL OR c.lost_usage IS NOT NULL \
         WHEN 4 THEN c.lost_response IS NULL WHEN 5 THEN c.lost_usage IS NULL OR c.lost_response IS NOT NULL \
         ELSE c.lost_response IS NOT NULL OR c.lost_usage IS NOT NULL END"
    };
}
pub(crate) use contradiction;

/// Rows of one page.
pub(crate) const PAGE: i64 = 500;
