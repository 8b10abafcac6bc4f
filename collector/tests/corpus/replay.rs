//! Recorded bodies through decode, recognise, price, commit, settle and elect, all scenarios in one database.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use costflame_collector::{
    decode::{self, Attributes, Encoding, Limits, Value},
    dialect::{Lander, sum},
};
use costflame_pricing::Catalog;
use costflame_profile::{Signal, SpanId};
use costflame_store::{CallRow, Due, LandingRow, MarkId, Options, Store};

use crate::truth::Scenario;

/// When everything is received, microseconds since 1970 UTC.
const NOW_US: i64 = 1_795_400_000_000_000;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Order {
    /// Body by body.
    AsRecorded,
    /// From the last record to the first, and once more.
    Backwards,
    /// As if only logs had been exported.
    LogsAlone,
    /// As if only metrics had been exported.
    MetricsAlone,
}

/// What became of a scenario.
#[derive(Default)]
pub(crate) struct Replayed {
    /// Its calls, counted or not, in the order of their ids.
    pub(crate) calls: Vec<CallRow>,
    /// Every number written anywhere in the attributes of its spans and log records.
    pub(crate) numbers: BTreeSet<u64>,
    /// Those of each span.
    pub(crate) own: BTreeMap<SpanId, BTreeSet<u64>>,
}

/// Replays every scenario as a project of its own.
pub(crate) async fn all(scenarios: &[Scenario], order: Order) -> Vec<Replayed> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("corpus.db").display());
    let store = Store::connect(&url, &Options::default()).await.unwrap();
    let catalog = Catalog::embedded();
    let mut replayed = Vec::new();
    let mut waiting = Vec::new();
    for (project, scenario) in (1..).zip(scenarios) {
        let mut one = Replayed::default();
        let mut rows = land(scenario, project, &catalog, order, &mut one);
        if order == Order::Backwards {
            rows.reverse();
            rows.extend(rows.clone());
        }
        waiting.append(&mut rows);
        replayed.push(one);
        if waiting.len() > 1_000 {
            store.commit(&waiting, &[]).await.unwrap();
            waiting.clear();
        }
    }
    store.commit(&waiting, &[]).await.unwrap();
    settle(&store).await;
    for call in store.all_calls().await.unwrap() {
        let project = usize::try_from(call.key.trace.project).unwrap();
        replayed[project - 1].calls.push(call);
    }
    for one in &mut replayed {
        one.calls.sort_by_key(|call| call.key);
    }
    replayed
}

async fn settle(store: &Store) {
    let leases = store.lease_lanes("corpus", NOW_US, 60_000_000).await;
    let leases = leases.unwrap();
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let page = store.marks_after(&lanes, MarkId::default(), 1_000_000);
    let due = Due::of(&page.await.unwrap().marks);
    for due in due.chunks(256) {
        store.settle(&leases, due).await.unwrap();
    }
    let left = store.marks_after(&lanes, MarkId::default(), 1).await;
    assert!(left.unwrap().marks.is_empty(), "everything is settled");
    let verified = store.verify().await.unwrap();
    assert_eq!(verified.differences, [], "settled is what the sources say");
}

fn land(
    scenario: &Scenario,
    project: i32,
    catalog: &Catalog,
    order: Order,
    replayed: &mut Replayed,
) -> Vec<LandingRow> {
    let limits = Limits::default();
    let mut rows = Vec::new();
    let spans = match order {
        Order::LogsAlone | Order::MetricsAlone => Vec::new(),
        Order::AsRecorded | Order::Backwards => scenario.bodies("traces"),
    };
    for path in spans {
        let body = body(Signal::Span, &path, &limits);
        let mut lander = Lander::new(catalog);
        let outcome = decode::walk_traces(&body, &limits, |resource, scope, span| {
            let own = replayed.own.entry(span.span_id).or_default();
            find_numbers(span.attributes, own);
            replayed.numbers.extend(own.iter());
            rows.push(lander.land(resource, scope, span, project, NOW_US));
        });
        assert_eq!(outcome.unwrap().partial_success(), None, "{path:?}");
    }
    let of = |signal, without| {
        if order == without {
            Vec::new()
        } else {
            scenario.bodies(signal)
        }
    };
    for path in of("logs", Order::MetricsAlone) {
        let body = body(Signal::Log, &path, &limits);
        let mut lander = Lander::new(catalog);
        let walked = decode::walk_logs(&body, &limits, |resource, scope, record| {
            find_numbers(record.attributes, &mut replayed.numbers);
            rows.extend(lander.land_log(resource, scope, record, project, NOW_US));
        });
        walked.unwrap();
    }
    for path in of("metrics", Order::LogsAlone) {
        let body = body(Signal::Metric, &path, &limits);
        let mut lander = Lander::new(catalog);
        let walked = decode::walk_points(&body, &limits, sum::wanted, |resource, scope, points| {
            rows.extend(lander.land_points(resource, scope, points, project, NOW_US));
        });
        walked.unwrap();
    }
    rows
}

/// The recorded body of a request as protobuf.
fn body(signal: Signal, path: &Path, limits: &Limits) -> Vec<u8> {
    let body = fs::read(path).unwrap();
    let is_gzip = body.starts_with(&[0x1f, 0x8b]);
    let encoding = if is_gzip {
        Encoding::Gzip
    } else {
        Encoding::Identity
    };
    let plain = decode::inflate(encoding, &body, limits.max_request_bytes).unwrap();
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return decode::json_to_protobuf(signal, &plain, limits).unwrap();
    }
    plain.into_owned()
}

fn find_numbers(attributes: Attributes<'_>, numbers: &mut BTreeSet<u64>) {
    for (_, value) in attributes.0 {
        match value {
            Value::Str(text) => {
                let digits = text.split(|c: char| !c.is_ascii_digit());
                numbers.extend(digits.filter_map(|digits| digits.parse::<u64>().ok()));
            }
            value => numbers.extend(value.as_u64_count().number()),
        }
    }
}
