//! Names of the conventions.
//!
//! Written out here because no published constants carry the current set: `opentelemetry-semantic-conventions` follows
//! the main repository, from which generative AI has moved to `semantic-conventions-genai`.

// Registry, "GenAI attributes".
pub(crate) const OPERATION_NAME: &str = "gen_ai.operation.name";
pub(crate) const PROVIDER_NAME: &str = "gen_ai.provider.name";
pub(crate) const CONVERSATION_ID: &str = "gen_ai.conversation.id";
pub(crate) const OUTPUT_TYPE: &str = "gen_ai.output.type";
pub(crate) const PROMPT_NAME: &str = "gen_ai.prompt.name";
pub(crate) const PROMPT_VERSION: &str = "gen_ai.prompt.version";
pub(crate) const DATA_SOURCE_ID: &str = "gen_ai.data_source.id";
pub(crate) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(crate) const TOKEN_MODALITY: &str = "gen_ai.token.modality";

// "gen_ai.request.*".
pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(crate) const REQUEST_STREAM: &str = "gen_ai.request.stream";
pub(crate) const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
pub(crate) const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
pub(crate) const REQUEST_TOP_P: &str = "gen_ai.request.top_p";
pub(crate) const REQUEST_TOP_K: &str = "gen_ai.request.top_k";
pub(crate) const REQUEST_SEED: &str = "gen_ai.request.seed";
pub(crate) const REQUEST_CHOICE_COUNT: &str = "gen_ai.request.choice.count";
pub(crate) const REQUEST_STOP_SEQUENCES: &str = "gen_ai.request.stop_sequences";
pub(crate) const REQUEST_FREQUENCY_PENALTY: &str = "gen_ai.request.frequency_penalty";
pub(crate) const REQUEST_PRESENCE_PENALTY: &str = "gen_ai.request.presence_penalty";
pub(crate) const REQUEST_REASONING_LEVEL: &str = "gen_ai.request.reasoning.level";
pub(crate) const REQUEST_PREVIOUS_RESPONSE_ID: &str = "gen_ai.request.previous_response.id";
pub(crate) const REQUEST_ENCODING_FORMATS: &str = "gen_ai.request.encoding_formats";
pub(crate) const EMBEDDINGS_DIMENSION_COUNT: &str = "gen_ai.embeddings.dimension.count";

// "gen_ai.response.*".
pub(crate) const RESPONSE_ID: &str = "gen_ai.response.id";
pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(crate) const RESPONSE_FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
pub(crate) const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";

// "gen_ai.usage.*".
pub(crate) const USAGE_INPUT: &str = "gen_ai.usage.input_tokens";
pub(crate) const USAGE_OUTPUT: &str = "gen_ai.usage.output_tokens";
pub(crate) const USAGE_CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
pub(crate) const USAGE_CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
/// The name of cache writes before `semantic-conventions-genai`.
pub(crate) const USAGE_CACHE_CREATION: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(crate) const USAGE_REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
pub(crate) const USAGE_TEXT_INPUT: &str = "gen_ai.usage.text.input_tokens";
pub(crate) const USAGE_TEXT_OUTPUT: &str = "gen_ai.usage.text.output_tokens";
pub(crate) const USAGE_AUDIO_INPUT: &str = "gen_ai.usage.audio.input_tokens";
pub(crate) const USAGE_AUDIO_OUTPUT: &str = "gen_ai.usage.audio.output_tokens";
pub(crate) const USAGE_AUDIO_CACHE_READ: &str = "gen_ai.usage.audio.cache_read.input_tokens";
pub(crate) const USAGE_IMAGE_INPUT: &str = "gen_ai.usage.image.input_tokens";
pub(crate) const USAGE_IMAGE_OUTPUT: &str = "gen_ai.usage.image.output_tokens";
/// Not of the conventions, which cannot say how long a cache entry lives: the name Anthropic's own clients use.
pub(crate) const USAGE_CACHE_WRITE_1H: &str =
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens";

// "OpenAI attributes", and what v1.36 called them.
pub(crate) const OPENAI_API_TYPE: &str = "openai.api.type";
pub(crate) const OPENAI_REQUEST_SERVICE_TIER: &str = "openai.request.service_tier";
pub(crate) const OPENAI_RESPONSE_SERVICE_TIER: &str = "openai.response.service_tier";
pub(crate) const OPENAI_RESPONSE_SYSTEM_FINGERPRINT: &str = "openai.response.system_fingerprint";
pub(crate) const OLD_OPENAI_REQUEST_SERVICE_TIER: &str = "gen_ai.openai.request.service_tier";
pub(crate) const OLD_OPENAI_RESPONSE_SERVICE_TIER: &str = "gen_ai.openai.response.service_tier";
pub(crate) const OLD_OPENAI_RESPONSE_SYSTEM_FINGERPRINT: &str =
    "gen_ai.openai.response.system_fingerprint";
pub(crate) const OLD_SYSTEM: &str = "gen_ai.system";

// Agents, workflows, tools, retrieval.
pub(crate) const AGENT_ID: &str = "gen_ai.agent.id";
pub(crate) const AGENT_NAME: &str = "gen_ai.agent.name";
pub(crate) const AGENT_DESCRIPTION: &str = "gen_ai.agent.description";
pub(crate) const AGENT_VERSION: &str = "gen_ai.agent.version";
pub(crate) const WORKFLOW_NAME: &str = "gen_ai.workflow.name";
pub(crate) const TOOL_NAME: &str = "gen_ai.tool.name";
pub(crate) const TOOL_TYPE: &str = "gen_ai.tool.type";
pub(crate) const TOOL_DESCRIPTION: &str = "gen_ai.tool.description";
pub(crate) const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
pub(crate) const RETRIEVAL_TOP_K: &str = "gen_ai.retrieval.top_k";

// Content: opt-in.
pub(crate) const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
pub(crate) const INPUT_MESSAGES: &str = "gen_ai.input.messages";
pub(crate) const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
pub(crate) const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";
pub(crate) const TOOL_CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
pub(crate) const TOOL_CALL_RESULT: &str = "gen_ai.tool.call.result";
pub(crate) const RETRIEVAL_QUERY_TEXT: &str = "gen_ai.retrieval.query.text";
pub(crate) const RETRIEVAL_DOCUMENTS: &str = "gen_ai.retrieval.documents";

// General attributes, stable.
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const USER_ID: &str = "user.id";
pub(crate) const SESSION_ID: &str = "session.id";

// Ours.
pub(crate) const FEATURE: &str = "costflame.feature";
pub(crate) const TAG_PREFIX: &str = "costflame.tag.";
pub(crate) const PATH: &str = "costflame.path";
/// Why the usage of a call is not known or not whole, on its span and in the counter of the same name.
pub(crate) const UNREAD: &str = "costflame.instrumentation.unread";
/// Spans that no receiver has taken.
#[cfg(feature = "setup")]
pub(crate) const UNDELIVERED: &str = "costflame.instrumentation.undelivered";
