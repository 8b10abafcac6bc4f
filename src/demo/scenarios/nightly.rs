//! What runs at night: a digest, and embeddings of changed documents.

use opentelemetry::{KeyValue, trace::SpanKind};

use super::spans::{BATCH, HAIKU, SEARCH, Tokens, call, embedding};
use crate::demo::trace::TraceBuilder;

/// The nightly digest: many threads, summarised one after the other.
pub(in crate::demo) fn digest(t: &mut TraceBuilder) {
    let attributes = vec![
        KeyValue::new("traceloop.span.kind", "workflow"),
        KeyValue::new("traceloop.workflow.name", "nightly_digest"),
        KeyValue::new("traceloop.entity.name", "nightly_digest"),
        KeyValue::new("costflame.feature", "daily digest"),
    ];
    let root = t.open(
        BATCH,
        None,
        SpanKind::Internal,
        "nightly_digest.workflow",
        attributes,
    );
    for _ in 0..20 {
        let attributes = vec![
            KeyValue::new("traceloop.span.kind", "task"),
            KeyValue::new("traceloop.entity.name", "summarise_threads"),
            KeyValue::new("traceloop.workflow.name", "nightly_digest"),
        ];
        let task = t.open(
            BATCH,
            Some(&root),
            SpanKind::Internal,
            "summarise_threads.task",
            attributes,
        );
        call(
            t,
            &task,
            HAIKU,
            Tokens {
                input: 15_500,
                cached: 2_000,
                output: 700,
                ..Tokens::default()
            },
        );
        t.close(task);
    }
    t.close(root);
}

/// Nightly embedding of changed documents.
pub(in crate::demo) fn indexing(t: &mut TraceBuilder) {
    let attributes = vec![
        KeyValue::new("openinference.span.kind", "CHAIN"),
        KeyValue::new("costflame.feature", "indexing"),
    ];
    let root = t.open(
        SEARCH,
        None,
        SpanKind::Internal,
        "reindex_documents",
        attributes,
    );
    for _ in 0..15 {
        embedding(t, &root, 7_000);
    }
    t.close(root);
}
