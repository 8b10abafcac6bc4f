//! What the answers must be: every stored call is read without a filter and judged here.

use std::collections::BTreeMap;

use costflame_dashboards::{filter, params::Params};
use costflame_pricing::TokenClass;
use costflame_store::{
    Store,
    query::{self, CallRecord, Clause, Column, Dimension, Filter, Paths},
};
use jiff::Timestamp;

/// Every call, and the paths.
pub(crate) struct Oracle {
    pub(crate) calls: Vec<CallRecord>,
    paths: Paths,
}

/// Sums over counted calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) cost: i128,
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) errors_cost: i128,
    pub(crate) tokens: [i128; TokenClass::ALL.len()],
    pub(crate) unpriced_calls: u64,
    pub(crate) unpriced_tokens: i128,
    pub(crate) excluded_calls: u64,
    pub(crate) excluded_cost: i128,
    pub(crate) duration_us: i128,
    /// Thousandths.
    pub(crate) estimated_calls: i128,
    pub(crate) estimated_cost: i128,
}

/// A thousandth, rounded half to even.
fn half_even(value: i128) -> i128 {
    let (whole, rest) = (value / 1000, value % 1000);
    whole + i128::from(rest > 500 || (rest == 500 && whole % 2 == 1))
}

impl Expected {
    fn add(&mut self, call: &CallRecord) {
        let cost = i128::from(call.cost.unwrap_or_default().0);
        if call.why.is_some() {
            self.excluded_calls += 1;
            self.excluded_cost += cost;
            return;
        }
        let tokens: i128 = call.tokens.iter().map(|tokens| i128::from(*tokens)).sum();
        self.cost += cost;
        self.calls += 1;
        let weight = i128::from(call.weight_milli);
        self.estimated_calls += weight;
        self.estimated_cost += half_even(cost * weight);
        self.duration_us += i128::from(call.end_us - call.start_us);
        if call.error {
            self.errors += 1;
            self.errors_cost += cost;
        }
        if call.cost.is_none() {
            self.unpriced_calls += 1;
            self.unpriced_tokens += tokens;
        }
        for (sum, tokens) in self.tokens.iter_mut().zip(call.tokens) {
            *sum += i128::from(tokens);
        }
    }
}

/// The filter of a query string.
pub(crate) fn filter_of(query: &str) -> Filter {
    filter::selection(&mut Params::parse(query, 1).unwrap(), Timestamp::UNIX_EPOCH)
        .unwrap()
        .filter
}

impl Oracle {
    pub(crate) async fn read(store: &Store) -> Self {
        let everything = Filter {
            project: 1,
            from_us: i64::MIN / 2,
            to_us: i64::MAX / 2,
            clauses: Vec::new(),
        };
        let mut snapshot = store.snapshot().await.unwrap();
        let calls = query::calls(&mut snapshot, &everything, None, 1_000_000)
            .await
            .unwrap();
        let ids = calls.iter().map(|call| call.path).collect();
        let paths = query::paths(&mut snapshot, 1, ids).await.unwrap();
        Self { calls, paths }
    }

    /// The value of a dimension; of a path, its id.
    pub(crate) fn value(&self, call: &CallRecord, dimension: &Dimension) -> Option<String> {
        let found = &call.attribution;
        let text = |value: &Option<costflame_profile::Text>| value.as_deref().map(str::to_owned);
        match dimension {
            Dimension::Tool => self.paths.tool(call.path).map(str::to_owned),
            Dimension::Path => Some(call.path.to_string()),
            Dimension::Column(column) => match column {
                Column::Model => call.model().map(str::to_owned),
                Column::Provider => call.provider.clone(),
                Column::Service => Some(call.service.clone()).filter(|service| !service.is_empty()),
                Column::Environment => text(&found.environment),
                Column::Feature => text(&found.feature),
                Column::Agent => text(&found.agent),
                Column::Operation => call.operation.clone(),
                Column::User => text(&found.user),
                Column::Session => text(&found.session),
                Column::Prompt => text(&found.prompt),
                Column::Tag(key) => {
                    let tag = found.tags.iter().find(|(known, _)| **known == **key);
                    tag.map(|(_, value)| value.to_string())
                }
            },
        }
    }

    fn passes(&self, call: &CallRecord, filter: &Filter) -> bool {
        (filter.from_us..filter.to_us).contains(&call.start_us)
            && filter.clauses.iter().all(|clause| match clause {
                Clause::Column(column, test) => {
                    test.passes(&self.value(call, &Dimension::Column(column.clone())))
                }
                Clause::Tool(test) => test.passes(&self.value(call, &Dimension::Tool)),
                Clause::Path(test) => {
                    let above: Vec<_> = self.paths.upwards(call.path).map(|path| path.id).collect();
                    (test.any.is_empty() || test.any.iter().any(|id| above.contains(id)))
                        && !test.none.iter().any(|id| above.contains(id))
                }
                Clause::Failed(test) => test.passes(&call.error),
                Clause::Counted(test) => test.passes(&call.why.is_none()),
                Clause::Flag(test) => {
                    let mut flags: Vec<_> = call.flags.iter().map(Some).collect();
                    if flags.is_empty() {
                        flags.push(None);
                    }
                    (test.any.is_empty() || flags.iter().any(|flag| test.any.contains(flag)))
                        && !flags.iter().any(|flag| test.none.contains(flag))
                }
                Clause::Unpriced(test) => test.passes(&call.unpriced),
                // The traffic has no content.
                Clause::System(test) => test.passes(&None),
            })
    }

    /// The calls that pass, newest first.
    pub(crate) fn list(&self, filter: &Filter) -> Vec<&CallRecord> {
        let mut calls: Vec<_> = self
            .calls
            .iter()
            .filter(|call| self.passes(call, filter))
            .collect();
        calls.sort_by_key(|call| std::cmp::Reverse((call.start_us, call.id())));
        calls
    }

    /// Sums over the calls that pass.
    pub(crate) fn sums(&self, filter: &Filter) -> Expected {
        let mut sums = Expected::default();
        self.list(filter)
            .into_iter()
            .for_each(|call| sums.add(call));
        sums
    }

    /// The same by the values of a dimension, of values with a counted call.
    pub(crate) fn by(
        &self,
        filter: &Filter,
        dimension: &Dimension,
    ) -> BTreeMap<Option<String>, Expected> {
        let mut groups: BTreeMap<Option<String>, Expected> = BTreeMap::new();
        for call in self.list(filter) {
            groups
                .entry(self.value(call, dimension))
                .or_default()
                .add(call);
        }
        groups.retain(|_, sums| sums.calls > 0);
        groups
    }
}
