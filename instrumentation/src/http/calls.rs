use std::sync::{Arc, OnceLock};

use http::{HeaderMap, Method, Uri};

use super::{endpoint::Hosts, exchange::Exchange};
use crate::{GenAi, Provider};

/// What the HTTP instrumentations share: where spans go and which hosts are model providers.
///
/// Known are OpenAI, Azure, Anthropic, Gemini, Vertex AI, Bedrock, Cohere, OpenRouter, Groq, DeepSeek, Mistral, xAI,
/// Perplexity, Moonshot, Together, Fireworks, Cerebras, Hugging Face and GitHub Models. Any other host passes untouched
/// unless it is [named](Self::host).
///
/// ```
/// use costflame_instrumentation::{HttpCalls, Provider};
///
/// let calls = HttpCalls::new()
///     .host("llm-gateway.internal", Provider::OPENAI)
///     .host("localhost:11434", "ollama".into());
/// ```
#[derive(Clone, Debug, Default)]
pub struct HttpCalls {
    genai: Arc<OnceLock<GenAi>>,
    hosts: Hosts,
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    ask_for_usage: bool,
}

impl HttpCalls {
    /// Writes to the global providers as they are at the first request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes here instead.
    pub fn genai(mut self, genai: GenAi) -> Self {
        self.genai = Arc::new(OnceLock::from(genai));
        self
    }

    /// Recognises calls to one more host, with or without a port. The format is known by the path: `/v1/messages` is
    /// Anthropic's, `/chat/completions` OpenAI's, and so on.
    pub fn host(mut self, host: impl Into<String>, provider: Provider) -> Self {
        self.hosts.add(host.into(), provider);
        self
    }

    /// Adds `"stream_options": {"include_usage": true}` to streamed chat completions that do not say anything of it.
    ///
    /// Without it OpenAI and many who speak its format report no usage for streams. It is not the default since the
    /// caller sees one more chunk, without choices, at the end of the stream. [`start`](Self::start) changes no request.
    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub fn ask_for_usage(mut self) -> Self {
        self.ask_for_usage = true;
        self
    }

    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(super) fn asks_for_usage(&self) -> bool {
        self.ask_for_usage
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn is_on(&self) -> bool {
        self.writer().is_on()
    }

    /// The call that a request is, before its body is known.
    pub(super) fn recognise(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Exchange> {
        let genai = self.writer();
        if !genai.is_on() || method != Method::POST {
            return None;
        }
        let host = match uri.host() {
            Some(host) => host,
            None => host_header(headers)?,
        };
        let port = uri.port_u16().unwrap_or_else(|| default_port(uri));
        let endpoint = self.hosts.recognise(host, port, uri.path())?;
        Some(Exchange::new(genai.clone(), endpoint, host, port))
    }

    fn writer(&self) -> &GenAi {
        self.genai.get_or_init(GenAi::global)
    }
}

fn default_port(uri: &Uri) -> u16 {
    match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    }
}

fn host_header(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(http::header::HOST)?.to_str().ok()?;
    Some(host.split_once(':').map_or(host, |(name, _)| name))
}
