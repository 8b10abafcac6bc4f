//! Structured logs on standard error.

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. `directives` is a level or a list such as `info,sqlx=warn`.
pub(crate) fn start(directives: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(directives).with_context(|| {
        format!("log must be a level or directives such as `info,sqlx=warn`, got `{directives}`")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}
