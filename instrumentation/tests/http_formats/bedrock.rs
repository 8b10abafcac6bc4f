//! Bedrock: converse and invoke, streamed in the frames of AWS.

use crate::harness::{
    AWS, Case, Expected, JSON,
    Wire::{Chunks, Exception, Frames, Text},
    streamed,
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "Bedrock converse",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse",
            request: r#"{"messages":[],"inferenceConfig":{"maxTokens":10}}"#,
            kind: JSON,
            wire: Text(
                r#"{"metrics":{"latencyMs":5},"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":30,"outputTokens":20,"totalTokens":1350,"cacheReadInputTokens":1000,"cacheWriteInputTokens":300}}"#,
            ),
            span: "chat amazon.nova-pro-v1:0",
            expected: Expected {
                finish: Some("end_turn"),
                input: Some(1330),
                output: Some(20),
                cache_read: Some(1000),
                cache_write: Some(300),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock converse, streamed",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse-stream",
            request: r#"{"messages":[]}"#,
            kind: AWS,
            wire: Frames(&[
                ("messageStart", r#"{"role":"assistant"}"#),
                (
                    "contentBlockDelta",
                    r#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#,
                ),
                ("messageStop", r#"{"stopReason":"max_tokens"}"#),
                (
                    "metadata",
                    r#"{"metrics":{"latencyMs":5},"usage":{"inputTokens":30,"outputTokens":20,"totalTokens":50,"cacheReadInputTokens":1000,"cacheWriteInputTokens":0}}"#,
                ),
            ]),
            span: "chat amazon.nova-pro-v1:0",
            expected: Expected {
                finish: Some("max_tokens"),
                input: Some(1030),
                output: Some(20),
                cache_read: Some(1000),
                cache_write: Some(0),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock invoke of a Claude, streamed",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-5-haiku-20241022-v1%3A0/invoke-with-response-stream",
            request: r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":10}"#,
            kind: AWS,
            wire: Chunks(&[
                r#"{"type":"message_start","message":{"id":"msg_bdrk_1","model":"claude-3-5-haiku-20241022","usage":{"input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}}}"#,
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":50}}"#,
                r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":20,"outputTokenCount":50,"cacheReadInputTokenCount":100}}"#,
            ]),
            span: "chat anthropic.claude-3-5-haiku-20241022-v1:0",
            expected: Expected {
                id: Some("msg_bdrk_1"),
                finish: Some("end_turn"),
                input: Some(120),
                output: Some(50),
                cache_read: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock invoke of a Nova, streamed",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/invoke-with-response-stream",
            request: r#"{"messages":[]}"#,
            kind: AWS,
            wire: Chunks(&[
                r#"{"messageStart":{"role":"assistant"}}"#,
                r#"{"contentBlockDelta":{"delta":{"text":"hi"},"contentBlockIndex":0}}"#,
                r#"{"messageStop":{"stopReason":"end_turn"}}"#,
                r#"{"metadata":{"usage":{"inputTokens":5,"outputTokens":3,"cacheReadInputTokenCount":10,"cacheWriteInputTokenCount":0},"metrics":{}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":3,"cacheReadInputTokenCount":10,"cacheWriteInputTokenCount":0}}"#,
            ]),
            span: "chat amazon.nova-lite-v1:0",
            expected: Expected {
                finish: Some("end_turn"),
                input: Some(15),
                output: Some(3),
                cache_read: Some(10),
                cache_write: Some(0),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock invoke of a Llama, streamed",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/meta.llama3-8b-instruct-v1%3A0/invoke-with-response-stream",
            request: r#"{"prompt":"hi"}"#,
            kind: AWS,
            wire: Chunks(&[
                r#"{"generation":"hi","prompt_token_count":4,"generation_token_count":1,"stop_reason":null}"#,
                r#"{"generation":"","prompt_token_count":null,"generation_token_count":6,"stop_reason":"stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":6}}"#,
            ]),
            span: "chat meta.llama3-8b-instruct-v1:0",
            expected: Expected {
                finish: Some("stop"),
                input: Some(4),
                output: Some(6),
                ..Expected::default()
            },
        },
        Case {
            name: "Bedrock invoke of a Titan",
            url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.titan-text-lite-v1/invoke",
            request: r#"{"inputText":"hi"}"#,
            kind: JSON,
            wire: Text(
                r#"{"inputTextTokenCount":7,"results":[{"tokenCount":9,"outputText":"hi","completionReason":"FINISH"}]}"#,
            ),
            span: "chat amazon.titan-text-lite-v1",
            expected: Expected {
                finish: Some("FINISH"),
                input: Some(7),
                output: Some(9),
                ..Expected::default()
            },
        },
    ]
}

/// Streams with an error in them, and what the error is called.
pub(crate) fn failing() -> Vec<(Case, &'static str)> {
    let converse = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream";
    let invoke =
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke-with-response-stream";
    vec![
        (
            streamed(converse, AWS, Exception("throttlingException")),
            "throttlingException",
        ),
        (
            streamed(invoke, AWS, Exception("modelStreamErrorException")),
            "modelStreamErrorException",
        ),
    ]
}
