//! The machine's clock was an hour ahead and is set right.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use costflame_store::testing::Postgres;

use crate::{
    Scene,
    support::{Addresses, Server, clients::Clients, costflame},
};

/// libfaketime, which stands between a process and the system's clock.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("libraries");
    folders
        .flatten()
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists())
        .expect("libfaketime is installed (on Debian: apt-get install faketime)")
}

/// A clock for processes, some seconds ahead.
struct Clock {
    file: PathBuf,
}

impl Clock {
    fn new(folder: &Path, ahead: i32) -> Self {
        let clock = Self {
            file: folder.join("clock"),
        };
        clock.set(ahead);
        clock
    }

    fn set(&self, ahead: i32) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{ahead:+}\n")).expect("a file");
        std::fs::rename(new, &self.file).expect("replaced in one step");
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = costflame(folder);
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }
}

async fn set_back(folder: &Path, database_url: &str) {
    let clock = Clock::new(folder, 7200);
    let at = Addresses::free();
    let start =
        |flags: &[&str]| Server::start_as(clock.command(folder), folder, database_url, &at, flags);
    // Nothing is settled before this one is killed.
    let ahead = start(&["--settle-after", "1h"]);
    let clients = Clients::start(&[&at.http]);
    clients.wait_for_more();
    ahead.kill();
    // What it received waits to be settled, and the lanes are leased, until long after now.
    clock.set(3600);
    let server = start(&["--settle-after", "100ms"]);
    clients.wait_for_more();
    clock.set(0);
    clients.wait_for_more();
    let database_url = database_url.to_owned();
    Scene {
        server,
        clients,
        database_url,
    }
    .assert_recovery()
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_settles_after_the_clock_was_set_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    set_back(folder.path(), &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_settles_after_the_clock_of_a_collector_was_set_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    set_back(folder.path(), &postgres.url()).await;
}
