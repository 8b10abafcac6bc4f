//! Calls recognised in a program's HTTP traffic.
//!
//! `endpoint` tells from the URL whether a request is a model call and of which format. `skim` picks what its table
//! (`tables`) names out of JSON as `bytes` pass, into `facts`; `sse` and `frames` unwrap streams around it. `exchange` makes
//! the span of it, `body` watches a response on its way; `reqwest`, `tower` and `call` are the ways in.

#[cfg(feature = "async-openai")]
mod async_openai;
mod body;
mod bytes;
mod call;
mod calls;
mod endpoint;
mod exchange;
mod facts;
mod frames;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tower")]
mod response;
mod skim;
mod sse;
mod table;
mod tables;
#[cfg(feature = "tower")]
mod tower;

#[cfg(test)]
mod tests;

#[cfg(feature = "async-openai")]
pub use async_openai::AsyncOpenAi;
pub use body::ObservedBody;
pub use call::HttpCall;
pub use calls::HttpCalls;
#[cfg(feature = "reqwest")]
pub use reqwest::GenAiMiddleware;
#[cfg(feature = "tower")]
pub use response::{ResponseFuture, Unwatched};
#[cfg(feature = "tower")]
pub use tower::{GenAiLayer, GenAiService};
