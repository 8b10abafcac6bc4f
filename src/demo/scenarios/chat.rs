//! A support chat: triage, a planner with tools, a writer, a guardrail.

use opentelemetry::{KeyValue, trace::SpanKind};

use super::{
    Release,
    spans::{
        FLASH, GPT, IN_HOUSE, MINI, NANO, SEARCH, SONNET, SUPPORT_HTTP, Tokens, WEB, agent, call,
        customer, embedding, request, step, tool,
    },
};
use crate::demo::trace::{Open, TraceBuilder};

/// A support chat: triage, a planner with tools, a writer, a guardrail.
pub(in crate::demo) fn chat(t: &mut TraceBuilder, release: Release) {
    let user = t.around(40);
    let session = t.around(9_000);
    let root = request(
        t,
        WEB,
        None,
        "POST",
        "/chat",
        vec![
            KeyValue::new("user.id", format!("u_{user:04}")),
            KeyValue::new("session.id", format!("s_{session:05}")),
            KeyValue::new("costflame.feature", "support chat"),
            customer(user),
        ],
    );
    t.pass(8);
    let served = request(t, SUPPORT_HTTP, Some(&root), "POST", "/v1/answer", vec![]);
    let graph = step(
        t,
        Some(&served),
        "invoke_workflow support_graph",
        &[
            ("gen_ai.operation.name", "invoke_workflow"),
            ("gen_ai.workflow.name", "support_graph"),
        ],
    );
    let triage = agent(t, &graph, "triage");
    call(
        t,
        &triage,
        NANO,
        Tokens {
            input: 900,
            output: 40,
            ..Tokens::default()
        },
    );
    t.close(triage);
    planner(t, &graph, release);
    let writer = agent(t, &graph, "writer");
    call(
        t,
        &writer,
        SONNET,
        Tokens {
            input: 5_200,
            cached: 3_900,
            output: 420,
            ..Tokens::default()
        },
    );
    if t.once_in(3) {
        call(
            t,
            &writer,
            MINI,
            Tokens {
                input: 1_100,
                output: 90,
                reasoning: 30,
                ..Tokens::default()
            },
        );
    }
    t.close(writer);
    let guardrail = step(t, Some(&graph), "guardrail", &[]);
    call(
        t,
        &guardrail,
        IN_HOUSE,
        Tokens {
            input: 650,
            output: 4,
            ..Tokens::default()
        },
    );
    t.close(guardrail);
    for span in [graph, served, root] {
        t.pass(3);
        t.close(span);
    }
}

fn planner(t: &mut TraceBuilder, graph: &Open, release: Release) {
    let planner = agent(t, graph, "planner");
    call(
        t,
        &planner,
        GPT,
        Tokens {
            input: 6_800,
            cached: 5_100,
            output: 520,
            reasoning: 300,
            ..Tokens::default()
        },
    );
    search_docs(t, &planner, release);
    if t.once_in(2) {
        let lookup = tool(t, &planner, "lookup_order");
        t.pass(60);
        t.close(lookup);
    }
    if t.once_in(6) {
        research(t, &planner);
    }
    call(
        t,
        &planner,
        GPT,
        Tokens {
            input: 9_400,
            cached: 7_000,
            output: 610,
            reasoning: 280,
            ..Tokens::default()
        },
    );
    t.close(planner);
}

fn search_docs(t: &mut TraceBuilder, planner: &Open, release: Release) {
    let search = tool(t, planner, "search_docs");
    let rewrite = step(t, Some(&search), "rewrite_query", &[]);
    call(
        t,
        &rewrite,
        MINI,
        Tokens {
            input: 700,
            output: 60,
            ..Tokens::default()
        },
    );
    t.close(rewrite);
    let served = request(t, SEARCH, Some(&search), "POST", "/query", vec![]);
    embedding(t, &served, 40);
    let lookup = t.open(
        SEARCH,
        Some(&served),
        SpanKind::Internal,
        "vector_lookup",
        vec![],
    );
    t.pass(25);
    t.close(lookup);
    t.close(served);
    // The release put a timestamp into the prompt's head, so nothing of it was served from the cache any more.
    let tokens = match release {
        Release::Old => Tokens {
            input: 12_400,
            cached: 10_600,
            output: 380,
            ..Tokens::default()
        },
        Release::New => Tokens {
            input: 14_900,
            written: 9_200,
            output: 400,
            ..Tokens::default()
        },
    };
    call(t, &search, SONNET, tokens);
    t.close(search);
}

fn research(t: &mut TraceBuilder, planner: &Open) {
    let delegate = tool(t, planner, "delegate_research");
    let researcher = agent(t, &delegate, "researcher");
    for _ in 0..3 {
        let browse = tool(t, &researcher, "web_search");
        t.pass(300);
        call(
            t,
            &browse,
            FLASH,
            Tokens {
                input: 7_600,
                output: 350,
                reasoning: 120,
                ..Tokens::default()
            },
        );
        t.close(browse);
    }
    call(
        t,
        &researcher,
        GPT,
        Tokens {
            input: 11_000,
            output: 900,
            reasoning: 500,
            ..Tokens::default()
        },
    );
    t.close(researcher);
    t.close(delegate);
}
