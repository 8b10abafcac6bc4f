//! Which paths of a JSON document are of interest.

use super::facts::Slot;

/// Longest path, in steps.
pub(super) const DEPTH: usize = 5;
/// Steps are told apart by their length, modulo this.
const LENGTHS: usize = 32;

/// A path and what it holds. `*` stands for the elements of an array.
pub(super) type Entry = (&'static [&'static str], Slot);

/// At most 64 paths, a set of which is a mask.
///
/// Most keys of a document are of no interest, so that a key is looked up by its length before it is compared.
#[derive(Debug)]
pub(super) struct Table {
    entries: &'static [Entry],
    /// By depth and length, the entries that have such a step.
    steps: [[u64; LENGTHS]; DEPTH],
    /// By depth and entry, the entries that have the same step.
    same: [[u64; 64]; DEPTH],
    /// The entries of so many steps.
    ending: [u64; DEPTH + 1],
    /// The entries of more steps.
    beyond: [u64; DEPTH + 1],
}

impl Table {
    /// # Panics
    ///
    /// When it is compiled with more entries or longer paths than it holds.
    pub(super) const fn new(entries: &'static [Entry]) -> Self {
        assert!(!entries.is_empty() && entries.len() <= 64);
        let mut steps = [[0; LENGTHS]; DEPTH];
        let mut same = [[0; 64]; DEPTH];
        let mut ending = [0; DEPTH + 1];
        let mut beyond = [0; DEPTH + 1];
        let mut at = 0;
        while at < entries.len() {
            let path = entries[at].0;
            let mut depth = 0;
            while depth < path.len() {
                steps[depth][path[depth].len() % LENGTHS] |= 1 << at;
                same[depth][at] = having(entries, depth, path[depth].as_bytes());
                beyond[depth] |= 1 << at;
                depth += 1;
            }
            ending[path.len()] |= 1 << at;
            at += 1;
        }
        Self {
            entries,
            steps,
            same,
            ending,
            beyond,
        }
    }

    /// Every entry.
    pub(super) fn all(&self) -> u64 {
        u64::MAX >> (64 - self.entries.len())
    }

    /// The entries whose path has this many steps.
    pub(super) fn ending(&self, depth: usize) -> u64 {
        self.ending.get(depth).copied().unwrap_or(0)
    }

    /// The entries whose path has more steps than these.
    pub(super) fn beyond(&self, depth: usize) -> u64 {
        self.beyond.get(depth).copied().unwrap_or(0)
    }

    /// Of the entries `live`, those that have this step at this depth.
    pub(super) fn matching(&self, live: u64, depth: usize, step: &[u8]) -> u64 {
        let (Some(lengths), Some(same)) = (self.steps.get(depth), self.same.get(depth)) else {
            return 0;
        };
        let mut candidates = live & lengths[step.len() % LENGTHS];
        while candidates != 0 {
            let at = candidates.trailing_zeros() as usize;
            if self.entries[at].0[depth].as_bytes() == step {
                return candidates & same[at];
            }
            candidates &= !same[at];
        }
        0
    }

    /// What these entries hold.
    pub(super) fn slots(&self, entries: u64) -> impl Iterator<Item = Slot> {
        positions(entries).map(|at| self.entries[at].1)
    }
}

/// The entries that have this step at this depth.
const fn having(entries: &[Entry], depth: usize, step: &[u8]) -> u64 {
    let mut having = 0;
    let mut at = 0;
    while at < entries.len() {
        let path = entries[at].0;
        if depth < path.len() && equal(path[depth].as_bytes(), step) {
            having |= 1 << at;
        }
        at += 1;
    }
    having
}

/// `==` of slices is no constant function yet.
const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The positions of the bits set.
fn positions(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (at < 64).then_some(at)
    })
}
