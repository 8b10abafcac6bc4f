//! The catalog's match rules: a tree of comparisons over a lower-case name.

use std::sync::OnceLock;

use fancy_regex::Regex;
use serde::Deserialize;

/// A rule that a provider or model name fulfils or not. Written as `{"equals": "gpt-4o"}`.
///
/// Literals are kept in lower case and names are expected in lower case, so every comparison but
/// the regular expression's own is without regard to case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// All of the rules.
    And(Vec<Matcher>),
    /// Any of the rules.
    Or(Vec<Matcher>),
    /// The whole name.
    Equals(Literal),
    /// How the name begins.
    StartsWith(Literal),
    /// How the name ends.
    EndsWith(Literal),
    /// A part of the name.
    Contains(Literal),
    /// A regular expression, searched for anywhere unless it is anchored.
    Regex(Pattern),
}

impl Matcher {
    /// True when `name`, in lower case, fulfils the rule.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::And(rules) => rules.iter().all(|rule| rule.matches(name)),
            Self::Or(rules) => rules.iter().any(|rule| rule.matches(name)),
            Self::Equals(literal) => name == literal.as_str(),
            Self::StartsWith(literal) => name.starts_with(literal.as_str()),
            Self::EndsWith(literal) => name.ends_with(literal.as_str()),
            Self::Contains(literal) => name.contains(literal.as_str()),
            Self::Regex(pattern) => pattern.is_match(name),
        }
    }

    /// The names that fulfil the rule on their own, for an index; `other` is set when further
    /// names may fulfil it.
    pub(crate) fn exact_names<'a>(&'a self, names: &mut Vec<&'a str>, other: &mut bool) {
        match self {
            Self::Equals(literal) => names.push(literal.as_str()),
            Self::Or(rules) => rules.iter().for_each(|rule| rule.exact_names(names, other)),
            _ => *other = true,
        }
    }

    /// Compiles every pattern in the rule now.
    ///
    /// # Errors
    ///
    /// The text of the first pattern that is not a regular expression, and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::And(rules) | Self::Or(rules) => rules.iter().try_for_each(Self::check),
            Self::Regex(pattern) => pattern.check(),
            _ => Ok(()),
        }
    }
}

/// A text in lower case.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Literal(Box<str>);

impl Literal {
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self(text.to_lowercase().into_boxed_str())
    }
}

/// A regular expression, compiled when it is first needed: most never are.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    text: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self {
            text: text.into_boxed_str(),
            compiled: OnceLock::new(),
        }
    }
}

impl Pattern {
    /// True when the pattern is found in `text`. A pattern that gives up (backtracking limit) or
    /// does not compile is not found.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.text).ok());
        compiled
            .as_ref()
            .is_some_and(|regex| regex.is_match(text).unwrap_or(false))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let regex = Regex::new(&self.text).map_err(|error| format!("{:?}: {error}", self.text))?;
        let _ = self.compiled.set(Some(regex));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Matcher {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_comparison() {
        let any = rule(
            r#"{"or": [{"equals": "GPT-4o"}, {"and": [{"starts_with": "o3"}, {"ends_with": "-pro"}]},
                       {"contains": "sonnet"}, {"regex": "^grok-\\d(?!-mini)"}]}"#,
        );
        for name in [
            "gpt-4o",
            "o3-pro",
            "o3-2025-pro",
            "us.claude-sonnet-4",
            "grok-4",
            "grok-4-fast",
        ] {
            assert!(any.matches(name), "{name}");
        }
        for name in ["gpt-4o-mini", "o3", "x-pro", "grok-4-mini", "grok-x", ""] {
            assert!(!any.matches(name), "{name}");
        }
        let mut names = Vec::new();
        let mut other = false;
        any.exact_names(&mut names, &mut other);
        assert_eq!((names, other), (vec!["gpt-4o"], true));
    }

    #[test]
    fn malformed_rules_are_refused() {
        for json in [
            r#"{"is": "x"}"#,
            r#"{"equals": 1}"#,
            r#"{"equals": "a", "contains": "b"}"#,
            "{}",
            r#"{"or": "a"}"#,
        ] {
            assert!(serde_json::from_str::<Matcher>(json).is_err(), "{json}");
        }
        assert!(rule(r#"{"or": [{"regex": "("}]}"#).check().is_err());
        assert!(!rule(r#"{"regex": "("}"#).matches("("));
        assert!(rule(r#"{"regex": "(a)"}"#).check().is_ok());
    }
}
