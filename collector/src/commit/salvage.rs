//! A batch with a row that the database will never take: keep everything else.

use costflame_store::{LandingRow, OutboxRow};

use super::{Committed, Landing, Shared};
use crate::receive::Refusal;

/// Transactions spent on one part; what is still together then is refused together. Enough for
/// ten bad rows far apart among ten thousand.
const MAX_TRIES: usize = 256;

impl<L: Landing> Shared<L> {
    /// Commits part by part, so that a bad part costs no other one.
    pub(super) async fn salvage_each(
        &self,
        mut rows: &[LandingRow],
        mut outbox: &[OutboxRow],
        lengths: &[(usize, usize)],
    ) -> Vec<Result<Committed, Refusal>> {
        let mut answers = Vec::with_capacity(lengths.len());
        for (row_count, request_count) in lengths {
            let (part, other_rows) = rows.split_at(*row_count);
            let (request, other_requests) = outbox.split_at(*request_count);
            answers.push(self.salvage(part, request).await);
            (rows, outbox) = (other_rows, other_requests);
        }
        answers
    }

    /// Commits by halves, down to the single bad row; then the request, which is acknowledged after it.
    async fn salvage(
        &self,
        rows: &[LandingRow],
        request: &[OutboxRow],
    ) -> Result<Committed, Refusal> {
        let mut rejected = 0;
        let mut stack = vec![rows];
        let mut tries = 0;
        while let Some(part) = stack.pop() {
            tries += 1;
            match self.commit(part, &[]).await {
                Ok(()) => {}
                Err(error) if !error.is_poison() => return Err(self.gate.refusal()),
                Err(error) if part.len() == 1 || tries >= MAX_TRIES => {
                    tracing::error!(%error, rows = part.len(), "rows refused by the database");
                    rejected += part.len() as u64;
                }
                Err(_) => {
                    let (left, right) = part.split_at(part.len() / 2);
                    stack.extend([right, left]);
                }
            }
        }
        match self.commit(&[], request).await {
            Ok(()) => Ok(Committed { rejected }),
            Err(error) if !error.is_poison() => Err(self.gate.refusal()),
            Err(error) => {
                tracing::error!(%error, "the database refuses a request, which is not forwarded");
                Ok(Committed { rejected })
            }
        }
    }
}
