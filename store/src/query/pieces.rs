//! Which rows answer for which part of a range when one value of a dimension is asked about.
//!
//! The tables by dimension have whole UTC days. A day that the range cuts is answered by the calls of the part inside, or by the
//! whole day less the calls outside: whichever part is shorter. Until now there are none outside, so today costs no call at all.

use super::{
    clauses::Source,
    filter::{Column, Filter},
    plan::{DAY_US, Plan, Range},
    snapshot::Snapshot,
    source::dimension_name,
    status::extent,
};
use crate::{
    StoreError,
    delta::{DIM_TIERS, VALUES_SINCE_DAY},
};

/// A part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These days, since 1970, of a table by day.
    Days(Source, Vec<i64>),
    /// The buckets of so many seconds of `dim_totals` in a range.
    Buckets(i64, Range),
    /// Differences not yet folded into `dim_totals`, of a range of whole hours.
    Waiting(Range),
    /// Calls that start in a range.
    Calls(Range),
    /// Calls that start in a range, to be taken away.
    LessCalls(Range),
}

impl Piece {
    /// The table that answers.
    pub(crate) const fn source(&self) -> Source {
        match self {
            Self::Days(source, _) => *source,
            Self::Buckets(..) | Self::Waiting(_) => Source::Totals,
            Self::Calls(_) | Self::LessCalls(_) => Source::Calls,
        }
    }
}

/// How far back the tables go.
#[derive(Clone, Debug)]
struct Kept {
    /// From the first day with rows of any kind to the end of the last, microseconds.
    data: Range,
    /// First microsecond after the last call.
    calls_end_us: i64,
    /// First day from which on sums by path and totals are complete.
    since_day: i64,
    /// Days without sums by path.
    wide: Vec<i64>,
}

impl Kept {
    /// The end of a range among the data: until now there is nothing after the last call of the last day.
    fn end(&self, to: i64) -> i64 {
        let is_last_day = self.data.1.saturating_sub(self.calls_end_us) < DAY_US;
        if is_last_day && to >= self.calls_end_us {
            self.data.1
        } else {
            to.min(self.data.1)
        }
    }
}

/// Cuts the range of a filter for a source by dimension; sums first, calls to be taken away last.
pub(crate) async fn pieces(
    snapshot: &mut Snapshot,
    filter: &Filter,
    column: &Column,
    source: Source,
) -> Result<Vec<Piece>, StoreError> {
    let name = dimension_name(column).unwrap_or_default();
    let Some(kept) = kept(snapshot, filter.project, &name).await? else {
        return Ok(Vec::new());
    };
    Ok(cut((filter.from_us, filter.to_us), source, &kept))
}

async fn kept(
    snapshot: &mut Snapshot,
    project: i32,
    dimension: &str,
) -> Result<Option<Kept>, StoreError> {
    let calls = extent(snapshot, project).await?;
    let mut sql = snapshot
        .sql("SELECT (SELECT CAST(MIN(day) AS bigint) FROM dim_rollups WHERE project_id = ");
    sql.bind(project)
        .push("), (SELECT CAST(MAX(day) AS bigint) FROM dim_rollups WHERE project_id = ")
        .bind(project)
        .push(")");
    let days = snapshot
        .first(sql, |row| Ok(row.maybe_int(0)?.zip(row.maybe_int(1)?)))
        .await?
        .flatten();
    let of_calls = calls.map(|(first, last)| (first.div_euclid(DAY_US), last.div_euclid(DAY_US)));
    let Some(first) = days
        .into_iter()
        .chain(of_calls)
        .map(|(first, _)| first)
        .min()
    else {
        return Ok(None);
    };
    let last = days.into_iter().chain(of_calls).map(|(_, last)| last).max();
    let since_day = since_day(snapshot).await?;
    let mut sql = snapshot.sql("SELECT CAST(day AS bigint) FROM dim_wide WHERE project_id = ");
    sql.bind(project).push(" AND dimension = ").bind(dimension);
    Ok(Some(Kept {
        data: (first * DAY_US, (last.unwrap_or(first) + 1) * DAY_US),
        calls_end_us: calls.map_or(i64::MIN, |(_, last)| last + 1),
        since_day,
        wide: snapshot.all(sql, |row| row.int(0)).await?,
    }))
}

/// The first UTC day from which on [`VALUES_SINCE_DAY`] holds.
pub(crate) async fn since_day(snapshot: &mut Snapshot) -> Result<i64, StoreError> {
    let mut sql = snapshot.sql("SELECT value FROM meta WHERE name = ");
    sql.bind(VALUES_SINCE_DAY);
    let day = snapshot.first(sql, |row| row.int(0)).await?;
    Ok(day.unwrap_or(i64::MIN / DAY_US))
}

fn cut((from, to): Range, source: Source, kept: &Kept) -> Vec<Piece> {
    let (from, to) = (from.max(kept.data.0), kept.end(to));
    if from >= to {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    let mut range = (from, to);
    if source == Source::Totals {
        let since_us = (kept.since_day.saturating_mul(DAY_US)).clamp(from, to);
        if since_us < to {
            let plan = Plan::new((since_us, to), &DIM_TIERS.map(i64::from));
            let buckets = plan.buckets.into_iter();
            pieces.extend(buckets.map(|(seconds, range)| Piece::Buckets(seconds, range)));
            pieces.extend(plan.whole.map(Piece::Waiting));
            pieces.extend(plan.edges.into_iter().map(Piece::Calls));
        }
        range = (from, since_us);
    }
    let by_day = match source {
        Source::Totals => Source::Dimensions,
        other => other,
    };
    pieces.extend(cut_days(range, by_day, kept));
    pieces.sort_by_key(|piece| matches!(piece, Piece::Calls(_) | Piece::LessCalls(_)));
    pieces
}

fn cut_days((from, to): Range, source: Source, kept: &Kept) -> Vec<Piece> {
    let (mut days, mut calls, mut less) = (Vec::new(), Vec::<Range>::new(), Vec::new());
    let first = from.div_euclid(DAY_US);
    for day in first..(to + DAY_US - 1).div_euclid(DAY_US) {
        let (start, end) = (day * DAY_US, (day + 1) * DAY_US);
        let inside = (from.max(start), to.min(end));
        let last_us = end.min(kept.calls_end_us);
        let outside = [(start, inside.0), (inside.1, last_us)];
        let outside = outside.into_iter().filter(|(from, to)| from < to);
        let is_complete =
            source == Source::Dimensions || (day >= kept.since_day && !kept.wide.contains(&day));
        let length = |(from, to): Range| to - from;
        if is_complete && outside.clone().map(length).sum::<i64>() < length(inside) {
            days.push(day);
            less.extend(outside);
        } else if let Some(last) = calls.last_mut().filter(|last| last.1 == inside.0) {
            last.1 = inside.1;
        } else {
            calls.push(inside);
        }
    }
    let days = (!days.is_empty()).then_some(Piece::Days(source, days));
    let calls = calls.into_iter().map(Piece::Calls);
    days.into_iter()
        .chain(calls)
        .chain(less.into_iter().map(Piece::LessCalls))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_US: i64 = DAY_US / 24;

    fn kept() -> Kept {
        Kept {
            data: (0, 40 * DAY_US),
            calls_end_us: 39 * DAY_US + 12 * HOUR_US,
            since_day: 10,
            wide: vec![20],
        }
    }

    #[test]
    fn until_now_the_last_day_needs_no_call() {
        let now = 39 * DAY_US + 12 * HOUR_US + 5;
        let range = (38 * DAY_US + HOUR_US, now);
        assert_eq!(
            cut(range, Source::Paths, &kept()),
            [
                Piece::Days(Source::Paths, vec![38, 39]),
                Piece::LessCalls((38 * DAY_US, 38 * DAY_US + HOUR_US)),
            ]
        );
    }

    #[test]
    fn days_that_are_not_kept_by_path_are_answered_by_calls() {
        let range = (9 * DAY_US, 22 * DAY_US);
        assert_eq!(
            cut(range, Source::Paths, &kept()),
            [
                Piece::Days(Source::Paths, (10..20).chain([21]).collect()),
                Piece::Calls((9 * DAY_US, 10 * DAY_US)),
                Piece::Calls((20 * DAY_US, 21 * DAY_US)),
            ]
        );
    }

    #[test]
    fn totals_begin_where_they_are_complete() {
        let range = (9 * DAY_US, 11 * DAY_US + 90);
        assert_eq!(
            cut(range, Source::Totals, &kept()),
            [
                Piece::Buckets(86_400, (10 * DAY_US, 11 * DAY_US)),
                Piece::Waiting((10 * DAY_US, 11 * DAY_US)),
                Piece::Days(Source::Dimensions, vec![9]),
                Piece::Calls((11 * DAY_US, 11 * DAY_US + 90)),
            ]
        );
    }

    #[test]
    fn until_now_totals_have_one_end() {
        let now = 39 * DAY_US + 12 * HOUR_US + 5;
        let days = (38 * DAY_US, 40 * DAY_US);
        assert_eq!(
            cut((38 * DAY_US, now), Source::Totals, &kept()),
            [Piece::Buckets(86_400, days), Piece::Waiting(days)]
        );
    }

    proptest! {
        #[test]
        fn every_call_counts_once(a in 0..40 * DAY_US, b in 0..40 * DAY_US, at in 0..40 * DAY_US) {
            prop_assume!(a != b && at < kept().calls_end_us);
            let range = (a.min(b), a.max(b));
            let within = |(from, to): &Range| i32::from((*from..*to).contains(&at));
            for source in [Source::Dimensions, Source::Paths, Source::Totals] {
                let counted: i32 = cut(range, source, &kept()).iter().map(|piece| match piece {
                    Piece::Days(_, days) => i32::from(days.contains(&at.div_euclid(DAY_US))),
                    Piece::Buckets(_, range) | Piece::Calls(range) => within(range),
                    Piece::LessCalls(range) => -within(range),
                    Piece::Waiting(_) => 0,
                }).sum();
                prop_assert_eq!(counted, within(&range));
            }
        }
    }
}
