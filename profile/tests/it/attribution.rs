//! Values set on an ancestor hold for everything below, the nearest wins.

use costflame_profile::{Attribution, FrameKind, Settled, Span};

use crate::common::*;

fn of(settled: &Settled<Span>, number: u64) -> Attribution {
    let call = settled
        .calls
        .iter()
        .find(|call| settled.span(call).span_id == id(number));
    Attribution::clone(&call.expect("the call").attribution)
}

fn tag(key: &str, value: &str) -> (costflame_profile::Text, costflame_profile::Text) {
    (key.into(), value.into())
}

#[test]
fn the_nearest_value_wins_key_by_key_whenever_it_arrives() {
    let root = span(1).attributed(|a| {
        a.user = Some("ann".into());
        a.feature = Some("search".into());
        a.tags = vec![tag("team", "core"), tag("tenant", "acme")];
    });
    let middle = span(2).under(1).attributed(|a| {
        a.feature = Some("rerank".into());
        a.tags = vec![tag("experiment", "b"), tag("tenant", "globex")];
    });
    let leaf = call(3, tokens(1, 1))
        .under(2)
        .attributed(|a| a.session = Some("s-1".into()));
    let expected = Attribution {
        user: Some("ann".into()),
        feature: Some("rerank".into()),
        session: Some("s-1".into()),
        tags: vec![
            tag("experiment", "b"),
            tag("team", "core"),
            tag("tenant", "globex"),
        ],
        ..Attribution::default()
    };
    for spans in [
        [&root, &middle, &leaf],
        [&leaf, &middle, &root],
        [&middle, &leaf, &root],
    ] {
        assert_eq!(of(&settled(spans.map(Clone::clone).to_vec()), 3), expected);
    }
    let early = of(&settled(vec![leaf, middle]), 3);
    assert_eq!(
        (early.user, early.feature),
        (None, expected.feature),
        "before the root arrives"
    );
}

#[test]
fn an_empty_value_is_a_value() {
    let settled = settled(vec![
        span(1).attributed(|a| a.user = Some("ann".into())),
        call(2, tokens(1, 1))
            .under(1)
            .attributed(|a| a.user = Some("".into())),
    ]);
    assert_eq!(of(&settled, 2).user.as_deref(), Some(""));
}

#[test]
fn agent_and_tool_are_those_of_the_nearest_frames() {
    let settled = settled(vec![
        span(1)
            .kind(FrameKind::Agent, "planner")
            .attributed(|a| a.agent = Some("Planner".into())),
        span(2).under(1).kind(FrameKind::Tool, "ask"),
        call(3, tokens(1, 1)).under(2),
        span(4).under(2).kind(FrameKind::Agent, "writer"),
        call(5, tokens(2, 1)).under(4),
    ]);
    let pair = |number| {
        let Attribution { agent, tool, .. } = of(&settled, number);
        (
            agent.unwrap_or_default().to_string(),
            tool.unwrap_or_default().to_string(),
        )
    };
    assert_eq!(
        pair(3),
        ("Planner".into(), "ask".into()),
        "an attribute names the agent before the frame does"
    );
    assert_eq!(pair(5), ("writer".into(), "ask".into()));
}

#[test]
fn inherited_tags_are_bounded_and_a_spans_own_stay() {
    let deep = (1..=300).map(|n| {
        let step = span(n).attributed(|a| a.tags = vec![tag(&format!("key{n:03}"), "x")]);
        if n == 1 { step } else { step.under(n - 1) }
    });
    let leaf = call(301, tokens(1, 1))
        .under(300)
        .attributed(|a| a.tags = vec![tag("own", "x")]);
    let tags = of(&settled(deep.chain([leaf]).collect()), 301).tags;
    assert_eq!(tags.len(), Attribution::MAX_TAGS);
    assert!(tags.contains(&tag("own", "x")));
    assert!(tags.is_sorted());
}
