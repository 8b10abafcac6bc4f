//! What settling needs of a database: reads and writes inside one transaction.

use std::{collections::BTreeSet, future::Future};

use costflame_profile::Identity;

use crate::{
    CallKey, CallRow, Forgotten, LandingRow, RepricingState, StoreError, TraceKey, TraceRow,
    claim_row::ClaimRow, election::Stretch, plan::Writes, retention::DroppedBefore,
};

/// One settling transaction.
///
/// Until [`Session::lock`] only rows of the traces themselves are read, which nobody else changes
/// while their lanes are held. After it, every claim to a locked identity and every call that has
/// one is seen as last committed and stays so until the end.
pub(crate) trait Session: Send {
    /// True when another program, or an earlier settling whose end nobody waited for, may still commit rows
    /// of the traces until [`Session::lock`].
    const LOCKS_LATE: bool;

    /// What has been dropped; nobody drops more meanwhile.
    fn dropped_before(&mut self) -> impl Future<Output = Result<DroppedBefore, StoreError>> + Send;

    /// The landed versions of every span of the traces, of each trace the first received ones up to the bound.
    fn landed(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<Vec<LandingRow>, StoreError>> + Send;

    /// Rows of the traces.
    fn traces(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<Vec<TraceRow>, StoreError>> + Send;

    /// Calls of the traces that start on one of `days`, first to last.
    fn calls(
        &mut self,
        traces: &[TraceKey],
        days: (i32, i32),
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// Waits for other transactions that hold one of these lanes of identities.
    fn lock(
        &mut self,
        identity_lanes: &BTreeSet<i16>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Calls by key and start day.
    fn calls_at(
        &mut self,
        calls: &[(CallKey, i32)],
    ) -> impl Future<Output = Result<Vec<CallRow>, StoreError>> + Send;

    /// The first claims of each identity by response id, as many as asked.
    fn best_claims(
        &mut self,
        identities: &[(i32, Identity, i64)],
    ) -> impl Future<Output = Result<Vec<ClaimRow>, StoreError>> + Send;

    /// All claims of each identity by response id.
    fn claims_of(
        &mut self,
        identities: &[(i32, Identity)],
    ) -> impl Future<Output = Result<Vec<ClaimRow>, StoreError>> + Send;

    /// All claims by usage in the stretches.
    fn claims_within(
        &mut self,
        stretches: &[Stretch],
    ) -> impl Future<Output = Result<Vec<ClaimRow>, StoreError>> + Send;

    /// Writes everything. Differences that it could add to the rollups at once are taken out.
    fn write(&mut self, writes: &mut Writes)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes every landed row and mark of the traces, and makes every settling under way that
    /// may have read them start again.
    fn delete_landed(
        &mut self,
        traces: &[TraceKey],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes the calls and receipts of landed rows anew, and makes every settling under way that may have read them
    /// start again.
    fn rewrite_landed(
        &mut self,
        rows: &[LandingRow],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Marks traces, so that they are settled again.
    fn mark(
        &mut self,
        traces: &[TraceKey],
        now_us: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes down how far a repricing has come.
    fn note_repricing(
        &mut self,
        state: &RepricingState,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps packed changes of sums for whoever counts them.
    fn note_corrections(
        &mut self,
        body: &[u8],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps a record of a deletion.
    fn note_deletion(
        &mut self,
        why: &str,
        what: Forgotten,
        now_us: i64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Commits.
    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
