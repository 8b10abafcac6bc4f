//! Which token classes occur at all: most programs never use audio, images or video, and sums over
//! what never occurs need not be read.

use costflame_pricing::{TokenClass, receipt::Unit};

use crate::CallRow;

/// Some token classes, as bits by [`TokenClass`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassSet(pub i32);

impl ClassSet {
    /// Every class.
    pub(crate) const ALL: Self = Self((1 << TokenClass::ALL.len()) - 1);

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
        used.chain(priced)
            .fold(Self::default(), |set, class| Self(set.0 | bit(class)))
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

const fn bit(class: TokenClass) -> i32 {
    1 << class as u8
}
