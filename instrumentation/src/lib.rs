//! OpenTelemetry spans and metrics for Rust programs that call language models, as the GenAI semantic conventions ask
//! for them: which model, how many tokens, how many of them cached, for which agent, tool, feature and user.
//!
//! Any OpenTelemetry backend reads them; [costflame](https://github.com/costflame/costflame) makes a bill of them. The
//! crate depends on the OpenTelemetry API alone, and does nothing as long as the program has no provider.
//!
//! # A call by hand
//!
//! ```
//! use costflame_instrumentation::{GenAi, Provider, Usage};
//!
//! // Once, after the providers are set. Cheap to clone.
//! let genai = GenAi::global();
//!
//! let agent = genai.invoke_agent("planner").start();
//! let mut call = genai
//!     .chat(Provider::OPENAI, "gpt-4o")
//!     .server("api.openai.com", 443)
//!     .max_tokens(500)
//!     .under(&agent.context())
//!     .start();
//! // … send the request, read the answer …
//! call.response_id("chatcmpl-1")
//!     .response_model("gpt-4o-2024-08-06")
//!     .finish_reason("stop")
//!     .usage(Usage::new(1200, 80).cache_read(1024));
//! call.end();
//! agent.end();
//! ```
//!
//! writes the spans `invoke_agent planner` and, below it, `chat gpt-4o`, with their metrics. A streamed answer is
//! wrapped by [`CallSpan::observe`]; [`attribute_to`] says for which feature and user the calls below are.
//!
//! # Counting
//!
//! The conventions count inclusively: input tokens include cached ones, output tokens include reasoning. [`Usage`]
//! holds that form, and [`Usage::disjoint`] makes it from providers that count otherwise.
//!
//! # Settings
//!
//! | variable | effect |
//! |---|---|
//! | `OTEL_SEMCONV_STABILITY_OPT_IN` | the generation of names, see [`Conventions`] |
//! | `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` | `true` or `SPAN_ONLY`: prompts, completions, tool arguments and results are written to spans. Off by default |
//!
//! # Never in the way
//!
//! Nothing here panics, blocks or fails a call. A call that is dropped halfway still ends its span.

mod attribution;
mod call;
mod call_span;
mod conventions;
mod draft;
mod genai;
mod metrics;
mod names;
mod provider;
mod stream;
mod usage;
mod work;
mod work_span;

pub use attribution::{Attribution, attribute_to};
pub use call::{Embeddings, Inference, Rerank};
pub use call_span::CallSpan;
pub use conventions::Conventions;
pub use genai::{GenAi, GenAiBuilder};
pub use provider::Provider;
pub use stream::Observed;
pub use usage::Usage;
pub use work::{Agent, Retrieval, Tool, Workflow};
pub use work_span::WorkSpan;
