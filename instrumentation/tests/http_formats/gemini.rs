//! Gemini and Vertex AI.

use crate::harness::{Case, Expected, JSON, SSE, Wire::Text, streamed};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Gemini",
            url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            request: r#"{"contents":[],"generationConfig":{"temperature":0.5,"maxOutputTokens":10}}"#,
            kind: "application/json; charset=UTF-8",
            wire: Text(
                r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":500,"candidatesTokenCount":40,"totalTokenCount":650,"cachedContentTokenCount":400,"thoughtsTokenCount":100,"toolUsePromptTokenCount":10,"promptTokensDetails":[{"modality":"TEXT","tokenCount":450},{"modality":"AUDIO","tokenCount":50}]},"modelVersion":"gemini-2.5-flash","responseId":"g-1"}"#,
            ),
            span: "generate_content gemini-2.5-flash",
            expected: Expected {
                id: Some("g-1"),
                model: Some("gemini-2.5-flash"),
                finish: Some("STOP"),
                input: Some(510),
                output: Some(140),
                cache_read: Some(400),
                reasoning: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "Gemini, streamed as events",
            url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            request: "{}",
            kind: "text/event-stream",
            wire: Text(
                "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"h\"}]}}],\"usageMetadata\": {\"promptTokenCount\": 500,\"totalTokenCount\": 500},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"g-1\"}\r\n\r\ndata: {\"candidates\": [{\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": 500,\"candidatesTokenCount\": 40,\"thoughtsTokenCount\": 100,\"totalTokenCount\": 640},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"g-1\"}\r\n\r\n",
            ),
            span: "generate_content gemini-2.5-flash",
            expected: Expected {
                id: Some("g-1"),
                model: Some("gemini-2.5-flash"),
                finish: Some("STOP"),
                input: Some(500),
                output: Some(140),
                reasoning: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "Gemini, streamed as an array",
            url: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent",
            request: "{}",
            kind: JSON,
            wire: Text(
                "[{\"candidates\": [{\"content\": {}}],\"responseId\": \"g-1\"}\n,\r\n{\"candidates\": [{\"finishReason\": \"STOP\"}],\"usageMetadata\": {\"promptTokenCount\": 5,\"candidatesTokenCount\": 4}}\n]",
            ),
            span: "generate_content gemini-2.5-pro",
            expected: Expected {
                id: Some("g-1"),
                finish: Some("STOP"),
                input: Some(5),
                output: Some(4),
                ..Expected::default()
            },
        },
    ]
}

/// Streams with an error in them, and what the error is called.
pub(crate) fn failing() -> Vec<(Case, &'static str)> {
    let url = "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent";
    vec![
        (
            streamed(
                url,
                SSE,
                Text(
                    "data: {\"error\":{\"code\":503,\"message\":\"x\",\"status\":\"UNAVAILABLE\"}}\n\n",
                ),
            ),
            "UNAVAILABLE",
        ),
        (
            streamed(
                url,
                JSON,
                Text(
                    "[{\"candidates\": [{\"content\": {}}]}\n,\r\n{\"error\": {\"code\": 503,\"message\": \"x\",\"status\": \"UNAVAILABLE\"}}\n]",
                ),
            ),
            "UNAVAILABLE",
        ),
    ]
}
