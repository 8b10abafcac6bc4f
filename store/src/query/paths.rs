//! Frames of call paths.

use std::collections::{HashMap, HashSet};

use costflame_profile::{Frame, FrameKind, PathId, PathRow};

use super::snapshot::Snapshot;
use crate::{StoreError, landing::frame_kind};

/// Paths asked for in one statement.
const CHUNK: usize = 1_000;

/// Call paths by id, each with everything above it.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    by_id: HashMap<PathId, PathRow>,
}

impl Paths {
    /// Reads `ids` and the paths above them.
    pub(crate) async fn read(
        snapshot: &mut Snapshot,
        project: i32,
        ids: impl IntoIterator<Item = PathId>,
    ) -> Result<Self, StoreError> {
        let mut by_id = HashMap::new();
        let mut wanted: HashSet<PathId> = ids.into_iter().collect();
        while !wanted.is_empty() {
            let asked: Vec<PathId> = wanted.drain().collect();
            for chunk in asked.chunks(CHUNK) {
                for path in read_chunk(snapshot, project, chunk).await? {
                    wanted.extend(path.parent);
                    by_id.insert(path.id, path);
                }
            }
            wanted.retain(|id| !by_id.contains_key(id));
        }
        Ok(Self { by_id })
    }

    /// The path of an id.
    #[must_use]
    pub fn get(&self, id: PathId) -> Option<&PathRow> {
        self.by_id.get(&id)
    }

    /// The frames from the root down to a path, with their ids; empty when it is not known.
    #[must_use]
    pub fn frames(&self, id: PathId) -> Vec<&PathRow> {
        let mut frames: Vec<&PathRow> = self.upwards(id).collect();
        frames.reverse();
        frames
    }

    /// The label of the nearest tool at or above a path.
    #[must_use]
    pub fn tool(&self, id: PathId) -> Option<&str> {
        self.upwards(id)
            .find(|path| path.frame.kind == FrameKind::Tool)
            .map(|path| &*path.frame.label)
    }

    /// A path and all above it, nearest first.
    pub fn upwards(&self, id: PathId) -> impl Iterator<Item = &PathRow> {
        std::iter::successors(self.get(id), |path| self.get(path.parent?))
    }

    /// All paths, parents first.
    #[must_use]
    pub fn parents_first(&self) -> Vec<&PathRow> {
        let mut children: HashMap<Option<PathId>, Vec<&PathRow>> = HashMap::new();
        for path in self.by_id.values() {
            children.entry(path.parent).or_default().push(path);
        }
        let mut order = children.remove(&None).unwrap_or_default();
        let mut next = 0;
        while let Some(path) = order.get(next) {
            order.extend(children.remove(&Some(path.id)).unwrap_or_default());
            next += 1;
        }
        order
    }
}

/// The paths of `ids` and everything above them.
///
/// # Errors
/// When the database cannot be read.
pub async fn paths(
    snapshot: &mut Snapshot,
    project: i32,
    ids: Vec<PathId>,
) -> Result<Paths, StoreError> {
    Paths::read(snapshot, project, ids).await
}

async fn read_chunk(
    snapshot: &mut Snapshot,
    project: i32,
    ids: &[PathId],
) -> Result<Vec<PathRow>, StoreError> {
    let mut sql = snapshot
        .sql("SELECT path_id, parent_id, service, kind, label FROM paths WHERE project_id = ");
    sql.bind(project)
        .push(" AND path_id IN ")
        .bind_list(ids.iter().map(|id| &id.0[..]));
    snapshot
        .all(sql, |row| {
            let kind = i16::try_from(row.int(3)?)
                .map_err(|error| StoreError::corrupt("frame kind", error))?;
            Ok(PathRow {
                id: PathId(row.id(0)?),
                parent: row.maybe_id(1)?.map(PathId),
                frame: Frame {
                    service: row.text(2)?.into(),
                    kind: frame_kind(kind)?,
                    label: row.text(4)?.into(),
                },
            })
        })
        .await
}
