//! Scenario: two collectors share one Postgres. Spans come shuffled, split and twice; or one collector is killed with SIGKILL
//! while spans keep coming.
//! Guarantee: the tables are those of one collector and a clean stream, no trace is settled by both; the other takes over the
//! lanes of a dead one, settles what that had received, and every call counts once.

mod support;

use std::{sync::Arc, time::Instant};

use costflame_bench::load::Body;
use costflame_store::{Options, Status, Store, testing::Postgres};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use support::{Addresses, PATIENCE, Server};

const TRACES: u64 = 40;

async fn send(to: &Server, body: &Body, round: u64) {
    send_bytes(to, body.stamped(round)).await;
}

async fn send_bytes(to: &Server, body: impl Into<reqwest::Body>) {
    let response = reqwest::Client::new()
        .post(format!("{}/v1/traces", to.http))
        .header("content-type", "application/x-protobuf")
        .body(body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
}

async fn wait_for(store: &Store, what: &str, is_so: impl Fn(&Status) -> bool) {
    let start = Instant::now();
    loop {
        let status = store.status().await.expect("a status");
        if is_so(&status) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {status:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn wait_for_both(store: &Store) {
    wait_for(store, "both have lanes", |status| {
        status.owners.len() == 2 && status.owners.iter().all(|(_, lanes)| *lanes == 32)
    })
    .await;
}

async fn wait_for_end(store: &Store) {
    wait_for(store, "everything is settled and folded", |status| {
        status.pending_traces == 0 && status.unfolded == 0
    })
    .await;
}

/// Requests of one to eight spans each, in any order, a third of the spans twice.
fn scattered(request: ExportTraceServiceRequest, random: &mut StdRng) -> Vec<Vec<u8>> {
    let mut alone = Vec::new();
    for of_resource in request.resource_spans {
        for of_scope in of_resource.scope_spans {
            for span in of_scope.spans {
                let scope_spans = vec![ScopeSpans {
                    scope: of_scope.scope.clone(),
                    spans: vec![span],
                    ..ScopeSpans::default()
                }];
                let resource_spans = ResourceSpans {
                    resource: of_resource.resource.clone(),
                    scope_spans,
                    ..ResourceSpans::default()
                };
                for _ in 0..random.random_range(1..=2).min(random.random_range(1..=3)) {
                    alone.push(resource_spans.clone());
                }
            }
        }
    }
    alone.shuffle(random);
    let mut requests = Vec::new();
    while !alone.is_empty() {
        let some = random.random_range(1..=8).min(alone.len());
        let resource_spans = alone.split_off(alone.len() - some);
        requests.push(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    }
    requests
}

#[tokio::test]
async fn two_collectors_and_a_scattered_stream_give_the_tables_of_one_and_a_clean_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Postgres::start();
    let (clean_url, url) = (server.database().await, server.database().await);
    let open = async |url: &str| {
        let store = Store::connect(url, &Options::default()).await;
        store.expect("a database")
    };
    let (clean_store, store) = (open(&clean_url).await, open(&url).await);
    let flags = ["--settle-after", "100ms"];
    let start = |url: &str| Server::start_with(folder.path(), url, &Addresses::free(), &flags);
    let (clean, one, two) = (start(&clean_url), start(&url), start(&url));
    wait_for_both(&store).await;

    let body = Body::new(9, TRACES, 1_795_388_725_000_000_000);
    let request = body.stamped(1);
    let mut random = StdRng::seed_from_u64(9);
    let decoded = ExportTraceServiceRequest::decode(request.clone()).expect("valid");
    send_bytes(&clean, request).await;
    for request in scattered(decoded, &mut random) {
        let to = if random.random() { &one } else { &two };
        send_bytes(to, request).await;
    }
    wait_for_end(&clean_store).await;
    wait_for_end(&store).await;
    assert_eq!(
        store.dump().await.expect("a dump"),
        clean_store.dump().await.expect("a dump")
    );
    assert_eq!(store.verify().await.expect("a check").differences, []);

    // Whole traces now, of which each is settled once, by one of the two.
    // By collectors that have counted nothing yet.
    one.terminate();
    two.terminate();
    let (one, two) = (start(&url), start(&url));
    wait_for_both(&store).await;
    let rounds = 2..10;
    let whole = TRACES * (rounds.end - rounds.start);
    for round in rounds {
        send(if round % 2 == 0 { &one } else { &two }, &body, round).await;
    }
    wait_for_end(&store).await;
    // A batch is counted a moment after it is committed.
    let start = Instant::now();
    let settled = async || settled_by(&one).await + settled_by(&two).await;
    while settled().await < whole && start.elapsed() < PATIENCE {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(settled().await, whole);
}

/// Traces that a collector has settled, by its own count.
async fn settled_by(server: &Server) -> u64 {
    let answer = reqwest::get(format!("{}/metrics", server.api)).await;
    let text = answer.expect("an answer").text().await.expect("a text");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("costflame_traces_settled_total "));
    line.expect("a counter").parse().expect("a number")
}

#[tokio::test]
async fn a_collector_takes_over_from_a_dead_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Arc::new(Postgres::start());
    let url = server.database().await;
    let store = Store::connect(&url, &Options::default())
        .await
        .expect("a database");
    let flags = ["--settle-after", "100ms"];
    let start = || Server::start_with(folder.path(), &url, &Addresses::free(), &flags);
    let (doomed, heir) = (start(), start());
    wait_for_both(&store).await;

    let body = Body::new(7, TRACES, 1_795_388_725_000_000_000);
    for round in 1..=5 {
        send(&doomed, &body, round).await;
        send(&heir, &body, 100 + round).await;
    }
    doomed.kill();
    for round in 6..=10 {
        send(&heir, &body, 100 + round).await;
    }
    wait_for(&store, "one has all lanes", |status| {
        matches!(&status.owners[..], [(_, 64)])
    })
    .await;
    wait_for_end(&store).await;

    let verified = store.verify().await.expect("a check");
    assert_eq!(verified.differences, []);

    assert_eq!(verified.traces, 15 * TRACES);
    assert!(heir.terminate().success());
}
