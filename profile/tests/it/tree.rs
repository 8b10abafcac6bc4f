//! Building, merging, pruning, comparing and exporting keep every sum.

use costflame_pricing::UsdSum;
use costflame_profile::{
    Compared, Frame, FrameKind, Measure, Metric, Metrics, PathId, PathRow, Tree, export::folded,
};
use proptest::prelude::*;

use crate::common::PROJECT;

fn cost(cost: i128) -> Metrics {
    Metrics {
        cost: UsdSum(cost),
        calls: 1,
        ..Metrics::default()
    }
}

/// Rows of a path given as labels.
fn rows(labels: &[&str]) -> (Vec<PathRow>, PathId) {
    let mut rows: Vec<PathRow> = Vec::new();
    for label in labels {
        let parent = rows.last().map(|row| row.id);
        let frame = Frame {
            service: "app".into(),
            kind: FrameKind::Step,
            label: (*label).into(),
        };
        rows.push(PathRow {
            id: PathId::of(PROJECT, parent, &frame),
            parent,
            frame,
        });
    }
    let last = rows.last().expect("a path has a frame").id;
    (rows, last)
}

fn tree(stacks: &[(&[&str], i128)]) -> Tree<Metrics> {
    let stacks: Vec<_> = stacks
        .iter()
        .map(|(labels, value)| (rows(labels), *value))
        .collect();
    let paths = stacks.iter().flat_map(|((rows, _), _)| rows.clone());
    Tree::from_rows(
        paths.collect::<Vec<_>>(),
        stacks.iter().map(|((_, id), value)| (*id, cost(*value))),
    )
}

fn shape(tree: &Tree<Metrics>) -> Vec<(String, Option<usize>, i128, i128)> {
    let node = |node: &costflame_profile::Node<Metrics>| {
        (
            node.frame.label.to_string(),
            node.parent,
            node.own.cost.0,
            node.total.cost.0,
        )
    };
    tree.nodes.iter().map(node).collect()
}

#[test]
fn totals_are_sums_over_subtrees() {
    let tree = tree(&[
        (&["a", "c"], 5),
        (&["a"], 1),
        (&["a", "b", "d"], 2),
        (&["a", "b", "d"], 2),
        (&["e"], 7),
    ]);
    let expected = [
        ("a", None, 1, 10),
        ("b", Some(0), 0, 4),
        ("d", Some(1), 4, 4),
        ("c", Some(0), 5, 5),
        ("e", None, 7, 7),
    ];
    assert_eq!(
        shape(&tree),
        expected.map(|(label, parent, own, total)| (label.to_owned(), parent, own, total))
    );
    assert_eq!(tree.total().cost, UsdSum(17));
    assert_eq!(tree.total().calls, 5);
}

#[test]
fn values_of_unknown_paths_are_kept() {
    let (known, leaf) = rows(&["a", "b"]);
    let unknown = PathId([9; 16]);
    let tree = Tree::from_rows(known[1..].to_vec(), [(leaf, cost(1)), (unknown, cost(2))]);
    assert_eq!(tree.total().cost, UsdSum(3));
    let mut labels: Vec<_> = shape(&tree).into_iter().map(|(label, ..)| label).collect();
    labels.sort();
    assert_eq!(labels, ["(unknown path)", "(unknown path)", "b"]);
}

#[test]
fn rows_that_lead_in_a_circle_lose_nothing() {
    let (mut paths, leaf) = rows(&["a", "b"]);
    paths[0].parent = Some(leaf);
    let tree = Tree::from_rows(paths, [(leaf, cost(3))]);
    assert_eq!(tree.total().cost, UsdSum(3));
}

#[test]
fn the_smallest_totals_fold_into_other() {
    let full = tree(&[
        (&["a", "big"], 100),
        (&["a", "small"], 2),
        (&["a", "smaller", "leaf"], 1),
        (&["b", "mid"], 50),
        (&["tiny"], 1),
    ]);
    let pruned = full.clone().prune(6, Metric::Cost);
    let expected = [
        ("a", None, 0, 103),
        ("big", Some(0), 100, 100),
        ("(other)", Some(0), 3, 3),
        ("b", None, 0, 50),
        ("mid", Some(3), 50, 50),
        ("tiny", None, 1, 1),
    ];
    assert_eq!(
        shape(&pruned.tree),
        expected.map(|(label, parent, own, total)| (label.to_owned(), parent, own, total))
    );
    assert_eq!(pruned.folded, 3);
    let least = full.prune(0, Metric::Cost).tree;
    assert_eq!(shape(&least), [("(other)".to_owned(), None, 154, 154)]);
    assert_eq!(least.nodes[0].id, None);
}

#[test]
fn a_difference_shows_both_sides_of_every_frame() {
    let (now, base) = (
        tree(&[(&["a", "new"], 5), (&["a", "both"], 3)]),
        tree(&[(&["a", "old"], 4), (&["a", "both"], 1)]),
    );
    let both: Vec<_> = now
        .diff(base)
        .nodes
        .iter()
        .map(|node| {
            (
                node.frame.label.to_string(),
                node.total.now.cost.0,
                node.total.base.cost.0,
            )
        })
        .collect();
    let expected = [("a", 8, 5), ("both", 3, 1), ("new", 5, 0), ("old", 0, 4)];
    assert_eq!(
        both,
        expected.map(|(label, now, base)| (label.to_owned(), now, base))
    );
}

#[test]
fn folded_stacks_are_one_line_per_path_with_a_value() {
    let mut tree = tree(&[
        (&["POST /chat", "agent; planner", "gpt-4o"], 29),
        (&["POST /chat"], 1),
        (&["line\nbreak", "x"], 2),
    ]);
    for node in &mut tree.nodes {
        if &*node.frame.label == "gpt-4o" {
            node.frame.service = "work;er".into();
        }
    }
    let mut text = String::new();
    folded::write(&tree, Metric::Cost, &mut text).expect("writing to a string");
    insta::assert_snapshot!(text, @r"
    app: POST /chat 1
    app: POST /chat;agent, planner;work,er: gpt-4o 29
    app: line break;x 2
    ");
}

#[test]
fn trees_of_any_depth_and_width_are_built() {
    let frame = |n: usize| Frame {
        service: "app".into(),
        kind: FrameKind::Step,
        label: format!("{n}").into(),
    };
    let mut deep: Vec<PathRow> = Vec::new();
    for n in 0..50_000 {
        let parent = deep.last().map(|row| row.id);
        deep.push(PathRow {
            id: PathId::of(PROJECT, parent, &frame(n)),
            parent,
            frame: frame(n),
        });
    }
    let wide: Vec<PathRow> = (0..100_000)
        .map(|n| PathRow {
            id: PathId::of(PROJECT, Some(deep[0].id), &frame(n)),
            parent: Some(deep[0].id),
            frame: frame(n),
        })
        .collect();
    let own: Vec<_> = deep
        .iter()
        .chain(&wide)
        .map(|row| (row.id, cost(1)))
        .collect();
    let tree = Tree::from_rows(deep.into_iter().chain(wide), own);
    assert_eq!(tree.nodes.len(), 149_999, "one child of the top is in both");
    assert_eq!(tree.total().cost, UsdSum(150_000));
    let pruned = tree.prune(1_000, Metric::Cost);
    assert!(pruned.tree.nodes.len() <= 1_000);
    assert_eq!(pruned.tree.total().cost, UsdSum(150_000));
}

fn some_tree() -> impl Strategy<Value = Tree<Metrics>> {
    let stack = (
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 1..6),
        0..50i128,
    );
    prop::collection::vec(stack, 0..40).prop_map(|stacks| {
        let stacks: Vec<(&[&str], i128)> = stacks
            .iter()
            .map(|(labels, value)| (&labels[..], *value))
            .collect();
        tree(&stacks)
    })
}

fn conserved<M: Measure + PartialEq + std::fmt::Debug>(tree: &Tree<M>) {
    let mut sum = M::default();
    tree.nodes.iter().for_each(|node| sum.add(&node.own));
    assert_eq!(sum, tree.total());
    for (place, node) in tree.nodes.iter().enumerate() {
        assert!(node.parent.is_none_or(|parent| parent < place));
    }
}

proptest! {
    #[test]
    fn merging_is_commutative_and_associative(a in some_tree(), b in some_tree(), c in some_tree(), budget in 1..20usize) {
        let ab = a.clone().merge(b.clone());
        prop_assert_eq!(&ab, &b.clone().merge(a.clone()));
        prop_assert_eq!(ab.merge(c.clone()), a.clone().merge(b.clone().merge(c.clone())));
        let small = [a, b, c].map(|tree| tree.prune(budget, Metric::Cost).tree);
        let [a, b, c] = small;
        prop_assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
        prop_assert_eq!(a.clone().merge(b.clone()).merge(c.clone()), a.merge(b.merge(c)));
    }

    #[test]
    fn sums_survive_everything(a in some_tree(), b in some_tree(), budget in 0..30usize) {
        let merged = a.clone().merge(b.clone());
        conserved(&merged);
        let mut total = a.total();
        total.add(&b.total());
        prop_assert_eq!(merged.total(), total);
        for metric in Metric::ALL {
            let pruned = merged.clone().prune(budget, metric);
            conserved(&pruned.tree);
            prop_assert_eq!(pruned.tree.total(), total);
            prop_assert!(pruned.tree.nodes.len() <= budget.max(1));
            for node in pruned.tree.nodes.iter().filter(|node| node.id.is_some()) {
                let before = merged.nodes.iter().find(|full| full.id == node.id).expect("kept");
                prop_assert_eq!(before.total, node.total, "the total of a kept node stays");
            }
        }
        let diff = a.clone().diff(b.clone());
        conserved(&diff);
        prop_assert_eq!(diff.total(), Compared { now: a.total(), base: b.total() });
        prop_assert_eq!(diff.prune(budget, Metric::Cost).tree.total(), Compared { now: a.total(), base: b.total() });
    }

    #[test]
    fn what_is_kept_is_never_smaller_than_what_is_folded(a in some_tree(), budget in 1..30usize) {
        let before = a.nodes.clone();
        let pruned = a.prune(budget, Metric::Cost).tree;
        let kept = |id| pruned.nodes.iter().any(|node| node.id == id);
        let folded = before.iter().filter(|node| !kept(node.id)).map(|node| node.total.cost.0).max().unwrap_or(0);
        let inner = before.iter().filter(|node| kept(node.id) && before.iter().any(|child| child.parent.is_some_and(|p| before[p].id == node.id)));
        prop_assert!(inner.map(|node| node.total.cost.0).all(|total| total >= folded));
    }
}
