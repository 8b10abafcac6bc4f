//! How far each file has come.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes at a file's head that tell it from another one of the same name.
const HEAD: u64 = 4_096;

/// Offsets by file, in decompressed bytes; everything before has been answered.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Progress(BTreeMap<String, u64>);

/// Names a file by its full path and its head, so that a rotated file begins anew and a grown one goes on.
pub(super) fn key(path: &Path) -> Result<String> {
    let full = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut head = Vec::new();
    File::open(&full)
        .and_then(|file| file.take(HEAD).read_to_end(&mut head))
        .with_context(|| format!("cannot read {}", path.display()))?;
    // The first line is enough, and stays the same while a short file grows.
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(format!("{}#{:016x}", full.display(), xxh3_64(line)))
}

impl Progress {
    /// What an earlier run wrote down; nothing if there was none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} is not a progress file; name another with --progress",
                    path.display()
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes everything down, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let partial = path.with_extension("partial");
        let bytes = serde_json::to_vec_pretty(self).expect("text and numbers");
        std::fs::write(&partial, bytes)
            .and_then(|()| std::fs::rename(&partial, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn offset(&self, key: &str) -> u64 {
        self.0.get(key).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, key: &str, offset: u64) {
        self.0.insert(key.to_owned(), offset);
    }
}
