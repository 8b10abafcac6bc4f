//! Destinations as they are used, and the words of their settings.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use axum::http::{HeaderName, HeaderValue, Uri};
use costflame_profile::Signal;
use serde::Deserialize;

use crate::receive::{EXPORTS, Format};

/// Which spans go to a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Those of traces with a model call.
    TracesWithCalls,
    /// Those that are model calls, counted or not.
    CallsOnly,
}

/// When the cost is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrich {
    /// When the trace has settled, or the wait is over.
    #[default]
    Settled,
    /// At once, by what is known then.
    Immediate,
    /// Never.
    Off,
}

/// What happens when a destination is too far behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The oldest requests are dropped, and counted.
    #[default]
    DropOldest,
    /// New requests of every sender are refused with 503 or UNAVAILABLE until there is room.
    Refuse,
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http(Format),
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// A value that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Files for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates to trust instead of the system's.
    pub roots: Option<PathBuf>,
    /// Certificate and private key to present.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A destination, checked.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// Where each signal goes (traces, logs, metrics); `None` = not sent.
    pub urls: [Option<Uri>; 3],
    /// How.
    pub protocol: Protocol,
    /// Headers; their values are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How requests are compressed.
    pub compression: Compression,
    /// How long one request may take.
    pub timeout: Duration,
    /// Files for TLS.
    pub tls: TlsFiles,
    /// Which spans.
    pub filter: Filter,
    /// When the cost is added.
    pub enrich: Enrich,
    /// How long to wait for settling at most.
    pub enrich_wait: Duration,
    /// Requests under way at once.
    pub max_in_flight: usize,
    /// Compressed bytes that may wait, and that dead letters may take.
    pub max_bytes: u64,
    /// How old the oldest may be.
    pub max_age: Duration,
    /// What happens beyond.
    pub when_full: WhenFull,
    /// How often costflame's own counters are sent.
    pub cost_metrics: Option<Duration>,
    /// Ids of the projects whose telemetry goes there; `None` = of all.
    pub projects: Option<Vec<i32>>,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct ConfigError {
    /// The key, with the destination.
    pub key: String,
    /// What is wrong with its value; never the value of a header.
    pub message: String,
}

impl ConfigError {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl Destination {
    /// Whether anything of a signal goes there.
    #[must_use]
    pub fn takes(&self, signal: Signal) -> bool {
        self.urls[place(signal)].is_some()
    }

    /// Whether spans are looked at before they are sent.
    #[must_use]
    pub fn reads_spans(&self) -> bool {
        self.enrich != Enrich::Off || self.filter != Filter::All
    }

    /// Whether a request of spans waits for its traces to settle: the cost may change until then, and whether a trace
    /// has a call is not known before.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.reads_spans() && self.enrich != Enrich::Immediate
    }

    /// Whether it leads to a listener of this very process, where requests would go round for ever.
    #[must_use]
    pub fn points_at(&self, listener: SocketAddr) -> bool {
        self.urls.iter().flatten().any(|url| {
            let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
            let is_here = match host.parse() {
                Ok(ip) => listener.ip() == ip || listener.ip().is_unspecified() && is_own(ip),
                Err(_) => {
                    host.eq_ignore_ascii_case("localhost")
                        && (listener.ip().is_loopback() || listener.ip().is_unspecified())
                }
            };
            is_here && port(url) == listener.port()
        })
    }
}

fn is_own(ip: std::net::IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn port(url: &Uri) -> u16 {
    let default = if url.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    url.port_u16().unwrap_or(default)
}

/// The place of a signal among [`Destination::urls`], also its number in the outbox.
pub(crate) fn place(signal: Signal) -> usize {
    EXPORTS
        .iter()
        .position(|export| export.signal == signal)
        .expect("every signal can be exported")
}
