//! Two selections beside each other: what is asked for, and the values of both.

use std::{cmp::Reverse, collections::HashMap, hash::Hash};

use costflame_store::query::{Filter, Sums};
use jiff::Timestamp;
use utoipa::IntoParams;

use super::state::selection;
use crate::{
    filter::base_selection,
    params::{Invalid, Params},
};

/// What the other side has instead of the same parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is taken from the query string")]
pub(super) struct BaseParams {
    /// With `base_to`: the range to compare with.
    base_from: Option<String>,
    /// First moment after the range to compare with.
    base_to: Option<String>,
    /// Replaces the filter KEY on the other side.
    #[param(rename = "base.KEY")]
    base: Option<Vec<String>>,
}

/// Takes a selection and what it is compared with.
pub(super) fn both_sides(params: &mut Params) -> Result<(Filter, Filter), Invalid> {
    let now = selection(params)?;
    let base = base_selection(params, &now, Timestamp::now())?.ok_or_else(|| {
        Invalid::new(
            "base_from",
            "Say what to compare with: base_from and base_to, or base.KEY.",
        )
    })?;
    Ok((now.filter, base))
}

/// Every value of either side with the sums of both, the largest change of cost first, ties by value.
pub(super) fn side_by_side<K: Copy + Ord + Hash>(
    now: impl Iterator<Item = (K, Sums)>,
    base: impl Iterator<Item = (K, Sums)>,
) -> Vec<(K, Sums, Sums)> {
    let mut pairs: HashMap<K, (Sums, Sums)> = HashMap::new();
    for (value, sums) in now {
        pairs.entry(value).or_default().0 = sums;
    }
    for (value, sums) in base {
        pairs.entry(value).or_default().1 = sums;
    }
    let rows = pairs.into_iter();
    let mut rows: Vec<_> = rows
        .map(|(value, (now, base))| (value, now, base))
        .collect();
    rows.sort_unstable_by_key(|(value, now, base)| {
        (Reverse((now.cost - base.cost).0.unsigned_abs()), *value)
    });
    rows
}
