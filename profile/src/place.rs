//! Where in the cost tree a call belongs: its path, and what it inherits on the way down.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    Attribution, Frame, FrameKind, PathId, Rule, Span, Step, Text,
    counting::State,
    order::{Forest, Parent},
};

/// Most frames of a call path. Of a deeper one the first 510 stay, `(deeper)` stands for the rest,
/// and the call's own frame ends it.
pub const MAX_FRAMES: usize = 512;

/// Adjusted count in thousandths where no sampler says one.
const UNSAMPLED: u32 = 1000;

/// Longest model name in a frame, bytes; a longer one is cut.
const MAX_LABEL: usize = 120;

/// One call path of the trie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRow {
    /// [`PathId::of`] the parent and the frame.
    pub id: PathId,
    /// `None` = the frame is at the top.
    pub parent: Option<PathId>,
    /// The last frame of the path.
    pub frame: Frame,
}

/// Where a call was placed.
pub(crate) struct Place {
    pub(crate) path: PathId,
    pub(crate) attribution: Arc<Attribution>,
    pub(crate) weight_milli: u32,
}

/// The places of all calls by node, and every path on the way to them, parents first.
pub(crate) struct Places {
    pub(crate) by_node: Vec<Option<Place>>,
    pub(crate) paths: Vec<PathRow>,
}

/// What is known at a node about everything above it and itself.
#[derive(Clone)]
struct Above {
    path: Option<PathId>,
    frames: usize,
    folded: bool,
    attribution: Arc<Attribution>,
    weight_milli: u32,
}

/// Places every call. Linear in the spans, and touches only calls and what is above them.
pub(crate) fn place<R: AsRef<Span>>(
    project: i32,
    rows: &[R],
    forest: &Forest,
    states: &[State],
) -> Places {
    walk(project, rows, forest, states, &above_calls(forest, states)).0
}

/// The path of every node's own frame.
pub(crate) fn frame_paths<R: AsRef<Span>>(
    project: i32,
    rows: &[R],
    forest: &Forest,
    states: &[State],
) -> Vec<PathId> {
    let (places, at) = walk(project, rows, forest, states, &vec![true; states.len()]);
    let own = |(node, above): (usize, Option<Above>)| {
        // What is below a repeated call skips its frame, which is its own all the same.
        let is_model = rows[forest.nodes[node].place].as_ref().kind == FrameKind::Model;
        let call = places.by_node[node].as_ref().filter(|_| is_model);
        let path = call.map(|place| place.path).or_else(|| above?.path);
        path.expect("every node was walked, and a step down always has a path")
    };
    at.into_iter().enumerate().map(own).collect()
}

/// Walks down the needed nodes, whose parents must be needed too.
fn walk<R: AsRef<Span>>(
    project: i32,
    rows: &[R],
    forest: &Forest,
    states: &[State],
    needed: &[bool],
) -> (Places, Vec<Option<Above>>) {
    let mut trie = Trie {
        project,
        known: HashSet::new(),
        paths: Vec::new(),
    };
    let nothing = Arc::new(Attribution::default());
    let mut at: Vec<Option<Above>> = vec![None; states.len()];
    let mut by_node: Vec<Option<Place>> =
        std::iter::repeat_with(|| None).take(states.len()).collect();
    for &node in forest.order.iter().filter(|node| needed[**node]) {
        let span = rows[forest.nodes[node].place].as_ref();
        let top = |path, frames| Above {
            path,
            frames,
            folded: false,
            attribution: Arc::clone(&nothing),
            weight_milli: UNSAMPLED,
        };
        let (above, told) = match (forest.parent[node], forest.told[node]) {
            (Parent::Root, _) => (top(None, 0), &[][..]),
            (Parent::Missing, _) if span.above.is_empty() => {
                let missing = trie.child(None, missing_parent());
                (top(Some(missing), 1), &[][..])
            }
            (Parent::Missing, _) => (top(None, 0), &span.above[..]),
            (Parent::Node(above), told) => {
                let told = told.map_or(&[][..], |held| &span.above[held..]);
                (at[above].clone().unwrap_or_else(|| top(None, 0)), told)
            }
        };
        let above = told
            .iter()
            .fold(above, |above, step| trie.told(&above, span, step));
        let attribution = Attribution::inherited(&own_attribution(span), &above.attribution);
        let weight_milli = match span.weight_milli {
            0 => above.weight_milli,
            own => own,
        };
        let is_model = span.kind == FrameKind::Model;
        let here = match states[node] {
            State::Plain => trie.step(&above, own_frame(span)),
            State::Counts | State::Out { .. } => {
                let here = if is_model {
                    above.clone()
                } else {
                    trie.step(&above, own_frame(span))
                };
                let own = if is_model {
                    own_frame(span)
                } else {
                    model_frame(rows[forest.nodes[node].source].as_ref())
                };
                let path = trie.child(here.path, own);
                by_node[node] = Some(Place {
                    path,
                    attribution: Arc::clone(&attribution),
                    weight_milli,
                });
                match states[node] {
                    // The call below stands for it, so its frame would repeat that call's.
                    State::Out {
                        rule: Rule::SameResponse | Rule::Wrapper,
                        ..
                    } => here,
                    _ if is_model => trie.step(&above, own_frame(span)),
                    _ => here,
                }
            }
        };
        at[node] = Some(Above {
            attribution,
            weight_milli,
            ..here
        });
    }
    let places = Places {
        by_node,
        paths: trie.paths,
    };
    (places, at)
}

fn above_calls(forest: &Forest, states: &[State]) -> Vec<bool> {
    let mut needed: Vec<bool> = states.iter().map(|state| *state != State::Plain).collect();
    for &node in forest.order.iter().rev() {
        if let (true, Parent::Node(above)) = (needed[node], forest.parent[node]) {
            needed[above] = true;
        }
    }
    needed
}

struct Trie {
    project: i32,
    known: HashSet<PathId>,
    paths: Vec<PathRow>,
}

impl Trie {
    fn child(&mut self, parent: Option<PathId>, frame: Frame) -> PathId {
        let id = PathId::of(self.project, parent, &frame);
        if self.known.insert(id) {
            self.paths.push(PathRow { id, parent, frame });
        }
        id
    }

    /// One frame further down, or nowhere once the path is folded.
    fn step(&mut self, above: &Above, frame: Frame) -> Above {
        if above.folded {
            return above.clone();
        }
        let folded = above.frames == MAX_FRAMES - 2;
        let frame = if folded { fixed("(deeper)") } else { frame };
        let path = Some(self.child(above.path, frame));
        Above {
            path,
            frames: above.frames + 1,
            folded,
            attribution: Arc::clone(&above.attribution),
            weight_milli: above.weight_milli,
        }
    }

    /// Down one step that `span` says lies above it, in its own service for want of a better guess.
    fn told(&mut self, above: &Above, span: &Span, step: &Step) -> Above {
        let frame = Frame {
            service: Arc::clone(&span.service),
            kind: step.kind,
            label: Arc::clone(&step.label),
        };
        let own = Arc::new(named(step.kind, &step.label));
        Above {
            attribution: Attribution::inherited(&own, &above.attribution),
            ..self.step(above, frame)
        }
    }
}

/// What a frame of this kind and label attributes by itself.
fn named(kind: FrameKind, label: &Text) -> Attribution {
    let of = |wanted| (kind == wanted && !label.is_empty()).then(|| Arc::clone(label));
    Attribution {
        agent: of(FrameKind::Agent),
        tool: of(FrameKind::Tool),
        ..Attribution::default()
    }
}

fn fixed(label: &str) -> Frame {
    Frame {
        service: Text::from(""),
        kind: FrameKind::Step,
        label: label.into(),
    }
}

fn missing_parent() -> Frame {
    fixed("(missing parent)")
}

fn own_frame(span: &Span) -> Frame {
    let label = if span.label.is_empty() {
        "(unnamed)".into()
    } else {
        Arc::clone(&span.label)
    };
    Frame {
        service: Arc::clone(&span.service),
        kind: span.kind,
        label,
    }
}

/// The last frame of a call whose own frame is not a model: an agent that alone knows its usage.
fn model_frame(span: &Span) -> Frame {
    let model = span.call.as_ref().and_then(|call| call.model());
    let label = match model {
        None => "(unknown model)".into(),
        Some(name) if name.len() <= MAX_LABEL => Arc::clone(name),
        Some(name) => name[..name.floor_char_boundary(MAX_LABEL)].into(),
    };
    Frame {
        service: Arc::clone(&span.service),
        kind: FrameKind::Model,
        label,
    }
}

/// What is attributed on the span; an agent's or tool's frame names it where no attribute does.
fn own_attribution(span: &Span) -> Arc<Attribution> {
    let own = &span.attribution;
    if !matches!(span.kind, FrameKind::Agent | FrameKind::Tool) {
        return Arc::clone(own);
    }
    let Attribution { agent, tool, .. } = named(span.kind, &span.label);
    let agent = agent.filter(|_| own.agent.is_none());
    let tool = tool.filter(|_| own.tool.is_none());
    if agent.is_none() && tool.is_none() {
        return Arc::clone(own);
    }
    let mut own = Attribution::clone(own);
    own.agent = own.agent.or(agent);
    own.tool = own.tool.or(tool);
    Arc::new(own)
}
