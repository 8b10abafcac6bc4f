//! Which rows answer for which part of a range.

/// 15 minutes, hours, six hours, UTC days, eight of them: seconds of a bucket, finest first, as in the column `tier`.
pub(crate) const TIERS: [i64; 5] = [900, 3_600, 21_600, 86_400, 691_200];

/// Seconds of a UTC day.
pub(crate) const DAY: i64 = TIERS[3];

/// Microseconds of a UTC day.
pub(crate) const DAY_US: i64 = DAY * 1_000_000;

/// The finest tier in seconds; differences not yet folded have its buckets.
pub(crate) const FINEST: i64 = TIERS[0];

/// A half-open range of microseconds.
pub(crate) type Range = (i64, i64);

/// A range cut into pieces that do not overlap and together are the range.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Whole buckets: seconds of a bucket and the range they fill, coarsest inside.
    pub(crate) buckets: Vec<(i64, Range)>,
    /// What the buckets of all tiers fill together; `None` if nothing.
    pub(crate) whole: Option<Range>,
    /// Parts of the finest buckets, at most one at either end: only calls can tell.
    pub(crate) edges: Vec<Range>,
}

impl Plan {
    /// Cuts `[from, to)` into buckets of these seconds, finest first; each divides the next.
    pub(crate) fn new((from, to): Range, tiers: &[i64]) -> Self {
        let mut plan = Self::default();
        let Some(whole) = inside((from, to), tiers[0]) else {
            plan.edges.push((from, to));
            return plan;
        };
        push(&mut plan.edges, (from, whole.0));
        push(&mut plan.edges, (whole.1, to));
        plan.whole = Some(whole);
        let mut rest = vec![whole];
        for &seconds in tiers.iter().rev() {
            let mut left = Vec::new();
            for range in rest {
                match inside(range, seconds) {
                    Some(inner) => {
                        plan.buckets.push((seconds, inner));
                        push(&mut left, (range.0, inner.0));
                        push(&mut left, (inner.1, range.1));
                    }
                    None => left.push(range),
                }
            }
            rest = left;
        }
        plan
    }
}

/// The tiers of rollups with no bucket longer than `coarsest` seconds.
pub(crate) fn tiers_up_to(coarsest: i64) -> &'static [i64] {
    &TIERS[..TIERS.partition_point(|seconds| *seconds <= coarsest)]
}

/// The end of the bucket that a moment is in; a moment at the end of time stays.
pub(crate) fn end_of_bucket(at_us: i64, seconds: i64) -> i64 {
    let bucket = seconds * 1_000_000;
    match at_us.checked_add(bucket - 1) {
        Some(last) => last.div_euclid(bucket) * bucket,
        None => at_us,
    }
}

/// The longest run of whole buckets within a range.
pub(crate) fn inside((from, to): Range, seconds: i64) -> Option<Range> {
    let bucket = seconds * 1_000_000;
    let start = from.checked_add(bucket - 1)?.div_euclid(bucket) * bucket;
    let end = to.div_euclid(bucket) * bucket;
    (start < end).then_some((start, end))
}

fn push(ranges: &mut Vec<Range>, range: Range) {
    if range.0 < range.1 {
        ranges.push(range);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DAY_US, Plan, Range, TIERS};

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = DAY_US;

    #[test]
    fn a_month_reads_long_buckets_inside_and_finer_rows_at_its_edges() {
        let from = DAY - 7 * 3_600 * SECOND - 900 * SECOND - 5;
        let to = 31 * DAY + 7;
        let plan = Plan::new((from, to), &TIERS);
        assert_eq!(
            plan.buckets,
            [
                (691_200, (8 * DAY, 24 * DAY)),
                (86_400, (DAY, 8 * DAY)),
                (86_400, (24 * DAY, 31 * DAY)),
                (21_600, (DAY - 21_600 * SECOND, DAY)),
                (3_600, (DAY - 25_200 * SECOND, DAY - 21_600 * SECOND)),
                (900, (DAY - 26_100 * SECOND, DAY - 25_200 * SECOND)),
            ]
        );
        assert_eq!(plan.edges, [(from, DAY - 26_100 * SECOND), (31 * DAY, to)]);
    }

    #[test]
    fn a_moment_has_no_bucket() {
        assert_eq!(
            Plan::new((5, 6), &TIERS),
            Plan {
                edges: vec![(5, 6)],
                ..Plan::default()
            }
        );
    }

    fn time() -> impl Strategy<Value = i64> {
        prop_oneof![
            -3 * DAY..40 * DAY,
            (-9_i64..400).prop_map(|n| n * 900 * SECOND)
        ]
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_range(a in time(), b in time(), coarsest in 0..TIERS.len()) {
            prop_assume!(a != b);
            let range = (a.min(b), a.max(b));
            let plan = Plan::new(range, &TIERS[..=coarsest]);
            let mut pieces: Vec<Range> = plan.edges.clone();
            for (seconds, (from, to)) in &plan.buckets {
                prop_assert!(*seconds <= TIERS[coarsest]);
                prop_assert_eq!((from.rem_euclid(seconds * SECOND), to.rem_euclid(seconds * SECOND)), (0, 0));
                pieces.push((*from, *to));
            }
            prop_assert!(plan.edges.iter().all(|(from, to)| to - from < 2 * 900 * SECOND));
            pieces.sort_unstable();
            prop_assert_eq!((pieces[0].0, pieces[pieces.len() - 1].1), range);
            prop_assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0));
            if let Some(whole) = plan.whole {
                let inner: i64 = plan.buckets.iter().map(|(_, (from, to))| to - from).sum();
                prop_assert_eq!(inner, whole.1 - whole.0);
            }
        }
    }
}
