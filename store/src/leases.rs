//! A fair share of the lanes for every live collector. Pure.

use crate::rows::LANES;

/// While an older collector settles, what only later versions write (`$2` and above) is not complete before the day
/// after, as the row of `meta` called `$1` says; told before leases that have ended are deleted.
pub(crate) const OLDER_WRITERS: &str = "INSERT INTO meta (name, value) \
     SELECT $1, max(until_us) / 86400000000 + 1 FROM settlers WHERE writes < $2 HAVING count(*) > 0 \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value < excluded.value";

/// A lane as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaneRow {
    pub(crate) lane: i16,
    pub(crate) owner: Option<String>,
    pub(crate) epoch: i64,
    pub(crate) until_us: i64,
}

/// Which ends of leases are of leases that hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    /// Leases that end by then have ended.
    pub(crate) now_us: i64,
    /// No lease taken by now ends after this: one that does was taken before the clock was set back, and has ended.
    pub(crate) latest_us: i64,
}

impl Validity {
    /// Of leases of `ttl_us`; as much again is for clocks that differ.
    pub(crate) fn of(now_us: i64, ttl_us: i64) -> Self {
        Self {
            now_us,
            latest_us: now_us.saturating_add(ttl_us.saturating_mul(2)),
        }
    }

    fn holds(&self, until_us: i64) -> bool {
        self.now_us < until_us && until_us <= self.latest_us
    }
}

/// What a collector does with the lanes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Lanes it keeps or takes, with the epoch it has them in.
    pub(crate) have: Vec<(i16, i64)>,
    /// Lanes it gives back.
    pub(crate) give: Vec<i16>,
}

/// The share of `owner` among `live` collectors: what it has up to its share, and free or expired
/// lanes for the rest. A lane taken from nobody or somebody else gets a new epoch.
pub(crate) fn share(lanes: &[LaneRow], owner: &str, live: usize, leases: Validity) -> Share {
    let fair = (LANES as usize).div_ceil(live.max(1));
    let mut share = Share::default();
    for lane in lanes
        .iter()
        .filter(|lane| lane.owner.as_deref() == Some(owner))
    {
        if share.have.len() < fair {
            share.have.push((lane.lane, lane.epoch));
        } else {
            share.give.push(lane.lane);
        }
    }
    let free = |lane: &&LaneRow| {
        let other = lane.owner.as_deref() != Some(owner);
        lane.owner.is_none() || (other && !leases.holds(lane.until_us))
    };
    for lane in lanes.iter().filter(free) {
        if share.have.len() == fair {
            break;
        }
        share.have.push((lane.lane, lane.epoch + 1));
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Validity = Validity {
        now_us: 10,
        latest_us: 200,
    };

    fn lanes(owner: impl Fn(i16) -> Option<&'static str>, until_us: i64) -> Vec<LaneRow> {
        let row = |lane| LaneRow {
            lane,
            owner: owner(lane).map(Into::into),
            epoch: 5,
            until_us,
        };
        (0..LANES).map(row).collect()
    }

    #[test]
    fn one_collector_takes_everything() {
        let share = share(&lanes(|_| None, 0), "a", 1, NOW);
        assert_eq!(share.have.len(), 64);
        assert!(share.have.iter().all(|(_, epoch)| *epoch == 6));
    }

    #[test]
    fn keeping_a_lane_keeps_its_epoch_even_when_it_expired() {
        let share = share(&lanes(|_| Some("a"), 0), "a", 1, NOW);
        assert!(share.have.iter().all(|(_, epoch)| *epoch == 5));
    }

    #[test]
    fn the_second_collector_gets_what_the_first_gives_back() {
        let all = lanes(|_| Some("a"), 100);
        assert_eq!(share(&all, "b", 2, NOW).have, []);
        assert_eq!(share(&all, "a", 2, NOW).give.len(), 32);
    }

    #[test]
    fn lanes_of_a_dead_collector_are_taken_over() {
        let share = share(
            &lanes(|lane| Some(if lane < 32 { "a" } else { "dead" }), 9),
            "a",
            1,
            NOW,
        );
        assert_eq!(share.have.len(), 64);
        assert_eq!(
            share.have.iter().filter(|(_, epoch)| *epoch == 6).count(),
            32
        );
    }

    #[test]
    fn a_lease_of_before_the_clock_was_set_back_has_ended() {
        let all = lanes(|_| Some("dead"), 201);
        assert_eq!(share(&all, "a", 1, NOW).have.len(), 64);
    }
}
