//! Where each provider's JSON says what. One table per format, for its whole and its streamed form at once.

use super::{
    facts::Slot::{self, *},
    table::Table,
};

/// Requests of every format: their names do not collide.
pub(super) const REQUEST: &Table = &Table::new(&[
    (&["model"], Model),
    (&["stream"], Stream),
    (&["stream_options", "include_usage"], StreamOptions),
    (&["max_tokens"], MaxTokens),
    (&["max_completion_tokens"], MaxTokens),
    (&["max_output_tokens"], MaxTokens),
    (&["temperature"], Temperature),
    (&["top_p"], TopP),
    (&["p"], TopP),
    (&["top_k"], TopK),
    (&["k"], TopK),
    (&["seed"], Seed),
    (&["n"], Choices),
    (&["stop"], Stop),
    (&["stop", "*"], Stop),
    (&["stop_sequences", "*"], Stop),
    (&["frequency_penalty"], FrequencyPenalty),
    (&["presence_penalty"], PresencePenalty),
    (&["reasoning_effort"], ReasoningLevel),
    (&["reasoning", "effort"], ReasoningLevel),
    (&["output_config", "effort"], ReasoningLevel),
    (&["response_format", "type"], OutputType),
    (&["text", "format", "type"], OutputType),
    (&["service_tier"], Tier),
    (&["previous_response_id"], PreviousResponse),
    (&["conversation"], Conversation),
    (&["conversation", "id"], Conversation),
    (&["dimensions"], Dimensions),
    (&["output_dimension"], Dimensions),
    (&["outputDimensionality"], Dimensions),
    (&["encoding_format"], EncodingFormat),
    (&["embedding_types", "*"], EncodingFormat),
    (&["top_n"], TopN),
    (&["generationConfig", "temperature"], Temperature),
    (&["generationConfig", "topP"], TopP),
    (&["generationConfig", "topK"], TopK),
    (&["generationConfig", "maxOutputTokens"], MaxTokens),
    (&["generationConfig", "stopSequences", "*"], Stop),
    (&["generationConfig", "candidateCount"], Choices),
    (&["generationConfig", "seed"], Seed),
    (&["generationConfig", "frequencyPenalty"], FrequencyPenalty),
    (&["generationConfig", "presencePenalty"], PresencePenalty),
    (&["generationConfig", "responseMimeType"], OutputType),
    (
        &["generationConfig", "thinkingConfig", "thinkingLevel"],
        ReasoningLevel,
    ),
    (&["inferenceConfig", "maxTokens"], MaxTokens),
    (&["inferenceConfig", "temperature"], Temperature),
    (&["inferenceConfig", "topP"], TopP),
    (&["inferenceConfig", "stopSequences", "*"], Stop),
]);

/// OpenAI's chat completions, completions and embeddings, and all who speak them.
pub(super) const OPENAI: &Table = &Table::new(&[
    (&["id"], Id),
    (&["model"], Model),
    (&["choices", "*", "finish_reason"], Finish),
    (&["service_tier"], Tier),
    (&["system_fingerprint"], Fingerprint),
    (&["usage", "prompt_tokens"], Input),
    (&["usage", "completion_tokens"], Output),
    (&["usage", "total_tokens"], Total),
    (
        &["usage", "prompt_tokens_details", "cached_tokens"],
        CacheRead,
    ),
    (
        &["usage", "prompt_tokens_details", "cache_write_tokens"],
        CacheWrite,
    ),
    (&["usage", "prompt_tokens_details", "text_tokens"], TextIn),
    (&["usage", "prompt_tokens_details", "audio_tokens"], AudioIn),
    (&["usage", "prompt_tokens_details", "image_tokens"], ImageIn),
    (
        &["usage", "completion_tokens_details", "reasoning_tokens"],
        Reasoning,
    ),
    (
        &["usage", "completion_tokens_details", "text_tokens"],
        TextOut,
    ),
    (
        &["usage", "completion_tokens_details", "audio_tokens"],
        AudioOut,
    ),
    // DeepSeek, Moonshot.
    (&["usage", "prompt_cache_hit_tokens"], CacheRead),
    (&["usage", "cached_tokens"], CacheRead),
    // Groq's streams.
    (&["x_groq", "usage", "prompt_tokens"], Input),
    (&["x_groq", "usage", "completion_tokens"], Output),
    (&["x_groq", "usage", "total_tokens"], Total),
    (
        &["x_groq", "usage", "prompt_tokens_details", "cached_tokens"],
        CacheRead,
    ),
    (&["error", "code"], ErrorCode),
    (&["error", "type"], ErrorType),
]);

/// OpenAI's responses, whole or inside the events of a stream.
pub(super) const RESPONSES: &Table = &Table::new(&[
    (&["type"], Event),
    (&["code"], ErrorCode),
    (&["id"], Id),
    (&["model"], Model),
    (&["status"], Status),
    (&["incomplete_details", "reason"], Finish),
    (&["service_tier"], Tier),
    (&["usage", "input_tokens"], Input),
    (&["usage", "output_tokens"], Output),
    (&["usage", "total_tokens"], Total),
    (
        &["usage", "input_tokens_details", "cached_tokens"],
        CacheRead,
    ),
    (
        &["usage", "input_tokens_details", "cache_write_tokens"],
        CacheWrite,
    ),
    (
        &["usage", "output_tokens_details", "reasoning_tokens"],
        Reasoning,
    ),
    (&["error", "code"], ErrorCode),
    (&["error", "type"], ErrorType),
    (&["response", "id"], Id),
    (&["response", "model"], Model),
    (&["response", "status"], Status),
    (&["response", "incomplete_details", "reason"], Finish),
    (&["response", "service_tier"], Tier),
    (&["response", "usage", "input_tokens"], Input),
    (&["response", "usage", "output_tokens"], Output),
    (&["response", "usage", "total_tokens"], Total),
    (
        &["response", "usage", "input_tokens_details", "cached_tokens"],
        CacheRead,
    ),
    (
        &[
            "response",
            "usage",
            "input_tokens_details",
            "cache_write_tokens",
        ],
        CacheWrite,
    ),
    (
        &[
            "response",
            "usage",
            "output_tokens_details",
            "reasoning_tokens",
        ],
        Reasoning,
    ),
    (&["response", "error", "code"], ErrorCode),
]);

/// Anthropic's messages: whole, or as `message_start` and `message_delta`.
pub(super) const ANTHROPIC: &Table = &Table::new(&[
    (&["id"], Id),
    (&["model"], Model),
    (&["stop_reason"], Finish),
    (&["usage", "input_tokens"], Input),
    (&["usage", "output_tokens"], Output),
    (&["usage", "cache_read_input_tokens"], CacheRead),
    (&["usage", "cache_creation_input_tokens"], CacheWrite),
    (
        &["usage", "cache_creation", "ephemeral_1h_input_tokens"],
        CacheWrite1h,
    ),
    (&["usage", "service_tier"], Tier),
    (&["message", "id"], Id),
    (&["message", "model"], Model),
    (&["message", "usage", "input_tokens"], Input),
    (&["message", "usage", "output_tokens"], Output),
    (&["message", "usage", "cache_read_input_tokens"], CacheRead),
    (
        &["message", "usage", "cache_creation_input_tokens"],
        CacheWrite,
    ),
    (
        &[
            "message",
            "usage",
            "cache_creation",
            "ephemeral_1h_input_tokens",
        ],
        CacheWrite1h,
    ),
    (&["message", "usage", "service_tier"], Tier),
    (&["delta", "stop_reason"], Finish),
    (&["error", "type"], ErrorType),
]);

/// Gemini and Vertex AI.
pub(super) const GEMINI: &Table = &Table::new(&[
    (&["responseId"], Id),
    (&["modelVersion"], Model),
    (&["candidates", "*", "finishReason"], Finish),
    (&["promptFeedback", "blockReason"], Finish),
    (&["usageMetadata", "promptTokenCount"], Input),
    (&["usageMetadata", "candidatesTokenCount"], Output),
    (&["usageMetadata", "thoughtsTokenCount"], Reasoning),
    (&["usageMetadata", "cachedContentTokenCount"], CacheRead),
    (&["usageMetadata", "toolUsePromptTokenCount"], ToolInput),
    (
        &["usageMetadata", "promptTokensDetails", "*", "modality"],
        InputModality,
    ),
    (
        &["usageMetadata", "promptTokensDetails", "*", "tokenCount"],
        InputModalityTokens,
    ),
    (
        &["usageMetadata", "candidatesTokensDetails", "*", "modality"],
        OutputModality,
    ),
    (
        &[
            "usageMetadata",
            "candidatesTokensDetails",
            "*",
            "tokenCount",
        ],
        OutputModalityTokens,
    ),
    (
        &["usageMetadata", "cacheTokensDetails", "*", "modality"],
        CacheModality,
    ),
    (
        &["usageMetadata", "cacheTokensDetails", "*", "tokenCount"],
        CacheModalityTokens,
    ),
    // Embeddings on Vertex AI.
    (
        &[
            "predictions",
            "*",
            "embeddings",
            "statistics",
            "token_count",
        ],
        InputPart,
    ),
    (&["error", "status"], ErrorStatus),
    (&["error", "code"], ErrorCode),
]);

/// Bedrock: converse, and what invoke returns for the families of models it serves.
pub(super) const BEDROCK: &Table = &Table::new(&[
    (&["id"], Id),
    (&["stopReason"], Finish),
    (&["usage", "inputTokens"], Input),
    (&["usage", "outputTokens"], Output),
    (&["usage", "cacheReadInputTokens"], CacheRead),
    (&["usage", "cacheWriteInputTokens"], CacheWrite),
    (&["usage", "cacheReadInputTokenCount"], CacheRead),
    (&["usage", "cacheWriteInputTokenCount"], CacheWrite),
    // Events of invoke's stream: a document in base64.
    (&["bytes"], Embedded),
    (
        &["amazon-bedrock-invocationMetrics", "inputTokenCount"],
        Input,
    ),
    (
        &["amazon-bedrock-invocationMetrics", "outputTokenCount"],
        Output,
    ),
    (
        &[
            "amazon-bedrock-invocationMetrics",
            "cacheReadInputTokenCount",
        ],
        CacheRead,
    ),
    (
        &[
            "amazon-bedrock-invocationMetrics",
            "cacheWriteInputTokenCount",
        ],
        CacheWrite,
    ),
    // Anthropic's models.
    (&["stop_reason"], Finish),
    (&["usage", "input_tokens"], Input),
    (&["usage", "output_tokens"], Output),
    (&["usage", "cache_read_input_tokens"], CacheRead),
    (&["usage", "cache_creation_input_tokens"], CacheWrite),
    (
        &["usage", "cache_creation", "ephemeral_1h_input_tokens"],
        CacheWrite1h,
    ),
    (&["message", "id"], Id),
    (&["message", "usage", "input_tokens"], Input),
    (&["message", "usage", "output_tokens"], Output),
    (&["message", "usage", "cache_read_input_tokens"], CacheRead),
    (
        &["message", "usage", "cache_creation_input_tokens"],
        CacheWrite,
    ),
    (
        &[
            "message",
            "usage",
            "cache_creation",
            "ephemeral_1h_input_tokens",
        ],
        CacheWrite1h,
    ),
    (&["delta", "stop_reason"], Finish),
    // Nova's stream.
    (&["messageStop", "stopReason"], Finish),
    (&["metadata", "usage", "inputTokens"], Input),
    (&["metadata", "usage", "outputTokens"], Output),
    (
        &["metadata", "usage", "cacheReadInputTokenCount"],
        CacheRead,
    ),
    (
        &["metadata", "usage", "cacheWriteInputTokenCount"],
        CacheWrite,
    ),
    // Llama, Titan, Mistral.
    (&["prompt_token_count"], Input),
    (&["generation_token_count"], Output),
    (&["inputTextTokenCount"], Input),
    (&["results", "*", "tokenCount"], Output),
    (&["results", "*", "completionReason"], Finish),
    (&["outputs", "*", "stop_reason"], Finish),
    (&["__type"], ErrorType),
]);

/// Cohere: chat, embed and rerank in both versions, whole or streamed.
pub(super) const COHERE: &Table = &Table::new(&[
    (&["id"], Id),
    (&["generation_id"], Id),
    (&["finish_reason"], Finish),
    (&["usage", "billed_units", "input_tokens"], BilledInput),
    (&["usage", "billed_units", "output_tokens"], BilledOutput),
    (&["usage", "tokens", "input_tokens"], Input),
    (&["usage", "tokens", "output_tokens"], Output),
    (&["usage", "cached_tokens"], CacheRead),
    (&["meta", "billed_units", "input_tokens"], BilledInput),
    (&["meta", "billed_units", "output_tokens"], BilledOutput),
    (&["meta", "tokens", "input_tokens"], Input),
    (&["meta", "tokens", "output_tokens"], Output),
    (&["delta", "finish_reason"], Finish),
    (&["delta", "error"], ErrorType),
    (
        &["delta", "usage", "billed_units", "input_tokens"],
        BilledInput,
    ),
    (
        &["delta", "usage", "billed_units", "output_tokens"],
        BilledOutput,
    ),
    (&["delta", "usage", "tokens", "input_tokens"], Input),
    (&["delta", "usage", "tokens", "output_tokens"], Output),
    (&["delta", "usage", "cached_tokens"], CacheRead),
    (&["response", "generation_id"], Id),
    (&["response", "finish_reason"], Slot::Finish),
    (
        &["response", "meta", "billed_units", "input_tokens"],
        BilledInput,
    ),
    (
        &["response", "meta", "billed_units", "output_tokens"],
        BilledOutput,
    ),
]);
