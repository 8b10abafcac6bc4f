//! Scenario: spans come at a steady rate for long.
//! Guarantee: memory is flat, no queue grows, and what vacuum has to clean up stays bounded.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, SystemTime},
};

use costflame_bench::{
    load::{CALLS_PER_TRACE, SPANS_PER_TRACE},
    send::{Load, send},
};
use costflame_store::{Options, Store, testing::Postgres};
use sqlx::{Connection, PgConnection};

use crate::{
    setting,
    support::{Addresses, Server, clients::wait_until_settled, costflame},
};

/// As a few busy programs would send: each connection waits for its acknowledgement.
const CONNECTIONS: usize = 8;
const SPANS_PER_REQUEST: usize = 200;

/// Tables whose rows come and go.
const QUEUES: [&str; 4] = ["dirty", "rollup_deltas", "dim_deltas", "trace_deltas"];

/// What is looked at once a minute.
struct Sample {
    resident: u64,
    pending_traces: u64,
    oldest_s: f64,
    unfolded: u64,
    tables: BTreeMap<String, Table>,
}

/// A table with its partitions.
#[derive(Clone, Copy)]
struct Table {
    bytes: i64,
    live: i64,
    dead: i64,
    vacuums: i64,
}

const TABLES: &str = "SELECT coalesce(inhparent, relid)::regclass::text, sum(pg_total_relation_size(relid))::bigint, \
     sum(n_live_tup)::bigint, sum(n_dead_tup)::bigint, sum(autovacuum_count)::bigint \
     FROM pg_stat_user_tables LEFT JOIN pg_inherits ON inhrelid = relid GROUP BY 1";

impl Sample {
    async fn take(server: &Server, store: &Store, connection: &mut PgConnection) -> Self {
        let status = store.status().await.expect("a status");
        let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(TABLES)
            .fetch_all(connection)
            .await
            .expect("statistics");
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let age = |oldest_us: i64| now.as_secs_f64() - oldest_us as f64 / 1e6;
        let table = |(name, bytes, live, dead, vacuums)| {
            let table = Table {
                bytes,
                live,
                dead,
                vacuums,
            };
            (name, table)
        };
        Self {
            resident: server.resident_bytes(),
            pending_traces: status.pending_traces,
            oldest_s: status.oldest_pending_us.map_or(0.0, age),
            unfolded: status.unfolded,
            tables: rows.into_iter().map(table).collect(),
        }
    }

    fn of_queues(&self, of: fn(&Table) -> i64) -> i64 {
        QUEUES
            .iter()
            .filter_map(|name| self.tables.get(*name))
            .map(of)
            .sum()
    }

    fn print(&self, minute: u64, spans: u64, ack_p99_ms: f64) {
        println!(
            "{minute:>4} min {spans:>10} spans  99 % in {ack_p99_ms:>4.0} ms  {:>5.1} MiB  {:>6} traces wait, oldest {:>4.1} s  {:>7} unfolded  queues {:>5.1} MB, {:>7} dead, {:>4} vacuums",
            mib(self.resident),
            self.pending_traces,
            self.oldest_s,
            self.unfolded,
            self.of_queues(|table| table.bytes) as f64 / 1e6,
            self.of_queues(|table| table.dead),
            self.of_queues(|table| table.vacuums),
        );
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steady_load_leaves_nothing_behind() {
    let minutes = setting("SOAK_MINUTES", 60);
    let rate = setting("SOAK_SPANS_PER_S", 2_500);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start_with(&["shared_buffers=256MB", "max_wal_size=2GB"]);
    // A binary built elsewhere, or the one of this build.
    let command =
        std::env::var_os("SOAK_BINARY").map_or_else(|| costflame(folder.path()), Command::new);
    let at = Addresses::free();
    let server = Server::start_as(command, folder.path(), &postgres.url(), &at, &[]);
    let store = Store::connect(&postgres.url(), &Options::default())
        .await
        .expect("the database opens");
    let mut connection = PgConnection::connect(&postgres.url())
        .await
        .expect("the server answers");

    let (mut spans, mut seconds, mut samples) = (0, 0.0, Vec::new());
    for minute in 1..=minutes {
        let load = Load {
            url: server.http.clone(),
            grpc: false,
            connections: CONNECTIONS,
            spans_per_request: SPANS_PER_REQUEST,
            rate: Some(rate as f64),
            time: Duration::from_secs(60),
            seed: minute,
        };
        let outcome = send(&load).await.expect("the load is taken");
        assert_eq!(outcome.retried, 0, "half a load never has to wait");
        spans += outcome.spans;
        seconds += outcome.seconds;
        let sample = Sample::take(&server, &store, &mut connection).await;
        sample.print(minute, spans, outcome.ack_p99_ms);
        samples.push(sample);
    }
    println!(
        "{rate} spans/s for {seconds:.0} s were asked for, {:.0} spans/s were acknowledged",
        spans as f64 / seconds
    );
    wait_until_settled(&store).await;
    let calls: i64 = sqlx::query_scalar("SELECT count(*) FROM calls")
        .fetch_one(&mut connection)
        .await
        .expect("a number");
    let traces = spans / SPANS_PER_TRACE as u64;
    assert_eq!(calls as u64, traces * CALLS_PER_TRACE as u64);
    print_tables(&samples[samples.len() - 1], traces);
    judge(&samples, rate);
    assert_eq!(server.terminate().code(), Some(0));
}

fn print_tables(last: &Sample, traces: u64) {
    println!("table, MB, bytes per trace, live rows, dead rows, vacuums");
    for (name, table) in &last.tables {
        println!(
            "{name:<16} {:>8.1} {:>7.0} {:>9} {:>8} {:>5}",
            table.bytes as f64 / 1e6,
            table.bytes as f64 / traces as f64,
            table.live,
            table.dead,
            table.vacuums
        );
    }
}

/// The second half of the time is like the first.
fn judge(samples: &[Sample], rate: u64) {
    let (first, second) = samples.split_at(samples.len() / 2);
    let most = |samples: &[Sample], of: &dyn Fn(&Sample) -> f64| {
        samples.iter().map(of).fold(0.0_f64, f64::max)
    };
    let resident = |sample: &Sample| mib(sample.resident);
    assert!(
        most(second, &resident) <= most(first, &resident) * 1.1 + 8.0,
        "memory grows: {:.1} MiB, then {:.1} MiB",
        most(first, &resident),
        most(second, &resident)
    );
    // Two seconds to settle after the root, and some to do it.
    let traces_per_s = rate as f64 / SPANS_PER_TRACE as f64;
    let pending = most(second, &|sample| sample.pending_traces as f64);
    assert!(pending <= traces_per_s * 30.0, "{pending} traces wait");
    let queues = |sample: &Sample| sample.of_queues(|table| table.bytes) as f64;
    assert!(
        most(second, &queues) <= most(first, &queues) * 1.5 + 16e6,
        "tables of queues grow: {} bytes, then {}",
        most(first, &queues),
        most(second, &queues)
    );
    for sample in second {
        for (name, table) in &sample.tables {
            // Vacuumed at 20,000 dead rows, or at a fifth of the table; once a minute at most.
            let bound = table.live / 2 + 20_000 + i64::try_from(rate).unwrap_or(i64::MAX) * 60 * 2;
            assert!(
                table.dead <= bound,
                "{name}: {} dead rows of {} live ones",
                table.dead,
                table.live
            );
        }
    }
}
