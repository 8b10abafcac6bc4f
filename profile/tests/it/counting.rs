//! Each call counts once within its trace. Shapes as recorded from the libraries that the tests name.

use costflame_pricing::{Flag, TokenClass::*, Usage};
use costflame_profile::{FrameKind, Role, Rule, Span};

use crate::common::*;

fn tool(number: u64) -> Span {
    span(number).kind(FrameKind::Tool, "get_weather")
}

// Rule a: aggregates.

#[test]
fn strands_and_smolagents_agents_sum_their_calls() {
    let settled = settled(vec![
        aggregate(1, tokens(9777, 2535)),
        span(2).under(1),
        call(3, tokens(4734, 871)).under(2),
        tool(4).under(2),
        span(5).under(1),
        call(6, tokens(5043, 1664)).under(5),
    ]);
    assert_eq!(counted(&settled), [3, 6]);
    assert_eq!(excluded(&settled), [(1, Rule::Aggregate, 3)]);
    assert_eq!(settled.trace.excluded_cost.0, 12312);
}

#[test]
fn an_aggregate_is_left_out_even_if_its_sum_is_not_that_of_the_calls_below() {
    // Another call below it was not instrumented.
    let settled = settled(vec![
        aggregate(1, tokens(500, 50)),
        call(2, tokens(100, 10)).under(1),
    ]);
    assert_eq!(counted(&settled), [2]);
}

#[test]
fn vercel_parents_sum_over_steps() {
    let step = |number, input| call(number, tokens(input, 10)).under(2);
    let settled = settled(vec![
        span(1).kind(FrameKind::Request, "POST /chat"),
        aggregate(2, tokens(300, 20))
            .under(1)
            .kind(FrameKind::Workflow, "ai.generateText"),
        step(3, 100),
        tool(4).under(2),
        step(5, 200),
    ]);
    assert_eq!(counted(&settled), [3, 5]);
    assert_eq!(
        path(&settled, 5),
        ["POST /chat", "ai.generateText", "gpt-4o"]
    );
}

#[test]
fn runnable_sequence_roots_repeat_their_last_step() {
    let chain = |number, role| Span {
        role,
        ..aggregate(number, tokens(100, 10)).kind(FrameKind::Workflow, "RunnableSequence")
    };
    for role in [Role::Aggregate, Role::Call] {
        let settled = settled(vec![
            chain(1, role),
            chain(2, role).under(1),
            call(3, tokens(700, 70)).under(2),
            call(4, tokens(100, 10)).under(2),
        ]);
        assert_eq!(counted(&settled), [3, 4], "{role:?}");
    }
}

#[test]
fn an_aggregate_without_a_call_below_counts_and_says_so() {
    let settled = settled(vec![
        aggregate(1, tokens(100, 10)).kind(FrameKind::Workflow, "workflow"),
        aggregate(2, tokens(100, 10)).under(1),
        span(3).under(2),
    ]);
    assert_eq!(counted(&settled), [2], "the one nearest the provider");
    let call = settled
        .calls
        .iter()
        .find(|call| call.counted())
        .expect("one counts");
    assert!(call.flags.contains(Flag::Aggregate));
    assert_eq!(path(&settled, 2), ["workflow", "agent", "gpt-4o"]);
}

#[test]
fn an_aggregate_is_the_only_evidence_when_calls_below_carry_no_usage() {
    // Streams without include_usage below an agent that counts its tokens.
    let settled = settled(vec![
        aggregate(1, tokens(100, 10)),
        call(2, Usage::default()).under(1),
        Span {
            error: true,
            ..call(3, Usage::default()).under(1)
        },
    ]);
    assert_eq!(counted(&settled), [1, 3], "a failed attempt stays a call");
    assert_eq!(excluded(&settled), [(2, Rule::Aggregate, 1)]);
}

#[test]
fn an_aggregate_without_usage_is_no_call() {
    let settled = settled(vec![
        aggregate(1, Usage::default()),
        call(2, tokens(1, 1)).under(1),
    ]);
    assert_eq!(settled.calls.len(), 1);
}

// Rule b: one response id.

#[test]
fn sdk_child_twin_of_a_client_instrumentation_counts() {
    let outer = call(
        1,
        classes(&[
            (Input, 1000),
            (CacheRead, 384),
            (CacheWrite, 987),
            (Output, 319),
        ]),
    );
    let inner = call(
        2,
        classes(&[
            (Input, 1000),
            (CacheRead, 384),
            (CacheWrite, 987),
            (Output, 319),
        ]),
    );
    let settled = settled(vec![
        outer.response("msg_01be7d64810ff97e04d0c291").client(),
        inner
            .under(1)
            .response("msg_01be7d64810ff97e04d0c291")
            .client(),
    ]);
    assert_eq!(counted(&settled), [2]);
    assert_eq!(excluded(&settled), [(1, Rule::SameResponse, 2)]);
    assert_eq!(
        path(&settled, 2),
        ["gpt-4o"],
        "the twin's frame would repeat the call's"
    );
}

#[test]
fn of_sibling_twins_the_one_with_most_classes_counts() {
    // traceloop knows no cache writes of one hour, the SDK does.
    let id = "msg_012bcaefbfc5e2127baf027e";
    let traceloop = call(
        2,
        classes(&[(Input, 5000), (CacheWrite, 882), (Output, 683)]),
    )
    .under(1)
    .response(id)
    .client();
    let sdk = call(
        3,
        classes(&[
            (Input, 5000),
            (CacheWrite, 800),
            (CacheWrite1h, 82),
            (Output, 683),
        ]),
    )
    .under(1)
    .response(id);
    let settled = settled(vec![span(1), traceloop, sdk]);
    assert_eq!(counted(&settled), [3]);
    assert_eq!(excluded(&settled), [(2, Rule::SameResponse, 3)]);
}

#[test]
fn sibling_twins_of_equal_detail_are_ordered_by_kind_then_depth_then_id() {
    let twin = |number| call(number, tokens(100, 10)).response("resp_dea57c935bc381a51b9f2eedb");
    let winner = |spans| counted(&settled(spans));
    assert_eq!(
        winner(vec![span(1), twin(2).under(1), twin(3).under(1).client()]),
        [3]
    );
    assert_eq!(
        winner(vec![
            span(1),
            span(2).under(1),
            twin(3).under(1),
            twin(4).under(2)
        ]),
        [4]
    );
    assert_eq!(
        winner(vec![span(1), twin(2).under(1), twin(3).under(1)]),
        [2]
    );
}

#[test]
fn nearest_the_provider_wins_over_detail() {
    let id = "chatcmpl-a50185594d4b5d2a677b4386f103180e";
    let settled = settled(vec![
        call(1, classes(&[(Input, 50), (CacheRead, 50), (Output, 10)]))
            .response(id)
            .client(),
        span(2).under(1),
        call(3, tokens(100, 10)).under(2).response(id),
    ]);
    assert_eq!(counted(&settled), [3]);
}

#[test]
fn a_twin_without_usage_does_not_take_the_place_of_one_with() {
    let id = "chatcmpl-a50185594d4b5d2a677b4386f103180e";
    let settled = settled(vec![
        call(1, tokens(100, 10)).response(id),
        call(2, Usage::default()).under(1).response(id).client(),
    ]);
    assert_eq!(counted(&settled), [1]);
}

#[test]
fn the_same_response_polled_twice_is_one_call() {
    // Background mode: the response is fetched again until it is complete, and then once more.
    let poll = |number, usage| {
        call(number, usage)
            .under(1)
            .response("resp_68f1c0b7d54c8190a1b2c3d4e5f60718")
            .client()
    };
    let settled = settled(vec![
        span(1),
        poll(2, Usage::default()),
        poll(3, tokens(900, 80)),
        poll(4, tokens(900, 80)),
    ]);
    assert_eq!(counted(&settled), [3]);
    assert_eq!(excluded(&settled).len(), 2);
}

#[test]
fn a_cached_answer_of_a_gateway_has_the_id_of_the_first() {
    let answer = |number| {
        call(number, tokens(900, 80))
            .under(1)
            .response("chatcmpl-a50185594d4b5d2a677b4386f103180e")
    };
    assert_eq!(counted(&settled(vec![span(1), answer(2), answer(3)])), [2]);
}

#[test]
fn ids_that_are_none_make_no_twins() {
    // Ollama's OpenAI-compatible API draws one of a thousand ids.
    let local = |number, input| {
        call(number, tokens(input, 10))
            .under(1)
            .response("chatcmpl-731")
    };
    assert_eq!(
        counted(&settled(vec![span(1), local(2, 100), local(3, 200)])),
        [2, 3]
    );
    assert_eq!(
        counted(&settled(vec![span(1), local(2, 100), local(3, 100)])),
        [2],
        "with equal usage it is a twin"
    );
    let nameless = |number| call(number, tokens(100, 10)).under(1).response("None");
    assert_eq!(
        counted(&settled(vec![span(1), nameless(2), nameless(3)])),
        [2, 3]
    );
}

// Rule c: wrappers.

#[test]
fn openinference_over_the_sdk_is_a_wrapper_without_a_response_id() {
    // llm.token_count.* outside knows one class of cache writes, gen_ai.* inside two.
    let settled = settled(vec![
        call(
            1,
            classes(&[
                (Input, 5952),
                (CacheRead, 2560),
                (CacheWrite, 2371),
                (Output, 1379),
            ]),
        ),
        call(
            2,
            classes(&[
                (Input, 5952),
                (CacheRead, 2560),
                (CacheWrite, 1528),
                (CacheWrite1h, 843),
                (Output, 1379),
            ]),
        )
        .under(1)
        .client()
        .response("msg_01e3191e271b86226d3cd632"),
    ]);
    assert_eq!(counted(&settled), [2]);
    assert_eq!(excluded(&settled), [(1, Rule::Wrapper, 2)]);
}

#[test]
fn a_wrapper_that_lost_the_cached_tokens_is_still_one() {
    let inner = call(
        2,
        classes(&[(Input, 100), (CacheRead, 900), (Output, 10), (Reasoning, 5)]),
    )
    .under(1);
    assert_eq!(
        counted(&settled(vec![call(1, tokens(1000, 15)), inner.clone()])),
        [2],
        "within the totals"
    );
    assert_eq!(
        counted(&settled(vec![call(1, tokens(100, 10)), inner])),
        [2],
        "and beside them"
    );
}

#[test]
fn a_wrapper_may_sum_what_is_nearest_below() {
    let settled = settled(vec![
        call(1, tokens(300, 30)),
        span(2).under(1),
        call(3, tokens(100, 10)).under(2),
        call(4, tokens(200, 20)).under(2),
        call(5, tokens(200, 20)).under(4),
    ]);
    assert_eq!(counted(&settled), [3, 5]);
    assert_eq!(
        excluded(&settled),
        [(1, Rule::Wrapper, 3), (4, Rule::Wrapper, 5)]
    );
}

#[test]
fn a_sum_is_one_of_calls_each_counted_once() {
    let id = [
        "msg_012bcaefbfc5e2127baf027e",
        "msg_01e3191e271b86226d3cd632",
    ];
    let twin = |number, input, id| call(number, tokens(input, 10)).under(1).response(id);
    let settled = settled(vec![
        call(1, tokens(300, 20)),
        twin(2, 100, id[0]).client(),
        twin(3, 100, id[0]),
        twin(4, 200, id[1]).client(),
        twin(5, 200, id[1]),
    ]);
    assert_eq!(counted(&settled), [2, 4]);
}

#[test]
fn wrappers_around_wrappers_leave_the_innermost() {
    let spans = (1..=5).map(|n| {
        if n == 1 {
            call(1, tokens(7, 7))
        } else {
            call(n, tokens(7, 7)).under(n - 1)
        }
    });
    assert_eq!(counted(&settled(spans.collect())), [5]);
}

// Rule d: otherwise both count.

#[test]
fn adk_calls_enclose_the_calls_of_their_sub_agents() {
    let settled = settled(vec![
        span(1).kind(FrameKind::Agent, "outer"),
        call(2, tokens(1000, 100)).under(1),
        span(3).under(2).kind(FrameKind::Agent, "inner"),
        call(4, tokens(300, 30)).under(3),
    ]);
    assert_eq!(counted(&settled), [2, 4]);
    assert_eq!(path(&settled, 4), ["outer", "gpt-4o", "inner", "gpt-4o"]);
}

#[test]
fn claude_code_sub_agents_run_below_a_tool() {
    let settled = settled(vec![
        span(1).kind(FrameKind::Request, "claude_code.interaction"),
        call(2, tokens(1000, 100))
            .under(1)
            .response("req_011CQ9xZp6bXk4eA8s2f"),
        tool(3).under(1),
        span(4)
            .under(3)
            .kind(FrameKind::Step, "claude_code.tool.execution"),
        call(5, tokens(500, 50))
            .under(4)
            .response("req_011CQ9xZp6bXk4eA8s3g"),
    ]);
    assert_eq!(counted(&settled), [2, 5]);
}

#[test]
fn a_tool_between_two_calls_makes_them_two_however_alike() {
    let settled = settled(vec![
        call(1, tokens(8, 2)),
        tool(2).under(1),
        call(3, tokens(8, 2)).under(2),
    ]);
    assert_eq!(counted(&settled), [1, 3]);
}

#[test]
fn agents_nested_through_tools_all_count_their_own_calls() {
    let settled = settled(vec![
        aggregate(1, tokens(150, 15)).kind(FrameKind::Agent, "outer"),
        call(2, tokens(100, 10)).under(1),
        tool(3).under(1),
        aggregate(4, tokens(50, 5))
            .under(3)
            .kind(FrameKind::Agent, "inner"),
        call(5, tokens(50, 5)).under(4),
    ]);
    assert_eq!(counted(&settled), [2, 5]);
    assert_eq!(
        path(&settled, 5),
        ["outer", "get_weather", "inner", "gpt-4o"]
    );
}

#[test]
fn identical_parallel_calls_stay_as_many_as_they_are() {
    // Temperature 0, or an embedding of the same text.
    let parallel = (2..=9).map(|n| call(n, tokens(8, 0)).under(1));
    assert_eq!(
        counted(&settled(std::iter::once(span(1)).chain(parallel).collect())).len(),
        8
    );
}

#[test]
fn identical_parallel_calls_seen_by_two_nested_emitters_stay_as_many_as_they_are() {
    let outer = (2..=9).map(|n| call(n, tokens(8, 1)).under(1));
    let inner = (2..=9).map(|n| call(n + 100, tokens(8, 1)).under(n).client());
    let settled = settled(std::iter::once(span(1)).chain(outer).chain(inner).collect());
    assert_eq!(counted(&settled), (102..=109).collect::<Vec<_>>());
}

#[test]
fn calls_without_usage_match_nothing() {
    let settled = settled(vec![
        call(1, Usage::default()),
        call(2, Usage::default()).under(1),
        call(3, Usage::default()).under(1),
    ]);
    assert_eq!(counted(&settled), [1, 2, 3]);
    assert_eq!(settled.trace.unpriced, 3);
}

#[test]
fn wrappers_over_many_calls_do_not_search_them_all() {
    // Each of the wrappers carries the usage of one of the calls; the deepest is right above all of them.
    let (depth, width) = (2_000, 4_000);
    let chain = (1..=depth).map(|n| {
        let wrapper = call(n, tokens(1_000_000 + n, 1));
        if n == 1 {
            wrapper
        } else {
            wrapper.under(n - 1)
        }
    });
    let calls = (1..=width).map(|n| call(depth + n, tokens(1_000_000 + n, 1)).under(depth));
    let settled = settled(chain.chain(calls).collect());
    assert_eq!(counted(&settled).len() as u64, width);
}

#[test]
fn a_call_without_usage_around_one_with_usage_is_its_wrapper() {
    let outer = call(1, tokens(0, 0));
    let settled_call = settled(vec![outer.clone(), call(2, tokens(9, 1)).under(1)]);
    assert_eq!(excluded(&settled_call), [(1, Rule::Wrapper, 2)]);

    let mut failed = outer.clone();
    failed.error = true;
    let retried = settled(vec![failed, call(2, tokens(9, 1)).under(1)]);
    assert_eq!(counted(&retried), [1, 2]);

    let mut other = outer.clone();
    other.call.as_mut().expect("a call").request_model = Some("o3".into());
    let nested = settled(vec![other, call(2, tokens(9, 1)).under(1)]);
    assert_eq!(counted(&nested), [1, 2], "another model's answer was lost");

    let tool = span(2).under(1).kind(FrameKind::Tool, "search");
    let through = settled(vec![outer, tool, call(3, tokens(9, 1)).under(2)]);
    assert_eq!(counted(&through), [1, 3], "a tool makes them two");
}
