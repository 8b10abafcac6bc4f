//! Who counts cached tokens inside the input, and who beside it.
//!
//! The conventions say inside. Providers differ (Anthropic and Bedrock report them beside), and so do the libraries
//! that copy or add up their numbers. The name of a key does not tell; the instrumentation scope does. Each line was
//! seen on recorded payloads whose true numbers are known, or read in the library's source.

use costflame_pricing::Accounting;

use crate::decode::Scope;

/// What is known of one instrumentation scope.
pub struct Emitter {
    /// Scope name; a `*` at the end stands for any rest.
    pub scope: &'static str,
    /// Whether cached tokens are inside the input, where the provider reports them beside it.
    pub accounting: Accounting,
    /// The provider, where the emitter names the model's vendor instead.
    pub provider: Option<&'static str>,
    /// Reasoning tokens are not part of the output.
    pub reasoning_outside: bool,
}

const fn inclusive(scope: &'static str) -> Emitter {
    Emitter {
        scope,
        accounting: Accounting::EmitterInclusive,
        provider: None,
        reasoning_outside: false,
    }
}

const fn exclusive(scope: &'static str) -> Emitter {
    Emitter {
        scope,
        accounting: Accounting::EmitterExclusive,
        provider: None,
        reasoning_outside: false,
    }
}

/// The first line that matches a scope holds.
pub static EMITTERS: &[Emitter] = &[
    // Amazon Bedrock: the numbers of Converse and InvokeModel as they are.
    exclusive("opentelemetry.instrumentation.botocore.bedrock-runtime"),
    exclusive("opentelemetry.instrumentation.genai.bedrock"),
    exclusive("@opentelemetry/instrumentation-aws-sdk"),
    Emitter {
        provider: Some("aws.bedrock"),
        ..exclusive("opentelemetry.instrumentation.bedrock")
    },
    Emitter {
        provider: Some("aws.bedrock"),
        ..exclusive("@traceloop/instrumentation-bedrock")
    },
    // OpenLLMetry for JavaScript, unlike the one for Python.
    exclusive("@traceloop/instrumentation-anthropic"),
    // OpenLIT: the provider's numbers as they are; frameworks report sums.
    inclusive("openlit.instrumentation.langchain*"),
    inclusive("openlit.instrumentation.langgraph*"),
    inclusive("openlit.instrumentation.litellm*"),
    inclusive("openlit.instrumentation.pydantic*"),
    inclusive("openlit.instrumentation.llamaindex*"),
    inclusive("openlit.instrumentation.crewai*"),
    Emitter {
        reasoning_outside: true,
        ..inclusive("openlit.instrumentation.google*")
    },
    Emitter {
        reasoning_outside: true,
        ..inclusive("openlit.instrumentation.vertexai*")
    },
    exclusive("openlit*"),
    // Claude Code: the numbers of the Messages API as they are.
    exclusive("com.anthropic.claude_code*"),
    exclusive("claude-code"),
    // InvokeModel of Nova excludes, Converse includes since 0.1.61; the provider's total tells.
    Emitter {
        accounting: Accounting::Spec,
        ..inclusive("openinference.instrumentation.bedrock")
    },
    // These add up what Anthropic and Bedrock report beside each other.
    inclusive("com.anthropic.sdk.*"),
    inclusive("opentelemetry.instrumentation.genai.*"),
    inclusive("opentelemetry.instrumentation.anthropic"),
    inclusive("opentelemetry.instrumentation.langchain"),
    inclusive("openinference.*"),
    inclusive("@arizeai/openinference-*"),
    inclusive("pydantic-ai"),
    inclusive("logfire*"),
    inclusive("langsmith*"),
    inclusive("litellm"),
    inclusive("mlflow*"),
];

/// The line for a scope.
#[must_use]
pub fn find(scope: &Scope<'_>) -> Option<&'static Emitter> {
    EMITTERS
        .iter()
        .find(|emitter| matches(emitter.scope, scope.name))
}

/// How an emitter counts for a provider. It matters only where the provider itself counts beside.
#[must_use]
pub fn accounting(emitter: Option<&Emitter>, provider: Option<&str>) -> Accounting {
    match emitter {
        Some(emitter) if provider.is_none_or(reports_beside) => emitter.accounting,
        _ => Accounting::Spec,
    }
}

/// True for providers whose input excludes cached tokens.
#[must_use]
pub fn reports_beside(provider: &str) -> bool {
    ["anthropic", "bedrock", "aws", "amazon"]
        .iter()
        .any(|name| contains_ignore_case(provider, name))
}

/// Scope name against a pattern that may end in `*`.
#[must_use]
pub fn matches(pattern: &str, scope: &str) -> bool {
    // Dozens of patterns are held against the scope of each call, and most differ in the first letter.
    if pattern.as_bytes().first() != scope.as_bytes().first() && pattern != "*" {
        return false;
    }
    match pattern.strip_suffix('*') {
        Some(start) => scope.starts_with(start),
        None => scope == pattern,
    }
}

pub(super) fn contains_ignore_case(text: &str, word: &str) -> bool {
    text.as_bytes()
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
