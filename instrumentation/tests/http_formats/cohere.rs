//! Cohere, in both of its versions.

use crate::harness::{Case, Expected, JSON, SSE, Wire::Text, streamed};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Cohere chat, streamed",
            url: "https://api.cohere.com/v2/chat",
            request: r#"{"model":"command-a-03-2025","stream":true,"p":0.9,"k":5}"#,
            kind: "text/event-stream",
            wire: Text(
                "event: message-start\ndata: {\"id\":\"c-1\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n\nevent: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":8},\"tokens\":{\"input_tokens\":500,\"output_tokens\":10}}}}\n\ndata: [DONE]\n\n",
            ),
            span: "chat command-a-03-2025",
            expected: Expected {
                id: Some("c-1"),
                finish: Some("COMPLETE"),
                input: Some(9),
                output: Some(8),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere chat of version 1, streamed as lines",
            url: "https://api.cohere.com/v1/chat",
            request: r#"{"model":"command-r","stream":true}"#,
            kind: "application/stream+json",
            wire: Text(
                "{\"is_finished\":false,\"event_type\":\"stream-start\",\"generation_id\":\"c-1\"}\n{\"event_type\":\"text-generation\",\"text\":\"hi\"}\n{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\",\"response\":{\"generation_id\":\"c-1\",\"meta\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":8}}}}\n",
            ),
            span: "chat command-r",
            expected: Expected {
                id: Some("c-1"),
                finish: Some("COMPLETE"),
                input: Some(9),
                output: Some(8),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere rerank",
            url: "https://api.cohere.com/v2/rerank",
            request: r#"{"model":"rerank-v3.5","query":"q","documents":[],"top_n":3}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"r-1","results":[{"index":3,"relevance_score":0.99}],"meta":{"billed_units":{"search_units":1}}}"#,
            ),
            span: "rerank rerank-v3.5",
            expected: Expected {
                id: Some("r-1"),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere chat",
            url: "https://api.cohere.com/v2/chat",
            request: r#"{"model":"command-a-03-2025","messages":[]}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"c-1","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]},"finish_reason":"MAX_TOKENS","usage":{"billed_units":{"input_tokens":9,"output_tokens":8},"tokens":{"input_tokens":500,"output_tokens":10}}}"#,
            ),
            span: "chat command-a-03-2025",
            expected: Expected {
                id: Some("c-1"),
                finish: Some("MAX_TOKENS"),
                input: Some(9),
                output: Some(8),
                ..Expected::default()
            },
        },
        Case {
            name: "Cohere embed",
            url: "https://api.cohere.com/v2/embed",
            request: r#"{"model":"embed-v4.0","texts":["a"],"embedding_types":["float"]}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"e-1","embeddings":{"float":[[0.1,-2e-3]]},"texts":["a"],"meta":{"billed_units":{"input_tokens":3}}}"#,
            ),
            span: "embeddings embed-v4.0",
            expected: Expected {
                id: Some("e-1"),
                input: Some(3),
                ..Expected::default()
            },
        },
    ]
}

/// Streams with an error in them, and what the error is called.
pub(crate) fn failing() -> Vec<(Case, &'static str)> {
    vec![
        (
            streamed(
                "https://api.cohere.com/v2/chat",
                SSE,
                Text(
                    "data: {\"type\":\"message-end\",\"delta\":{\"error\":\"the model has failed\",\"finish_reason\":\"ERROR\"}}\n\n",
                ),
            ),
            "ERROR",
        ),
        (
            streamed(
                "https://api.cohere.com/v1/chat",
                "application/stream+json",
                Text(
                    "{\"event_type\":\"stream-start\",\"generation_id\":\"c-1\"}\n{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"ERROR_TOXIC\",\"response\":{\"generation_id\":\"c-1\",\"finish_reason\":\"ERROR_TOXIC\"}}\n",
                ),
            ),
            "ERROR_TOXIC",
        ),
    ]
}
