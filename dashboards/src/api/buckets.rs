//! Calendar buckets of a time zone.

use jiff::{Timestamp, ToSpan, Zoned, civil::Weekday, tz::TimeZone};

/// Most buckets of one answer.
pub(super) const MAX_BUCKETS: usize = 3_000;

/// Rows of rollups by their seconds, longest first.
const GRAINS: [i64; 3] = [86_400, 3_600, 900];

/// Length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    Quarter,
    Hour,
    Day,
    Week,
    Month,
}

impl Interval {
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("15min", Self::Quarter),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, interval)| *interval == self)
            .map_or("", |(name, _)| name)
    }

    /// What shows a range in about a hundred buckets.
    pub(super) const fn fitting(range_us: i64) -> Self {
        const DAY_US: i64 = 86_400_000_000;
        match range_us / DAY_US {
            ..1 => Self::Quarter,
            1..7 => Self::Hour,
            7..120 => Self::Day,
            120..730 => Self::Week,
            _ => Self::Month,
        }
    }

    /// Start of the bucket that contains `time`.
    fn floor(self, time: &Zoned) -> Result<Zoned, jiff::Error> {
        match self {
            Self::Quarter => {
                let clock = time.datetime();
                let minute = clock.minute() / 15 * 15;
                let into = i64::from(clock.minute() - minute) * 60 + i64::from(clock.second());
                time.checked_sub(into.seconds())?
                    .checked_sub(i64::from(clock.subsec_nanosecond()).nanoseconds())
            }
            Self::Hour => {
                let clock = time.datetime();
                let into = i64::from(clock.minute()) * 60 + i64::from(clock.second());
                time.checked_sub(into.seconds())?
                    .checked_sub(i64::from(clock.subsec_nanosecond()).nanoseconds())
            }
            Self::Day => time.start_of_day(),
            Self::Week => {
                let days = time.weekday().since(Weekday::Monday);
                time.date()
                    .checked_sub(i64::from(days).days())?
                    .to_zoned(time.time_zone().clone())
            }
            Self::Month => time
                .date()
                .first_of_month()
                .to_zoned(time.time_zone().clone()),
        }
    }

    /// Start of the bucket after the one that starts at `start`.
    fn next(self, start: &Zoned) -> Result<Zoned, jiff::Error> {
        let date = |date: jiff::civil::Date| date.to_zoned(start.time_zone().clone());
        match self {
            Self::Quarter => start.checked_add(15.minutes()),
            Self::Hour => {
                let next = start.checked_add(1.hour())?;
                if next.minute() == 0 {
                    return Ok(next);
                }
                // The clock was moved by part of an hour: the bucket is longer by the rest of it.
                next.checked_add(i64::from(60 - next.minute()).minutes())
            }
            Self::Day => date(start.date().tomorrow()?),
            Self::Week => date(start.date().checked_add(7.days())?),
            Self::Month => date(start.date().first_of_month().checked_add(1.month())?),
        }
    }
}

/// Starts of the buckets that cover `[from_us, to_us)` and, last, the end of the last one, in
/// microseconds. `None` when there are more than [`MAX_BUCKETS`] or the calendar ends.
pub(super) fn boundaries(
    from_us: i64,
    to_us: i64,
    interval: Interval,
    tz: &TimeZone,
) -> Option<Vec<i64>> {
    let from = Timestamp::from_microsecond(from_us)
        .ok()?
        .to_zoned(tz.clone());
    let mut at = interval.floor(&from).ok()?;
    let mut boundaries = vec![at.timestamp().as_microsecond()];
    while at.timestamp().as_microsecond() < to_us {
        if boundaries.len() > MAX_BUCKETS {
            return None;
        }
        at = interval.next(&at).ok()?;
        boundaries.push(at.timestamp().as_microsecond());
    }
    Some(boundaries)
}

/// Seconds of the longest row of rollups of which every boundary is a multiple. Offsets of the
/// past that are no quarter of an hour are answered with quarters of an hour.
pub(super) fn grain(boundaries: &[i64]) -> i64 {
    let fits = |seconds: &i64| {
        boundaries
            .iter()
            .all(|time| time.rem_euclid(seconds * 1_000_000) == 0)
    };
    GRAINS
        .into_iter()
        .find(fits)
        .unwrap_or(GRAINS[GRAINS.len() - 1])
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn texts(boundaries: &[i64]) -> Vec<String> {
        boundaries
            .iter()
            .map(|time| Timestamp::from_microsecond(*time).unwrap().to_string())
            .collect()
    }

    #[test]
    fn days_follow_the_clock_change() {
        let tz = TimeZone::get("Europe/Berlin").unwrap();
        let days = boundaries(
            us("2026-10-24T10:00:00Z"),
            us("2026-10-26T10:00:00Z"),
            Interval::Day,
            &tz,
        )
        .unwrap();
        let starts = [
            "2026-10-23T22:00:00Z",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "2026-10-26T23:00:00Z",
        ];
        assert_eq!(texts(&days), starts);
        assert_eq!(grain(&days), 3_600);
    }

    #[test]
    fn half_hour_zones_read_quarters() {
        let tz = TimeZone::get("Asia/Kolkata").unwrap();
        let days = boundaries(
            us("2026-10-24T10:00:00Z"),
            us("2026-10-24T11:00:00Z"),
            Interval::Day,
            &tz,
        )
        .unwrap();
        assert_eq!(
            texts(&days),
            ["2026-10-23T18:30:00Z", "2026-10-24T18:30:00Z"]
        );
        assert_eq!(grain(&days), 900);
        let utc = boundaries(
            us("2026-10-24T10:00:00Z"),
            us("2026-10-24T11:00:00Z"),
            Interval::Day,
            &TimeZone::UTC,
        );
        assert_eq!(grain(&utc.unwrap()), 86_400);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let range = (us("2026-11-22T22:49:12.5Z"), us("2026-12-01T00:00:00Z"));
        let weeks = boundaries(range.0, range.1, Interval::Week, &TimeZone::UTC).unwrap();
        assert_eq!(
            texts(&weeks),
            [
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
                "2026-12-07T00:00:00Z"
            ]
        );
        let months = boundaries(range.0, range.1, Interval::Month, &TimeZone::UTC).unwrap();
        assert_eq!(
            texts(&months),
            ["2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"]
        );
    }

    #[test]
    fn too_many_are_refused() {
        let range = (us("2000-01-01T00:00:00Z"), us("2100-01-01T00:00:00Z"));
        assert_eq!(
            boundaries(range.0, range.1, Interval::Day, &TimeZone::UTC),
            None
        );
        assert_eq!(
            boundaries(
                range.0,
                range.1,
                Interval::fitting(range.1 - range.0),
                &TimeZone::UTC
            )
            .unwrap()
            .len(),
            1_201
        );
        let end = Timestamp::MAX.as_microsecond();
        assert_eq!(
            boundaries(end - 10, end, Interval::Month, &TimeZone::UTC),
            None
        );
    }

    proptest! {
        #[test]
        fn buckets_cover_the_range_without_gaps(
            from in 0_i64..2_000_000_000,
            length in 1_i64..3_000_000,
            interval in select(Interval::NAMES.map(|(_, interval)| interval).to_vec()),
            tz in select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]),
        ) {
            let (from_us, to_us) = (from * 1_000_000, (from + length) * 1_000_000);
            let tz = TimeZone::get(tz).unwrap();
            let Some(boundaries) = boundaries(from_us, to_us, interval, &tz) else {
                prop_assert!(matches!(interval, Interval::Quarter));
                return Ok(());
            };
            prop_assert!(boundaries.len() >= 2);
            prop_assert!(boundaries[0] <= from_us && from_us < boundaries[1]);
            prop_assert!(boundaries[boundaries.len() - 2] < to_us && to_us <= boundaries[boundaries.len() - 1]);
            prop_assert!(boundaries.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(boundaries.iter().all(|time| time.rem_euclid(grain(&boundaries) * 1_000_000) == 0));
        }
    }
}
