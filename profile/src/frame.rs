//! A frame of the flamegraph, and the content-addressed id of a call path.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a frame stands for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FrameKind {
    /// A request served: HTTP route, RPC method, message consumed.
    Request = 0,
    /// An agent.
    Agent = 1,
    /// A workflow, chain or graph.
    Workflow = 2,
    /// A tool.
    Tool = 3,
    /// Anything else.
    #[default]
    Step = 4,
    /// A model.
    Model = 5,
}

impl FrameKind {
    /// Every kind; the index is the stored number.
    pub const ALL: [Self; 6] = [
        Self::Request,
        Self::Agent,
        Self::Workflow,
        Self::Tool,
        Self::Step,
        Self::Model,
    ];

    /// The name used in the API and in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Agent => "agent",
            Self::Workflow => "workflow",
            Self::Tool => "tool",
            Self::Step => "step",
            Self::Model => "model",
        }
    }
}

/// (service, kind, label): one box of the flamegraph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// `service.name`; empty if none.
    pub service: crate::Text,
    /// What it stands for.
    pub kind: FrameKind,
    /// Low-cardinality label.
    pub label: crate::Text,
}

/// BLAKE3-128 of (version, project, parent, length-prefixed service, kind, label).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathId(pub [u8; 16]);

impl fmt::Display for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PathId {
    /// Version of the hash's input; a change of it makes all paths new ones.
    pub const VERSION: u8 = 1;

    /// The id of `frame` below `parent` (`None` = below the root of all).
    #[must_use]
    pub fn of(project: i32, parent: Option<Self>, frame: &Frame) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[Self::VERSION]);
        hasher.update(&project.to_le_bytes());
        hasher.update(&parent.map_or([0; 16], |path| path.0));
        for text in [&*frame.service, frame.kind.name(), &*frame.label] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }
}
