//! `costflame prices diff`: what another catalog would change.

use std::{collections::BTreeMap, fmt};

use costflame_pricing::{Catalog, PriceRequest};

/// What is compared. Other units are priced by few models.
const LISTED: [&str; 6] = [
    "input",
    "cache_read",
    "cache_write",
    "output",
    "pages",
    "audio_seconds",
];

/// Provider and model.
type Name = (String, String);

/// What a model costs, before and after; one of them is absent if it is new or gone.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    name: Name,
    before: Option<String>,
    after: Option<String>,
}

/// Models that are new, gone or cost something else.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    changes: Vec<Change>,
    /// Models before.
    known: usize,
}

impl Changes {
    /// What `other` changes at a time.
    pub(super) fn between(now: &Catalog, other: &Catalog, at_us: i64) -> Self {
        let (now, mut other) = (table(now, at_us), table(other, at_us));
        let known = now.len();
        let mut changes: Vec<Change> = Vec::new();
        for (name, before) in now {
            let after = other.remove(&name);
            if after.as_ref() != Some(&before) {
                changes.push(Change {
                    name,
                    before: Some(before),
                    after,
                });
            }
        }
        let new = other.into_iter().map(|(name, after)| Change {
            name,
            before: None,
            after: Some(after),
        });
        changes.extend(new);
        Self { changes, known }
    }

    /// More than a fifth of the models are gone.
    pub(super) fn lost_too_many(&self) -> bool {
        self.gone() * 5 > self.known
    }

    fn gone(&self) -> usize {
        let is_gone = |change: &&Change| change.after.is_none();
        self.changes.iter().filter(is_gone).count()
    }

    /// How many are new, gone and changed.
    pub(super) fn summary(&self) -> String {
        let is_new = |change: &&Change| change.before.is_none();
        let (new, gone) = (self.changes.iter().filter(is_new).count(), self.gone());
        let changed = self.changes.len() - new - gone;
        format!(
            "{new} new, {gone} gone, {changed} changed of {}",
            self.known
        )
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Change {
            name: (provider, model),
            before,
            after,
        } in &self.changes
        {
            match (before, after) {
                (Some(before), Some(after)) => {
                    writeln!(f, "~ {provider} {model}: {before} -> {after}")?;
                }
                (Some(before), None) => writeln!(f, "- {provider} {model}: {before}")?,
                (None, after) => {
                    let after = after.as_deref().unwrap_or_default();
                    writeln!(f, "+ {provider} {model}: {after}")?;
                }
            }
        }
        writeln!(f, "{}", self.summary())
    }
}

/// Rates by provider and model, as a text that can be compared.
fn table(catalog: &Catalog, at_us: i64) -> BTreeMap<Name, String> {
    let rates = |(provider, model): (&str, &str)| {
        let asked = PriceRequest {
            provider: Some(provider),
            response_model: Some(model),
            at_us,
            ..PriceRequest::default()
        };
        let card = catalog.rate_card(&asked);
        let rates = card.into_iter().flat_map(|card| card.rates);
        let listed = rates
            .filter(|rate| LISTED.contains(&rate.unit.name()))
            .map(|rate| {
                let tier = if rate.largest == rate.rate {
                    String::new()
                } else {
                    format!(" to {}", rate.largest)
                };
                format!("{} {}{tier}", rate.unit.name(), rate.rate)
            });
        let name = (provider.to_owned(), model.to_owned());
        (name, listed.collect::<Vec<_>>().join(", "))
    };
    catalog.models().map(rates).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_US: i64 = 1_795_000_000_000_000;

    fn catalog(models: &[(&str, &str)]) -> Catalog {
        let model = |(id, price): &(&str, &str)| {
            format!(
                r#"{{"id": "{id}", "match": {{"equals": "{id}"}}, "prices": {{"input_mtok": {price}}}}}"#
            )
        };
        let models: Vec<_> = models.iter().map(model).collect();
        let json = format!(
            r#"[{{"id": "p", "api_pattern": "x", "models": [{}]}}]"#,
            models.join(",")
        );
        Catalog::from_json(json.as_bytes()).expect("a catalog")
    }

    #[test]
    fn a_catalog_differs_from_itself_in_nothing() {
        let catalog = Catalog::embedded();
        let changes = Changes::between(&catalog, &catalog, AT_US);
        let models = table(&catalog, AT_US).len();
        assert_eq!(
            changes.to_string(),
            format!("0 new, 0 gone, 0 changed of {models}\n")
        );
        assert!(!changes.lost_too_many());
    }

    #[test]
    fn what_is_new_gone_and_changed_is_listed() {
        let now = catalog(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let other = catalog(&[("a", "1"), ("b", "2.5"), ("d", "4")]);
        let changes = Changes::between(&now, &other, AT_US);
        let text = changes.to_string();
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split(':').next().unwrap_or_default())
            .collect();
        assert_eq!(
            lines,
            ["~ p b", "- p c", "+ p d", "1 new, 1 gone, 1 changed of 3"]
        );
        assert!(changes.lost_too_many(), "a third");
    }

    #[test]
    fn a_fifth_may_be_gone() {
        let now = catalog(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")]);
        let four = catalog(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
        assert!(!Changes::between(&now, &four, AT_US).lost_too_many());
        let three = catalog(&[
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("new", "4"),
            ("newer", "4"),
        ]);
        assert!(Changes::between(&now, &three, AT_US).lost_too_many());
    }
}
