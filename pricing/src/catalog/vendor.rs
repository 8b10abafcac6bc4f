//! Providers told by the name of a model alone.

/// Regions before the names of Bedrock's inference profiles, and the vendors after them.
const REGIONS: [&str; 7] = ["us.", "eu.", "apac.", "global.", "jp.", "au.", "us-gov."];
const VENDORS: [&str; 9] = [
    "anthropic.",
    "amazon.",
    "meta.",
    "mistral.",
    "cohere.",
    "ai21.",
    "deepseek.",
    "openai.",
    "qwen.",
];
const OPENAI: [&str; 7] = [
    "text-embedding-3",
    "text-embedding-ada",
    "omni-moderation",
    "gpt-",
    "whisper-",
    "tts-",
    "dall-e",
];

/// The provider that a model's name gives away, as the conventions write it, for spans that name none.
#[must_use]
pub fn provider_of_model(model: &str) -> Option<&'static str> {
    let name = model.strip_prefix("ft:").unwrap_or(model);
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if starts(&OPENAI) {
        return Some("openai");
    }
    // Bedrock writes region, vendor and model with dots between, and a version at the end.
    let unregioned = REGIONS.iter().find_map(|region| name.strip_prefix(region));
    let is_bedrock = VENDORS
        .iter()
        .any(|vendor| unregioned.unwrap_or(name).starts_with(vendor));
    (is_bedrock || name.starts_with("arn:aws:bedrock:")).then_some("aws.bedrock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_only_one_provider_gives_tell_it() {
        for (model, provider) in [
            ("text-embedding-3-small", Some("openai")),
            ("ft:gpt-4o:acme::1", Some("openai")),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                Some("aws.bedrock"),
            ),
            ("amazon.nova-pro-v1:0", Some("aws.bedrock")),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3",
                Some("aws.bedrock"),
            ),
            ("claude-sonnet-4-5", None),
            ("us.example", None),
        ] {
            assert_eq!(provider_of_model(model), provider, "{model}");
        }
    }
}
