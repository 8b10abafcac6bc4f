//! Reading overrides from TOML. By hand, since numbers must stay decimals and errors name a line.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Days, Multiplier, Override, OverrideError};
use crate::{
    catalog::{
        names,
        prices::{Day, Price, PriceKey, Prices, Tier, Window},
        source::{clock, day},
    },
    matching::{Literal, Matcher, Pattern},
    rate::{Rate, parse_pico},
};

/// A value and where it stands.
type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// Byte offset and problem; becomes a line at the end.
struct Fault(usize, String);

type Read<T> = Result<T, Fault>;

fn fault<T>(value: Value<'_, '_>, problem: impl Into<String>) -> Read<T> {
    Err(Fault(value.span().start, problem.into()))
}

pub(super) fn read(text: &str) -> Result<Vec<Override>, OverrideError> {
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let root = DeTable::parse(text).map_err(|error| OverrideError {
        line: line(error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    let mut overrides = Vec::new();
    for (key, value) in root.get_ref() {
        let read = match (key.get_ref().as_ref(), value.get_ref()) {
            ("override", DeValue::Array(entries)) => entries.iter().try_for_each(|entry| {
                overrides.push(entry_at(entry, line(entry.span().start))?);
                Ok(())
            }),
            (other, _) => Err(Fault(
                key.span().start,
                format!("{other} is not known; overrides are [[override]]"),
            )),
        };
        read.map_err(|Fault(at, problem)| OverrideError {
            line: line(at),
            problem,
        })?;
    }
    Ok(overrides)
}

fn entry_at(value: Value<'_, '_>, line: usize) -> Read<Override> {
    let mut matcher = None;
    let mut entry = Override {
        line,
        provider: None,
        matcher: Matcher::Or(Vec::new()),
        service: None,
        environment: None,
        when: Vec::new(),
        from: None,
        until: None,
        hours: Vec::new(),
        days: Days::default(),
        alias: None,
        prices: Prices {
            by_key: Vec::new(),
            empty: true,
        },
        multiplier: Multiplier::default(),
        source: None,
    };
    for (key, value) in table(value)? {
        match key {
            "provider" => entry.provider = Some(names::canonical(text(value)?).into()),
            "match" => matcher = Some(rule(value)?),
            "service" => entry.service = Some(text(value)?.into()),
            "environment" => entry.environment = Some(text(value)?.into()),
            "context" => entry.when = context(value)?,
            "from" => entry.from = Some(date(value)?),
            "until" => entry.until = Some(date(value)?),
            "hours" => entry.hours = list(value)?.into_iter().map(hours).collect::<Read<_>>()?,
            "days" => entry.days = days(value)?,
            "alias_of" => entry.alias = Some(alias(value)?),
            "rates" => entry.prices = rates(value)?,
            "multiplier" => entry.multiplier = multiplier(value)?,
            "source" => entry.source = Some(text(value)?.into()),
            other => return fault(value, format!("{other} is not a key of an override")),
        }
    }
    let Some(matcher) = matcher else {
        return fault(value, "an override needs `match`");
    };
    entry.matcher = matcher;
    if entry.alias.is_none() && entry.prices.empty && entry.multiplier == Multiplier::default() {
        return fault(
            value,
            "an override needs `alias_of`, `rates` or `multiplier`",
        );
    }
    Ok(entry)
}

fn table<'a, 'i>(value: Value<'a, 'i>) -> Read<Vec<(&'a str, Value<'a, 'i>)>> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), value))
            .collect()),
        other => fault(
            value,
            format!("a table is expected, not {}", other.type_str()),
        ),
    }
}

fn list<'a, 'i>(value: Value<'a, 'i>) -> Read<Vec<Value<'a, 'i>>> {
    match value.get_ref() {
        DeValue::Array(items) => Ok(items.iter().collect()),
        other => fault(
            value,
            format!("a list is expected, not {}", other.type_str()),
        ),
    }
}

fn text<'a>(value: Value<'a, '_>) -> Read<&'a str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        other => fault(
            value,
            format!("a text is expected, not {}", other.type_str()),
        ),
    }
}

/// A number as it is written, also in quotes.
fn number<'a>(value: Value<'a, '_>) -> Read<&'a str> {
    match value.get_ref() {
        DeValue::Float(number) => Ok(number.as_str()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str()),
        DeValue::String(number) => Ok(number),
        other => fault(
            value,
            format!("a number is expected, not {}", other.type_str()),
        ),
    }
}

fn rule(value: Value<'_, '_>) -> Read<Matcher> {
    let entries = table(value)?;
    let [(operation, argument)] = entries[..] else {
        return fault(value, "a match has one comparison");
    };
    let literal = || text(argument).map(|text| Literal::from(text.to_owned()));
    let rules = || list(argument)?.into_iter().map(rule).collect::<Read<_>>();
    Ok(match operation {
        "and" => Matcher::And(rules()?),
        "or" => Matcher::Or(rules()?),
        "equals" => Matcher::Equals(literal()?),
        "starts_with" => Matcher::StartsWith(literal()?),
        "ends_with" => Matcher::EndsWith(literal()?),
        "contains" => Matcher::Contains(literal()?),
        "regex" => {
            let pattern = Pattern::from(text(argument)?.to_owned());
            pattern
                .check()
                .map_err(|problem| Fault(argument.span().start, problem))?;
            Matcher::Regex(pattern)
        }
        other => return fault(argument, format!("{other} is not a comparison")),
    })
}

fn context(value: Value<'_, '_>) -> Read<Vec<(Box<str>, Box<str>)>> {
    let pair = |(key, value): (&str, Value<'_, '_>)| match key {
        "service_tier" | "processing" | "speed" => Ok((Box::from(key), Box::from(text(value)?))),
        other => fault(
            value,
            format!("{other} is not a context; service_tier, processing and speed are"),
        ),
    };
    table(value)?.into_iter().map(pair).collect()
}

fn date(value: Value<'_, '_>) -> Read<Day> {
    let text = match value.get_ref() {
        DeValue::Datetime(date) => date.to_string(),
        _ => text(value)?.to_owned(),
    };
    day(&text).or_else(|problem| fault(value, problem))
}

fn hours(value: Value<'_, '_>) -> Read<Window> {
    let read = || {
        let (from, until) = text(value).ok()?.split_once('-')?;
        Some(Window {
            from_us: clock(from.trim())?,
            until_us: clock(until.trim())?,
        })
    };
    read().map_or_else(|| fault(value, "hours are written as \"01:00-04:00\""), Ok)
}

fn days(value: Value<'_, '_>) -> Read<Days> {
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let mut days = Days::default();
    for value in list(value)? {
        let name = text(value)?;
        match names.iter().position(|own| *own == name) {
            Some(at) => days.0 |= 1 << at,
            None => {
                return fault(
                    value,
                    format!("{name} is not a day; {} are", names.join(", ")),
                );
            }
        }
    }
    Ok(days)
}

fn alias(value: Value<'_, '_>) -> Read<(Box<str>, Box<str>)> {
    match text(value)?.split_once('/') {
        Some((provider, model)) if !model.is_empty() => {
            Ok((names::canonical(provider).into(), model.into()))
        }
        _ => fault(value, "an alias is written as \"provider/model\""),
    }
}

fn key_of(name: &str, value: Value<'_, '_>) -> Read<PriceKey> {
    PriceKey::from_name(name).map_or_else(|| fault(value, format!("{name} is not a price")), Ok)
}

fn rates(value: Value<'_, '_>) -> Read<Prices> {
    let priced = |(name, value): (&str, Value<'_, '_>)| Ok((key_of(name, value)?, price(value)?));
    let by_key: Vec<_> = table(value)?.into_iter().map(priced).collect::<Read<_>>()?;
    Ok(Prices {
        empty: by_key.is_empty(),
        by_key,
    })
}

fn price(value: Value<'_, '_>) -> Read<Price> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return rate(value).map(Price::flat);
    }
    let (mut base, mut tiers) = (None, Vec::new());
    for (key, value) in table(value)? {
        match key {
            "base" => base = Some(rate(value)?),
            "tiers" => tiers = list(value)?.into_iter().map(tier).collect::<Read<_>>()?,
            other => {
                return fault(
                    value,
                    format!("{other} is not a key of a price; base and tiers are"),
                );
            }
        }
    }
    tiers.sort_by_key(|tier: &Tier| tier.above);
    let Some(base) = base else {
        return fault(value, "a price with tiers needs `base`");
    };
    Ok(Price {
        base,
        tiers: tiers.into_boxed_slice(),
    })
}

fn tier(value: Value<'_, '_>) -> Read<Tier> {
    let (mut above, mut price) = (None, None);
    for (key, value) in table(value)? {
        match key {
            "start" => above = number(value)?.replace('_', "").parse().ok(),
            "price" => price = Some(rate(value)?),
            other => {
                return fault(
                    value,
                    format!("{other} is not a key of a tier; start and price are"),
                );
            }
        }
    }
    match (above, price) {
        (Some(above), Some(rate)) => Ok(Tier { above, rate }),
        _ => fault(
            value,
            "a tier needs `start`, a number of tokens, and `price`",
        ),
    }
}

fn rate(value: Value<'_, '_>) -> Read<Rate> {
    let text = number(value)?.replace('_', "");
    Rate::parse(&text).map_or_else(
        || fault(value, format!("{text} is no price in dollars")),
        Ok,
    )
}

fn multiplier(value: Value<'_, '_>) -> Read<Multiplier> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return Ok(Multiplier {
            all: Some(factor(value)?),
            by_key: Vec::new(),
        });
    }
    let scaled = |(name, value): (&str, Value<'_, '_>)| Ok((key_of(name, value)?, factor(value)?));
    Ok(Multiplier {
        all: None,
        by_key: table(value)?.into_iter().map(scaled).collect::<Read<_>>()?,
    })
}

fn factor(value: Value<'_, '_>) -> Read<i64> {
    let text = number(value)?.replace('_', "");
    let factor = parse_pico(&text).filter(|factor| *factor >= 0);
    factor.map_or_else(|| fault(value, format!("{text} is no factor")), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key_and_keeps_decimals() {
        let entries = read(
            r#"
            [[override]]
            provider = "Azure-OpenAI"
            match = { or = [{ equals = "Prod" }, { regex = "^x" }] }
            context = { service_tier = "flex" }
            from = 2026-07-01
            until = "2027-01-01"
            hours = ["22:30-02:00"]
            days = ["sat", "sun"]
            alias_of = "openai/gpt-4o"
            multiplier = 0.85
            rates = { input_mtok = 0.123456789012, output_mtok = { base = "1", tiers = [{ start = 200_000, price = 2 }] } }
            source = "https://example.com"
            "#,
        );
        let entries = entries.unwrap_or_else(|error| panic!("{error}"));
        let entry = &entries[0];
        assert_eq!((entry.line, entry.provider.as_deref()), (2, Some("azure")));
        assert!(entry.matcher.matches("prod") && entry.matcher.matches("x1"));
        assert_eq!(
            (entry.days, entry.multiplier.all),
            (Days(0b110_0000), Some(850_000_000_000))
        );
        assert_eq!(
            entry
                .prices
                .get(PriceKey::Input)
                .map(|price| price.base.pico()),
            Some(123_456_789_012)
        );
        let output = entry.prices.get(PriceKey::Output).unwrap();
        assert_eq!(
            output.at(200_001),
            (Rate::parse("2").unwrap(), Some(200_000))
        );
        let saturday_night = day("2026-07-04").unwrap().start_us + 23 * 3_600_000_000;
        assert!(entry.holds(saturday_night) && !entry.holds(saturday_night - 3_600_000_000));
        assert!(!entry.holds(saturday_night + 24 * 3_600_000_000 + 2 * 3_600_000_000));
        assert!(!entry.holds(day("2027-01-01").unwrap().start_us));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |entry: &str| {
            read(&format!(
                "[[override]]\nmatch = {{ equals = \"m\" }}\n{entry}\n"
            ))
            .unwrap_err()
        };
        for (entry, line, part) in [
            ("rate = 1", 3, "rate is not a key"),
            ("rates = { input = 1 }", 3, "input is not a price"),
            ("rates = { input_mtok = -1 }", 3, "no price"),
            ("rates = { input_mtok = true }", 3, "a number"),
            ("multiplier = \"half\"", 3, "no factor"),
            ("\nhours = [\"1\"]", 4, "01:00-04:00"),
            ("days = [\"someday\"]", 3, "not a day"),
            ("alias_of = \"gpt-4o\"", 3, "provider/model"),
            ("context = { mood = \"good\" }", 3, "not a context"),
            ("from = \"soon\"", 3, "no day"),
            ("x = ", 3, ""),
            ("", 1, "needs `alias_of`"),
        ] {
            let error = error(entry);
            assert!(
                error.line == line && error.problem.contains(part),
                "{entry:?}: {error}"
            );
        }
        assert_eq!(read("[prices]\na = 1").unwrap_err().line, 1);
        assert!(
            read("[[override]]\nrates = { input_mtok = 1 }")
                .unwrap_err()
                .problem
                .contains("match")
        );
        assert!(
            read("[[override]]\nmatch = { regex = \"(\" }\nmultiplier = 1")
                .unwrap_err()
                .line
                == 2
        );
        assert!(read("").unwrap().is_empty());
    }
}
