//! The month: when which trace happens.

use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    scenarios::{self, Release},
    trace::TraceBuilder,
};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// The release that stopped caching the prompt of `search_docs` went out this long before the end.
const RELEASE_AGE: Duration = Duration::from_secs(6 * 86_400);
/// Share of a working day's traffic in each hour, in percent; it adds up to 100.
const HOURS: [u64; 24] = [
    1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 10, 9, 7, 8, 9, 9, 7, 5, 3, 2, 2, 2, 1, 1,
];

/// All traces of the month in order of time.
pub(super) struct Month {
    seed: u64,
    end: Duration,
    starts: std::vec::IntoIter<(Duration, Kind)>,
    traces: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Chat,
    Ticket,
    Search,
    Onboarding,
    Digest,
    Indexing,
}

impl Month {
    /// `days` days of traffic that end at the hour `end`.
    pub(super) fn new(seed: u64, end: Duration, days: u32, traces_per_day: u32) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ end.as_secs());
        let begin = end.saturating_sub(DAY * days);
        let mut starts = Vec::new();
        for hour in 0..days * 24 {
            let start = begin + HOUR * hour;
            let planned = u64::from(traces_per_day) * share_of(start) / 10_000;
            for _ in 0..planned {
                starts.push((within(&mut random, start), kind(&mut random)));
            }
            if start.as_secs() / 3_600 % 24 == 2 {
                starts.push((within(&mut random, start), Kind::Digest));
                starts.push((within(&mut random, start), Kind::Indexing));
            }
        }
        starts.sort_by_key(|(start, _)| *start);
        let traces = starts.len() as u64;
        Self {
            seed,
            end,
            starts: starts.into_iter(),
            traces,
        }
    }

    /// How many traces there are.
    pub(super) fn traces(&self) -> u64 {
        self.traces
    }
}

impl Iterator for Month {
    type Item = Vec<(&'static str, SpanData)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, kind) = self.starts.next()?;
        let nanos = u64::try_from(start.as_nanos()).unwrap_or(u64::MAX);
        let random = StdRng::seed_from_u64(
            self.seed.rotate_left(48) ^ self.end.as_secs().rotate_left(24) ^ nanos,
        );
        let release = if start + RELEASE_AGE >= self.end {
            Release::New
        } else {
            Release::Old
        };
        let mut trace = TraceBuilder::new(random, start);
        match kind {
            Kind::Chat => scenarios::chat(&mut trace, release),
            Kind::Ticket => scenarios::ticket(&mut trace),
            Kind::Search => scenarios::search(&mut trace, release),
            Kind::Onboarding => scenarios::onboarding(&mut trace),
            Kind::Digest => scenarios::digest(&mut trace),
            Kind::Indexing => scenarios::indexing(&mut trace),
        }
        Some(trace.finish())
    }
}

/// Share of a busy day's traffic in the hour that begins at `start`, in hundredths of a percent.
fn share_of(start: Duration) -> u64 {
    let hour = usize::try_from(start.as_secs() / 3_600 % 24).unwrap_or(0);
    // 1 January 1970 was a Thursday.
    let weekday = (start.as_secs() / 86_400 + 4) % 7;
    let of_day = if matches!(weekday, 0 | 6) { 35 } else { 100 };
    HOURS[hour] * of_day
}

fn within(random: &mut StdRng, hour: Duration) -> Duration {
    hour + Duration::from_nanos(random.random_range(0..3_600_000_000_000))
}

fn kind(random: &mut StdRng) -> Kind {
    match random.random_range(0..100) {
        0..46 => Kind::Chat,
        46..66 => Kind::Ticket,
        66..92 => Kind::Search,
        _ => Kind::Onboarding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Duration = Duration::from_secs(1_795_392_000);

    fn ids(month: Month) -> std::collections::BTreeSet<String> {
        month
            .map(|trace| trace[0].1.span_context.trace_id().to_string())
            .collect()
    }

    #[test]
    fn the_same_hour_gives_the_same_month_and_another_hour_never_collides() {
        let month = |end| ids(Month::new(1, end, 3, 100));
        let first = month(END);
        assert!(first.len() > 100, "{}", first.len());
        assert_eq!(first, month(END));
        assert!(first.is_disjoint(&month(END + HOUR)));
    }

    #[test]
    fn every_trace_has_one_root_and_no_span_without_its_parent() {
        for trace in Month::new(1, END, 10, 60) {
            let spans: std::collections::BTreeSet<_> = trace
                .iter()
                .map(|(_, span)| span.span_context.span_id().to_string())
                .collect();
            assert_eq!(spans.len(), trace.len(), "ids are unique");
            let orphans = trace
                .iter()
                .filter(|(_, span)| !spans.contains(&span.parent_span_id.to_string()));
            assert_eq!(orphans.count(), 1, "only the root has no parent");
            assert!(
                trace
                    .iter()
                    .all(|(_, span)| span.start_time <= span.end_time)
            );
        }
    }
}
