//! The filter grammar.
//!
//! `key=value` and `key!=value`, repeated: values of one key are joined by "or" (for `!=` by "and
//! not"), different keys by "and". An empty value stands for an absent one: `feature=` is every call
//! without a feature, `feature!=` every call with one. `from` and `to` are RFC 3339 or epoch
//! milliseconds, half-open.

use costflame_pricing::{Flag, Unpriced};
use costflame_profile::PathId;
use costflame_store::query::{Clause, Column, Dimension, Filter, OneOf};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    hex,
    params::{Invalid, Params},
};

/// The range when the request names none.
const DEFAULT_DAYS: i64 = 30;

/// A key of filters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Dimension(Dimension),
    Status,
    Counted,
    Flag,
    Unpriced,
    System,
}

const COLUMNS: [(&str, Column); 10] = [
    ("model", Column::Model),
    ("provider", Column::Provider),
    ("service", Column::Service),
    ("environment", Column::Environment),
    ("feature", Column::Feature),
    ("agent", Column::Agent),
    ("operation", Column::Operation),
    ("user", Column::User),
    ("session", Column::Session),
    ("prompt", Column::Prompt),
];

/// The dimension of a name, as in `by=`, `key=` and filters; `tag.KEY` is any tag.
#[must_use]
pub fn dimension(name: &str) -> Option<Dimension> {
    match name {
        "tool" => return Some(Dimension::Tool),
        "path" => return Some(Dimension::Path),
        _ => {}
    }
    if let Some(tag) = name.strip_prefix("tag.") {
        return (!tag.is_empty()).then(|| Dimension::Column(Column::Tag(tag.to_owned())));
    }
    let (_, column) = COLUMNS.iter().find(|(known, _)| *known == name)?;
    Some(Dimension::Column(column.clone()))
}

/// The name of a dimension, the reverse of [`dimension`].
#[must_use]
pub fn dimension_name(dimension: &Dimension) -> String {
    match dimension {
        Dimension::Tool => "tool".to_owned(),
        Dimension::Path => "path".to_owned(),
        Dimension::Column(Column::Tag(key)) => format!("tag.{key}"),
        Dimension::Column(column) => {
            let known = COLUMNS.iter().find(|(_, known)| known == column);
            known
                .map(|(name, _)| (*name).to_owned())
                .unwrap_or_default()
        }
    }
}

fn key(name: &str) -> Option<Key> {
    Some(match name {
        "status" => Key::Status,
        "counted" => Key::Counted,
        "flag" => Key::Flag,
        "unpriced" => Key::Unpriced,
        "fingerprint" => Key::System,
        _ => Key::Dimension(dimension(name)?),
    })
}

/// What a request asks about.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The calls.
    pub filter: Filter,
    /// True when the request named neither `from` nor `to`, so the range moves with the clock.
    pub default_range: bool,
    /// For calendar buckets.
    pub tz: TimeZone,
    /// The time zone's name as asked for; `UTC` when absent.
    pub tz_name: String,
}

/// Takes the range, the time zone and all filters.
///
/// # Errors
/// Names the parameter that cannot be understood.
pub fn selection(params: &mut Params, now: Timestamp) -> Result<Selection, Invalid> {
    let (from_us, to_us, default_range) = span(params, now)?;
    let tz_name = params.take("tz")?.unwrap_or_else(|| "UTC".to_owned());
    let tz = TimeZone::get(&tz_name)
        .map_err(|_| Invalid::new("tz", "It must be an IANA time zone such as Europe/Berlin."))?;
    let filter = Filter {
        project: params.project(),
        from_us,
        to_us,
        clauses: clauses(params)?,
    };
    Ok(Selection {
        filter,
        default_range,
        tz,
        tz_name,
    })
}

/// Takes the range alone: its ends in microseconds, and whether it is the usual one because none was named.
///
/// # Errors
/// Names the parameter that cannot be understood.
pub fn span(params: &mut Params, now: Timestamp) -> Result<(i64, i64, bool), Invalid> {
    let (from, to) = (params.take("from")?, params.take("to")?);
    let default_range = from.is_none() && to.is_none();
    let (from_us, to_us) = range(("from", from), ("to", to), now)?;
    Ok((from_us, to_us, default_range))
}

/// The other side of a comparison: the same calls but for what `base_from`, `base_to` and
/// `base.KEY` replace. `None` when the request compares nothing.
///
/// # Errors
/// Names the parameter that cannot be understood.
pub fn base_selection(
    params: &mut Params,
    selection: &Selection,
    now: Timestamp,
) -> Result<Option<Filter>, Invalid> {
    let (from, to) = (params.take("base_from")?, params.take("base_to")?);
    let prefixed = |invalid: Invalid| Invalid {
        field: format!("base.{}", invalid.field),
        ..invalid
    };
    let mut replaced = params.split_prefix("base.");
    if from.is_none() && to.is_none() && replaced.is_empty() {
        return Ok(None);
    }
    let mut base = selection.filter.clone();
    match (from, to) {
        (None, None) => {}
        (Some(from), Some(to)) => {
            (base.from_us, base.to_us) =
                range(("base_from", Some(from)), ("base_to", Some(to)), now)?;
        }
        (None, Some(_)) => return Err(Invalid::new("base_from", "base_to needs it.")),
        (Some(_), None) => return Err(Invalid::new("base_to", "base_from needs it.")),
    }
    let clauses = clauses(&mut replaced).map_err(prefixed)?;
    replaced.finish().map_err(prefixed)?;
    for clause in clauses {
        base.clauses.retain(|old| !same_key(old, &clause));
        base.clauses.push(clause);
    }
    Ok(Some(base))
}

fn same_key(one: &Clause, other: &Clause) -> bool {
    match (one, other) {
        (Clause::Column(one, _), Clause::Column(other, _)) => one == other,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

type Named<'a> = (&'a str, Option<String>);

fn range(from: Named<'_>, to: Named<'_>, now: Timestamp) -> Result<(i64, i64), Invalid> {
    let (from_name, to_name) = (from.0, to.0);
    let to_us =
        to.1.map_or(Ok(now.as_microsecond()), |text| time(to_name, &text))?;
    let default_from = to_us.saturating_sub(DEFAULT_DAYS * 86_400_000_000);
    let from_us = from
        .1
        .map_or(Ok(default_from), |text| time(from_name, &text))?;
    if from_us >= to_us {
        return Err(Invalid::new(
            to_name,
            format!("It must be after {from_name}."),
        ));
    }
    Ok((from_us, to_us))
}

/// Microseconds since 1970 UTC, rounded up: a time is in `[from, to)` exactly if its microseconds are.
fn time(field: &str, text: &str) -> Result<i64, Invalid> {
    let invalid = || {
        Invalid::new(
            field,
            "It must be RFC 3339 (2026-11-22T22:49:12Z) or epoch milliseconds.",
        )
    };
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Timestamp::from_millisecond(milliseconds)
            .map(Timestamp::as_microsecond)
            .map_err(|_| invalid());
    }
    // An unescaped + of a numeric offset arrives as a space.
    let time: Timestamp = text
        .parse()
        .or_else(|_| text.replace(' ', "+").parse())
        .map_err(|_| invalid())?;
    let floor = time.as_microsecond();
    Ok(
        if Timestamp::from_microsecond(floor).is_ok_and(|floor| floor < time) {
            floor + 1
        } else {
            floor
        },
    )
}

/// Conditions of one key as written: (wanted, unwanted).
#[derive(Default)]
struct Written {
    any: Vec<String>,
    none: Vec<String>,
}

fn clauses(params: &mut Params) -> Result<Vec<Clause>, Invalid> {
    let mut keys: Vec<(String, Key, Written)> = Vec::new();
    params.take_all(|name, value| {
        let (bare, negated) = match name.strip_suffix('!') {
            Some(bare) => (bare, true),
            None => (name, false),
        };
        // A tag's own name may end in "!": `tag.x!=1` is then read as "tag.x is not 1".
        let Some(key) = key(bare) else { return false };
        let place = keys
            .iter()
            .position(|(_, known, _)| *known == key)
            .unwrap_or_else(|| {
                keys.push((bare.to_owned(), key, Written::default()));
                keys.len() - 1
            });
        let written = &mut keys[place].2;
        let values = if negated {
            &mut written.none
        } else {
            &mut written.any
        };
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
        true
    });
    keys.into_iter()
        .map(|(name, key, written)| clause(&name, key, &written))
        .collect()
}

fn clause(name: &str, key: Key, written: &Written) -> Result<Clause, Invalid> {
    Ok(match key {
        Key::Dimension(Dimension::Column(column)) => Clause::Column(column, one_of(written, text)?),
        Key::Dimension(Dimension::Tool) => Clause::Tool(one_of(written, text)?),
        Key::Dimension(Dimension::Path) => {
            Clause::Path(one_of(written, |value| path(name, value))?)
        }
        Key::Status => Clause::Failed(one_of(written, |value| {
            word(name, value, &[("error", true), ("ok", false)])
        })?),
        Key::Counted => Clause::Counted(one_of(written, |value| {
            word(name, value, &[("true", true), ("false", false)])
        })?),
        Key::Flag => {
            let words = Flag::ALL.map(|flag| (flag.name(), flag));
            Clause::Flag(one_of(written, |value| {
                optional(value, |value| word(name, value, &words))
            })?)
        }
        Key::Unpriced => {
            let words = UNPRICED.map(|reason| (reason.name(), reason));
            Clause::Unpriced(one_of(written, |value| {
                optional(value, |value| word(name, value, &words))
            })?)
        }
        Key::System => Clause::System(one_of(written, |value| {
            optional(value, |value| fingerprint(name, value))
        })?),
    })
}

/// Every reason for a missing price.
const UNPRICED: [Unpriced; 5] = [
    Unpriced::NoUsage,
    Unpriced::NoModel,
    Unpriced::UnknownModel,
    Unpriced::NoRate,
    Unpriced::Overflow,
];

fn one_of<T>(
    written: &Written,
    read: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<OneOf<T>, Invalid> {
    let all = |values: &[String]| {
        values
            .iter()
            .map(|value| read(value))
            .collect::<Result<Vec<T>, _>>()
    };
    Ok(OneOf {
        any: all(&written.any)?,
        none: all(&written.none)?,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of the other readers")]
fn text(value: &str) -> Result<Option<String>, Invalid> {
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

fn optional<T>(
    value: &str,
    read: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    if value.is_empty() {
        Ok(None)
    } else {
        read(value).map(Some)
    }
}

fn path(field: &str, value: &str) -> Result<PathId, Invalid> {
    hex::read(value)
        .map(PathId)
        .ok_or_else(|| Invalid::new(field, "It must be a path id: 32 hex digits."))
}

fn fingerprint(field: &str, value: &str) -> Result<i64, Invalid> {
    hex::read(value)
        .map(i64::from_be_bytes)
        .ok_or_else(|| Invalid::new(field, "It must be a fingerprint: 16 hex digits."))
}

fn word<T: Copy>(field: &str, value: &str, words: &[(&str, T)]) -> Result<T, Invalid> {
    let found = words.iter().find(|(word, _)| *word == value);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Invalid::new(field, format!("It must be one of {}.", words.join(", ")))
    })
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
