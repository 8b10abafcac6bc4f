//! `costflame reprice`: stored calls priced anew, the difference shown first.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use clap::Args;
use costflame_pricing::UsdSum;
use costflame_store::{ModelTotals, Repricing, RepricingState, Store, Totals};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    audit,
    config::CostSource,
    database::{Database, now_us},
    prices::{PriceSettings, Prices, time},
    project::InProject,
};

/// Attempts of a step before the command gives up; it may be run again.
const ATTEMPTS: u32 = 5;

/// Which calls to price again, and by what.
#[derive(Clone, Debug, Args)]
pub(crate) struct RepriceConfig {
    /// First start of a call: `2026-07-01` or `2026-07-01T12:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: i64,

    /// First start that stays as it is
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: i64,

    #[command(flatten)]
    project: InProject,

    /// Show old and new totals by model, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    database: Database,

    /// Prices of your own, as `serve` takes them
    #[arg(long, env = "COSTFLAME_PRICE_OVERRIDES", value_name = "FILE")]
    price_overrides: Option<std::path::PathBuf>,

    /// Which cost counts, as `serve` takes it
    #[arg(
        long,
        env = "COSTFLAME_COST_SOURCE",
        value_name = "SOURCE",
        default_value = "computed"
    )]
    cost_source: CostSource,
}

/// Shows what changes, then changes it.
pub(crate) fn run(config: &RepriceConfig) -> Result<()> {
    if config.from >= config.to {
        bail!("--from must be before --to");
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(reprice(config))
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
async fn reprice(config: &RepriceConfig) -> Result<()> {
    let store = config.database.open().await?;
    let settings = PriceSettings {
        overrides: config.price_overrides.clone(),
        counted: config.cost_source.into(),
    };
    let prices = Prices::in_force(Some(&store), &settings).await?;
    let project = config.project.id(&store).await?;
    let work = Repricing {
        project,
        from_us: config.from,
        to_us: config.to,
        catalog: &prices.catalog,
    };
    println!("prices {}", prices.origin());
    let calls = store.count_calls(project, config.from, config.to).await?;
    let bar = bar(calls, "looking");
    let totals = store.reprice_totals(&work, |calls| bar.inc(calls)).await?;
    bar.finish_and_clear();
    print!("{}", table(&totals));
    println!("Calls that retention has dropped are not priced again: their sums stay as they are.");
    if config.dry_run {
        println!("nothing is changed");
        return Ok(());
    }
    let act = audit::act(Some(project), "reprice", format!("{calls} calls"));
    // It may take long and be stopped: then the log still says that it began.
    store.note(&act, "began").await?;
    let done = audit::noted(&store, &act, async {
        let kept = store.put_catalog(&prices.row).await;
        kept.context("cannot keep the price catalog")?;
        change(&store, &work, calls).await
    });
    let done = done.await?;
    println!(
        "{} of {} calls have another receipt now",
        done.changed, done.seen
    );
    Ok(())
}

/// Step by step; one that fails for a passing reason is tried again.
async fn change(store: &Store, work: &Repricing<'_>, calls: u64) -> Result<RepricingState> {
    let bar = bar(calls, "pricing");
    let mut state = store.begin_repricing(work, now_us()).await?;
    let mut attempt = 1;
    while !state.is_done {
        bar.set_position(state.seen);
        match store.reprice(work, state, now_us()).await {
            Ok(next) => (state, attempt) = (next, 1),
            Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Err(error) => {
                return Err(error)
                    .context("stopped in the middle; the same command goes on from here");
            }
        }
    }
    bar.finish_and_clear();
    Ok(state)
}

fn bar(calls: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} calls {eta}")
        .expect("a valid template");
    ProgressBar::new(calls).with_style(style).with_message(what)
}

/// Old and new totals, the largest change first.
fn table(totals: &Totals) -> String {
    let mut rows: Vec<_> = totals.iter().collect();
    let change = |totals: &ModelTotals| (totals.after.0 - totals.before.0).abs();
    rows.sort_by_key(|(name, totals)| (std::cmp::Reverse(change(totals)), (*name).clone()));
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{:>9} {:>9} {:>20} {:>20} {:>20}  model",
        "calls", "changed", "cost before $", "cost after $", "difference $"
    );
    let mut sum = ModelTotals::default();
    for ((provider, model), totals) in rows {
        line(&mut out, totals, &format!("{provider} {model}"));
        sum.calls += totals.calls;
        sum.changed += totals.changed;
        sum.unpriced_before += totals.unpriced_before;
        sum.unpriced_after += totals.unpriced_after;
        sum.before.0 += totals.before.0;
        sum.after.0 += totals.after.0;
    }
    line(&mut out, &sum, "all");
    out
}

fn line(out: &mut String, totals: &ModelTotals, name: &str) {
    let difference = UsdSum(totals.after.0 - totals.before.0);
    let _ = write!(
        out,
        "{:>9} {:>9} {:>20} {:>20} {:>20}  {}",
        totals.calls,
        totals.changed,
        totals.before.to_string(),
        totals.after.to_string(),
        difference.to_string(),
        name.trim()
    );
    if totals.unpriced_before > 0 || totals.unpriced_after > 0 {
        let _ = write!(
            out,
            " ({} unpriced before, {} after)",
            totals.unpriced_before, totals.unpriced_after
        );
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_change_comes_first_and_everything_is_added_up() {
        let totals = |before, after, unpriced| ModelTotals {
            calls: 2,
            changed: 1,
            unpriced_before: unpriced,
            before: UsdSum(before),
            after: UsdSum(after),
            ..ModelTotals::default()
        };
        let name = |model: &str| ("openai".to_owned(), model.to_owned());
        let all = Totals::from([
            (name("a"), totals(1_000_000_000_000, 1_500_000_000_000, 0)),
            (name("b"), totals(3_000_000_000_000, 1_000_000_000_000, 1)),
        ]);
        let text = table(&all);
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[1].ends_with("-2  openai b (1 unpriced before, 0 after)"),
            "{text}"
        );
        assert!(lines[2].ends_with("0.5  openai a"), "{text}");
        assert!(
            lines[3].contains(" 4 ") && lines[3].contains("2.5"),
            "{text}"
        );
    }
}
