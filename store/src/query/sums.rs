//! Sums over calls, and the columns they are read from.

use std::ops::AddAssign;

use costflame_pricing::{Receipt, TokenClass, Unit, UsdSum};

use super::{
    snapshot::{Row, Snapshot},
    sql::Dialect,
};
use crate::{
    COUNTS, ClassSet, SUMS, StoreError, UNSAMPLED,
    measures::{
        COST, COST_OTHER, COSTS, DURATION, EXCLUDED_COST, TOKENS, UNPRICED_TOKENS, UNSEEN_CALLS,
        UNSEEN_COST,
    },
};

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
    /// Thousandths of calls that samplers left out, estimated by the adjusted counts of those they kept. With `calls`
    /// it adds up to the estimate of all calls.
    pub unseen_calls: i128,
    /// What these cost, estimated. With `cost` it adds up to the estimate of the whole cost.
    pub unseen_cost: UsdSum,
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

    /// Tokens that were sent.
    pub(crate) fn input_tokens(&self) -> i128 {
        let sent = TokenClass::ALL.into_iter().filter(|class| class.is_input());
        sent.map(|class| self.tokens[class as usize]).sum()
    }

    /// Calls in thousandths and their cost, those that samplers left out included; `None` if they left out none.
    #[must_use]
    pub fn estimate(&self) -> Option<(i128, UsdSum)> {
        (self.unseen_calls != 0).then(|| (self.estimated_calls(), self.estimated_cost()))
    }

    /// Thousandths of calls, those that samplers left out included.
    #[must_use]
    pub fn estimated_calls(&self) -> i128 {
        i128::from(self.calls) * i128::from(UNSAMPLED) + self.unseen_calls
    }

    /// Cost, that of calls that samplers left out included.
    #[must_use]
    pub fn estimated_cost(&self) -> UsdSum {
        UsdSum(self.cost.0 + self.unseen_cost.0)
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
    pub(crate) fn less(&self, part: &Self) -> Self {
        let mut left = *self;
        left.calls = left.calls.saturating_sub(part.calls);
        left.errors = left.errors.saturating_sub(part.errors);
        left.unpriced_calls = left.unpriced_calls.saturating_sub(part.unpriced_calls);
        left.excluded_calls = left.excluded_calls.saturating_sub(part.excluded_calls);
        left.unpriced_tokens -= part.unpriced_tokens;
        left.excluded_cost = left.excluded_cost - part.excluded_cost;
        left.duration_us -= part.duration_us;
        left.cost = left.cost - part.cost;
        left.unseen_calls -= part.unseen_calls;
        left.unseen_cost = left.unseen_cost - part.unseen_cost;
        left.other_amount = left.other_amount - part.other_amount;
        for class in 0..TokenClass::ALL.len() {
            left.tokens[class] -= part.tokens[class];
            left.amounts[class] = left.amounts[class] - part.amounts[class];
        }
        left
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
        self.unseen_calls += other.unseen_calls;
        self.unseen_cost += other.unseen_cost;
        self.other_amount += other.other_amount;
        for class in 0..TokenClass::ALL.len() {
            self.tokens[class] += other.tokens[class];
            self.amounts[class] += other.amounts[class];
        }
    }
}

/// Which of the wide sums a question reads; the others are 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Cost by class too.
    pub(crate) amounts: bool,
    /// Classes that calls of the project have had, and whether some were sampled.
    pub(crate) classes: ClassSet,
}

impl Wanted {
    /// Nothing by class.
    pub(crate) const COUNTS: Self = Self {
        amounts: false,
        classes: ClassSet(0),
    };

    /// What is needed of rollups for a question about a project.
    pub(crate) async fn read(
        snapshot: &mut Snapshot,
        project: i32,
        amounts: bool,
    ) -> Result<Self, StoreError> {
        let mut sql =
            snapshot.sql("SELECT CAST(classes AS bigint) FROM used_classes WHERE project_id = ");
        sql.bind(project);
        let sets = snapshot.all(sql, |row| row.classes(0)).await?;
        let classes = sets.into_iter().fold(ClassSet::default(), ClassSet::union);
        Ok(Self { amounts, classes })
    }

    /// Places in [`SUMS`].
    fn places(self) -> impl Iterator<Item = usize> {
        let used = move |first: usize| {
            self.classes
                .tokens()
                .map(move |class| first + class as usize)
        };
        let costs = used(COSTS).filter(move |_| self.amounts);
        let unseen = [UNSEEN_CALLS, UNSEEN_COST].into_iter();
        let unseen = unseen.filter(move |_| self.classes.is_sampled());
        (0..TOKENS).chain(used(TOKENS)).chain(costs).chain(unseen)
    }
}

/// The columns that a row of a rollup table or of its differences brings along.
pub(crate) fn rollup_columns(dialect: Dialect, wanted: Wanted) -> String {
    let mut columns = COUNTS.map(str::to_owned).to_vec();
    for column in wanted.places().map(|place| SUMS[place]) {
        match dialect {
            Dialect::Postgres => columns.push(column.to_owned()),
            Dialect::Sqlite => columns.extend([format!("{column}_hi"), format!("{column}_lo")]),
        }
    }
    columns.join(", ")
}

/// Their sums over a group, for [`read_rollup_sums`].
pub(crate) fn rollup_sums(dialect: Dialect, wanted: Wanted) -> String {
    let counts = COUNTS
        .into_iter()
        .map(|column| format!("CAST(SUM({column}) AS bigint)"));
    let wide = wanted
        .places()
        .map(|place| dialect.sum_of_sums(SUMS[place]));
    counts.chain(wide).collect::<Vec<_>>().join(", ")
}

/// Reads [`rollup_sums`] from a column on.
pub(crate) fn read_rollup_sums(
    row: &Row,
    first: usize,
    wanted: Wanted,
) -> Result<Sums, StoreError> {
    let mut read = [0; SUMS.len()];
    for (column, place) in wanted.places().enumerate() {
        read[place] = row.sum(first + COUNTS.len() + column)?;
    }
    let mut sums = Sums {
        calls: row.count(first)?,
        errors: row.count(first + 1)?,
        unpriced_calls: row.count(first + 2)?,
        excluded_calls: row.count(first + 3)?,
        unpriced_tokens: read[UNPRICED_TOKENS],
        excluded_cost: UsdSum(read[EXCLUDED_COST]),
        duration_us: read[DURATION],
        cost: UsdSum(read[COST]),
        unseen_calls: read[UNSEEN_CALLS],
        unseen_cost: UsdSum(read[UNSEEN_COST]),
        ..Sums::default()
    };
    sums.tokens.copy_from_slice(&read[TOKENS..COSTS]);
    if wanted.amounts {
        sums.amounts = std::array::from_fn(|class| UsdSum(read[COSTS + class]));
        sums.other_amount = UsdSum(read[COST_OTHER]);
    }
    Ok(sums)
}

/// What one call adds to [`rollup_columns`] without amounts, under the same names.
pub(crate) fn call_columns(dialect: Dialect, wanted: Wanted) -> String {
    let when =
        |condition: &str, name: &str| format!("CASE WHEN {condition} THEN 1 ELSE 0 END AS {name}");
    let counted = |value: &str| format!("CASE WHEN f.why = 0 THEN {value} END");
    let all_tokens = TokenClass::ALL
        .map(|class| format!("COALESCE(f.tokens_{}, 0)", class.name()))
        .join(" + ");
    let mut columns = vec![
        when("f.why = 0", "calls"),
        when("f.why = 0 AND f.error", "errors"),
        when("f.why = 0 AND f.cost IS NULL", "unpriced_calls"),
        when("f.why <> 0", "excluded_calls"),
        dialect.as_sum(
            &format!("CASE WHEN f.why = 0 AND f.cost IS NULL THEN {all_tokens} END"),
            "unpriced_tokens",
        ),
        dialect.as_sum("CASE WHEN f.why <> 0 THEN f.cost END", "excluded_cost"),
        dialect.as_sum(&counted("f.end_us - f.start_us"), "duration_us"),
        dialect.as_sum(&counted("f.cost"), "cost"),
        dialect.as_sum("0", "cost_other"),
    ];
    columns.extend(wanted.classes.tokens().map(|class| {
        let column = format!("tokens_{}", class.name());
        dialect.as_sum(&counted(&format!("f.{column}")), &column)
    }));
    if wanted.classes.is_sampled() {
        columns.push(dialect.as_sum(&counted(UNSEEN), "unseen_calls"));
        columns.push(dialect.as_sum(&counted("f.unseen_cost"), "unseen_cost"));
    }
    columns.join(", ")
}

/// Thousandths of calls that a call stands for beside itself.
const UNSEEN: &str = "CASE WHEN f.unseen_cost IS NOT NULL THEN f.weight_milli - 1000 END";

/// Sums over a group of calls that all count or all do not, for [`read_call_sums`] of the same classes: those that calls
/// of the project have had are enough.
pub(crate) fn call_sums(dialect: Dialect, classes: ClassSet) -> String {
    let all_tokens = TokenClass::ALL
        .map(|class| format!("COALESCE(f.tokens_{}, 0)", class.name()))
        .join(" + ");
    let tokens = |class: TokenClass| dialect.sum(&format!("f.tokens_{}", class.name()));
    let mut sums = vec![
        "COUNT(*)".to_owned(),
        "COUNT(CASE WHEN f.error THEN 1 END)".to_owned(),
        "COUNT(*) - COUNT(f.cost)".to_owned(),
        dialect.sum(&format!("CASE WHEN f.cost IS NULL THEN {all_tokens} END")),
        dialect.sum("f.end_us - f.start_us"),
        dialect.sum("f.cost"),
    ];
    sums.extend(classes.tokens().map(tokens));
    if classes.is_sampled() {
        sums.extend([UNSEEN, "f.unseen_cost"].map(|column| dialect.sum(column)));
    }
    sums.join(", ")
}

/// Number of [`call_sums`] before those of the token classes.
const CALL_SUMS: usize = 6;

/// Reads [`call_sums`] from a column on.
pub(crate) fn read_call_sums(
    row: &Row,
    first: usize,
    counted: bool,
    classes: ClassSet,
) -> Result<Sums, StoreError> {
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
    let mut column = first + CALL_SUMS;
    for class in classes.tokens() {
        sums.tokens[class as usize] = row.sum(column)?;
        column += 1;
    }
    if classes.is_sampled() {
        sums.unseen_calls = row.sum(column)?;
        sums.unseen_cost = UsdSum(row.sum(column + 1)?);
    }
    Ok(sums)
}

/// One call that counts, for [`read_call_alone`] of the same classes.
pub(crate) fn call_columns_alone(classes: ClassSet) -> String {
    let tokens = classes
        .tokens()
        .map(|class| format!("f.tokens_{}", class.name()));
    let mut columns = ["f.error", "f.end_us - f.start_us", "f.cost"]
        .map(str::to_owned)
        .to_vec();
    columns.extend(tokens);
    if classes.is_sampled() {
        columns.extend([UNSEEN, "f.unseen_cost"].map(str::to_owned));
    }
    columns.join(", ")
}

/// Reads [`call_columns_alone`] from a column on.
pub(crate) fn read_call_alone(
    row: &Row,
    first: usize,
    classes: ClassSet,
) -> Result<Sums, StoreError> {
    let cost = row.maybe_int(first + 2)?;
    let mut sums = Sums {
        calls: 1,
        errors: row.flag(first)?.into(),
        unpriced_calls: cost.is_none().into(),
        duration_us: row.int(first + 1)?.into(),
        cost: UsdSum(cost.unwrap_or_default().into()),
        ..Sums::default()
    };
    let mut column = first + 3;
    for class in classes.tokens() {
        sums.tokens[class as usize] = row.maybe_int(column)?.unwrap_or_default().into();
        column += 1;
    }
    if cost.is_none() {
        sums.unpriced_tokens = sums.total_tokens();
    }
    if classes.is_sampled() {
        sums.unseen_calls = row.maybe_int(column)?.unwrap_or_default().into();
        sums.unseen_cost = UsdSum(row.maybe_int(column + 1)?.unwrap_or_default().into());
    }
    Ok(sums)
}
