//! Which calls a question is about.

use costflame_pricing::{Flag, Unpriced};
use costflame_profile::PathId;

/// An attribution value of a call that is text or absent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// The model that served, else the one asked for.
    Model,
    /// Provider.
    Provider,
    /// `service.name`; an empty one is absent.
    Service,
    /// Deployment environment.
    Environment,
    /// Feature.
    Feature,
    /// Nearest agent.
    Agent,
    /// `chat`, `embeddings`, …
    Operation,
    /// User.
    User,
    /// Session or conversation.
    Session,
    /// Prompt name.
    Prompt,
    /// A tag by its key.
    Tag(String),
}

impl Column {
    /// True when rollups know the value: it is part of the series.
    #[must_use]
    pub const fn in_series(&self) -> bool {
        !matches!(
            self,
            Self::User | Self::Session | Self::Prompt | Self::Tag(_)
        )
    }
}

/// What sums can be grouped by. Every call has exactly one value of each, absent included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// A column.
    Column(Column),
    /// The label of the nearest tool frame on the call path.
    Tool,
    /// The call path; sums are self sums.
    Path,
}

/// Passes what equals one of `any` (everything, if `any` is empty) and none of `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOf<T> {
    /// Wanted values, joined by "or".
    pub any: Vec<T>,
    /// Unwanted values, each of them refused.
    pub none: Vec<T>,
}

impl<T> Default for OneOf<T> {
    fn default() -> Self {
        Self {
            any: Vec::new(),
            none: Vec::new(),
        }
    }
}

impl<T: PartialEq> OneOf<T> {
    /// True when `value` passes.
    #[must_use]
    pub fn passes(&self, value: &T) -> bool {
        (self.any.is_empty() || self.any.contains(value)) && !self.none.contains(value)
    }
}

/// One condition on a call. `None` stands for an absent value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    /// The value of a column.
    Column(Column, OneOf<Option<String>>),
    /// The label of the nearest tool frame.
    Tool(OneOf<Option<String>>),
    /// The path or one above it.
    Path(OneOf<PathId>),
    /// Whether the span ended with an error.
    Failed(OneOf<bool>),
    /// Whether the call counts.
    Counted(OneOf<bool>),
    /// A flag that is set; `None` = no flag at all.
    Flag(OneOf<Option<Flag>>),
    /// Why there is no cost; `None` = there is one.
    Unpriced(OneOf<Option<Unpriced>>),
    /// The fingerprint of the system prompt; `None` = it was not on the wire.
    System(OneOf<Option<i64>>),
}

impl Clause {
    /// True when rollups can tell whether it holds.
    #[must_use]
    pub const fn in_rollups(&self) -> bool {
        match self {
            Self::Column(column, _) => column.in_series(),
            Self::Tool(_) | Self::Path(_) => true,
            Self::Failed(_)
            | Self::Counted(_)
            | Self::Flag(_)
            | Self::Unpriced(_)
            | Self::System(_) => false,
        }
    }

    /// True when it is about `dimension`.
    #[must_use]
    pub fn is_about(&self, dimension: &Dimension) -> bool {
        match (self, dimension) {
            (Self::Column(mine, _), Dimension::Column(column)) => mine == column,
            (Self::Tool(_), Dimension::Tool) | (Self::Path(_), Dimension::Path) => true,
            _ => false,
        }
    }
}

/// The calls of a project that start in `[from_us, to_us)` and meet every clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The project.
    pub project: i32,
    /// First microsecond since 1970 UTC.
    pub from_us: i64,
    /// First microsecond after the range; above `from_us`.
    pub to_us: i64,
    /// All of them hold.
    pub clauses: Vec<Clause>,
}

impl Filter {
    /// The same without the clauses about one dimension.
    #[must_use]
    pub fn without(&self, dimension: &Dimension) -> Self {
        let mut other = self.clone();
        other.clauses.retain(|clause| !clause.is_about(dimension));
        other
    }
}
