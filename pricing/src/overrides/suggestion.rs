//! An override to copy: what would price calls that have no price.

use std::{collections::BTreeSet, fmt};

use crate::{
    catalog::prices::{counter_keys, token_keys},
    receipt::Unit,
};

/// An override for one model, whose rates are to be filled in.
///
/// ```
/// use costflame_pricing::{Overrides, overrides::Suggestion};
///
/// let suggestion = Suggestion { provider: Some("azure"), model: Some("prod"), units: &[] };
/// assert!(suggestion.to_string().contains("match = { equals = \"prod\" }"));
/// assert!(Overrides::from_toml(&suggestion.to_string()).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Suggestion<'a> {
    /// The provider as it stands on the calls.
    pub provider: Option<&'a str>,
    /// The model as it stands on the calls; without one nothing can be suggested.
    pub model: Option<&'a str>,
    /// What the calls used; nothing stands for tokens in and out.
    pub units: &'a [Unit],
}

impl Suggestion<'_> {
    /// The rates that price the units: what a class has no rate for is priced as what it is part of.
    fn keys(&self) -> BTreeSet<&'static str> {
        let key = |unit: &Unit| match unit {
            Unit::Tokens(class) => token_keys(*class).last(),
            Unit::Counter(counter) => counter_keys(*counter).first(),
            Unit::Request => None,
        };
        let keys: BTreeSet<_> = self
            .units
            .iter()
            .filter_map(key)
            .map(|key| key.name())
            .collect();
        if keys.is_empty() {
            BTreeSet::from(["input_mtok", "output_mtok"])
        } else {
            keys
        }
    }
}

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(model) = self.model else {
            return Ok(());
        };
        writeln!(f, "[[override]]")?;
        if let Some(provider) = self.provider {
            writeln!(f, "provider = {}", Quoted(provider))?;
        }
        // Names are compared without what surrounds them.
        writeln!(f, "match = {{ equals = {} }}", Quoted(model.trim()))?;
        let rates: Vec<_> = self
            .keys()
            .into_iter()
            .map(|key| format!("{key} = 1.0"))
            .collect();
        writeln!(
            f,
            "rates = {{ {} }} # in dollars; or `alias_of = \"provider/model\"`",
            rates.join(", ")
        )
    }
}

/// A basic string of TOML.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for char in self.0.chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
                plain => write!(f, "{plain}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Catalog, Counter, Flag, Normal, Overrides, PriceRequest, TokenClass, Unpriced, Usage,
    };

    proptest! {
        /// Pasting a suggestion prices the call it was made for, whatever it used and however it is called.
        #[test]
        fn pasting_it_prices_the_call(
            provider in prop::option::of("[a-zA-Z .\"\\\\_-]{1,12}"),
            model in "[a-zA-Z0-9 /.:\"\\\\_-]{0,20}mine ?",
            tokens in prop::array::uniform12(0_u64..3),
            counters in prop::array::uniform6(0_u64..3),
        ) {
            let usage = Usage { tokens, counters };
            prop_assume!(!usage.is_zero());
            let normal = Normal { usage, ..Normal::default() };
            let request = PriceRequest {
                provider: provider.as_deref(),
                response_model: Some(&model),
                ..PriceRequest::default()
            };
            let catalog = Catalog::embedded();
            let before = catalog.price(&request, Some(&normal));
            prop_assume!(before.unpriced == Some(Unpriced::UnknownModel));
            let units: Vec<Unit> = usage.units().collect();
            let toml = Suggestion { provider: provider.as_deref(), model: Some(&model), units: &units }.to_string();
            let overrides = Overrides::from_toml(&toml);
            prop_assert!(overrides.is_ok(), "{}: {:?}", toml, overrides);
            let own = catalog.with_overrides(&overrides.unwrap()).unwrap();
            let after = own.price(&request, Some(&normal));
            prop_assert!(after.cost.is_some() && after.flags.contains(Flag::Overridden), "{}: {:?}", toml, after);
        }
    }

    #[test]
    fn a_rate_that_is_missing_is_suggested_alone() {
        let units = [
            Unit::Counter(Counter::Pages),
            Unit::Tokens(TokenClass::CacheRead),
        ];
        let suggestion = Suggestion {
            provider: None,
            model: Some("m"),
            units: &units,
        };
        let text = suggestion.to_string();
        assert!(
            text.contains("rates = { input_document_kpages = 1.0, input_mtok = 1.0 }"),
            "{text}"
        );
        assert_eq!(
            Suggestion {
                model: None,
                ..suggestion
            }
            .to_string(),
            ""
        );
    }
}
