//! Anthropic's messages.

use crate::harness::{Case, Expected, JSON, SSE, Wire::Text, streamed};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Anthropic messages",
            url: "https://api.anthropic.com/v1/messages",
            request: r#"{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[]}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":20,"cache_creation_input_tokens":300,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":50,"service_tier":"standard"}}"#,
            ),
            span: "chat claude-sonnet-4-5",
            expected: Expected {
                id: Some("msg_1"),
                model: Some("claude-sonnet-4-5-20250929"),
                finish: Some("end_turn"),
                input: Some(1320),
                output: Some(50),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
        Case {
            name: "Anthropic messages, streamed",
            url: "https://api.anthropic.com/v1/messages",
            request: r#"{"model":"claude-sonnet-4-5","max_tokens":100,"stream":true}"#,
            kind: SSE,
            wire: Text(
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-5-20250929\",\"stop_reason\":null,\"usage\":{\"input_tokens\":20,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":1000,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"stop_reason\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":50}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
            span: "chat claude-sonnet-4-5",
            expected: Expected {
                id: Some("msg_1"),
                model: Some("claude-sonnet-4-5-20250929"),
                finish: Some("max_tokens"),
                input: Some(1320),
                output: Some(50),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
        Case {
            name: "a Claude on Vertex AI, streamed",
            url: "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
            request: r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":100,"stream":true}"#,
            kind: SSE,
            wire: Text(
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-5-20250929\",\"stop_reason\":null,\"usage\":{\"input_tokens\":20,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":1000,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"stop_reason\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":50}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
            span: "chat claude-sonnet-4-5@20250929",
            expected: Expected {
                id: Some("msg_1"),
                model: Some("claude-sonnet-4-5-20250929"),
                finish: Some("max_tokens"),
                input: Some(1320),
                output: Some(50),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
    ]
}

/// Streams with an error in them, and what the error is called.
pub(crate) fn failing() -> Vec<(Case, &'static str)> {
    vec![(
        streamed(
            "https://api.anthropic.com/v1/messages",
            SSE,
            Text(
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
            ),
        ),
        "overloaded_error",
    )]
}
