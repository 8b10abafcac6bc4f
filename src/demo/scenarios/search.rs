//! The site's search box.

use opentelemetry::{KeyValue, trace::SpanKind};

use super::{
    Release,
    spans::{SEARCH, Tokens, WEB, embedding, inference_call, request},
};
use crate::demo::trace::TraceBuilder;

/// Retrieval, a rerank and a short answer. The library writes down what it sends, and what many people look for is sent
/// again and again.
pub(in crate::demo) fn search(t: &mut TraceBuilder, release: Release) {
    let root = request(
        t,
        WEB,
        None,
        "GET",
        "/search",
        vec![KeyValue::new("costflame.feature", "site search")],
    );
    let served = request(t, SEARCH, Some(&root), "POST", "/query", vec![]);
    embedding(t, &served, 30);
    let rank = t.open(
        SEARCH,
        Some(&served),
        SpanKind::Internal,
        "rerank_hits",
        vec![],
    );
    let question = t.around(300);
    let input = 2_000 + question * 53 % 1_900;
    let tokens = Tokens {
        input,
        cached: 1_024,
        output: t.around(120),
        ..Tokens::default()
    };
    let system = match release {
        Release::Old => "Order these hits by how well they answer the question.",
        Release::New => {
            "Order these hits by how well they answer the question. Leave out what does not."
        }
    };
    let asked = [
        ("system", system.to_owned()),
        ("user", format!("Question {question}")),
    ];
    inference_call(t, &rank, "gpt-5-mini-2025-08-07", tokens, asked);
    t.close(rank);
    t.close(served);
    t.pass(4);
    t.close(root);
}
