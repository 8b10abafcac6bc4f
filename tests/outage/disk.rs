//! The disk of the database is full.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use costflame_store::testing::Postgres;
use tempfile::TempDir;

use crate::Scene;

/// A file system of its own, 48 MB small. Dropping it unmounts it.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = as_root(
            &["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs"],
            folder.path(),
        );
        assert!(
            mounted,
            "a full disk needs a small one: `mount` needs root, or sudo without a password, and in a container CAP_SYS_ADMIN"
        );
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("a file");
        let some = vec![1; 64 << 10];
        let full = loop {
            if let Err(error) = file.write_all(&some) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    /// Gives it back.
    fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("it was there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server may still be about to end.
        as_root(&["umount", "-l"], self.path());
    }
}

fn as_root(command: &[&str], path: &Path) -> bool {
    let run = |words: &[&str]| {
        let mut run = Command::new(words[0]);
        run.args(&words[1..]).arg(path);
        run.status().is_ok_and(|status| status.success())
    };
    run(command) || run(&[&["sudo", "-n"], command].concat())
}

async fn fill_and_free(scene: Scene, disk: &SmallDisk) {
    disk.fill();
    let full = "the disk of the database is full";
    scene.wait_for_trouble(full, full).await;
    disk.free();
    scene.assert_recovery().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_goes_on_when_its_disk_has_room_again() {
    let disk = SmallDisk::mount();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", disk.path().display());
    fill_and_free(Scene::start(folder.path(), &url), &disk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_on_when_its_disk_has_room_again() {
    let disk = SmallDisk::mount();
    let tables = disk.path().join("tables");
    std::fs::create_dir(&tables).expect("a folder");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    let url = postgres.database_in(&tables).await;
    fill_and_free(Scene::start(folder.path(), &url), &disk).await;
}
