//! How providers and models are spelled in the field.

use jiff::civil::Date;

/// Names longer than this are no names.
pub(super) const MOST_NAME_BYTES: usize = 512;

/// Who answered, as far as the provider's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A provider with this id in the catalog.
    Listed(&'static str),
    /// Runs models that others also sell, at no price or at one of its own that is not known:
    /// the price of another provider would be wrong.
    Elsewhere,
    /// Not a provider known here: a proxy, a framework, a gateway with a name of its own.
    Unknown,
}

/// One spelling per provider: its id in the catalog, else its name in lower case.
pub(crate) fn canonical(provider: &str) -> String {
    match host(provider) {
        Host::Listed(id) => id.to_owned(),
        Host::Elsewhere | Host::Unknown => {
            let name: String = provider.trim().chars().map(fold).collect();
            if name.contains("watsonx") {
                "watsonx".to_owned()
            } else {
                name
            }
        }
    }
}

/// Reads a provider name as the conventions and the libraries write it: `gcp.vertex_ai`,
/// `Azure-OpenAI`, `openai.responses`.
pub(super) fn host(provider: &str) -> Host {
    let name: String = provider.trim().chars().map(fold).collect();
    let direct = host_named(&name);
    if direct != Host::Unknown {
        return direct;
    }
    // The Vercel AI SDK appends the kind of model.
    let kinds = [
        "_chat",
        "_responses",
        "_messages",
        "_completion",
        "_embedding",
        "_image",
        "_speech",
        "_transcription",
    ];
    kinds
        .iter()
        .find_map(|kind| name.strip_suffix(kind))
        .map_or(Host::Unknown, host_named)
}

fn fold(char: char) -> char {
    if matches!(char, '-' | '.' | ' ' | '/' | ':') {
        '_'
    } else {
        char.to_ascii_lowercase()
    }
}

fn host_named(name: &str) -> Host {
    let id = match name {
        "openai" => "openai",
        "anthropic" | "claude" => "anthropic",
        "aws" | "aws_bedrock" | "bedrock" | "amazon_bedrock" | "bedrock_converse" => "aws",
        "x_ai" | "xai" | "grok" => "x-ai",
        "mistral" | "mistral_ai" | "mistralai" => "mistral",
        "moonshot" | "moonshot_ai" | "moonshotai" => "moonshotai",
        "together" | "together_ai" | "togetherai" => "together",
        "fireworks" | "fireworks_ai" | "fireworksai" => "fireworks",
        "voyage" | "voyage_ai" | "voyageai" => "voyageai",
        "cohere" => "cohere",
        "deepseek" | "deepseek_ai" => "deepseek",
        "groq" => "groq",
        "cerebras" => "cerebras",
        "openrouter" | "open_router" => "openrouter",
        "perplexity" | "perplexity_ai" | "pplx" => "perplexity",
        "zai" | "z_ai" => "zai",
        "zhipu" | "zhipuai" | "zhipu_ai" | "bigmodel" => "zhipuai",
        "novita" | "novita_ai" => "novita",
        "github_copilot" | "copilot" => "github-copilot",
        "workers_ai" | "cloudflare" | "cloudflare_workers_ai" => "cloudflare",
        _ if ["azure", "az_ai"]
            .iter()
            .any(|prefix| name.starts_with(prefix)) =>
        {
            "azure"
        }
        _ if ["gcp_", "google", "vertex", "gemini"]
            .iter()
            .any(|prefix| name.starts_with(prefix)) =>
        {
            "google"
        }
        "ollama"
        | "vllm"
        | "lm_studio"
        | "lmstudio"
        | "llama_cpp"
        | "llamacpp"
        | "llamafile"
        | "localai"
        | "transformers"
        | "text_generation_inference"
        | "tgi"
        | "xinference"
        | "sglang"
        | "triton" => return Host::Elsewhere,
        "ibm_watsonx_ai"
        | "watsonx"
        | "ibm_watsonx"
        | "watsonx_ai"
        | "deepinfra"
        | "deep_infra"
        | "replicate"
        | "sagemaker"
        | "aws_sagemaker"
        | "amazon_sagemaker"
        | "nvidia"
        | "nvidia_nim"
        | "nvidia_ai_endpoints"
        | "snowflake"
        | "snowflake_cortex"
        | "oci"
        | "oci_generative_ai"
        | "oracle"
        | "sambanova"
        | "hyperbolic"
        | "nebius"
        | "friendli"
        | "lepton"
        | "anyscale"
        | "predibase"
        | "siliconflow" => return Host::Elsewhere,
        _ => return Host::Unknown,
    };
    Host::Listed(id)
}

/// A model name as it is compared: in lower case without surrounding space. `None` if empty.
pub(super) fn fold_model(model: Option<&str>) -> Option<String> {
    let model = model?.trim();
    (!model.is_empty() && model.len() <= MOST_NAME_BYTES).then(|| model.to_lowercase())
}

/// A name that says nothing of the model behind it: its owner chose what it runs.
pub(super) fn is_opaque(model: &str) -> bool {
    let owned = [
        "application-inference-profile/",
        "provisioned-model/",
        "custom-model",
        "imported-model/",
        "/endpoints/",
    ];
    owned.iter().any(|part| model.contains(part)) || model.starts_with("tunedmodels/")
}

/// The spellings of a model name to look for, the given one first.
///
/// `is_vendor` says whether a prefix (`vertex_ai/…`) names the provider that is asked.
pub(super) fn spellings(model: &str, is_vendor: impl Fn(&str) -> bool) -> Vec<String> {
    let mut list = vec![model.to_owned()];
    let mut name = model;
    let mut add = |name: &str| list.push(name.to_owned());
    if let Some(last) = resource_name(name) {
        name = last;
        add(name);
    }
    // LiteLLM and OpenRouter put a slash after the provider, pydantic-ai and LangChain a colon.
    while let Some((prefix, rest)) = name.split_once(['/', ':']) {
        // LiteLLM writes the Bedrock API into the name.
        if rest.is_empty() || !(is_vendor(prefix) || matches!(prefix, "converse" | "invoke")) {
            break;
        }
        name = rest;
        add(name);
    }
    if let Some(base) = name
        .strip_prefix("ft:")
        .and_then(|tuned| tuned.split(':').next())
    {
        add(&format!("ft:{base}"));
    }
    // Claude Code asks for the long context with a suffix, OpenRouter for a way of routing.
    let suffixes = [
        "[1m]",
        ":nitro",
        ":floor",
        ":exacto",
        ":online",
        ":extended",
    ];
    if let Some(bare) = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)) {
        add(bare);
    }
    list
}

/// The model in a resource path: `models/M`, `publishers/P/models/M`, `arn:aws:bedrock:…/M`.
fn resource_name(name: &str) -> Option<&str> {
    if name.starts_with("arn:") {
        return name.rsplit_once('/').map(|(_, last)| last);
    }
    name.strip_prefix("models/")
        .or_else(|| name.split_once("/models/").map(|(_, last)| last))
}

/// The name with compact dates written out: `-20251211` becomes `-2025-12-11`. `None` without one.
///
/// A date stands at the end or before `-` or `:`, and is a real day of this century.
pub(super) fn with_dashed_dates(model: &str) -> Option<String> {
    let mut dashed = String::with_capacity(model.len() + 2);
    let mut rest = model;
    while let Some(at) = rest.find("-20") {
        let (before, from) = rest.split_at(at);
        dashed.push_str(before);
        let date = compact_date(from);
        match date {
            Some(date) => dashed.push_str(&format!("-{date}")),
            None => dashed.push('-'),
        }
        rest = &from[if date.is_some() { 9 } else { 1 }..];
    }
    dashed.push_str(rest);
    (dashed != model).then_some(dashed)
}

/// The day in `-YYYYMMDD`, if the text begins so and goes on as a date may.
fn compact_date(text: &str) -> Option<Date> {
    let digits = text
        .get(1..9)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    matches!(text.as_bytes().get(9), None | Some(b'-' | b':')).then_some(())?;
    Date::new(
        digits[..4].parse().ok()?,
        digits[4..6].parse().ok()?,
        digits[6..].parse().ok()?,
    )
    .ok()
}

/// The server's address as the catalog's patterns expect it: `https://host`, without port and path.
pub(super) fn server_url(address: &str) -> Option<String> {
    let address = address.trim().to_ascii_lowercase();
    let host = address
        .split_once("://")
        .map_or(address.as_str(), |(_, host)| host);
    let host = host
        .split(['/', ':', '?', '#'])
        .next()
        .filter(|host| host.contains('.'))?;
    (host.len() <= MOST_NAME_BYTES).then(|| format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_by_their_names_in_the_field() {
        for (names, id) in [
            ("openai|OpenAI|openai.chat|openai.responses", "openai"),
            (
                "azure.ai.openai|az.ai.openai|azure_openai|azure-openai|azure.ai.inference|azure_ai|Azure",
                "azure",
            ),
            (
                "gcp.gemini|gcp.gen_ai|gcp.vertex_ai|google|Gemini|VertexAI|google-gla|google.generative-ai|google_genai",
                "google",
            ),
            (
                "aws.bedrock|bedrock|AWS|amazon-bedrock|Amazon Bedrock",
                "aws",
            ),
            ("x_ai|xai|xai.chat|grok|x.ai|x-ai", "x-ai"),
            ("fireworks_ai|fireworks", "fireworks"),
            ("togetherai|together_ai|Together", "together"),
            ("mistral_ai|MistralAI|mistral.chat", "mistral"),
            ("anthropic|anthropic.messages", "anthropic"),
            ("moonshot_ai", "moonshotai"),
            ("voyage", "voyageai"),
        ] {
            for name in names.split('|') {
                assert_eq!(host(name), Host::Listed(id), "{name}");
            }
        }
        for name in ["ollama", "Ollama", "vllm", "ibm.watsonx.ai"] {
            assert_eq!(host(name), Host::Elsewhere, "{name}");
        }
        for name in [
            "litellm",
            "langchain",
            "vercel",
            "my-gateway",
            "hugging_face",
            "",
        ] {
            assert_eq!(host(name), Host::Unknown, "{name}");
        }
    }

    #[test]
    fn spellings_of_models() {
        let vendor = |prefix: &str| ["google", "vertex_ai", "bedrock", "openai"].contains(&prefix);
        let last = |model: &str| spellings(model, vendor).pop().unwrap();
        assert_eq!(last("models/gemini-2.5-flash"), "gemini-2.5-flash");
        assert_eq!(
            last("projects/p/locations/l/publishers/google/models/gemini-2.5-pro"),
            "gemini-2.5-pro"
        );
        assert_eq!(last("vertex_ai/google/gemini-2.5-pro"), "gemini-2.5-pro");
        assert_eq!(
            last("bedrock/converse/us.amazon.nova-pro-v1:0"),
            "us.amazon.nova-pro-v1:0"
        );
        assert_eq!(
            last("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude"),
            "us.anthropic.claude"
        );
        assert_eq!(
            last("ft:gpt-4.1-mini-2025-04-14:acme::BcE"),
            "ft:gpt-4.1-mini-2025-04-14"
        );
        assert_eq!(last("openai:gpt-4o"), "gpt-4o");
        assert_eq!(
            last("bedrock:us.anthropic.claude-v1:0"),
            "us.anthropic.claude-v1:0"
        );
        assert_eq!(last("claude-opus-4-8[1m]"), "claude-opus-4-8");
        assert_eq!(last("meta-llama/llama-3"), "meta-llama/llama-3");
        assert_eq!(spellings("gpt-4o", vendor), ["gpt-4o"]);
    }

    #[test]
    fn owners_names_are_opaque() {
        assert!(is_opaque(
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
        ));
        assert!(is_opaque("projects/1/locations/us-central1/endpoints/1234"));
        assert!(!is_opaque(
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku"
        ));
    }

    #[test]
    fn compact_dates_are_written_out() {
        let dashed = |model| with_dashed_dates(model);
        assert_eq!(
            dashed("gpt-5.2-20251211").as_deref(),
            Some("gpt-5.2-2025-12-11")
        );
        assert_eq!(
            dashed("model-20251211:free").as_deref(),
            Some("model-2025-12-11:free")
        );
        assert_eq!(
            dashed("a-20251211-20240229").as_deref(),
            Some("a-2025-12-11-2024-02-29")
        );
        for other in [
            "model",
            "model-20250230",
            "model-202512110",
            "model-2025-12-11",
            "m-20é51211",
            "m-20",
            "-20-20251",
        ] {
            assert_eq!(dashed(other), None, "{other}");
        }
    }

    #[test]
    fn addresses_become_urls() {
        assert_eq!(
            server_url("api.openai.com").as_deref(),
            Some("https://api.openai.com")
        );
        assert_eq!(
            server_url("https://My.openai.azure.com:443/openai").as_deref(),
            Some("https://my.openai.azure.com")
        );
        assert_eq!(server_url("localhost"), None);
        assert_eq!(server_url(""), None);
    }
}
