//! Which requests are model calls, by their host and path.

use crate::Provider;

use super::{facts::Accounting, table::Table, tables};

/// A model call recognised from its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) provider: Provider,
    pub(super) api: Api,
    /// The model, where the path names it.
    pub(super) model: Option<String>,
    /// Whether the path says that the answer is streamed.
    pub(super) streaming: bool,
}

/// A format of requests and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    Generate,
    GoogleEmbed,
    Converse,
    Invoke,
    CohereChat,
    CohereEmbed,
    Rerank,
}

impl Api {
    pub(super) fn table(self) -> &'static Table {
        match self {
            Self::Chat | Self::Completions | Self::Embeddings => tables::OPENAI,
            Self::Responses => tables::RESPONSES,
            Self::Messages => tables::ANTHROPIC,
            Self::Generate | Self::GoogleEmbed => tables::GEMINI,
            Self::Converse | Self::Invoke => tables::BEDROCK,
            Self::CohereChat | Self::CohereEmbed | Self::Rerank => tables::COHERE,
        }
    }

    pub(super) fn accounting(self) -> Accounting {
        match self {
            Self::Messages | Self::Converse | Self::Invoke => Accounting::Exclusive,
            Self::Generate | Self::GoogleEmbed => Accounting::Gemini,
            _ => Accounting::Inclusive,
        }
    }
}

/// Hosts of a program's own that speak a known format: proxies, gateways, self-hosted servers.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(Vec<(String, Provider)>);

impl Hosts {
    /// `host` with or without a port.
    pub(super) fn add(&mut self, host: String, provider: Provider) {
        self.0.push((host.to_ascii_lowercase(), provider));
    }

    fn provider(&self, host: &str, port: u16) -> Option<Provider> {
        self.0
            .iter()
            .find(|(known, _)| {
                known == host
                    || known
                        .strip_prefix(host)
                        .and_then(|rest| rest.strip_prefix(':'))
                        .is_some_and(|known| known.parse() == Ok(port))
            })
            .map(|(_, provider)| provider.clone())
            .or_else(|| known_provider(host))
    }

    /// The call that a POST to this URL is, if it is one.
    pub(super) fn recognise(&self, host: &str, port: u16, path: &str) -> Option<Endpoint> {
        let mut provider = match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => self.provider(&host.to_ascii_lowercase(), port)?,
            false => self.provider(host, port)?,
        };
        let path = path.trim_end_matches('/');
        if provider == Provider::AZURE_OPENAI
            && (path.starts_with("/models/") || path.starts_with("/anthropic/"))
        {
            provider = Provider::AZURE_INFERENCE;
        }
        let (api, model, streaming) = bedrock(&provider, path)
            .or_else(|| google(path))
            .or_else(|| cohere(&provider, path))
            .or_else(|| by_suffix(path))?;
        Some(Endpoint {
            provider,
            api,
            model,
            streaming,
        })
    }
}

fn known_provider(host: &str) -> Option<Provider> {
    let exact = match host {
        "api.openai.com" => Provider::OPENAI,
        "api.anthropic.com" => Provider::ANTHROPIC,
        "generativelanguage.googleapis.com" => Provider::GEMINI,
        "openrouter.ai" => Provider::OPENROUTER,
        "api.groq.com" => Provider::GROQ,
        "api.deepseek.com" => Provider::DEEPSEEK,
        "api.mistral.ai" | "codestral.mistral.ai" => Provider::MISTRAL,
        "api.x.ai" => Provider::X_AI,
        "api.perplexity.ai" => Provider::PERPLEXITY,
        "api.moonshot.ai" | "api.moonshot.cn" => Provider::MOONSHOT,
        "api.cohere.com" | "api.cohere.ai" => Provider::COHERE,
        "api.together.xyz" | "api.together.ai" => Provider::named("together_ai"),
        "api.fireworks.ai" => Provider::named("fireworks_ai"),
        "api.cerebras.ai" => Provider::named("cerebras"),
        "router.huggingface.co" => Provider::named("huggingface"),
        "models.github.ai" | "models.inference.ai.azure.com" => Provider::AZURE_INFERENCE,
        _ => return by_domain(host),
    };
    Some(exact)
}

fn by_domain(host: &str) -> Option<Provider> {
    let within = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|name| name.ends_with('.') && name.len() > 1)
    };
    if within("api.openai.com") {
        Some(Provider::OPENAI)
    } else if within("openai.azure.com")
        || within("cognitiveservices.azure.com")
        || within("services.ai.azure.com")
    {
        Some(Provider::AZURE_OPENAI)
    } else if within("inference.ai.azure.com") || within("models.ai.azure.com") {
        Some(Provider::AZURE_INFERENCE)
    } else if host == "aiplatform.googleapis.com" || host.ends_with("-aiplatform.googleapis.com") {
        Some(Provider::VERTEX_AI)
    } else if ["bedrock-runtime", "bedrock-runtime-fips"]
        .iter()
        .any(|service| host.split('.').take(2).any(|label| label == *service))
        && (within("amazonaws.com") || within("amazonaws.com.cn"))
    {
        Some(Provider::AWS_BEDROCK)
    } else {
        None
    }
}

type Recognised = (Api, Option<String>, bool);

/// `/model/{id}/{action}`, the id percent-encoded.
fn bedrock(provider: &Provider, path: &str) -> Option<Recognised> {
    if *provider != Provider::AWS_BEDROCK {
        return None;
    }
    let (model, action) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    let (api, streaming) = match action {
        "converse" => (Api::Converse, false),
        "converse-stream" => (Api::Converse, true),
        "invoke" => (Api::Invoke, false),
        "invoke-with-response-stream" => (Api::Invoke, true),
        _ => return None,
    };
    Some((api, Some(decoded(model)), streaming))
}

/// `…/models/{model}:{verb}`.
fn google(path: &str) -> Option<Recognised> {
    let (before, verb) = path.rsplit_once(':')?;
    let (family, model) = before.rsplit_once('/')?;
    let (api, streaming) = match verb {
        "generateContent" => (Api::Generate, false),
        "streamGenerateContent" => (Api::Generate, true),
        "embedContent" | "batchEmbedContents" => (Api::GoogleEmbed, false),
        "predict" if model.contains("embedding") => (Api::GoogleEmbed, false),
        "rawPredict" if family.contains("/anthropic/") => (Api::Messages, false),
        "streamRawPredict" if family.contains("/anthropic/") => (Api::Messages, true),
        "rawPredict" if family.contains("/mistralai/") => (Api::Chat, false),
        "streamRawPredict" if family.contains("/mistralai/") => (Api::Chat, true),
        _ => return None,
    };
    Some((api, Some(decoded(model)), streaming))
}

fn cohere(provider: &Provider, path: &str) -> Option<Recognised> {
    if *provider != Provider::COHERE {
        return None;
    }
    let api = match path {
        "/v1/chat" | "/v2/chat" => Api::CohereChat,
        "/v1/embed" | "/v2/embed" => Api::CohereEmbed,
        "/v1/rerank" | "/v2/rerank" => Api::Rerank,
        _ => return None,
    };
    Some((api, None, false))
}

fn by_suffix(path: &str) -> Option<Recognised> {
    let api = if path.ends_with("/chat/completions") {
        Api::Chat
    } else if path.ends_with("/completions") {
        Api::Completions
    } else if path.ends_with("/responses") {
        Api::Responses
    } else if path.ends_with("/embeddings") {
        Api::Embeddings
    } else if path.ends_with("/v1/messages") {
        Api::Messages
    } else {
        return None;
    };
    // Azure names the deployment in the path.
    let deployment = path
        .split_once("/deployments/")
        .and_then(|(_, rest)| rest.split('/').next())
        .map(decoded);
    Some((api, deployment, false))
}

/// Percent-decoded.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| {
            let hex = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(hex, 16).ok()
        });
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(url: &str) -> Option<(String, Api, Option<String>, bool)> {
        let (host, path) = url.split_at(url.find('/').expect("a path"));
        let found = Hosts::default().recognise(host, 443, path)?;
        Some((
            found.provider.as_str().to_owned(),
            found.api,
            found.model,
            found.streaming,
        ))
    }

    #[test]
    fn hosts_and_paths_tell_provider_format_and_model() {
        let model = |name: &str| Some(name.to_owned());
        let cases = [
            (
                "api.openai.com/v1/chat/completions",
                "openai",
                Api::Chat,
                None,
                false,
            ),
            (
                "eu.api.openai.com/v1/responses/",
                "openai",
                Api::Responses,
                None,
                false,
            ),
            (
                "api.openai.com/v1/completions",
                "openai",
                Api::Completions,
                None,
                false,
            ),
            (
                "api.openai.com/v1/embeddings",
                "openai",
                Api::Embeddings,
                None,
                false,
            ),
            (
                "my.openai.azure.com/openai/deployments/gpt-4o%20x/chat/completions",
                "azure.ai.openai",
                Api::Chat,
                model("gpt-4o x"),
                false,
            ),
            (
                "my.openai.azure.com/openai/v1/responses",
                "azure.ai.openai",
                Api::Responses,
                None,
                false,
            ),
            (
                "my.services.ai.azure.com/models/chat/completions",
                "azure.ai.inference",
                Api::Chat,
                None,
                false,
            ),
            (
                "openrouter.ai/api/v1/chat/completions",
                "openrouter",
                Api::Chat,
                None,
                false,
            ),
            (
                "api.groq.com/openai/v1/chat/completions",
                "groq",
                Api::Chat,
                None,
                false,
            ),
            (
                "api.deepseek.com/chat/completions",
                "deepseek",
                Api::Chat,
                None,
                false,
            ),
            (
                "api.deepseek.com/anthropic/v1/messages",
                "deepseek",
                Api::Messages,
                None,
                false,
            ),
            (
                "api.mistral.ai/v1/chat/completions",
                "mistral_ai",
                Api::Chat,
                None,
                false,
            ),
            (
                "api.x.ai/v1/chat/completions",
                "x_ai",
                Api::Chat,
                None,
                false,
            ),
            (
                "api.anthropic.com/v1/messages",
                "anthropic",
                Api::Messages,
                None,
                false,
            ),
            (
                "generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
                "gcp.gemini",
                Api::Generate,
                model("gemini-2.5-flash"),
                false,
            ),
            (
                "generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent",
                "gcp.gemini",
                Api::Generate,
                model("gemini-2.5-flash"),
                true,
            ),
            (
                "generativelanguage.googleapis.com/v1beta/openai/chat/completions",
                "gcp.gemini",
                Api::Chat,
                None,
                false,
            ),
            (
                "europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
                "gcp.vertex_ai",
                Api::Messages,
                model("claude-sonnet-4-5@20250929"),
                true,
            ),
            (
                "aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict",
                "gcp.vertex_ai",
                Api::GoogleEmbed,
                model("text-embedding-005"),
                false,
            ),
            (
                "bedrock-runtime.eu-central-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
                "aws.bedrock",
                Api::Converse,
                model("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
                true,
            ),
            (
                "bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3A%3A1%3Aprofile%2Fx/invoke",
                "aws.bedrock",
                Api::Invoke,
                model("arn:aws:bedrock::1:profile/x"),
                false,
            ),
            (
                "api.cohere.com/v2/chat",
                "cohere",
                Api::CohereChat,
                None,
                false,
            ),
            (
                "api.cohere.com/v2/rerank",
                "cohere",
                Api::Rerank,
                None,
                false,
            ),
        ];
        for (url, provider, api, model, streaming) in cases {
            assert_eq!(
                seen(url),
                Some((provider.to_owned(), api, model, streaming)),
                "{url}"
            );
        }
    }

    #[test]
    fn everything_else_passes() {
        for url in [
            "example.com/v1/chat/completions",
            "api.openai.com/v1/models",
            "api.openai.com/v1/files",
            "api.openai.com.evil.example/v1/chat/completions",
            "notapi.openai.com.example/v1/embeddings",
            "api.anthropic.com/v1/messages/count_tokens",
            "api.anthropic.com/v1/messages/batches",
            "aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/1:predict",
            "s3.us-east-1.amazonaws.com/model/x/converse",
            "api.cohere.com/v1/tokenize",
        ] {
            assert_eq!(seen(url), None, "{url}");
        }
    }

    #[test]
    fn own_hosts_are_known_with_and_without_a_port() {
        let mut hosts = Hosts::default();
        hosts.add("LLM.internal".into(), Provider::OPENAI);
        hosts.add("127.0.0.1:8080".into(), Provider::ANTHROPIC);
        let provider = |host: &str, port| {
            hosts
                .recognise(host, port, "/v1/messages")
                .map(|found| found.provider)
        };
        assert_eq!(provider("llm.internal", 80), Some(Provider::OPENAI));
        assert_eq!(provider("127.0.0.1", 8080), Some(Provider::ANTHROPIC));
        assert_eq!(provider("127.0.0.1", 8081), None);
    }
}
