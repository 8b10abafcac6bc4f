//! What a span says lies above it, for the case that its parents never come.

use costflame_profile::{FrameKind, Step};

use super::{frame::Raw, interner::Interner};

/// Most steps that are kept, the innermost ones.
const MAX_STEPS: usize = 64;

/// Operations whose spans have a frame of this kind, named after what follows the operation.
const OPERATIONS: &[(&str, FrameKind)] = &[
    ("invoke_agent", FrameKind::Agent),
    ("create_agent", FrameKind::Agent),
    ("invoke_workflow", FrameKind::Workflow),
    ("execute_tool", FrameKind::Tool),
];

/// The steps of a `costflame.path`: names of spans, outermost first, separated by `;`.
pub(super) fn steps(path: &str, texts: &mut Interner) -> Vec<Step> {
    let names = path.rsplit(';').map(str::trim);
    let names = names.filter(|name| !name.is_empty()).take(MAX_STEPS);
    let mut steps: Vec<Step> = names.map(|name| step(name, texts)).collect();
    steps.reverse();
    steps
}

/// The frame that the span of this name would have.
fn step(name: &str, texts: &mut Interner) -> Step {
    let (operation, subject) = name.split_once(' ').unwrap_or((name, name));
    let known = OPERATIONS.iter().find(|(known, _)| *known == operation);
    let (kind, label) = known.map_or((FrameKind::Step, name), |(_, kind)| (*kind, subject));
    Step {
        kind,
        label: texts.label(&Raw::Name(label)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Vec<(FrameKind, String)> {
        let steps = steps(path, &mut Interner::default());
        let pair = |step: Step| (step.kind, step.label.to_string());
        steps.into_iter().map(pair).collect()
    }

    #[test]
    fn names_of_spans_are_the_frames_they_would_have() {
        let path = "invoke_workflow report;invoke_agent planner;; execute_tool web search ;retrieval kb 4711;invoke_agent";
        let expected = [
            (FrameKind::Workflow, "report"),
            (FrameKind::Agent, "planner"),
            (FrameKind::Tool, "web search"),
            (FrameKind::Step, "retrieval kb {id}"),
            (FrameKind::Agent, "invoke_agent"),
        ];
        assert_eq!(
            read(path),
            expected.map(|(kind, label)| (kind, label.to_owned()))
        );
        assert_eq!(read(" ; "), []);
    }

    #[test]
    fn of_too_many_steps_the_innermost_stay() {
        let names: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
        let steps = read(&names.join(";"));
        assert_eq!(steps.len(), MAX_STEPS);
        assert_eq!(steps[63].1, "s99");
    }
}
