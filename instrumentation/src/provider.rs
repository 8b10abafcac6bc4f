use std::borrow::Cow;

/// Who serves a model, as `gen_ai.provider.name` names it.
///
/// The constants are the conventions' own values; any other name may be used as well.
///
/// ```
/// use costflame_instrumentation::Provider;
/// assert_eq!(Provider::ANTHROPIC.as_str(), "anthropic");
/// assert_eq!(Provider::from("our-own-cluster").as_str(), "our-own-cluster");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provider(Cow<'static, str>);

impl Provider {
    /// OpenAI.
    pub const OPENAI: Self = Self::named("openai");
    /// Anthropic.
    pub const ANTHROPIC: Self = Self::named("anthropic");
    /// OpenAI's models on Azure.
    pub const AZURE_OPENAI: Self = Self::named("azure.ai.openai");
    /// Azure AI inference.
    pub const AZURE_INFERENCE: Self = Self::named("azure.ai.inference");
    /// AWS Bedrock.
    pub const AWS_BEDROCK: Self = Self::named("aws.bedrock");
    /// Google's Gemini API.
    pub const GEMINI: Self = Self::named("gcp.gemini");
    /// Google Vertex AI.
    pub const VERTEX_AI: Self = Self::named("gcp.vertex_ai");
    /// Google, when it is not known through which of its endpoints.
    pub const GOOGLE: Self = Self::named("gcp.gen_ai");
    /// Cohere.
    pub const COHERE: Self = Self::named("cohere");
    /// DeepSeek.
    pub const DEEPSEEK: Self = Self::named("deepseek");
    /// Groq.
    pub const GROQ: Self = Self::named("groq");
    /// Mistral AI.
    pub const MISTRAL: Self = Self::named("mistral_ai");
    /// Moonshot AI.
    pub const MOONSHOT: Self = Self::named("moonshot_ai");
    /// Perplexity.
    pub const PERPLEXITY: Self = Self::named("perplexity");
    /// IBM watsonx.ai.
    pub const WATSONX: Self = Self::named("ibm.watsonx.ai");
    /// xAI.
    pub const X_AI: Self = Self::named("x_ai");
    /// OpenRouter. Not of the conventions' list.
    pub const OPENROUTER: Self = Self::named("openrouter");

    /// A provider by its name.
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The value of `gen_ai.provider.name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn name(&self) -> Cow<'static, str> {
        self.0.clone()
    }

    /// The value of `gen_ai.system` in v1.36, which differs where the name has changed since.
    pub(crate) fn system(&self) -> Cow<'static, str> {
        match self.as_str() {
            "x_ai" => "xai".into(),
            _ => self.name(),
        }
    }
}

impl From<&'static str> for Provider {
    fn from(name: &'static str) -> Self {
        Self::named(name)
    }
}

impl From<String> for Provider {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}
