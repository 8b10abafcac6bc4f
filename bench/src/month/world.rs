//! A month of a middling company, drawn from one seed: 500 call paths with calls, some hundred series, a
//! thousand users, agent traces of five calls.

use std::collections::BTreeMap;

use costflame_profile::{Frame, FrameKind, PathId, PathRow, TraceId};
use costflame_store::{DAY_US, Measures, SeriesId, SeriesRow, TIERS};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Days of data.
pub(super) const DAYS: i64 = 30;
/// Calls of one trace.
pub(super) const CALLS: usize = 5;
/// First microsecond of the month.
pub(super) const FROM_US: i64 = 20_400 * DAY_US;
/// Now: in the middle of its last day, nothing is later.
pub(super) const NOW_US: i64 = FROM_US + (DAYS - 1) * DAY_US + 49_025_000_001;

const ROUTES: usize = 100;
const USERS: usize = 1_000;
const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-4o-mini"),
    ("google", "gemini-2.5-pro"),
];

/// Where a call ends: one path and one series.
pub(super) struct Leaf {
    pub(super) path: PathId,
    pub(super) series: SeriesId,
    pub(super) values: SeriesRow,
}

/// Paths and series; leaves of one route and environment stand together, [`CALLS`] of them.
pub(super) struct World {
    pub(super) paths: Vec<PathRow>,
    pub(super) leaves: Vec<Leaf>,
    /// Of each leaf the first one with the same series.
    pub(super) series: Vec<usize>,
}

/// One trace before its calls are written.
pub(super) struct Seed {
    pub(super) trace: TraceId,
    pub(super) start_us: i64,
    /// Its first call's leaf.
    pub(super) leaf: usize,
    /// The first call of every fiftieth trace failed.
    pub(super) failed: bool,
    pub(super) user: usize,
}

/// Sums by (tier, bucket, leaf).
pub(super) type Rollups = BTreeMap<(i32, i64, usize), Measures>;
/// Sums by (seconds of a bucket, bucket, dimension, value, leaf); the leaf is 0 where there is no path, and -1 in
/// the seconds stands for sums by path, -2 for those by series.
pub(super) type Dimensions = BTreeMap<(i32, i64, &'static str, String, usize), Measures>;
/// Sums by path and UTC day, among the seconds of a bucket.
pub(super) const BY_PATH: i32 = -1;
/// Sums by series and UTC day.
pub(super) const BY_SERIES: i32 = -2;
/// Traces by (tier, bucket).
pub(super) type Traces = BTreeMap<(i32, i64), i64>;

impl Seed {
    pub(super) fn team(&self) -> String {
        format!("team-{}", self.user % 12)
    }

    pub(super) fn user(&self) -> String {
        format!("user-{}", self.user)
    }
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            paths: Vec::new(),
            leaves: Vec::new(),
            series: Vec::new(),
        };
        for route in 0..ROUTES {
            let web = format!("web-{}", route % 4);
            let request = world.path(
                None,
                &web,
                FrameKind::Request,
                &format!("POST /r{}", route / 2),
            );
            let name = format!("agent-{}", route % 8);
            let agent = world.path(Some(request), "agents", FrameKind::Agent, &name);
            let step = world.path(
                Some(agent),
                "agents",
                FrameKind::Step,
                &format!("plan {}", route % 3),
            );
            let ends: Vec<PathId> = (0..CALLS)
                .map(|call| {
                    let tool = format!("tool-{}", (route + call) % 20);
                    let above = match call {
                        0 | 1 => step,
                        _ => world.path(Some(step), "agents", FrameKind::Tool, &tool),
                    };
                    let model = MODELS[(route + call) % MODELS.len()].1;
                    world.path(
                        Some(above),
                        "agents",
                        FrameKind::Model,
                        &format!("{model} {call}"),
                    )
                })
                .collect();
            for environment in ["production", "staging"] {
                for (call, path) in ends.iter().enumerate() {
                    let (provider, model) = MODELS[(route + call) % MODELS.len()];
                    let feature = format!("feature-{}", route % 10);
                    let values = SeriesRow {
                        values: [
                            provider,
                            model,
                            "agents",
                            environment,
                            &feature,
                            &name,
                            "chat",
                        ]
                        .map(|value| Some(value.into())),
                    };
                    let series = values.id(1);
                    world.leaves.push(Leaf {
                        path: *path,
                        series,
                        values,
                    });
                }
            }
        }
        let first = |leaf: &Leaf| {
            world
                .leaves
                .iter()
                .position(|known| known.series == leaf.series)
        };
        world.series = world
            .leaves
            .iter()
            .map(|leaf| first(leaf).unwrap_or_default())
            .collect();
        world
    }

    fn path(
        &mut self,
        parent: Option<PathId>,
        service: &str,
        kind: FrameKind,
        label: &str,
    ) -> PathId {
        let frame = Frame {
            service: service.into(),
            kind,
            label: label.into(),
        };
        let id = PathId::of(1, parent, &frame);
        if !self.paths.iter().any(|path| path.id == id) {
            self.paths.push(PathRow { id, parent, frame });
        }
        id
    }

    /// Traces of the month in the order of their starts.
    pub(super) fn seeds(&self, traces: usize) -> impl Iterator<Item = Seed> {
        let mut random = StdRng::seed_from_u64(7);
        let month = NOW_US - FROM_US - 60_000_000;
        (0..traces).map(move |number| {
            let part = i128::from(month) * number as i128 / traces as i128;
            let route = skewed(&mut random, ROUTES);
            let staging = usize::from(random.random_ratio(1, 10));
            let mut trace = [0; 16];
            random.fill(&mut trace);
            Seed {
                trace: TraceId(trace),
                start_us: FROM_US + i64::try_from(part).unwrap_or(0),
                leaf: (route * 2 + staging) * CALLS,
                failed: number % 50 == 3,
                user: skewed(&mut random, USERS),
            }
        })
    }
}

/// Small numbers are drawn far more often than large ones.
fn skewed(random: &mut StdRng, below: usize) -> usize {
    let even: f64 = random.random();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and `below`"
    )]
    let number = (even * even * even * below as f64) as usize;
    number.min(below - 1)
}

/// Adds the calls of a trace to all sums; `receipts` are the sums of one call each.
pub(super) fn add(
    world: &World,
    number: usize,
    seed: &Seed,
    receipts: &[Measures],
    sums: &mut (Rollups, Dimensions, Traces),
) {
    for call in 0..CALLS {
        let mut one = receipts[template(number, call, receipts.len())].clone();
        one.counts[1] = i64::from(seed.failed && call == 0);
        let leaf = seed.leaf + call;
        let start_us = call_start(seed, call);
        for tier in TIERS {
            let width = i64::from(tier) * 1_000_000;
            let key = (tier, start_us / width * width, leaf);
            sums.0.entry(key).or_default().add(&one);
        }
        let day_us = start_us / DAY_US * DAY_US;
        let hour_us = start_us / 3_600_000_000 * 3_600_000_000;
        // Leaves of one series stand for it by the first of them.
        let series = world.series[leaf];
        for (dimension, value) in [("user", seed.user()), ("tag.team", seed.team())] {
            for (seconds, bucket_us, leaf) in [
                (BY_PATH, day_us, leaf),
                (BY_SERIES, day_us, series),
                (86_400, day_us, 0),
                (3_600, hour_us, 0),
            ] {
                let key = (seconds, bucket_us, dimension, value.clone(), leaf);
                sums.1.entry(key).or_default().add(&one);
            }
        }
    }
    for tier in TIERS {
        let width = i64::from(tier) * 1_000_000;
        *sums
            .2
            .entry((tier, seed.start_us / width * width))
            .or_default() += 1;
    }
}

/// Which receipt a call has; the SQL that writes calls says the same.
pub(super) const fn template(number: usize, call: usize, count: usize) -> usize {
    (number * 7 + call) % count
}

/// When a call starts; the SQL that writes calls says the same.
pub(super) const fn call_start(seed: &Seed, call: usize) -> i64 {
    seed.start_us + call as i64 * 2_000_000
}
