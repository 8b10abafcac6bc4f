//! Sums over calls, and the columns they are read from.

use std::ops::AddAssign;

use costflame_pricing::{Receipt, TokenClass, Unit, UsdSum};

use super::{snapshot::Row, sql::Dialect};
use crate::StoreError;

/// Sums over the counted calls of a question; what does not count is in `excluded_*` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Counted calls.
    pub calls: u64,
    /// Counted calls whose span ended with an error.
    pub errors: u64,
    /// Counted calls without a known price.
    pub unpriced_calls: u64,
    /// Their tokens.
    pub unpriced_tokens: i128,
    /// Calls that do not count.
    pub excluded_calls: u64,
    /// What they would have cost.
    pub excluded_cost: UsdSum,
    /// Microseconds between start and end, added up over calls.
    pub duration_us: i128,
    /// Cost of the priced calls.
    pub cost: UsdSum,
    /// Tokens by [`TokenClass`], priced or not.
    pub tokens: [i128; TokenClass::ALL.len()],
    /// Cost by [`TokenClass`]; read only on demand.
    pub amounts: [UsdSum; TokenClass::ALL.len()],
    /// Cost of what is not tokens; read only on demand. With `amounts` it adds up to `cost`.
    pub other_amount: UsdSum,
}

impl Sums {
    /// All tokens.
    #[must_use]
    pub fn total_tokens(&self) -> i128 {
        self.tokens.iter().sum()
    }

    /// True when no call is in it, counted or not.
    pub(crate) const fn is_empty(&self) -> bool {
        self.calls == 0 && self.excluded_calls == 0
    }

    /// Adds a priced receipt to the amounts, which then add up to its cost as those of rollups do.
    pub(crate) fn add_lines(&mut self, receipt: &Receipt) {
        self.other_amount += receipt.cost.unwrap_or_default();
        for line in &receipt.lines {
            if let Unit::Tokens(class) = line.unit {
                self.amounts[class as usize] += line.amount;
                self.other_amount = self.other_amount - line.amount.into();
            }
        }
    }

    /// The difference to sums over fewer calls.
    pub(crate) fn less(mut self, part: &Self) -> Self {
        self.calls = self.calls.saturating_sub(part.calls);
        self.errors = self.errors.saturating_sub(part.errors);
        self.unpriced_calls = self.unpriced_calls.saturating_sub(part.unpriced_calls);
        self.excluded_calls = self.excluded_calls.saturating_sub(part.excluded_calls);
        self.unpriced_tokens -= part.unpriced_tokens;
        self.excluded_cost = self.excluded_cost - part.excluded_cost;
        self.duration_us -= part.duration_us;
        self.cost = self.cost - part.cost;
        self.other_amount = self.other_amount - part.other_amount;
        for class in 0..TokenClass::ALL.len() {
            self.tokens[class] -= part.tokens[class];
            self.amounts[class] = self.amounts[class] - part.amounts[class];
        }
        self
    }
}

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.unpriced_calls += other.unpriced_calls;
        self.excluded_calls += other.excluded_calls;
        self.unpriced_tokens += other.unpriced_tokens;
        self.excluded_cost += other.excluded_cost;
        self.duration_us += other.duration_us;
        self.cost += other.cost;
        self.other_amount += other.other_amount;
        for class in 0..TokenClass::ALL.len() {
            self.tokens[class] += other.tokens[class];
            self.amounts[class] += other.amounts[class];
        }
    }
}

/// Columns of rollups that are plain integers.
const COUNTS: [&str; 4] = ["calls", "errors", "unpriced_calls", "excluded_calls"];

/// Columns of rollups that are sums of wide integers, before those of the token classes.
const WIDE: [&str; 5] = [
    "unpriced_tokens",
    "excluded_cost",
    "duration_us",
    "cost",
    "cost_other",
];

fn wide_columns(amounts: bool) -> impl Iterator<Item = String> {
    let tokens = TokenClass::ALL.map(|class| format!("tokens_{}", class.name()));
    let costs = TokenClass::ALL.map(|class| format!("cost_{}", class.name()));
    let costs = costs.into_iter().filter(move |_| amounts);
    WIDE.into_iter()
        .map(str::to_owned)
        .chain(tokens)
        .chain(costs)
}

/// The columns that a row of a rollup table or of its differences brings along.
pub(crate) fn rollup_columns(dialect: Dialect, amounts: bool) -> String {
    let mut columns = COUNTS.map(str::to_owned).to_vec();
    for column in wide_columns(amounts) {
        match dialect {
            Dialect::Postgres => columns.push(column),
            Dialect::Sqlite => columns.extend([format!("{column}_hi"), format!("{column}_lo")]),
        }
    }
    columns.join(", ")
}

/// Their sums over a group, for [`read_rollup_sums`].
pub(crate) fn rollup_sums(dialect: Dialect, amounts: bool) -> String {
    let counts = COUNTS
        .into_iter()
        .map(|column| format!("CAST(SUM({column}) AS bigint)"));
    let wide = wide_columns(amounts).map(|column| dialect.sum_of_sums(&column));
    counts.chain(wide).collect::<Vec<_>>().join(", ")
}

/// Reads [`rollup_sums`] from a column on.
pub(crate) fn read_rollup_sums(row: &Row, first: usize, amounts: bool) -> Result<Sums, StoreError> {
    let wide = first + COUNTS.len();
    let tokens = wide + WIDE.len();
    let costs = tokens + TokenClass::ALL.len();
    let mut sums = Sums {
        calls: row.count(first)?,
        errors: row.count(first + 1)?,
        unpriced_calls: row.count(first + 2)?,
        excluded_calls: row.count(first + 3)?,
        unpriced_tokens: row.sum(wide)?,
        excluded_cost: UsdSum(row.sum(wide + 1)?),
        duration_us: row.sum(wide + 2)?,
        cost: UsdSum(row.sum(wide + 3)?),
        ..Sums::default()
    };
    for class in 0..TokenClass::ALL.len() {
        sums.tokens[class] = row.sum(tokens + class)?;
        if amounts {
            sums.amounts[class] = UsdSum(row.sum(costs + class)?);
        }
    }
    if amounts {
        sums.other_amount = UsdSum(row.sum(wide + 4)?);
    }
    Ok(sums)
}

/// Sums over a group of calls that all count or all do not, for [`read_call_sums`].
pub(crate) fn call_sums(dialect: Dialect) -> String {
    let tokens = TokenClass::ALL.map(|class| format!("f.tokens_{}", class.name()));
    let all_tokens = tokens
        .clone()
        .map(|column| format!("COALESCE({column}, 0)"))
        .join(" + ");
    let mut sums = vec![
        "COUNT(*)".to_owned(),
        "COUNT(CASE WHEN f.error THEN 1 END)".to_owned(),
        "COUNT(*) - COUNT(f.cost)".to_owned(),
        dialect.sum(&format!("CASE WHEN f.cost IS NULL THEN {all_tokens} END")),
        dialect.sum("f.end_us - f.start_us"),
        dialect.sum("f.cost"),
    ];
    sums.extend(tokens.iter().map(|column| dialect.sum(column)));
    sums.join(", ")
}

/// Number of [`call_sums`] before those of the token classes.
const CALL_SUMS: usize = 6;

/// Reads [`call_sums`] from a column on.
pub(crate) fn read_call_sums(row: &Row, first: usize, counted: bool) -> Result<Sums, StoreError> {
    let (calls, cost) = (row.count(first)?, UsdSum(row.sum(first + 5)?));
    if !counted {
        return Ok(Sums {
            excluded_calls: calls,
            excluded_cost: cost,
            ..Sums::default()
        });
    }
    let mut sums = Sums {
        calls,
        errors: row.count(first + 1)?,
        unpriced_calls: row.count(first + 2)?,
        unpriced_tokens: row.sum(first + 3)?,
        duration_us: row.sum(first + 4)?,
        cost,
        ..Sums::default()
    };
    for class in 0..TokenClass::ALL.len() {
        sums.tokens[class] = row.sum(first + CALL_SUMS + class)?;
    }
    Ok(sums)
}
