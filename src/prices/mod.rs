//! `costflame prices …`: what is in force, what another catalog would change, what has no price.

mod diff;
mod fetch;
mod lists;
mod live;
mod show;
mod source;
mod update;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use costflame_pricing::{Catalog, CountedCost, PriceRequest};

use crate::database::{Database, micros, now_us};
use diff::Changes;
use lists::ListArgs;
pub(crate) use live::LivePrices;
pub(crate) use source::{PriceSettings, Prices};
use update::UpdateArgs;

/// What to do with prices.
#[derive(Clone, Debug, Args)]
pub(crate) struct PricesConfig {
    #[command(subcommand)]
    command: PricesCommand,

    #[command(flatten)]
    database: Database,

    /// Prices of your own, as `serve` takes them
    #[arg(
        long,
        global = true,
        env = "COSTFLAME_PRICE_OVERRIDES",
        value_name = "FILE"
    )]
    price_overrides: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
enum PricesCommand {
    /// Show what a model costs, in dollars per million tokens, and why
    Show {
        /// The model as it stands on spans: a name, a deployment, an ARN
        model: String,
        /// The provider as it stands on spans; without it the model's name decides
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
        /// When: `2026-07-01` or `2026-07-01T12:00:00Z`; now if absent
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<i64>,
    },
    /// Show what another catalog would change: models that are new, gone, or cost something else
    Diff {
        /// The other catalog: a file of genai-prices data, version 2
        file: PathBuf,
        /// When: `2026-07-01` or `2026-07-01T12:00:00Z`; now if absent
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<i64>,
    },
    /// Check a catalog, show what it changes, and keep it in the database; a running costflame takes it over
    Update(UpdateArgs),
    /// List calls without a price by model, with tokens and reason, and overrides that would price them
    Unpriced(ListArgs),
    /// List where computed and reported cost of calls differ by more than 1 %
    Differences(ListArgs),
}

/// Runs `costflame prices …`.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub(crate) fn run(config: &PricesConfig) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    print!("{}", runtime.block_on(answer(config))?);
    Ok(())
}

async fn answer(config: &PricesConfig) -> Result<String> {
    match &config.command {
        PricesCommand::Show {
            model,
            provider,
            at,
        } => {
            let prices = config.in_force().await?;
            let asked = PriceRequest {
                provider: provider.as_deref(),
                response_model: Some(model),
                at_us: at.unwrap_or_else(now_us),
                ..PriceRequest::default()
            };
            let text = show::show(&prices.catalog, &asked)?;
            Ok(format!("{text}{}\n", prices.origin()))
        }
        PricesCommand::Diff { file, at } => {
            let json = fs::read(file)
                .with_context(|| format!("cannot read the catalog {}", file.display()))?;
            let other = Catalog::from_json(&json)
                .with_context(|| format!("{} is refused", file.display()))?
                .with_corrections();
            let now = config.in_force().await?.base;
            Ok(Changes::between(&now, &other, at.unwrap_or_else(now_us)).to_string())
        }
        PricesCommand::Update(args) => update::update(&config.database.open().await?, args).await,
        PricesCommand::Unpriced(args) => {
            lists::unpriced(&config.database.open_existing().await?, args).await
        }
        PricesCommand::Differences(args) => {
            lists::differences(&config.database.open_existing().await?, args).await
        }
    }
}

impl PricesConfig {
    async fn in_force(&self) -> Result<Prices> {
        let store = match self.database.exists() {
            true => Some(self.database.open().await?),
            false => None,
        };
        let settings = PriceSettings {
            overrides: self.price_overrides.clone(),
            counted: CountedCost::default(),
        };
        Prices::in_force(store.as_ref(), &settings).await
    }
}

/// A day or a time, microseconds since 1970 UTC.
pub(crate) fn time(text: &str) -> Result<i64, String> {
    let whole = if text.contains(['T', ' ']) {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    let time = humantime::parse_rfc3339_weak(&whole)
        .map_err(|_| "expected a time such as 2026-07-01 or 2026-07-01T12:00:00Z".to_owned())?;
    Ok(micros(time))
}
