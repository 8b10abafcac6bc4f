//! The disk takes writes and does not keep them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{
    Scene,
    support::{PATIENCE, costflame},
};

const WHY: &str = "the database cannot be written";

/// While its file is there, a server started by it syncs nothing.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(folder.path().join("unsynced.so"))
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/outage/unsynced.c"
            ))
            .arg("-ldl")
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "cc");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn flag(&self) -> PathBuf {
        self.path().join("fails")
    }

    fn url(&self) -> String {
        format!("sqlite://{}/c.db", self.path().display())
    }

    fn start(&self) -> Scene {
        let mut command = costflame(self.path());
        command
            .env("LD_PRELOAD", self.path().join("unsynced.so"))
            .env("DISK_FAILS", self.flag());
        Scene::start_as(command, self.path(), &self.url())
    }

    fn fail(&self) {
        std::fs::write(self.flag(), "").expect("a file");
    }

    fn mend(&self) {
        std::fs::remove_file(self.flag()).expect("it was there");
    }

    /// Has the next commit begin the write-ahead log anew, which SQLite syncs itself.
    async fn copy_log(&self) {
        let mut other = SqliteConnection::connect(&self.url())
            .await
            .expect("the file is there");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let copied: Result<bool, _> = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(&mut other)
                .await;
            if let Ok(false) = copied {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{copied:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_could_not_sync_is_not_acknowledged() {
    let disk = Disk::new();
    let scene = disk.start();
    disk.fail();
    scene.wait_for_trouble(WHY, WHY).await;
    disk.mend();
    scene.assert_recovery().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_sqlite_could_not_begin_is_told_alike() {
    let disk = Disk::new();
    let scene = disk.start();
    disk.fail();
    disk.copy_log().await;
    scene.wait_for_trouble(WHY, WHY).await;
    disk.mend();
    scene.assert_recovery().await;
}
