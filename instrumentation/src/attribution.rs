//! Who and what a call is for: feature, user, session, tags, and the path that led to it.
//!
//! Kept in the context as W3C baggage, under the very keys the span attributes have, so that any service with a baggage
//! propagator hands it on and any baggage processor can copy it.

use std::borrow::Cow;

use opentelemetry::{
    Context, Key, KeyValue, StringValue,
    baggage::{Baggage, BaggageExt, BaggageMetadata},
};

use crate::names;

/// Longest path carried, in bytes: W3C baggage holds 8192 in all.
const MAX_PATH: usize = 1024;
/// Longest value carried, in bytes.
const MAX_VALUE: usize = 256;

/// Starts an attribution: what it says holds for every call below the context it makes, in this process and, where a
/// baggage propagator is set, in the services called from it.
///
/// ```
/// use costflame_instrumentation::{GenAi, Provider, attribute_to};
///
/// # let genai = GenAi::off();
/// let _guard = attribute_to()
///     .feature("search")
///     .user("u-42")
///     .session("s-7")
///     .tag("team", "growth")
///     .attach();
/// let call = genai.chat(Provider::OPENAI, "gpt-4o").start(); // carries all four
/// # drop(call);
/// ```
///
/// In asynchronous code a guard must not be held across an `.await`; give the context to the future instead:
///
/// ```
/// use costflame_instrumentation::attribute_to;
/// use opentelemetry::trace::FutureExt;
///
/// # async fn answer() {}
/// # async fn handler() {
/// answer().with_context(attribute_to().feature("chat").context()).await;
/// # }
/// ```
///
/// Baggage leaves the process with every request that a propagator writes headers for: use ids, not names or
/// addresses, where services of others are called.
pub fn attribute_to() -> Attribution {
    Attribution(Vec::new())
}

/// What calls are attributed to; see [`attribute_to`].
#[derive(Clone, Debug, Default)]
#[must_use = "an attribution holds where its context is attached"]
pub struct Attribution(Vec<(Key, StringValue)>);

impl Attribution {
    /// The product feature, `costflame.feature`.
    pub fn feature(self, name: impl Into<StringValue>) -> Self {
        self.set(names::FEATURE, name)
    }

    /// The user, `user.id`.
    pub fn user(self, id: impl Into<StringValue>) -> Self {
        self.set(names::USER_ID, id)
    }

    /// The session or conversation, `session.id`.
    pub fn session(self, id: impl Into<StringValue>) -> Self {
        self.set(names::SESSION_ID, id)
    }

    /// A tag of the application's own, `costflame.tag.KEY`. A key that baggage cannot carry (blanks, separators, not
    /// ASCII) is left out.
    pub fn tag(self, key: &str, value: impl Into<StringValue>) -> Self {
        self.set(format!("{}{key}", names::TAG_PREFIX), value)
    }

    fn set(mut self, key: impl Into<Key>, value: impl Into<StringValue>) -> Self {
        self.0.push((key.into(), bounded(value.into())));
        self
    }

    /// The current context with this attribution added; the same key of an outer one is replaced.
    pub fn context(self) -> Context {
        Context::map_current(|current| self.within(current))
    }

    /// `parent` with this attribution added.
    pub fn within(self, parent: &Context) -> Context {
        let mut baggage = copied(parent.baggage());
        for (key, value) in self.0 {
            baggage.insert(key, value);
        }
        parent.with_baggage(baggage)
    }

    /// Makes it hold until the guard is dropped.
    pub fn attach(self) -> opentelemetry::ContextGuard {
        self.context().attach()
    }
}

/// The span attributes for what `context` carries.
pub(crate) fn attributes(context: &Context) -> impl Iterator<Item = KeyValue> {
    context
        .baggage()
        .iter()
        .filter(|(key, _)| is_attribution(key.as_str()))
        .map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone()))
}

/// Whether a baggage entry of this key belongs on spans.
pub(crate) fn is_attribution(key: &str) -> bool {
    matches!(
        key,
        names::FEATURE | names::USER_ID | names::SESSION_ID | names::PATH
    ) || key.starts_with(names::TAG_PREFIX)
}

/// `parent` with one more step on its path, written as folded stacks are: outermost first, separated by `;`. A path
/// that has grown too long loses its outermost steps.
pub(crate) fn step_into(parent: &Context, step: &str) -> Context {
    let step = step.replace(';', ",");
    let mut path = match parent.baggage().get(names::PATH) {
        Some(path) => format!("{path};{step}"),
        None => step,
    };
    while path.len() > MAX_PATH {
        match path.find(';') {
            Some(at) => path.drain(..=at),
            None => path.drain(floor(&path, MAX_PATH)..),
        };
    }
    let mut baggage = copied(parent.baggage());
    baggage.insert(names::PATH, path);
    parent.with_baggage(baggage)
}

/// Says that a span already has what its context carries, so that a processor does not write it twice.
#[derive(Clone, Copy)]
pub(crate) struct Copied;

/// `parent` for starting a span that has its attribution as attributes.
pub(crate) fn marked(parent: &Context) -> Cow<'_, Context> {
    match parent.baggage().is_empty() {
        true => Cow::Borrowed(parent),
        false => Cow::Owned(parent.with_value(Copied)),
    }
}

fn bounded(value: StringValue) -> StringValue {
    match value.as_str() {
        text if text.len() > MAX_VALUE => text[..floor(text, MAX_VALUE)].to_owned().into(),
        _ => value,
    }
}

/// The largest boundary of a character that is not above `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn copied(baggage: &Baggage) -> Baggage {
    let mut copy = Baggage::new();
    for (key, (value, metadata)) in baggage {
        let metadata: BaggageMetadata = metadata.clone();
        copy.insert_with_metadata(key.clone(), value.clone(), metadata);
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_values_replace_outer_ones_and_keep_the_rest() {
        let outer = attribute_to()
            .feature("search")
            .user("u")
            .within(&Context::new());
        let inner = attribute_to()
            .feature("chat")
            .tag("team", "growth")
            .within(&outer);
        let mut seen: Vec<String> = attributes(&inner)
            .map(|attribute| format!("{}={}", attribute.key, attribute.value))
            .collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                "costflame.feature=chat",
                "costflame.tag.team=growth",
                "user.id=u"
            ]
        );
    }

    #[test]
    fn other_baggage_travels_on_but_is_not_copied_to_spans() {
        let mut baggage = Baggage::new();
        baggage.insert("secret", "x");
        let context = attribute_to()
            .user("u")
            .within(&Context::new().with_baggage(baggage));
        assert!(context.baggage().get("secret").is_some());
        assert_eq!(attributes(&context).count(), 1);
    }

    #[test]
    fn a_path_is_bounded_and_keeps_its_innermost_steps() {
        let mut context = Context::new();
        for at in 0..1000 {
            context = step_into(&context, &format!("step;{at}"));
        }
        let path = context
            .baggage()
            .get(names::PATH)
            .expect("a path")
            .to_string();
        assert!(path.len() <= MAX_PATH);
        assert!(path.ends_with("step,998;step,999"), "{path}");
        let context = step_into(&Context::new(), &"é".repeat(2000));
        assert!(
            context
                .baggage()
                .get(names::PATH)
                .is_some_and(|path| path.as_str().len() <= MAX_PATH)
        );
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let context = attribute_to().user("ü".repeat(300)).within(&Context::new());
        let user = context.baggage().get(names::USER_ID).expect("a user");
        assert_eq!(user.as_str(), "ü".repeat(128));
    }
}
