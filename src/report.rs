//! `costflame report` and `costflame diff`: the API's figures in a terminal, for people and for CI.

mod api;
mod tables;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use api::{Api, Query};

use crate::https::Trust;

/// A week.
const USUAL: Duration = Duration::from_secs(7 * 86_400);

/// Exit code of a difference above its limit.
const TOO_MUCH: u8 = 2;

/// Whom to ask, and about what.
#[derive(Clone, Debug, Args)]
struct Question {
    /// The running costflame's address for its UI and API
    #[arg(
        long,
        value_name = "URL",
        env = "COSTFLAME_URL",
        default_value = "http://127.0.0.1:4319"
    )]
    url: String,

    /// An API key for reading, where the server asks for one
    #[arg(
        long,
        value_name = "KEY",
        env = "COSTFLAME_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,

    #[command(flatten)]
    trust: Trust,

    /// How far back, ending now: `24h`, `7d`, `4weeks`
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with_all = ["from", "to"])]
    last: Option<Duration>,

    /// First moment: `2026-11-01T00:00:00Z`; a week before the end if absent
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// First moment after the range; now if absent
    #[arg(long, value_name = "TIME")]
    to: Option<String>,

    /// Only calls with this: `service=agents`, `model!=gpt-4o`, `tag.team=search`; may be repeated
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = key_value)]
    filters: Vec<(String, String)>,

    /// Rows of each table
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,

    /// Write JSON, as the API answers
    #[arg(long)]
    json: bool,
}

impl Question {
    fn api(&self) -> Result<Api> {
        Api::new(&self.url, self.api_key.clone(), &self.trust)
    }
}

/// What was spent, and by whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportConfig {
    #[command(flatten)]
    question: Question,

    /// Sums by these: model, provider, service, environment, feature, user, session, agent, tool, prompt, path, tag.KEY
    #[arg(long, value_name = "DIMENSION", value_delimiter = ',', default_values = ["model", "service", "path"])]
    by: Vec<String>,
}

/// What changed against another range or another filter.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiffConfig {
    #[command(flatten)]
    question: Question,

    /// First moment of the range to compare with; without any base, as long a range just before
    #[arg(long, value_name = "TIME", requires = "base_to")]
    base_from: Option<String>,

    /// First moment after the range to compare with
    #[arg(long, value_name = "TIME", requires = "base_from")]
    base_to: Option<String>,

    /// Compare with other calls of the same range: `tag.release=41` against `--filter tag.release=42`; may be repeated
    #[arg(long = "base", value_name = "KEY=VALUE", value_parser = key_value)]
    bases: Vec<(String, String)>,

    /// What grew and shrank by these
    #[arg(long, value_name = "DIMENSION", value_delimiter = ',', default_values = ["path", "model"])]
    by: Vec<String>,

    /// Exit with code 2 when the cost grew by more: `5%`
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_above: Option<f64>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=VALUE or KEY!=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent.is_finite() && percent >= 0.0 => Ok(percent / 100.0),
        _ => Err("write a percentage of 0 or more, such as 5%".to_owned()),
    }
}

/// Prints the report.
pub(crate) fn report(config: &ReportConfig) -> Result<()> {
    let api = config.question.api()?;
    let range = config.question.range()?;
    let query = config.question.query(&range);
    let summary = api.get("summary", &query)?;
    let mut breakdowns = Vec::new();
    for by in &config.by {
        let query = query
            .with("by", by)
            .with("limit", &config.question.limit.to_string());
        breakdowns.push(api.get("breakdown", &query)?);
    }
    if config.question.json {
        return print_json(&json!({ "summary": summary, "breakdowns": breakdowns }));
    }
    tables::print(&tables::summary(&range.shown(), &summary));
    for breakdown in &breakdowns {
        tables::print(&tables::breakdown(breakdown));
    }
    Ok(())
}

/// Prints the difference; code 2 when it is above the limit.
pub(crate) fn diff(config: &DiffConfig) -> Result<ExitCode> {
    let api = config.question.api()?;
    let range = config.question.range()?;
    let mut query = config.question.query(&range);
    let base = match (&config.base_from, &config.base_to) {
        (Some(from), Some(to)) => Some((from.clone(), to.clone())),
        _ if config.bases.is_empty() => Some(range.before()?),
        _ => None,
    };
    if let Some((from, to)) = &base {
        query = query.with("base_from", from).with("base_to", to);
    }
    for (key, value) in &config.bases {
        query = query.with(&format!("base.{key}"), value);
    }
    let mut movers = Vec::new();
    for by in &config.by {
        let query = query
            .with("by", by)
            .with("limit", &config.question.limit.to_string());
        movers.push(api.get("movers", &query)?);
    }
    let total = movers.first().context("--by names no dimension")?["total"].clone();
    let why = api.get("why", &query)?;
    if config.question.json {
        print_json(&json!({ "total": total, "why": why, "movers": movers }))?;
    } else {
        tables::print(&tables::difference(
            &range.shown(),
            base.as_ref(),
            &config.bases,
            &total,
        ));
        tables::print(&tables::why(&why));
        for movers in &movers {
            tables::print(&tables::movers(movers));
        }
    }
    let limit = config.fail_above.filter(|limit| is_above(&total, *limit));
    Ok(limit.map_or(ExitCode::SUCCESS, |_| ExitCode::from(TOO_MUCH)))
}

/// True when the cost grew by more than this part of what it was. Anything is more than nothing.
fn is_above(total: &Value, limit: f64) -> bool {
    match total["growth"].as_f64() {
        Some(growth) => growth > limit,
        None => total["cost_usd"] != total["base_cost_usd"],
    }
}

#[expect(clippy::print_stdout, reason = "a report talks to a terminal")]
fn print_json(value: &Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A half-open range, as the API takes it.
struct Range {
    from: String,
    to: String,
}

impl Question {
    fn range(&self) -> Result<Range> {
        let now = SystemTime::now();
        let text = |time: SystemTime| humantime::format_rfc3339_seconds(time).to_string();
        let to = self.to.clone().unwrap_or_else(|| text(now));
        let from = match &self.from {
            Some(from) => from.clone(),
            None => {
                let end = moment(&to)?;
                let length = self.last.unwrap_or(USUAL);
                let start = end
                    .checked_sub(length)
                    .context("--last goes back too far")?;
                text(start)
            }
        };
        Ok(Range { from, to })
    }

    fn query(&self, range: &Range) -> Query {
        let mut query = Query::default()
            .with("from", &range.from)
            .with("to", &range.to);
        for (key, value) in &self.filters {
            query = query.with(key, value);
        }
        query
    }
}

impl Range {
    fn shown(&self) -> String {
        format!("{} to {}", self.from, self.to)
    }

    /// As long a range that ends where this one begins.
    fn before(&self) -> Result<(String, String)> {
        let (from, to) = (moment(&self.from)?, moment(&self.to)?);
        let Ok(length) = to.duration_since(from) else {
            bail!("--to is before --from");
        };
        let start = from.checked_sub(length).context("the range is too long")?;
        let start = humantime::format_rfc3339_seconds(start).to_string();
        Ok((start, self.from.clone()))
    }
}

/// A time as written by people: RFC 3339, or milliseconds since 1970.
fn moment(text: &str) -> Result<SystemTime> {
    if let Ok(milliseconds) = text.parse::<u64>() {
        return Ok(UNIX_EPOCH + Duration::from_millis(milliseconds));
    }
    humantime::parse_rfc3339_weak(text)
        .with_context(|| format!("`{text}` is no time: write 2026-11-01T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_above_the_limit_fails_and_anything_is_more_than_nothing() {
        let total = |growth: Value, now: &str| json!({ "growth": growth, "cost_usd": now, "base_cost_usd": "0" });
        assert!(is_above(&total(json!(0.051), "2"), 0.05));
        assert!(!is_above(&total(json!(0.05), "2"), 0.05));
        assert!(!is_above(&total(json!(-0.5), "2"), 0.0));
        assert!(is_above(&total(Value::Null, "2"), 10.0));
        assert!(!is_above(&total(Value::Null, "0"), 0.0));
    }

    #[test]
    fn the_base_of_a_range_is_as_long_and_just_before() {
        let range = Range {
            from: "2026-11-08T00:00:00Z".to_owned(),
            to: "1795132800000".to_owned(),
        };
        assert_eq!(
            range.before().unwrap(),
            ("2026-10-27T00:00:00Z".to_owned(), range.from.clone())
        );
    }

    #[test]
    fn percentages_and_filters_are_read() {
        assert_eq!(percent("5%"), Ok(0.05));
        assert_eq!(percent("12.5"), Ok(0.125));
        assert!(percent("-1%").is_err() && percent("much").is_err() && percent("NaN").is_err());
        assert_eq!(
            key_value("model!=a=b"),
            Ok(("model!".to_owned(), "a=b".to_owned()))
        );
        assert!(key_value("model").is_err());
    }
}
