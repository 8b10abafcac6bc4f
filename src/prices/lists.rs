//! `costflame prices unpriced` and `costflame prices differences`.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use clap::Args;
use costflame_pricing::overrides::Suggestion;
use costflame_store::{
    Store,
    query::{self, Filter},
};

use super::time;
use crate::{database::now_us, project::InProject};

const DAY_US: i64 = 86_400_000_000;

/// Which calls to look at.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// First start of a call: `2026-07-01` or `2026-07-01T12:00:00Z`; 30 days ago if absent
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<i64>,
    /// First start that is not looked at any more; now if absent
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<i64>,
    /// Rows at most
    #[arg(long, value_name = "N", default_value = "100")]
    limit: usize,
    #[command(flatten)]
    project: InProject,
}

impl ListArgs {
    async fn filter(&self, store: &Store) -> Result<Filter> {
        let to_us = self.to.unwrap_or_else(now_us);
        Ok(Filter {
            project: self.project.id(store).await?,
            from_us: self.from.unwrap_or(to_us - 30 * DAY_US),
            to_us,
            clauses: Vec::new(),
        })
    }
}

pub(super) async fn unpriced(store: &Store, args: &ListArgs) -> Result<String> {
    let filter = args.filter(store).await?;
    let mut snapshot = store.snapshot().await?;
    let models = query::unpriced_models(&mut snapshot, &filter, args.limit).await;
    let models = models.context("cannot list the calls without a price")?;
    if models.is_empty() {
        return Ok("every call has a price\n".to_owned());
    }
    let mut out = String::new();
    let mut suggestions = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{:>9} {:>13} {:>13}  {:<14} model",
        "calls", "tokens in", "tokens out", "reason"
    );
    for model in &models {
        let _ = writeln!(
            out,
            "{:>9} {:>13} {:>13}  {:<14} {}",
            model.calls,
            model.input,
            model.output,
            model.reason.name(),
            named(model.provider.as_deref(), model.model.as_deref())
        );
        if model.reason.is_for_an_override() {
            let suggestion = Suggestion {
                provider: model.provider.as_deref(),
                model: model.model.as_deref(),
                units: &model.units,
            };
            let _ = write!(suggestions, "\n{suggestion}");
        }
    }
    if !suggestions.is_empty() {
        let _ = write!(
            out,
            "\nThese in the file that `price_overrides` names, with the rates filled in, would price them:\n{suggestions}"
        );
    }
    Ok(out)
}

pub(super) async fn differences(store: &Store, args: &ListArgs) -> Result<String> {
    let filter = args.filter(store).await?;
    let mut snapshot = store.snapshot().await?;
    let rows = query::cost_differences(&mut snapshot, &filter, args.limit).await;
    let rows = rows.context("cannot list the differences")?;
    if rows.is_empty() {
        return Ok("no reported cost differs from the computed one by more than 1 %\n".to_owned());
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{:>9} {:>20} {:>20}  model, reported by",
        "calls", "computed $", "reported $"
    );
    for row in rows {
        let _ = writeln!(
            out,
            "{:>9} {:>20} {:>20}  {}, {}",
            row.calls,
            row.computed.to_string(),
            row.reported.to_string(),
            named(row.provider.as_deref(), row.model.as_deref()),
            row.emitter
        );
    }
    Ok(out)
}

fn named(provider: Option<&str>, model: Option<&str>) -> String {
    let model = model.unwrap_or("(no model)");
    provider.map_or_else(
        || model.to_owned(),
        |provider| format!("{provider} {model}"),
    )
}
