//! Scenario: a collector of the version before goes on while one of this version brings the schema up to date beside it.
//! Guarantee: both land and settle side by side, nothing is lost, every call is there once, nothing differs from its sources.

use std::{path::PathBuf, process::Command};

use costflame_store::testing::Postgres;

use crate::support::{Addresses, Server, clients::Clients};

/// Acknowledged requests between any two steps.
const REQUESTS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_runs_beside_this_one() {
    let before = std::env::var_os("SOAK_BEFORE")
        .map(PathBuf::from)
        .expect("SOAK_BEFORE names the binary of the version before; `cargo xtask soak` builds it");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    let url = postgres.url();
    let (old_at, new_at) = (Addresses::free(), Addresses::free());
    let flags = ["--settle-after", "100ms"];
    let mut command = Command::new(before);
    command.current_dir(folder.path());
    let old = Server::start_as(command, folder.path(), &url, &old_at, &flags);
    let clients = Clients::start(&[&old_at.http, &new_at.http]);
    let wait_for = |requests: usize| {
        let until = clients.count() + requests;
        while clients.count() < until {
            clients.wait_for_more();
        }
    };
    wait_for(REQUESTS);
    let new = Server::start_with(folder.path(), &url, &new_at, &flags);
    wait_for(2 * REQUESTS);
    println!("{} requests acknowledged by both", clients.count());
    assert_eq!(old.terminate().code(), Some(0));
    wait_for(REQUESTS);
    let sent = clients.finish().await;
    sent.assert_settled(&url).await;
    println!(
        "{} requests acknowledged: all of their spans are there, every call once, no difference",
        sent.acknowledged.len()
    );
    assert_eq!(new.terminate().code(), Some(0));
}
