//! The disk takes writes and does not keep them.

use std::process::Command;

use crate::{Scene, support::costflame};

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_could_not_sync_is_not_acknowledged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = folder.path().join("unsynced.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/outage/unsynced.c"
        ))
        .arg("-ldl")
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc");
    let fails = folder.path().join("fails");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let mut command = costflame(folder.path());
    command
        .env("LD_PRELOAD", &library)
        .env("DISK_FAILS", &fails);
    let scene = Scene::start_as(command, folder.path(), &url);
    std::fs::write(&fails, "").expect("a file");
    let why = "the database cannot be written";
    scene.wait_for_trouble(why, why).await;
    std::fs::remove_file(&fails).expect("it was there");
    scene.assert_recovery().await;
}
