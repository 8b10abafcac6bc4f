//! Calls that say what lies above them while their parents are missing.

use costflame_profile::{FrameKind, Rule, Span, outline};

use crate::common::*;

fn agent(number: u64, name: &str) -> Span {
    span(number).kind(FrameKind::Agent, name).at(0, 1_000)
}

#[test]
fn without_any_parent_the_steps_it_names_are_its_path() {
    let settled = settled(vec![call(9, tokens(1, 1)).under(8).said_below(&["a", "b"])]);
    assert_eq!(path(&settled, 9), ["a", "b", "gpt-4o"]);
    assert_eq!(settled.calls[0].attribution.agent.as_deref(), Some("b"));
    assert!(outline(PROJECT, &settled)[0].missing_parent);
}

#[test]
fn it_hangs_under_the_nearest_that_is_there_and_moves_when_its_parent_comes() {
    let spans = [
        span(1).kind(FrameKind::Request, "POST /chat").at(0, 1_000),
        agent(2, "a")
            .under(1)
            .attributed(|a| a.user = Some("ann".into())),
        call(9, tokens(1, 1)).under(3).said_below(&["a", "b"]),
        agent(3, "b").under(2).said_below(&["a"]),
        span(4).under(3).said_below(&["a", "b"]),
    ];
    let whole = settled(spans.to_vec());
    let expected = ["POST /chat", "a", "b", "gpt-4o"];
    assert_eq!(path(&whole, 9), expected);
    // Without the parent, without both agents: the same place, though not the same inheritance.
    let early = settled(spans[..3].to_vec());
    assert_eq!(path(&early, 9), expected);
    assert_eq!(early.calls[0].path, whole.calls[0].path);
    assert_eq!(early.calls[0].attribution, whole.calls[0].attribution);
    let rootless = settled(vec![spans[0].clone(), spans[2].clone()]);
    assert_eq!(path(&rootless, 9), expected);
    assert_eq!(rootless.calls[0].attribution.user, None);
}

#[test]
fn of_two_runs_of_an_agent_it_hangs_under_the_one_that_was_running() {
    let user = |name: &str| {
        let name = name.into();
        move |a: &mut costflame_profile::Attribution| a.user = Some(name)
    };
    let settled = settled(vec![
        span(1).at(0, 1_000),
        agent(2, "a").under(1).at(0, 100).attributed(user("ann")),
        agent(3, "a").under(1).at(200, 300).attributed(user("bob")),
        call(7, tokens(1, 1)).under(8).said_below(&["a"]).at(50, 60),
        call(9, tokens(1, 1))
            .under(8)
            .said_below(&["a"])
            .at(250, 260),
        call(10, tokens(1, 1))
            .under(8)
            .said_below(&["a"])
            .at(150, 160),
    ]);
    let users: Vec<_> = settled
        .calls
        .iter()
        .map(|call| call.attribution.user.as_deref())
        .collect();
    assert_eq!(users, [Some("ann"), None, Some("bob")]);
    for number in [7, 9, 10] {
        assert_eq!(path(&settled, number), ["step", "a", "gpt-4o"]);
    }
}

#[test]
fn what_an_agent_sums_does_not_count_beside_a_call_whose_tool_never_came() {
    let sum = aggregate(2, tokens(10, 1)).kind(FrameKind::Agent, "a");
    let settled = settled(vec![
        sum.at(0, 1_000),
        call(9, tokens(10, 1)).under(8).said_below(&["a", "b"]),
    ]);
    assert_eq!(counted(&settled), [9]);
    assert_eq!(excluded(&settled), [(2, Rule::Aggregate, 9)]);
}

#[test]
fn what_cannot_be_true_loses_no_call() {
    // It names a span below itself, and that one names it.
    let around = [
        agent(1, "a").under(9).said_below(&["b"]),
        agent(2, "b").under(1).said_below(&[]),
        call(3, tokens(1, 1)).under(2).said_below(&["a", "b"]),
    ];
    let settled = settled(around.to_vec());
    assert_eq!(counted(&settled), [3]);
    assert_eq!(path(&settled, 3).last().map(String::as_str), Some("gpt-4o"));
}
