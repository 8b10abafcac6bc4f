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
//! # Calls by HTTP
//!
//! Clients that can take a `reqwest_middleware` client or a `tower` service need no code per call. With the feature
//! `reqwest`:
//!
#![cfg_attr(feature = "reqwest", doc = "```")]
#![cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
//! use costflame_instrumentation::{GenAiMiddleware, HttpCalls, Provider};
//! use reqwest_middleware::ClientBuilder;
//!
//! let calls = HttpCalls::new().host("llm-gateway.internal", Provider::OPENAI);
//! let client = ClientBuilder::new(reqwest::Client::new())
//!     .with(GenAiMiddleware::new(calls))
//!     .build();
//! ```
//!
//! Clients made of `tower` services take `GenAiLayer`, `async-openai` takes `AsyncOpenAi`, any other HTTP client can be wired
//! by `HttpCalls::start`, and for `aws-sdk-bedrockruntime` there is the crate `costflame-instrumentation-bedrock`.
//!
//! Requests to known providers become spans: OpenAI's formats (chat, responses, completions, embeddings) on a score of
//! hosts, Anthropic's, Gemini's and Vertex AI's, Bedrock's and Cohere's, whole or streamed. Bodies pass as they are: they
//! are read on their way, not held back, not copied. Prompts and completions are never taken here.
//!
//! # For whom a call is
//!
//! ```
//! use costflame_instrumentation::attribute_to;
//! use opentelemetry::trace::FutureExt;
//!
//! # async fn answer() {}
//! # async fn handler() {
//! let context = attribute_to().feature("search").user("u-42").tag("team", "growth").context();
//! answer().with_context(context).await; // every call within carries all three
//! # }
//! ```
//!
//! It travels as W3C baggage to the services that are called, where a propagator is set. With it goes `costflame.path`, the
//! names of the spans of agents, tools, workflows and searches around: costflame places a call by it whose parents have not
//! come, because they still run or because the program broke off.
//!
//! # Programs that use `tracing`, or nothing yet
//!
//! Calls are children of the current span. With `tracing-opentelemetry` that is the current span of `tracing`, so that
//! `#[tracing::instrument]` makes parents; `gen_ai.*` fields on spans of `tracing` are exported as they are. A program
//! that has no OpenTelemetry yet gets all of it from one call, with the feature `setup`:
//!
#![cfg_attr(feature = "setup", doc = "```no_run")]
#![cfg_attr(not(feature = "setup"), doc = "```ignore")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _telemetry = costflame_instrumentation::setup("my-service")?;
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! None is on by default; the crate then depends on `opentelemetry` and two crates that has anyway.
//!
//! | feature | adds |
//! |---|---|
//! | `reqwest` | `GenAiMiddleware` for `reqwest-middleware`, and `GenAiLayer` around a `reqwest::Client` |
//! | `tower` | `GenAiLayer` for clients made of `tower` services |
//! | `async-openai` | `AsyncOpenAi`, the service that makes an `async-openai` client visible |
//! | `http` | `HttpCalls::start`, the way in for any other HTTP client; part of the three above |
//! | `setup` | `setup` and `AttributionProcessor`; the one place that needs the OpenTelemetry SDK |
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
//! Nothing here panics, blocks or fails a call. A call that is dropped halfway still ends its span. What could not be
//! read says so, in the attribute `costflame.instrumentation.unread`, and is counted by a metric of that name. With `setup`,
//! spans that a full queue drops or a receiver refuses are counted by `Telemetry::undelivered`, and nobody waits for them.

mod attribution;
mod call;
mod call_span;
mod conventions;
#[cfg(feature = "setup")]
mod delivery;
mod draft;
mod genai;
#[cfg(feature = "http")]
mod http;
mod metrics;
mod names;
mod provider;
#[cfg(feature = "setup")]
mod setup;
mod stream;
mod usage;
mod work;
mod work_span;

pub use attribution::{Attribution, attribute_to};
pub use call::{Embeddings, Inference, Rerank};
pub use call_span::CallSpan;
pub use conventions::Conventions;
pub use genai::{GenAi, GenAiBuilder};
#[cfg(feature = "async-openai")]
pub use http::AsyncOpenAi;
#[cfg(feature = "reqwest")]
pub use http::GenAiMiddleware;
#[cfg(feature = "tower")]
pub use http::{GenAiLayer, GenAiService, ResponseFuture, Unwatched};
#[cfg(feature = "http")]
pub use http::{HttpCall, HttpCalls, ObservedBody};
pub use provider::Provider;
#[cfg(feature = "setup")]
pub use setup::{AttributionProcessor, SetupError, Telemetry, setup};
pub use stream::Observed;
pub use usage::Usage;
pub use work::{Agent, Retrieval, Tool, Workflow};
pub use work_span::WorkSpan;
