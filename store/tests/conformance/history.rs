//! Law 5: whatever way spans take, the settled tables are the same.
//!
//! Spans are drawn, landed at once in one database and settled; then the same spans take a random
//! way through another: permuted, repeated, split into requests of two collectors, settled by both
//! between the requests and at the same time, with settlings and foldings cut off at any point.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use costflame_pricing::{Receipt, TokenClass, Unpriced, Usage, Usd};
use costflame_profile::{Attribution, Call, FrameKind, Role, Signal, SpanKind};
use costflame_store::{
    Due, LandingRow, Lease, MarkId, Store,
    query::{self, Filter},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::support::{Database, NOW_US, call, plain, settle, verify};

/// Cases; each is dozens of transactions.
const CASES: u32 = 24;

/// What makes a span.
#[derive(Clone, Debug, Hash)]
struct Drawn {
    trace: u8,
    span: u8,
    parent: u8,
    role: u8,
    kind: u8,
    usage: u8,
    response: u8,
    emitter: u8,
    instance: u8,
    client: bool,
    error: bool,
    is_log: bool,
    priced: bool,
    start_s: u32,
    length_ms: u32,
    attribution: u8,
    weight: u8,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let place = (1..=4_u8, 1..=7_u8, 0..=8_u8, 0..=5_u8, 0..=5_u8);
    let call = (0..=4_u8, 0..=4_u8, 0..=3_u8, 0..=2_u8, any::<bool>());
    let rest = (
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.8),
        0..=40_u32,
        0..=9000_u32,
        (0..=7_u8, 0..=9_u8),
    );
    (place, call, rest).prop_map(|(place, call, rest)| {
        let (trace, span, parent, role, kind) = place;
        let (usage, response, emitter, instance, client) = call;
        let (error, is_log, priced, start_s, length_ms, (attribution, weight)) = rest;
        Drawn {
            trace,
            span,
            parent,
            role,
            kind,
            usage,
            response,
            emitter,
            instance,
            client,
            error,
            is_log,
            priced,
            start_s,
            length_ms,
            attribution,
            weight,
        }
    })
}

impl Drawn {
    fn row(&self, project: i32) -> LandingRow {
        let mut row = plain(self.trace, self.span, self.parent);
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        row.project = project;
        let span = &mut row.span;
        span.content_hash = hasher.finish();
        span.kind = FrameKind::ALL[usize::from(self.kind)];
        span.label = format!("{} {}", span.kind.name(), self.span % 3).into();
        span.start_us += i64::from(self.start_s) * 500_000_000; // over several buckets and two days
        span.end_us = span.start_us + i64::from(self.length_ms) * 1000;
        span.error = self.error;
        span.span_kind = if self.client {
            SpanKind::Client
        } else {
            SpanKind::Internal
        };
        span.signal = if self.is_log {
            Signal::Log
        } else {
            Signal::Span
        };
        span.emitter = [
            "app",
            "openinference.instrumentation.langchain",
            "openinference.instrumentation.openai",
            "openai",
        ][usize::from(self.emitter)]
        .into();
        span.instance = (self.instance > 0).then(|| format!("pod-{}", self.instance).into());
        span.attribution = self.attribution();
        // Mostly nothing is said, else what costs have to be rounded for.
        span.weight_milli = *[1000, 2500, 3333, 1_000_000_000]
            .get(usize::from(self.weight))
            .unwrap_or(&0);
        span.role = [
            Role::Plain,
            Role::Plain,
            Role::Call,
            Role::Call,
            Role::Call,
            Role::Aggregate,
        ][usize::from(self.role)];
        if span.role != Role::Plain {
            let call = self.call();
            row.receipt = Some(Receipt {
                usage: call.usage,
                cost: call.cost,
                unpriced: call.cost.is_none().then_some(Unpriced::UnknownModel),
                ..Receipt::default()
            });
            span.call = Some(call);
        }
        row
    }

    fn call(&self) -> Call {
        let mut usage = Usage::default();
        if self.usage > 0 {
            usage.set(TokenClass::Input, 10 * u64::from(self.usage % 3));
            usage.set(TokenClass::Output, 5);
        }
        if self.usage == 4 {
            usage.set(TokenClass::CacheRead, 3);
        }
        let ids = [
            "chatcmpl-BxUjD2pQk81tqWvEr7yTz",
            "chatcmpl-aP0qDkk1n2M3bV4cX5zL6",
            "msg_01XFDUDYJgAACzvnptvVoYEL",
        ];
        Call {
            operation: Some("chat".into()),
            provider: Some("openai".into()),
            request_model: Some("gpt-4o".into()),
            response_model: None,
            response_id: ids.get(usize::from(self.response)).map(|&id| id.into()),
            usage,
            cost: self
                .priced
                .then_some(Usd(i64::from(self.usage) * 1_000_003)),
        }
    }

    fn attribution(&self) -> Arc<Attribution> {
        let bit = |bit: u8| self.attribution & bit != 0;
        Arc::new(Attribution {
            user: bit(1).then(|| "u".into()),
            feature: bit(2).then(|| "f".into()),
            tags: if bit(4) {
                vec![("team".into(), "blue".into())]
            } else {
                Vec::new()
            },
            ..Attribution::default()
        })
    }
}

/// One step on the way.
#[derive(Clone, Debug)]
enum Step {
    /// The next so many spans arrive at one of the collectors.
    Commit { who: usize, spans: usize },
    /// A collector settles; it is cut off after so many polls.
    Settle { who: usize, polls: Option<u16> },
    /// Both settle at the same time.
    Both,
    /// A collector folds; it is cut off after so many polls.
    Fold { who: usize, polls: Option<u16> },
}

fn step() -> impl Strategy<Value = Step> {
    let polls = || prop::option::weighted(0.4, 0..60_u16);
    prop_oneof![
        3 => (0..2_usize, 1..6_usize).prop_map(|(who, spans)| Step::Commit { who, spans }),
        2 => (0..2_usize, polls()).prop_map(|(who, polls)| Step::Settle { who, polls }),
        1 => Just(Step::Both),
        1 => (0..2_usize, polls()).prop_map(|(who, polls)| Step::Fold { who, polls }),
    ]
}

#[derive(Clone, Debug)]
struct History {
    spans: Vec<Drawn>,
    /// Spans in the order in which they arrive; some twice.
    order: Vec<usize>,
    steps: Vec<Step>,
}

fn history() -> impl Strategy<Value = History> {
    prop::collection::vec(drawn(), 1..24).prop_flat_map(|spans| {
        let count = spans.len();
        let again = prop::collection::vec(0..count, 0..6);
        let order = again.prop_flat_map(move |again| {
            Just((0..count).chain(again).collect::<Vec<_>>()).prop_shuffle()
        });
        (Just(spans), order, prop::collection::vec(step(), 4..20)).prop_map(
            |(spans, order, steps)| History {
                spans,
                order,
                steps,
            },
        )
    })
}

/// A collector: its own connections to the database, and half of the lanes.
struct Collector {
    store: Store,
    leases: Vec<Lease>,
}

impl Collector {
    async fn pair(db: &Database) -> [Self; 2] {
        let stores = [db.another().await, db.another().await];
        for (store, owner) in [(&stores[0], "a"), (&stores[1], "b"), (&stores[0], "a")] {
            store
                .lease_lanes(owner, NOW_US, i64::MAX / 2)
                .await
                .unwrap();
        }
        let [one, two] = stores;
        let a = one.lease_lanes("a", NOW_US, i64::MAX / 2).await.unwrap();
        let b = two.lease_lanes("b", NOW_US, i64::MAX / 2).await.unwrap();
        assert_eq!((a.len(), b.len()), (32, 32));
        [
            Self {
                store: one,
                leases: a,
            },
            Self {
                store: two,
                leases: b,
            },
        ]
    }

    /// Settles what is dirty in its lanes, one trace in a transaction.
    async fn settle(&self) {
        let lanes: Vec<i16> = self.leases.iter().map(|lease| lease.lane).collect();
        let page = self
            .store
            .marks_after(&lanes, MarkId::default(), 10_000)
            .await
            .unwrap();
        for due in Due::of(&page.marks) {
            loop {
                match self
                    .store
                    .settle(&self.leases, std::slice::from_ref(&due))
                    .await
                {
                    Err(error) if error.is_retryable() => {}
                    result => {
                        result.unwrap();
                        break;
                    }
                }
            }
        }
    }

    async fn fold(&self) {
        let _ = self.store.fold(3).await.unwrap();
    }
}

/// Runs to the end, or only for some polls: what happens then is a crash between any two steps.
async fn cut(future: impl Future<Output = ()>, polls: Option<u16>) {
    let Some(polls) = polls else {
        return future.await;
    };
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if futures::poll!(&mut future).is_ready() {
            return;
        }
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
}

async fn take(history: &History, project: i32, collectors: &[Collector; 2]) {
    let mut left = history
        .order
        .iter()
        .map(|place| history.spans[*place].row(project));
    for step in &history.steps {
        match step {
            Step::Commit { who, spans } => {
                let rows: Vec<LandingRow> = left.by_ref().take(*spans).collect();
                collectors[*who].store.commit(&rows, &[]).await.unwrap();
            }
            Step::Settle { who, polls } => cut(collectors[*who].settle(), *polls).await,
            Step::Both => {
                let [a, b] = collectors;
                tokio::join!(a.settle(), b.settle());
            }
            Step::Fold { who, polls } => cut(collectors[*who].fold(), *polls).await,
        }
    }
    let rows: Vec<LandingRow> = left.collect();
    collectors[0].store.commit(&rows, &[]).await.unwrap();
    collectors[0].settle().await;
    collectors[1].settle().await;
}

fn of_project(dump: Vec<String>, project: i32) -> Vec<String> {
    let mark = format!("project: {project},");
    dump.into_iter()
        .filter(|line| line.contains(&mark))
        .collect()
}

/// Compares every way with the shortest one, on a SQLite database of its own.
fn any_way_leads_to_the_same_tables(open: impl AsyncFn() -> Database) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (short, long, collectors) = runtime.block_on(async {
        let long = open().await;
        let collectors = Collector::pair(&long).await;
        (Database::sqlite().await, long, collectors)
    });
    let project = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let result = runner.run(&history(), |history| {
        project.set(project.get() + 1);
        let project = project.get();
        runtime.block_on(async {
            let rows: Vec<LandingRow> =
                history.spans.iter().map(|span| span.row(project)).collect();
            short.store.commit(&rows, &[]).await.unwrap();
            settle(&short.store).await;
            take(&history, project, &collectors).await;
            verify(&long.store).await;
            let (short, long) = (short.dump().await, long.dump().await);
            prop_assert_eq!(of_project(long, project), of_project(short, project));
            Ok(())
        })
    });
    runtime.block_on(async {
        while long.store.fold(10).await.unwrap() > 0 {}
        verify(&long.store).await;
    });
    result.unwrap();
}

/// A settling that is cut off one poll later every time, until one comes through.
async fn a_settling_cut_off_anywhere_did_all_or_nothing(db: Database) {
    let all = Filter {
        project: 1,
        from_us: 0,
        to_us: i64::MAX / 2,
        clauses: Vec::new(),
    };
    let mut before = 0;
    for number in 1..=250 {
        let rows = [
            plain(number, 1, 0),
            call(number, 2, 1, 5),
            call(number, 3, 1, 7),
        ];
        db.store.commit(&rows, &[]).await.unwrap();
        let mut whole = false;
        let settling = async {
            settle(&db.store).await;
            whole = true;
        };
        cut(settling, Some(u16::from(number))).await;
        let mut snapshot = db.store.snapshot().await.unwrap();
        let now = query::summary(&mut snapshot, &all).await.unwrap();
        drop(snapshot);
        let settled = (now.pending.traces, now.sums.calls);
        let nothing = (1, before);
        before += 2;
        assert!(
            settled == (0, before) || (settled == nothing && !whole),
            "{number}: {settled:?}"
        );
        settle(&db.store).await;
        let folding = async { drop(db.store.fold(100).await) };
        cut(folding, Some(u16::from(number) / 2)).await;
        if whole && number > 20 {
            break;
        }
    }
    verify(&db.store).await;
    while db.store.fold(100).await.unwrap() > 0 {}
    verify(&db.store).await;
}

crate::on_both!(a_settling_cut_off_anywhere_did_all_or_nothing);

#[test]
fn any_way_on_sqlite() {
    any_way_leads_to_the_same_tables(Database::sqlite);
}

#[test]
fn any_way_on_postgres() {
    any_way_leads_to_the_same_tables(Database::postgres);
}
