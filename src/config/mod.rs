//! Configuration of `costflame serve`: one struct, read from flags, `COSTFLAME_…` variables and
//! `costflame.toml`, in that order of precedence.
//!
//! The file's values become clap's defaults, so that every value, wherever it comes from, passes the
//! same parser and every error names its key.

mod read;
mod validate;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use axum::http::{HeaderName, Uri};
use clap::{Args, ValueEnum};
use costflame_collector::{forward::ForwardTable, listen::TlsFiles, size::parse_size};
use costflame_pricing::CountedCost;

use crate::oidc::OidcConfig;
pub(crate) use read::with_file_and_environment;

/// Settings of the server.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeConfig {
    /// Configuration file (TOML, keys as the flags with underscores); `costflame.toml` is read if it exists
    #[arg(long, env = "COSTFLAME_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// OTLP/gRPC listener; port 0 picks a free one
    #[arg(
        long,
        env = "COSTFLAME_OTLP_GRPC_ADDR",
        value_name = "ADDR",
        default_value = "127.0.0.1:4317"
    )]
    pub(crate) otlp_grpc_addr: SocketAddr,

    /// OTLP/HTTP listener; port 0 picks a free one
    #[arg(
        long,
        env = "COSTFLAME_OTLP_HTTP_ADDR",
        value_name = "ADDR",
        default_value = "127.0.0.1:4318"
    )]
    pub(crate) otlp_http_addr: SocketAddr,

    /// Listener of the API, the UI, /healthz, /readyz and /metrics; port 0 picks a free one
    #[arg(
        long,
        env = "COSTFLAME_HTTP_ADDR",
        value_name = "ADDR",
        default_value = "127.0.0.1:4319"
    )]
    pub(crate) http_addr: SocketAddr,

    /// Ask everybody who they are: programs for an API key, people for a login; see docs/security.md
    #[arg(long, env = "COSTFLAME_AUTH_REQUIRED", value_name = "BOOL", default_value = "false", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) auth_required: bool,

    /// Another header in which a key may stand, for where `authorization` is taken
    #[arg(long, env = "COSTFLAME_AUTH_HEADER", value_name = "NAME")]
    pub(crate) auth_header: Option<HeaderName>,

    /// Certificate (PEM, with those between it and its authority) of all three listeners, which then speak TLS alone; read anew when it changes
    #[arg(long, env = "COSTFLAME_TLS_CERTIFICATE", value_name = "FILE")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The private key of `tls_certificate` (PEM)
    #[arg(long, env = "COSTFLAME_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Authorities (PEM), one of which has to have signed the certificate of whoever sends OTLP
    #[arg(long, env = "COSTFLAME_TLS_CLIENT_CA", value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// A session ends when it was not used for so long
    #[arg(long, env = "COSTFLAME_SESSION_IDLE", value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) session_idle: Duration,

    /// A session ends after so long at the latest
    #[arg(long, env = "COSTFLAME_SESSION_LIFETIME", value_name = "TIME", default_value = "7days", value_parser = duration)]
    pub(crate) session_lifetime: Duration,

    /// Attempts to log in with one name in a minute; five times as many from one address
    #[arg(
        long,
        env = "COSTFLAME_LOGIN_LIMIT",
        value_name = "N",
        default_value = "10"
    )]
    pub(crate) login_limit: NonZeroU32,

    /// Requests to the API of one session or key in a minute; 0 = any number
    #[arg(long, env = "COSTFLAME_API_LIMIT", value_name = "N", default_value = "6000", value_parser = limit)]
    pub(crate) api_limit: Limit,

    /// Where browsers find the UI, if something stands in front: `https://costflame.example.com`
    #[arg(long, env = "COSTFLAME_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub(crate) public_url: Option<String>,

    /// Other names by which the pages and the API are asked, with spaces between them, where nobody is asked who they are: any other name may
    /// be one that a site has pointed here
    #[arg(long, env = "COSTFLAME_ALLOWED_HOSTS", value_name = "NAMES")]
    pub(crate) allowed_hosts: Option<String>,

    #[command(flatten)]
    pub(crate) oidc: OidcConfig,

    /// Proxies in front that append to `x-forwarded-for`: the address that limits and the audit log go by is so many from its end
    #[arg(
        long,
        env = "COSTFLAME_PROXY_HOPS",
        value_name = "N",
        default_value = "0"
    )]
    pub(crate) proxy_hops: u8,

    /// Listen on other addresses than loopback without TLS or keys: something in front encrypts, and lets in only who may
    #[arg(long, env = "COSTFLAME_BEHIND_PROXY", value_name = "BOOL", default_value = "false", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) behind_proxy: bool,

    /// `sqlite://PATH` or `postgres://…` (Postgres 15 or newer)
    #[arg(
        long,
        env = "COSTFLAME_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://costflame.db"
    )]
    pub(crate) database_url: String,

    /// Postgres itself, if `database_url` leads through PgBouncer in transaction mode; for migrations
    #[arg(long, env = "COSTFLAME_DATABASE_DIRECT_URL", value_name = "URL")]
    pub(crate) database_direct_url: Option<String>,

    /// Keep the spans of a trace this long, for its tree and waterfall; never shorter than 72 hours
    #[arg(long, env = "COSTFLAME_KEEP_SPANS", value_name = "TIME", default_value = "72h", value_parser = duration)]
    pub(crate) keep_spans: Duration,

    /// Keep calls and their receipts this long, at least 14 days; for ever, if not set. Sums stay for ever
    #[arg(long, env = "COSTFLAME_KEEP_CALLS", value_name = "TIME", value_parser = duration)]
    pub(crate) keep_calls: Option<Duration>,

    /// Settle a trace this long after its root has ended up in the database
    #[arg(long, env = "COSTFLAME_SETTLE_AFTER_ROOT", value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) settle_after_root: Duration,

    /// Settle a trace without a root this long after its last span
    #[arg(long, env = "COSTFLAME_SETTLE_AFTER_QUIET", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) settle_after_quiet: Duration,

    /// Settle a trace that keeps growing at the latest this often
    #[arg(long, env = "COSTFLAME_SETTLE_MAX", value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) settle_max: Duration,

    /// Sets the three settle times at once
    #[arg(long, env = "COSTFLAME_SETTLE_AFTER", value_name = "TIME", value_parser = duration)]
    pub(crate) settle_after: Option<Duration>,

    /// Largest OTLP request after decompression
    #[arg(long, env = "COSTFLAME_MAX_REQUEST_BYTES", value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    pub(crate) max_request_bytes: usize,

    /// Decompressed bytes of all OTLP requests in flight; above it requests wait, then are asked to retry
    #[arg(long, env = "COSTFLAME_MAX_IN_FLIGHT_BYTES", value_name = "SIZE", default_value = "96MiB", value_parser = parse_size)]
    pub(crate) max_in_flight_bytes: usize,

    /// Spans in one OTLP request; a larger request is refused
    #[arg(
        long,
        env = "COSTFLAME_MAX_SPANS_PER_REQUEST",
        value_name = "N",
        default_value = "100000"
    )]
    pub(crate) max_spans_per_request: usize,

    /// Open connections of each listener; beyond it, those without a request make room
    #[arg(
        long,
        env = "COSTFLAME_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "1024"
    )]
    pub(crate) max_connections: usize,

    /// Prices of your own above the built-in catalog: a TOML file of `[[override]]` entries, see docs/prices.md
    #[arg(long, env = "COSTFLAME_PRICE_OVERRIDES", value_name = "FILE")]
    pub(crate) price_overrides: Option<PathBuf>,

    /// Which cost counts where a span reports its own: the one computed by our prices, or the reported one
    #[arg(
        long,
        env = "COSTFLAME_COST_SOURCE",
        value_name = "SOURCE",
        default_value = "computed"
    )]
    pub(crate) cost_source: CostSource,

    /// What is logged: error, warn, info, debug, trace, or directives such as `info,sqlx=warn`
    #[arg(
        long,
        env = "COSTFLAME_LOG",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub(crate) log: String,

    /// How it is logged
    #[arg(
        long,
        env = "COSTFLAME_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,

    /// Destinations of the file, `[[forward]]`; there are no flags for them.
    #[arg(skip)]
    pub(crate) forward: Vec<ForwardTable>,
}

/// Which cost counts. The other one is kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostSource {
    /// By our prices; the reported one where there is no price.
    Computed,
    /// As reported; by our prices where none is reported.
    Reported,
}

impl From<CostSource> for CountedCost {
    fn from(source: CostSource) -> Self {
        match source {
            CostSource::Computed => Self::Computed,
            CostSource::Reported => Self::Reported,
        }
    }
}

/// So many, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<NonZeroU32>);

fn limit(text: &str) -> Result<Limit, String> {
    let number: u32 = text.parse().map_err(|_| "expected a whole number")?;
    Ok(Limit(NonZeroU32::new(number)))
}

/// An origin: whoever may lead browsers away by a path has more than this.
fn public_url(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|_| "expected a URL")?;
    let (scheme, authority) = (uri.scheme_str(), uri.authority());
    let authority = authority.filter(|authority| !authority.as_str().contains('@'));
    let (Some("http" | "https"), Some(_), "/", None) = (scheme, authority, uri.path(), uri.query())
    else {
        return Err(
            "expected http:// or https://, a name, perhaps a port, and nothing else".into(),
        );
    };
    Ok(text.trim_end_matches('/').to_ascii_lowercase())
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl ServeConfig {
    /// The three settle times, `settle_after` applied: after root, after quiet, at most.
    pub(crate) fn settle_times(&self) -> (Duration, Duration, Duration) {
        match self.settle_after {
            Some(all) => (all, all, all),
            None => (
                self.settle_after_root,
                self.settle_after_quiet,
                self.settle_max,
            ),
        }
    }

    /// Whole days that calls are kept; `None` = for ever.
    pub(crate) fn keep_call_days(&self) -> Option<u32> {
        let days = self.keep_calls?.as_secs() / 86_400;
        Some(u32::try_from(days).unwrap_or(u32::MAX))
    }

    /// The database's URL without its password.
    pub(crate) fn shown_database(&self) -> String {
        let Some((scheme, rest)) = self.database_url.split_once("://") else {
            return String::new();
        };
        match rest.rsplit_once('@') {
            Some((login, place)) => {
                let user = login.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{place}")
            }
            None => self.database_url.clone(),
        }
    }

    /// Whether browsers come by TLS, so that cookies may be bound to it.
    pub(crate) fn is_seen_by_tls(&self) -> bool {
        match &self.public_url {
            Some(url) => url.starts_with("https://"),
            None => self.behind_proxy || self.tls_certificate.is_some(),
        }
    }

    /// The files of the listeners' TLS, if they speak it.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_certificate.clone()?,
            key: self.tls_key.clone()?,
            client_authorities: self.tls_client_ca.clone(),
        })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a time such as 500ms, 2s or 1m".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Command, CommandFactory};

    use super::*;

    /// The page up to its first section is printed from the struct, so that it cannot be wrong. `BLESS=1` writes it.
    #[test]
    fn the_configuration_page_is_up_to_date() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        let expected = reference(&crate::cli::Cli::command());
        let known = std::fs::read_to_string(&page).expect("the page exists");
        let sections = known.find("\n## ").map_or("", |at| &known[at..]);
        let whole = format!("{expected}{sections}");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&page, &whole).expect("writable");
            return;
        }
        assert!(
            known == whole,
            "docs/configuration.md is old: run `BLESS=1 cargo test --bin costflame`"
        );
    }

    fn reference(command: &Command) -> String {
        let mut page = String::from(
            "# Configuration\n\n\
             Every setting is a flag of `costflame serve`, an environment variable and a key of `costflame.toml` in the working\n\
             directory (or the file that `--config` names). A flag wins over the variable, the variable over the file. An unknown key, an\n\
             unknown `COSTFLAME_…` variable and a bad value are errors that name it.\n\n\
             | key | flag, variable | default | meaning |\n|---|---|---|---|\n",
        );
        let serve = command
            .find_subcommand("serve")
            .expect("serve is a command");
        for arg in serve.get_arguments().filter(|arg| arg.get_id() != "help") {
            let flag = arg.get_long().unwrap_or_default();
            let variable = arg.get_env().unwrap_or_default().to_string_lossy();
            let default: Vec<_> = arg
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .collect();
            let default = if default.is_empty() {
                String::new()
            } else {
                format!("`{}`", default.join(" "))
            };
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            page += &format!(
                "| `{}` | `--{flag}`, `{variable}` | {default} | {help} |\n",
                arg.get_id()
            );
        }
        page
    }

    #[test]
    fn times_name_what_they_expect() {
        assert_eq!(duration("100ms"), Ok(Duration::from_millis(100)));
        assert!(duration("soon").unwrap_err().contains("500ms"));
    }
}
