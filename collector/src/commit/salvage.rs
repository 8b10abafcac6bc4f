//! A batch with a row that the database will never take: keep everything else.

use costflame_store::LandingRow;

use super::{Committed, Landing, Shared};
use crate::receive::Refusal;

/// Transactions spent on one part; what is still together then is refused together. Enough for
/// ten bad rows far apart among ten thousand.
const MAX_TRIES: usize = 256;

impl<L: Landing> Shared<L> {
    /// Commits part by part, so that a bad part costs no other one.
    pub(super) async fn salvage_each(
        &self,
        rows: &[LandingRow],
        lengths: &[usize],
    ) -> Vec<Result<Committed, Refusal>> {
        let mut rest = rows;
        let mut answers = Vec::with_capacity(lengths.len());
        for length in lengths {
            let (part, after) = rest.split_at(*length);
            answers.push(self.salvage(part).await);
            rest = after;
        }
        answers
    }

    /// Commits by halves, down to the single bad row.
    async fn salvage(&self, rows: &[LandingRow]) -> Result<Committed, Refusal> {
        let mut rejected = 0;
        let mut stack = vec![rows];
        let mut tries = 0;
        while let Some(part) = stack.pop() {
            tries += 1;
            match self.commit(part).await {
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
        Ok(Committed { rejected })
    }
}
