//! Pricing one call: usage × the rates in force = a receipt.

use std::fmt::Write as _;

use crate::{
    Catalog, Counter, Flag, Line, Normal, PriceRow, Receipt, TokenClass, Unpriced, Usage, Usd,
    UsdSum,
    catalog::{
        Found, Model,
        prices::{Constraint, Day, PriceKey, Scheduled, Variant, counter_keys, token_keys},
    },
    rate::Rate,
    receipt::Unit,
};

/// What a span says about whom to pay for a call. Every text as reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriceRequest<'a> {
    /// `gen_ai.provider.name` or its older spellings.
    pub provider: Option<&'a str>,
    /// `server.address`; tells the provider when its name is missing or unknown.
    pub server_address: Option<&'a str>,
    /// The model that answered; asked for first.
    pub response_model: Option<&'a str>,
    /// The model that was asked for.
    pub request_model: Option<&'a str>,
    /// Start of the span, microseconds since 1970 UTC: providers bill the price at the request.
    pub at_us: i64,
    /// The service tier of the response: `flex`, `priority`, …
    pub service_tier: Option<&'a str>,
    /// `batch` for batch processing.
    pub processing: Option<&'a str>,
    /// `fast` for a premium speed.
    pub speed: Option<&'a str>,
    /// The cost that the span itself reports.
    pub reported_cost: Option<Usd>,
}

impl<'a> PriceRequest<'a> {
    /// The keys that price variants ask for. Anthropic reports batches as a service tier.
    fn context(&self) -> [(&'static str, Option<&'a str>); 3] {
        let is_batch = self
            .service_tier
            .is_some_and(|tier| tier.eq_ignore_ascii_case("batch"));
        let (tier, processing) = if is_batch {
            (None, Some("batch"))
        } else {
            (self.service_tier, self.processing)
        };
        [
            ("service_tier", tier),
            ("processing", processing),
            ("speed", self.speed),
        ]
    }
}

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

impl Catalog {
    /// Prices one call. Never fails: what has no price says why, see [`Unpriced`].
    ///
    /// `normal` is `None` for a call without usage. The receipt's lines add up to its cost.
    #[must_use]
    pub fn price(&self, request: &PriceRequest<'_>, normal: Option<&Normal>) -> Receipt {
        let mut receipt = Receipt {
            catalog: self.id(),
            reported: request.reported_cost,
            ..Receipt::default()
        };
        let Some(normal) = normal else {
            return unpriced(receipt, Unpriced::NoUsage);
        };
        receipt.usage = normal.usage;
        receipt.accounting = normal.accounting;
        receipt.flags = normal.flags;
        // Emitters write 0 for a price they do not know.
        receipt.reported = receipt
            .reported
            .filter(|cost| cost.0 != 0 || normal.usage.total() == 0);

        let resolved = self.resolve(request);
        receipt.flags = receipt.flags.union(resolved.flags);
        let Some(found) = resolved.found else {
            return unpriced(
                receipt,
                if resolved.named {
                    Unpriced::UnknownModel
                } else {
                    Unpriced::NoModel
                },
            );
        };
        let Some(quote) = Quote::new(self, &found, request) else {
            return unpriced(receipt, Unpriced::NoRate);
        };
        quote.bill(receipt)
    }
}

fn unpriced(mut receipt: Receipt, why: Unpriced) -> Receipt {
    receipt.lines.clear();
    receipt.cost = None;
    receipt.unpriced = Some(why);
    receipt
}

/// The prices in force for one request.
struct Quote<'a> {
    provider: &'a str,
    model: &'a Model,
    standard: &'a Scheduled,
    variants: Vec<&'a Variant>,
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
    fn new(catalog: &'a Catalog, found: &Found, request: &PriceRequest<'_>) -> Option<Self> {
        let model = catalog.model(found);
        let standard = model.tariff.standard(request.at_us)?;
        let context = request.context();
        let value = |wanted: &str| {
            context
                .iter()
                .find(|(key, _)| *key == wanted)
                .and_then(|(_, value)| *value)
        };
        // Variants are the terms of the provider that lists them, not of one that falls back on it.
        let own = found.provider == found.owner;
        let variants: Vec<_> = model
            .tariff
            .variants
            .iter()
            .filter(|variant| own && variant.applies(request.at_us, value))
            .collect();
        let priced = |key: &str| {
            variants
                .iter()
                .any(|variant| variant.when.iter().any(|(when, _)| **when == *key))
        };
        let special = |value: &str| {
            !STANDARD
                .iter()
                .any(|standard| value.eq_ignore_ascii_case(standard))
        };
        let tier_unpriced = context
            .iter()
            .any(|(key, value)| value.is_some_and(special) && !priced(key));
        Some(Self {
            provider: &catalog.provider(found).id,
            model,
            standard,
            variants,
            tier_unpriced,
        })
    }

    fn bill(&self, mut receipt: Receipt) -> Receipt {
        let usage = receipt.usage;
        let mut above = None;
        let billed = self.lines(&usage, &mut above);
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
    fn lines(&self, usage: &Usage, above: &mut Option<u64>) -> Result<Vec<Line>, Unpriced> {
        let total_input = usage.total_input();
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

    /// The first of the keys that has a price; the first variant that names it wins.
    fn rate(&self, keys: &[PriceKey], total_input: u64) -> Option<Quoted> {
        let priced = |key: PriceKey| {
            let special = self
                .variants
                .iter()
                .find_map(|variant| variant.prices.get(key));
            let (rate, above) = special
                .or_else(|| self.standard.prices.get(key))?
                .at(total_input);
            Some(Quoted { key, rate, above })
        };
        let quoted = keys.iter().copied().find_map(priced);
        if quoted.is_none() && self.is_free() && keys != [PriceKey::Requests] {
            return keys.last().map(|key| Quoted {
                key: *key,
                rate: Rate::FREE,
                above: None,
            });
        }
        quoted
    }

    /// An entry without any price says that a model is free only where its name says so too;
    /// otherwise nobody entered the price.
    fn is_free(&self) -> bool {
        self.standard.prices.empty && self.model.id.ends_with(":free")
    }

    fn billed(&self, counter: Counter, quantity: u64) -> u64 {
        let at_least = counter == Counter::AudioSeconds
            && self.provider == "groq"
            && self.model.id.starts_with("whisper-");
        if at_least {
            quantity.max(GROQ_LEAST_SECONDS)
        } else {
            quantity
        }
    }

    fn row(&self, above: Option<u64>) -> PriceRow {
        PriceRow {
            provider: self.provider.to_owned(),
            model: self.model.id.to_string(),
            condition: self.condition(above),
            since: self.since().map(|day| day.date.to_string()),
        }
    }

    fn condition(&self, above: Option<u64>) -> String {
        let mut text = String::new();
        let mut add = |part: std::fmt::Arguments<'_>| {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{part}");
        };
        for (key, value) in self.variants.iter().flat_map(|variant| &variant.when) {
            add(format_args!("{key}={value}"));
        }
        if let Some(Constraint::Daily(window)) = self.standard.constraint {
            add(format_args!("{window}"));
        }
        if let Some(above) = above {
            add(format_args!("input above {} tokens", grouped(above)));
        }
        if self.is_free() {
            add(format_args!("free"));
        }
        text
    }

    fn since(&self) -> Option<Day> {
        let constraints = self
            .variants
            .iter()
            .map(|variant| variant.constraint)
            .chain([self.standard.constraint]);
        constraints
            .flatten()
            .filter_map(|constraint| constraint.day())
            .max()
    }
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
