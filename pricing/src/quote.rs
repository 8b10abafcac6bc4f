//! The prices in force for one request, and the lines that they make of its usage.

use jiff::civil::Date;

use crate::{
    Catalog, Counter, Flag, Line, PriceRequest, PriceRow, Receipt, TokenClass, UnitRate, Unpriced,
    Usage, Usd, UsdSum,
    catalog::{
        Model, Terms,
        names::canonical,
        prices::{
            Constraint, Context, Day, PriceKey, Scheduled, Variant, counter_keys, token_keys,
        },
    },
    overrides::Override,
    rate::Rate,
    receipt::Unit,
};

/// Values that mean the standard price.
const STANDARD: [&str; 7] = [
    "default",
    "standard",
    "auto",
    "on_demand",
    "normal",
    "realtime",
    "",
];

/// Groq bills a transcription for at least this many seconds (<https://groq.com/pricing>).
const GROQ_LEAST_SECONDS: u64 = 10;

/// Bytes that most conditions of a price fit into, written.
const USUAL_CONDITION: usize = 32;

/// The prices in force for one request.
pub(crate) struct Quote<'a> {
    /// Provider and model of the receipt.
    names: (String, String),
    /// The catalog's entry; `None` when an override alone prices the call.
    entry: Option<(&'a Model, &'a Scheduled)>,
    variants: Vec<&'a Variant>,
    /// Overrides, the highest first.
    changes: &'a [&'a Override],
    /// A processing tier was asked for that has no price of its own.
    tier_unpriced: bool,
}

/// A rate found, and the threshold of the tier it is from.
struct Quoted {
    key: PriceKey,
    rate: Rate,
    above: Option<u64>,
}

impl<'a> Quote<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        terms: &'a Terms<'a>,
        request: &PriceRequest<'_>,
    ) -> Result<Self, Unpriced> {
        let changes = terms.changes.as_slice();
        let context = request.context();
        let Some(found) = terms.resolved.found else {
            if changes.iter().all(|change| change.prices.empty) {
                return Err(if terms.resolved.named {
                    Unpriced::UnknownModel
                } else {
                    Unpriced::NoModel
                });
            }
            let names = own_names(changes, request);
            let tier_unpriced = is_tier_unpriced(&context, &[], changes);
            return Ok(Self {
                names,
                entry: None,
                variants: Vec::new(),
                changes,
                tier_unpriced,
            });
        };
        let model = catalog.model(&found);
        let standard = model
            .tariff
            .standard(request.at_us)
            .ok_or(Unpriced::NoRate)?;
        // Variants are the terms of the provider that lists them, not of one that falls back on it.
        let own = found.provider == found.owner;
        let variants: Vec<_> = model
            .tariff
            .variants
            .iter()
            .filter(|variant| own && variant.applies(request.at_us, &context))
            .collect();
        let tier_unpriced = is_tier_unpriced(&context, &variants, changes);
        let names = (
            catalog.provider(&found).id.to_string(),
            model.id.to_string(),
        );
        Ok(Self {
            names,
            entry: Some((model, standard)),
            variants,
            changes,
            tier_unpriced,
        })
    }

    /// Writes the lines and their sum on the receipt, or why there are none.
    pub(crate) fn bill(mut self, mut receipt: Receipt) -> Receipt {
        let usage = receipt.usage;
        let mut above = None;
        // Of a sum over calls no single prompt's size is known.
        let prompt = if receipt.flags.contains(Flag::FromMetrics) {
            0
        } else {
            usage.total_input()
        };
        let billed = self.lines(&usage, prompt, &mut above);
        receipt.price = Some(self.row(above));
        if self.tier_unpriced {
            receipt.flags.insert(Flag::TierUnpriced);
        }
        let lines = match billed {
            Ok(lines) => lines,
            Err(why) => return refused(receipt, why),
        };
        let sum: UsdSum = lines.iter().map(|line| line.amount).sum();
        let Ok(cost) = i64::try_from(sum.0) else {
            return refused(receipt, Unpriced::Overflow);
        };
        receipt.lines = lines;
        receipt.cost = Some(Usd(cost));
        receipt
    }

    /// One line per class and unit used; `above` becomes the highest tier threshold that was passed.
    fn lines(
        &self,
        usage: &Usage,
        total_input: u64,
        above: &mut Option<u64>,
    ) -> Result<Vec<Line>, Unpriced> {
        let mut lines = Vec::with_capacity(4);
        let mut add = |unit: Unit, quantity: u64, keys: &[PriceKey]| {
            let quoted = self.rate(keys, total_input).ok_or(Unpriced::NoRate)?;
            *above = (*above).max(quoted.above);
            let per = quoted.key.per();
            let amount = quoted
                .rate
                .amount(quantity, per)
                .ok_or(Unpriced::Overflow)?;
            lines.push(Line {
                unit,
                quantity,
                rate: quoted.rate.pico(),
                per,
                amount,
            });
            Ok(())
        };
        for class in TokenClass::ALL
            .into_iter()
            .filter(|class| usage.get(*class) > 0)
        {
            add(Unit::Tokens(class), usage.get(class), token_keys(class))?;
        }
        for counter in Counter::ALL
            .into_iter()
            .filter(|counter| usage.count(*counter) > 0)
        {
            add(
                Unit::Counter(counter),
                self.billed(counter, usage.count(counter)),
                counter_keys(counter),
            )?;
        }
        if self.rate(&[PriceKey::Requests], total_input).is_some() {
            add(Unit::Request, 1, &[PriceKey::Requests])?;
        }
        Ok(lines)
    }

    /// What one unit costs in the smallest and in the largest prompts.
    pub(crate) fn unit_rate(&self, unit: Unit, keys: &[PriceKey]) -> Option<UnitRate> {
        let (small, large) = (self.rate(keys, 0)?, self.rate(keys, u64::MAX)?);
        Some(UnitRate {
            unit,
            rate: Usd(small.rate.pico()),
            largest: Usd(large.rate.pico()),
            per: small.key.per(),
        })
    }

    /// The first of the keys that has a price.
    fn rate(&self, keys: &[PriceKey], total_input: u64) -> Option<Quoted> {
        let quoted = keys.iter().find_map(|key| self.rate_of(*key, total_input));
        if quoted.is_none() && self.is_free() && keys != [PriceKey::Requests] {
            return keys.last().map(|key| Quoted {
                key: *key,
                rate: Rate::FREE,
                above: None,
            });
        }
        quoted
    }

    /// The catalog's price, where the first variant that names it wins, changed by the overrides
    /// from the lowest to the highest.
    fn rate_of(&self, key: PriceKey, total_input: u64) -> Option<Quoted> {
        let special = self
            .variants
            .iter()
            .find_map(|variant| variant.prices.get(key));
        let listed = special.or_else(|| self.entry?.1.prices.get(key));
        let mut quoted = listed.map(|price| price.at(total_input));
        for change in self.changes.iter().rev() {
            if let Some(price) = change.prices.get(key) {
                quoted = Some(price.at(total_input));
            }
            if let (Some((rate, above)), Some(factor)) = (quoted, change.multiplier.factor(key)) {
                quoted = rate.times(factor).map(|rate| (rate, above));
            }
        }
        quoted.map(|(rate, above)| Quoted { key, rate, above })
    }

    /// An entry without any price says that a model is free only where its name says so too;
    /// otherwise nobody entered the price.
    fn is_free(&self) -> bool {
        self.entry
            .is_some_and(|(model, standard)| standard.prices.empty && model.id.ends_with(":free"))
    }

    fn billed(&self, counter: Counter, quantity: u64) -> u64 {
        let (provider, model) = &self.names;
        let at_least =
            counter == Counter::AudioSeconds && provider == "groq" && model.starts_with("whisper-");
        if at_least {
            quantity.max(GROQ_LEAST_SECONDS)
        } else {
            quantity
        }
    }

    /// The price as a receipt names it; takes the names along.
    pub(crate) fn row(&mut self, above: Option<u64>) -> PriceRow {
        let (provider, model) = std::mem::take(&mut self.names);
        PriceRow {
            provider,
            model,
            condition: self.condition(above),
            since: self.since().map(|day| written(day.date)),
        }
    }

    fn condition(&self, above: Option<u64>) -> String {
        let mut text = String::new();
        let mut add = |parts: &[&str]| {
            match text.is_empty() {
                true => text.reserve(USUAL_CONDITION),
                false => text.push_str(", "),
            }
            text.extend(parts.iter().copied());
        };
        let conditions = self.variants.iter().map(|variant| &variant.when);
        for (key, value) in conditions
            .chain(self.changes.iter().map(|change| &change.when))
            .flatten()
        {
            add(&[key, "=", value]);
        }
        if let Some((
            _,
            Scheduled {
                constraint: Some(Constraint::Daily(window)),
                ..
            },
        )) = self.entry
        {
            add(&[&window.to_string()]);
        }
        if let Some(above) = above {
            add(&["input above ", &grouped(above), " tokens"]);
        }
        if self.is_free() {
            add(&["free"]);
        }
        for source in self
            .changes
            .iter()
            .filter_map(|change| change.source.as_deref())
        {
            add(&[source]);
        }
        text
    }

    fn since(&self) -> Option<Day> {
        let constraints = self.variants.iter().map(|variant| variant.constraint);
        let constraints = constraints.chain(self.entry.map(|(_, standard)| standard.constraint));
        let days = constraints
            .flatten()
            .filter_map(|constraint| constraint.day());
        days.chain(self.changes.iter().filter_map(|change| change.from))
            .max()
    }
}

/// `YYYY-MM-DD`, as `Display` writes it in several times the time, which every call would take.
fn written(date: Date) -> String {
    let digit = |number: u16| char::from(b'0' + (number % 10) as u8);
    let year = date.year().unsigned_abs();
    let mut text = String::with_capacity("YYYY-MM-DD".len());
    text.extend([year / 1000, year / 100, year / 10, year].map(digit));
    for part in [date.month(), date.day()] {
        let part = u16::from(part.unsigned_abs());
        text.push('-');
        text.extend([part / 10, part].map(digit));
    }
    text
}

/// The names of a call that the catalog does not know.
fn own_names(changes: &[&Override], request: &PriceRequest<'_>) -> (String, String) {
    let provider = changes
        .iter()
        .find_map(|change| change.provider.as_deref().map(str::to_owned));
    let provider = provider
        .or_else(|| request.provider.map(canonical))
        .unwrap_or_default();
    let model = request
        .response_model
        .or(request.request_model)
        .unwrap_or_default();
    (provider, model.trim().to_owned())
}

fn is_tier_unpriced(context: &Context<'_>, variants: &[&Variant], changes: &[&Override]) -> bool {
    let special = |value: &str| {
        !STANDARD
            .iter()
            .any(|standard| value.eq_ignore_ascii_case(standard))
    };
    let priced = |key: &str| {
        let conditions = variants
            .iter()
            .map(|variant| &variant.when)
            .chain(changes.iter().map(|change| &change.when));
        conditions.flatten().any(|(own, _)| **own == *key)
    };
    context
        .0
        .iter()
        .any(|(key, value)| value.is_some_and(special) && !priced(key))
}

fn refused(mut receipt: Receipt, why: Unpriced) -> Receipt {
    if why == Unpriced::Overflow {
        receipt.flags.insert(Flag::Overflow);
    }
    unpriced(receipt, why)
}

/// `200000` as `200,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn unpriced(mut receipt: Receipt, why: Unpriced) -> Receipt {
    receipt.lines.clear();
    receipt.cost = None;
    receipt.unpriced = Some(why);
    receipt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_they_display() {
        for (year, month, day) in [(2026, 12, 31), (2024, 2, 9), (999, 1, 1), (0, 10, 10)] {
            let date = jiff::civil::date(year, month, day);
            assert_eq!(written(date), date.to_string());
        }
    }
}
