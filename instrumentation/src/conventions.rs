use std::env;

/// Which generation of the semantic conventions is written.
///
/// The environment chooses by `OTEL_SEMCONV_STABILITY_OPT_IN`, a list separated by commas:
///
/// | entry | meaning |
/// |---|---|
/// | none of these, `gen_ai_latest_experimental` | [`Latest`](Self::Latest) |
/// | `gen_ai_v1_36` | [`V1_36`](Self::V1_36) |
/// | `gen_ai/dup` | [`Both`](Self::Both) |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conventions {
    /// `semantic-conventions-genai` as it is developed now: `gen_ai.provider.name`, cached and reasoning tokens, the
    /// `gen_ai.client.inference.*` and agent metrics. The two older client metrics are written beside them, as no
    /// release has their successors yet.
    #[default]
    Latest,
    /// Version 1.36 of the main conventions, which most backends read: `gen_ai.system`, `gen_ai.openai.*`,
    /// `gen_ai.client.token.usage` and `gen_ai.client.operation.*`. Cached and reasoning tokens, for which that version
    /// has no name, are written under the first names they got.
    V1_36,
    /// Every attribute and metric of both generations.
    Both,
}

impl Conventions {
    /// The generation `OTEL_SEMCONV_STABILITY_OPT_IN` asks for.
    pub fn from_env() -> Self {
        Self::parse(&env::var("OTEL_SEMCONV_STABILITY_OPT_IN").unwrap_or_default())
    }

    fn parse(list: &str) -> Self {
        let asked = |name: &str| list.split(',').any(|entry| entry.trim() == name);
        if asked("gen_ai/dup") {
            Self::Both
        } else if asked("gen_ai_v1_36") && !asked("gen_ai_latest_experimental") {
            Self::V1_36
        } else {
            Self::Latest
        }
    }

    pub(crate) fn latest(self) -> bool {
        self != Self::V1_36
    }

    pub(crate) fn older(self) -> bool {
        self != Self::Latest
    }

    pub(crate) fn schema_url(self) -> &'static str {
        match self {
            Self::V1_36 => "https://opentelemetry.io/schemas/1.36.0",
            Self::Latest | Self::Both => "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev",
        }
    }
}

/// Whether `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` asks for content on spans.
pub(crate) fn content_from_env() -> bool {
    let value = env::var("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT").unwrap_or_default();
    asks_for_content(&value)
}

/// `EVENT_ONLY` means no here: this crate writes no events.
fn asks_for_content(value: &str) -> bool {
    ["true", "span_only", "span_and_event"]
        .iter()
        .any(|yes| value.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_opt_ins_chooses_the_generation() {
        assert_eq!(Conventions::parse(""), Conventions::Latest);
        assert_eq!(Conventions::parse("http,database"), Conventions::Latest);
        assert_eq!(
            Conventions::parse("gen_ai_latest_experimental"),
            Conventions::Latest
        );
        assert_eq!(Conventions::parse("http, gen_ai_v1_36"), Conventions::V1_36);
        assert_eq!(Conventions::parse("gen_ai/dup"), Conventions::Both);
    }

    #[test]
    fn content_is_written_only_when_asked_for() {
        assert!(asks_for_content("true"));
        assert!(asks_for_content("SPAN_ONLY"));
        assert!(asks_for_content("span_and_event"));
        for no in ["", "false", "NO_CONTENT", "EVENT_ONLY", "1"] {
            assert!(!asks_for_content(no), "{no}");
        }
    }
}
