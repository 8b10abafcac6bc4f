//! Which token classes occur at all, and whether sampled calls do: most programs never use audio, images or video,
//! and sums over what never occurs need not be read.

use costflame_pricing::{TokenClass, receipt::Unit};

use crate::{CallRow, call_row::UNSAMPLED};

/// Some token classes, as bits by [`TokenClass`], and whether a sampler has left out calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassSet(pub i32);

impl ClassSet {
    /// Every class, sampled calls too.
    pub(crate) const ALL: Self = Self((2 << TokenClass::ALL.len()) - 1);

    /// The classes a call has tokens or cost of, whether it counts or not: another election may count it.
    #[must_use]
    pub fn of(call: &CallRow) -> Self {
        let used = TokenClass::ALL
            .into_iter()
            .filter(|class| call.call.usage.get(*class) > 0);
        let priced = call
            .receipt
            .lines
            .iter()
            .filter_map(|line| match line.unit {
                Unit::Tokens(class) => Some(class),
                _ => None,
            });
        let sampled = if call.weight_milli == UNSAMPLED {
            Self::default()
        } else {
            Self(SAMPLED)
        };
        used.chain(priced)
            .fold(sampled, |set, class| Self(set.0 | bit(class)))
    }

    /// The token classes among them.
    pub(crate) fn tokens(self) -> impl Iterator<Item = TokenClass> {
        let is_used = move |class: &TokenClass| self.contains(*class);
        TokenClass::ALL.into_iter().filter(is_used)
    }

    /// True when a call stands for others, too.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & SAMPLED != 0
    }

    /// True when the class is among them.
    #[must_use]
    pub const fn contains(self, class: TokenClass) -> bool {
        self.0 & bit(class) != 0
    }

    /// The classes of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The first bit behind those of the classes.
const SAMPLED: i32 = 1 << TokenClass::ALL.len();

const fn bit(class: TokenClass) -> i32 {
    1 << class as u8
}
