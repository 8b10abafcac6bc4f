//! OpenAI's formats, and what those who speak them do otherwise.

use crate::harness::{Case, Expected, JSON, SSE, Wire::Text, streamed};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const RESPONSES: &str = "https://api.openai.com/v1/responses";
const AZURE: &str = "https://my.openai.azure.com/openai/deployments/prod-4o/chat/completions?api-version=2025-01-01";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "OpenAI chat",
            url: CHAT,
            request: r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"{\"usage\":{\"prompt_tokens\":1}}"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":80,"total_tokens":1280,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30}},"system_fingerprint":"fp_1"}"#,
            ),
            span: "chat gpt-4o",
            expected: Expected {
                id: Some("chatcmpl-1"),
                model: Some("gpt-4o-2024-08-06"),
                finish: Some("stop"),
                input: Some(1200),
                output: Some(80),
                cache_read: Some(1024),
                reasoning: Some(30),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI chat, streamed",
            url: CHAT,
            request: r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}"#,
            kind: SSE,
            wire: Text(
                "data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"data: [DONE]\\n\"},\"finish_reason\":null}],\"usage\":null}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":null}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":80,\"total_tokens\":1280,\"prompt_tokens_details\":{\"cached_tokens\":1024}}}\n\ndata: [DONE]\n\n",
            ),
            span: "chat gpt-4o",
            expected: Expected {
                id: Some("chatcmpl-1"),
                model: Some("gpt-4o-2024-08-06"),
                finish: Some("length"),
                input: Some(1200),
                output: Some(80),
                cache_read: Some(1024),
                ..Expected::default()
            },
        },
        Case {
            name: "Azure, streamed, with its filter's results first",
            url: AZURE,
            request: r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true}}"#,
            kind: SSE,
            wire: Text(
                "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"usage\":null}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\ndata: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":80,\"total_tokens\":1280,\"prompt_tokens_details\":{\"cached_tokens\":1024}}}\n\ndata: [DONE]\n\n",
            ),
            span: "chat prod-4o",
            expected: Expected {
                id: Some("chatcmpl-1"),
                model: Some("gpt-4o-2024-08-06"),
                finish: Some("stop"),
                input: Some(1200),
                output: Some(80),
                cache_read: Some(1024),
                ..Expected::default()
            },
        },
        Case {
            name: "DeepSeek, which counts what its cache had beside the details",
            url: "https://api.deepseek.com/chat/completions",
            request: r#"{"model":"deepseek-chat"}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"d-1","model":"deepseek-chat","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}}"#,
            ),
            span: "chat deepseek-chat",
            expected: Expected {
                id: Some("d-1"),
                model: Some("deepseek-chat"),
                finish: Some("stop"),
                input: Some(100),
                output: Some(7),
                cache_read: Some(64),
                ..Expected::default()
            },
        },
        Case {
            name: "a completion of a plain prompt, streamed",
            url: "https://api.openai.com/v1/completions",
            request: r#"{"model":"gpt-3.5-turbo-instruct","prompt":"hi","stream":true}"#,
            kind: SSE,
            wire: Text(
                "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"model\":\"gpt-3.5-turbo-instruct\",\"choices\":[{\"text\":\"hi\",\"index\":0,\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"cmpl-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\ndata: [DONE]\n\n",
            ),
            span: "text_completion gpt-3.5-turbo-instruct",
            expected: Expected {
                id: Some("cmpl-1"),
                model: Some("gpt-3.5-turbo-instruct"),
                finish: Some("stop"),
                input: Some(5),
                output: Some(2),
                ..Expected::default()
            },
        },
        Case {
            name: "xAI, whose reasoning stands apart",
            url: "https://api.x.ai/v1/chat/completions",
            request: r#"{"model":"grok-4"}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"x","model":"grok-4","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}}"#,
            ),
            span: "chat grok-4",
            expected: Expected {
                id: Some("x"),
                model: Some("grok-4"),
                finish: Some("stop"),
                input: Some(10),
                output: Some(105),
                reasoning: Some(100),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI responses, streamed",
            url: "https://api.openai.com/v1/responses",
            request: r#"{"model":"gpt-5","input":"hi","stream":true,"reasoning":{"effort":"low"}}"#,
            kind: SSE,
            wire: Text(
                "event: response.created\r\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"model\":\"gpt-5-2025-08-07\",\"usage\":null}}\r\n\r\nevent: response.output_text.delta\r\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\r\n\r\nevent: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"model\":\"gpt-5-2025-08-07\",\"error\":null,\"usage\":{\"input_tokens\":300,\"input_tokens_details\":{\"cached_tokens\":200},\"output_tokens\":90,\"output_tokens_details\":{\"reasoning_tokens\":64},\"total_tokens\":390}}}\r\n\r\n",
            ),
            span: "chat gpt-5",
            expected: Expected {
                id: Some("resp_1"),
                model: Some("gpt-5-2025-08-07"),
                finish: Some("completed"),
                input: Some(300),
                output: Some(90),
                cache_read: Some(200),
                reasoning: Some(64),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI embeddings",
            url: "https://api.openai.com/v1/embeddings",
            request: r#"{"model":"text-embedding-3-small","input":["a","b"],"dimensions":2}"#,
            kind: JSON,
            wire: Text(
                r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.2e-3]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":7,"total_tokens":7}}"#,
            ),
            span: "embeddings text-embedding-3-small",
            expected: Expected {
                model: Some("text-embedding-3-small"),
                input: Some(7),
                ..Expected::default()
            },
        },
        Case {
            name: "OpenAI responses",
            url: "https://api.openai.com/v1/responses",
            request: r#"{"model":"gpt-5","input":"hi"}"#,
            kind: JSON,
            wire: Text(
                r#"{"id":"resp_1","object":"response","status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"model":"gpt-5-2025-08-07","output":[{"type":"message","status":"incomplete","id":"msg_1"}],"usage":{"input_tokens":300,"input_tokens_details":{"cached_tokens":200},"output_tokens":90,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":390}}"#,
            ),
            span: "chat gpt-5",
            expected: Expected {
                id: Some("resp_1"),
                model: Some("gpt-5-2025-08-07"),
                finish: Some("max_output_tokens"),
                input: Some(300),
                output: Some(90),
                cache_read: Some(200),
                reasoning: Some(64),
                ..Expected::default()
            },
        },
        Case {
            name: "Groq, streamed",
            url: "https://api.groq.com/openai/v1/chat/completions",
            request: r#"{"model":"llama-3.3-70b","stream":true}"#,
            kind: SSE,
            wire: Text(
                "data: {\"id\":\"c-1\",\"model\":\"llama-3.3-70b\",\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\ndata: {\"id\":\"c-1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":6,\"total_tokens\":46}}}\n\ndata: [DONE]\n\n",
            ),
            span: "chat llama-3.3-70b",
            expected: Expected {
                id: Some("c-1"),
                model: Some("llama-3.3-70b"),
                finish: Some("stop"),
                input: Some(40),
                output: Some(6),
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
                CHAT,
                SSE,
                Text(
                    "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"code\":null}}\n\n",
                ),
            ),
            "server_error",
        ),
        (
            streamed(
                AZURE,
                SSE,
                Text(
                    "data: {\"choices\":[],\"id\":\"\",\"model\":\"\"}\n\ndata: {\"error\":{\"code\":\"content_filter\",\"message\":\"x\",\"type\":null,\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}}}\n\n",
                ),
            ),
            "content_filter",
        ),
        (
            streamed(
                "https://openrouter.ai/api/v1/chat/completions",
                SSE,
                Text("data: {\"id\":\"x\",\"error\":{\"code\":502,\"message\":\"bad\"}}\n\n"),
            ),
            "502",
        ),
        (
            streamed(
                RESPONSES,
                SSE,
                Text(
                    "data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}\n\n",
                ),
            ),
            "rate_limit_exceeded",
        ),
        (
            streamed(
                RESPONSES,
                SSE,
                Text(
                    "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"x\"}}}\n\n",
                ),
            ),
            "server_error",
        ),
    ]
}
