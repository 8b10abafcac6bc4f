//! Scenario: the server, or its database, is killed with SIGKILL at random points while clients send and retry.
//! Guarantee: every span that was acknowledged is in the database, settled once, and nothing differs from its sources.

#![expect(
    clippy::print_stdout,
    reason = "many rounds take long and should be seen to go on"
)]

mod support;

use std::{path::Path, time::Duration};

use costflame_store::testing::Postgres;
use rand::{Rng, SeedableRng, rngs::StdRng};
use support::{
    Addresses, Server,
    clients::{Clients, Sent},
};

/// Rounds by the name of a variable, or a few, as in every test run.
fn rounds(variable: &str, few: u32) -> u32 {
    std::env::var(variable).map_or(few, |text| text.parse().expect("a number of rounds"))
}

fn start(folder: &Path, database_url: &str, addresses: &Addresses) -> Server {
    let flags = ["--settle-after", "100ms"];
    Server::start_with(folder, database_url, addresses, &flags)
}

async fn collector_crashes(folder: &Path, database_url: &str) {
    let addresses = Addresses::free();
    let clients = Clients::start(&[&addresses.http]);
    let mut random = StdRng::seed_from_u64(2);
    for round in 0..rounds("CRASH_ROUNDS", 10) {
        let server = start(folder, database_url, &addresses);
        // Killed at a random moment, but not before something was acknowledged, or nothing would be tested.
        clients.wait_for_more();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        server.kill();
        println!("round {round}: {} requests acknowledged", clients.count());
    }
    let server = start(folder, database_url, &addresses);
    let sent = clients.finish().await;
    check(&sent, database_url).await;
    assert_eq!(server.terminate().code(), Some(0));
}

async fn check(sent: &Sent, database_url: &str) {
    sent.assert_settled(database_url).await;
    println!(
        "{} requests acknowledged: all of their spans are there, every call once, no difference",
        sent.acknowledged.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_every_acknowledged_span() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    collector_crashes(folder.path(), &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_every_acknowledged_span() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    collector_crashes(folder.path(), &postgres.url()).await;
}

/// The collector lives through it: nobody restarts it.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_outlives_the_crashes_of_postgres() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    let addresses = Addresses::free();
    let server = start(folder.path(), &postgres.url(), &addresses);
    let clients = Clients::start(&[&addresses.http]);
    let mut random = StdRng::seed_from_u64(3);
    for round in 0..rounds("DATABASE_CRASH_ROUNDS", 3) {
        clients.wait_for_more();
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        postgres.kill();
        postgres.start_again();
        println!("round {round}: {} requests acknowledged", clients.count());
    }
    clients.wait_for_more();
    let sent = clients.finish().await;
    check(&sent, &postgres.url()).await;
    assert_eq!(server.terminate().code(), Some(0));
}
