//! `costflame prices …`: what is in force, what another catalog would change, what has no price.

mod diff;
mod fetch;
mod lists;
mod live;
mod show;
mod source;
mod update;

use std::{
    fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use costflame_pricing::{Catalog, CountedCost, PriceRequest};
use costflame_store::{Options, Store};

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

    /// `sqlite://PATH` or `postgres://…`: where fetched prices are kept
    #[arg(
        long,
        global = true,
        env = "COSTFLAME_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://costflame.db"
    )]
    database_url: String,

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
        PricesCommand::Update(args) => update::update(&config.store().await?, args).await,
        PricesCommand::Unpriced(args) => {
            lists::unpriced(&config.existing_store().await?, args).await
        }
        PricesCommand::Differences(args) => {
            lists::differences(&config.existing_store().await?, args).await
        }
    }
}

impl PricesConfig {
    async fn store(&self) -> Result<Store> {
        open(&self.database_url).await
    }

    /// The database; a missing file is no database, and not created.
    async fn existing_store(&self) -> Result<Store> {
        if is_missing(&self.database_url) {
            anyhow::bail!("there is no database {}", self.database_url);
        }
        self.store().await
    }

    async fn in_force(&self) -> Result<Prices> {
        let store = if is_missing(&self.database_url) {
            None
        } else {
            Some(self.store().await?)
        };
        let settings = PriceSettings {
            overrides: self.price_overrides.clone(),
            counted: CountedCost::default(),
        };
        Prices::in_force(store.as_ref(), &settings).await
    }
}

/// Opens a database.
pub(crate) async fn open(url: &str) -> Result<Store> {
    let store = Store::connect(url, &Options::default()).await;
    store.context("cannot open the database")
}

fn is_missing(url: &str) -> bool {
    url.strip_prefix("sqlite://")
        .is_some_and(|path| !std::path::Path::new(path).exists())
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

/// Microseconds since 1970 UTC.
pub(crate) fn now_us() -> i64 {
    micros(SystemTime::now())
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
