//! A month with ten million calls behind it: how long the questions of the UI take.
//!
//! A few real traces are landed, settled and folded; their receipts are then multiplied into a month of calls,
//! traces and rollups of every tier that add up to each other, so that the questions meet tables as they would be.

mod fill;
mod load;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use costflame_bench::load::Body;
use costflame_collector::{
    decode::{Limits, walk_traces},
    dialect::land::Lander,
};
use costflame_pricing::Catalog;
use costflame_store::{
    DAY_US, Dropped, Due, LandingRow, MarkId, Measures, Options, Store,
    query::{self, Clause, Column, Dimension, Filter, OneOf, Order, Sort},
};

use crate::figures::Figures;
use fill::fill;
use world::{CALLS, DAYS, FROM_US, NOW_US};

/// A question is not repeated once it has taken so long in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fills an empty database with `calls` calls and notes how long each question takes.
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &str,
    url: &str,
    calls: usize,
    repeat: usize,
) -> Result<()> {
    let store = Store::connect(url, &Options::default()).await?;
    let subject = format!("{database}, a month of {calls} calls");
    let receipts = match load::is_empty(url).await? {
        true => Some(real_receipts(&store).await?),
        false => None,
    };
    for day in 0..DAYS {
        store.prepare(FROM_US + day * DAY_US).await?;
    }
    store.close().await;
    if let Some(receipts) = receipts {
        let start = Instant::now();
        fill(url, &receipts, calls / CALLS).await?;
        figures.add(&subject, "filled_in_s", start.elapsed().as_secs_f64());
    }

    let store = Store::connect(url, &Options::default()).await?;
    // Partitions that a server would have dropped by then are in no question's way.
    while store.drop_sealed(FROM_US + DAYS * DAY_US).await? != Dropped::default() {}
    let month = Filter {
        project: 1,
        // As people ask: until now, wherever in the day that is.
        from_us: FROM_US + 5_025_000_001,
        to_us: NOW_US,
        clauses: Vec::new(),
    };
    let past_week = Filter {
        from_us: NOW_US - 10 * DAY_US,
        to_us: NOW_US - 3 * DAY_US,
        ..month.clone()
    };
    let only = |column: Column, value: &str| {
        let test = OneOf {
            any: vec![Some(value.to_owned())],
            none: Vec::new(),
        };
        Filter {
            clauses: vec![Clause::Column(column, test)],
            ..month.clone()
        }
    };
    let user = only(Column::User, "user-1");
    let team = only(Column::Tag("team".to_owned()), "team-3");
    let model = only(Column::Model, "gpt-4o");
    let days: Vec<i64> = (0..DAYS).map(|day| FROM_US + day * DAY_US).collect();
    let by_start = Order {
        sort: Sort::Start,
        descending: true,
    };
    let by_cost = Order {
        sort: Sort::Cost,
        descending: true,
    };

    let whole = query::summary(
        &mut store.snapshot().await?,
        &Filter {
            from_us: 0,
            to_us: i64::MAX / 2,
            ..month.clone()
        },
    )
    .await?;
    let counted = u64::try_from(calls / CALLS * CALLS)?;
    ensure!(
        whole.sums.calls == counted,
        "{} calls instead of {counted}",
        whole.sums.calls
    );

    macro_rules! time {
        ($name:literal, |$snapshot:ident| $question:expr) => {{
            let mut times = Vec::new();
            let begin = Instant::now();
            while times.len() <= repeat && begin.elapsed() < PATIENCE {
                let start = Instant::now();
                let mut snapshot = store.snapshot().await?;
                let $snapshot = &mut snapshot;
                let answer = $question.await;
                times.push(start.elapsed().as_secs_f64() * 1e3);
                if answer.is_err() {
                    // Interrupted: it takes at least so long.
                    times = times.split_off(times.len() - 1);
                    break;
                }
                std::hint::black_box(answer.context($name)?);
            }
            // The first one warms up.
            let mut times = times.split_off(usize::from(times.len() > 1));
            times.sort_by(f64::total_cmp);
            figures.add(&subject, concat!($name, "_p50_ms"), times[times.len() / 2]);
            figures.add(&subject, concat!($name, "_max_ms"), times[times.len() - 1]);
        }};
    }
    time!("flamegraph", |s| query::path_sums(s, &month));
    time!("flamegraph_of_a_past_week", |s| query::path_sums(
        s, &past_week
    ));
    time!("flamegraph_of_a_model", |s| query::path_sums(s, &model));
    time!("flamegraph_of_a_user", |s| query::path_sums(s, &user));
    time!("flamegraph_of_a_tag", |s| query::path_sums(s, &team));
    time!("summary", |s| query::summary(s, &month));
    time!("summary_of_a_model", |s| query::summary(s, &model));
    time!("summary_of_a_user", |s| query::summary(s, &user));
    time!("timeseries_by_day", |s| query::timeseries(
        s, &month, None, 0, &days, 86_400
    ));
    time!("timeseries_by_model", |s| query::timeseries(
        s,
        &month,
        Some(&Dimension::Column(Column::Model)),
        8,
        &days,
        86_400
    ));
    time!("breakdown_by_model", |s| query::breakdown(
        s,
        &month,
        &Dimension::Column(Column::Model),
        50
    ));
    time!("breakdown_by_path", |s| query::breakdown(
        s,
        &month,
        &Dimension::Path,
        50
    ));
    time!("breakdown_by_user", |s| query::breakdown(
        s,
        &month,
        &Dimension::Column(Column::User),
        50
    ));
    time!("breakdown_by_tag", |s| query::breakdown(
        s,
        &month,
        &Dimension::Column(Column::Tag("team".into())),
        50
    ));
    time!("values_of_users", |s| query::values(
        s,
        &month,
        &Dimension::Column(Column::User),
        "9",
        20
    ));
    time!("traces_newest", |s| query::traces(
        s, &month, by_start, None, 50
    ));
    time!("traces_dearest", |s| query::traces(
        s, &month, by_cost, None, 50
    ));
    time!("calls_newest", |s| query::calls(s, &month, None, 50));
    time!("calls_of_a_user", |s| query::calls(s, &user, None, 50));
    let newest = query::traces(&mut store.snapshot().await?, &month, by_start, None, 1).await?;
    let one = newest.first().context("at least one trace")?.trace_id;
    time!("trace_by_id", |s| query::trace(s, 1, one));
    time!("extent", |s| query::extent(s, 1));
    store.close().await;
    Ok(())
}

/// Lands and settles some of the load's traces; the sums of each priced call, in the order of the calls.
async fn real_receipts(store: &Store) -> Result<Vec<Measures>> {
    let (catalog, limits) = (Catalog::embedded(), Limits::default());
    let mut lander = Lander::new(&catalog);
    let mut rows: Vec<LandingRow> = Vec::new();
    let body = Body::new(1, 100, FROM_US.unsigned_abs() * 1000).stamped(1);
    let walked = walk_traces(&body, &limits, |resource, scope, span| {
        rows.push(lander.land(resource, scope, span, 1, FROM_US));
    });
    ensure!(walked.is_ok(), "the benchmark's own body is whole");
    store.commit(&rows, &[]).await?;
    let leases = store.lease_lanes("bench", FROM_US, 60_000_000).await?;
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let marks = store.marks_after(&lanes, MarkId::default(), 10_000).await?;
    store.settle(&leases, &Due::of(&marks.marks)).await?;
    store.release_lanes("bench").await?;
    let calls = store.all_calls().await?;
    let counted = calls
        .iter()
        .filter(|call| call.why().is_none() && call.call.cost.is_some());
    Ok(counted.map(Measures::of).collect())
}
