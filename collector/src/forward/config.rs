//! Destinations: what a user writes, and what is made of it.

use std::{
    collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration,
};

use axum::http::{HeaderName, HeaderValue, Uri};
use costflame_profile::Signal;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    receive::{EXPORTS, Format},
    size::parse_size,
};

/// One `[[forward]]` table of the configuration. What is missing has the default of [`Destination`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardTable {
    /// Names the destination in the outbox, metrics and logs; never change it while something waits.
    pub name: Option<String>,
    /// `http://…` or `https://…`; for OTLP/HTTP the path of the signal is added.
    pub endpoint: Option<String>,
    /// Used as it is instead of `endpoint` with `/v1/traces`.
    pub traces_endpoint: Option<String>,
    /// Used as it is instead of `endpoint` with `/v1/logs`.
    pub logs_endpoint: Option<String>,
    /// Used as it is instead of `endpoint` with `/v1/metrics`.
    pub metrics_endpoint: Option<String>,
    /// `grpc`, `http/protobuf` (default) or `http/json`.
    pub protocol: Option<String>,
    /// Headers of every request; `${NAME}` in a value is replaced by that environment variable.
    pub headers: BTreeMap<String, Secret>,
    /// `none`, `gzip` (default) or `zstd`.
    pub compression: Option<String>,
    /// How long one request may take, 10 s by default.
    #[serde(with = "humantime_serde")]
    pub timeout: Option<Duration>,
    /// PEM file of the certificates to trust instead of the system's.
    pub certificate: Option<PathBuf>,
    /// PEM file of the certificate to present.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of its private key.
    pub client_key: Option<PathBuf>,
    /// Any of `traces`, `logs`, `metrics`; all by default.
    pub signals: Option<Vec<String>>,
    /// Which spans: `all` (default), `traces_with_calls` or `calls_only`.
    pub filter: Filter,
    /// When the cost is added: `settled` (default), `immediate` or `off`.
    pub enrich: Enrich,
    /// How long `settled` waits at most, 90 s by default.
    #[serde(with = "humantime_serde")]
    pub enrich_wait: Option<Duration>,
    /// Requests under way at once, 1 to 64; 8 by default.
    pub max_in_flight: Option<usize>,
    /// Compressed bytes that may wait, 1 GiB by default.
    #[serde(deserialize_with = "size")]
    pub max_bytes: Option<usize>,
    /// How old the oldest that waits may be, 24 h by default.
    #[serde(with = "humantime_serde")]
    pub max_age: Option<Duration>,
    /// What happens beyond `max_bytes` or `max_age`: `drop_oldest` (default) or `refuse`.
    pub when_full: WhenFull,
}

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
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
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

/// Checks the tables of the configuration. `variable` looks environment variables up: the first table takes what it
/// does not set itself from the standard `OTEL_EXPORTER_OTLP_…`, and without any table these make a destination.
///
/// # Errors
/// The first setting that cannot be used.
pub fn destinations(
    mut tables: Vec<ForwardTable>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Destination>, ConfigError> {
    let from_environment = ForwardTable::from_environment(variable)?;
    let has_endpoint = from_environment.urls().iter().any(|url| url.is_some());
    match tables.first_mut() {
        Some(first) => first.fill_from(from_environment),
        None if has_endpoint => tables.push(ForwardTable {
            name: Some("otlp".to_owned()),
            ..from_environment
        }),
        None => return Ok(Vec::new()),
    }
    let mut destinations: Vec<Destination> = Vec::new();
    for (number, table) in tables.into_iter().enumerate() {
        let destination = table.check(number, variable)?;
        if destinations
            .iter()
            .any(|known| known.name == destination.name)
        {
            let message = format!("`{}` names two destinations", destination.name);
            return Err(ConfigError::new(format!("forward[{number}].name"), message));
        }
        destinations.push(destination);
    }
    Ok(destinations)
}

impl ForwardTable {
    fn urls(&self) -> [&Option<String>; 4] {
        let Self {
            endpoint,
            traces_endpoint,
            logs_endpoint,
            metrics_endpoint,
            ..
        } = self;
        [endpoint, traces_endpoint, logs_endpoint, metrics_endpoint]
    }

    /// The variables of the OTLP exporter specification.
    fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let read = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_{name}")).filter(|value| !value.trim().is_empty())
        };
        let protocol = read("PROTOCOL");
        let is_grpc = protocol.as_deref() == Some("grpc");
        let insecure = read("INSECURE").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let url = |name: &str| {
            let url = read(name)?;
            Some(match url.contains("://") {
                // Only gRPC may leave the scheme out.
                false if is_grpc && insecure => format!("http://{url}"),
                false if is_grpc => format!("https://{url}"),
                _ => url,
            })
        };
        let timeout = read("TIMEOUT").map(|text| match text.trim().parse() {
            Ok(millis) => Ok(Duration::from_millis(millis)),
            Err(_) => Err(ConfigError::new(
                "OTEL_EXPORTER_OTLP_TIMEOUT",
                "expected milliseconds",
            )),
        });
        Ok(Self {
            endpoint: url("ENDPOINT"),
            traces_endpoint: url("TRACES_ENDPOINT"),
            logs_endpoint: url("LOGS_ENDPOINT"),
            metrics_endpoint: url("METRICS_ENDPOINT"),
            protocol,
            headers: read("HEADERS")
                .map(|list| header_list(&list))
                .unwrap_or_default(),
            compression: read("COMPRESSION"),
            timeout: timeout.transpose()?,
            certificate: read("CERTIFICATE").map(PathBuf::from),
            client_certificate: read("CLIENT_CERTIFICATE").map(PathBuf::from),
            client_key: read("CLIENT_KEY").map(PathBuf::from),
            ..Self::default()
        })
    }

    /// Takes what is not set here from `other`. Headers and files go with the endpoint: they are not sent elsewhere.
    fn fill_from(&mut self, other: Self) {
        if self.urls().iter().any(|url| url.is_some()) {
            self.compression = self.compression.take().or(other.compression);
            self.timeout = self.timeout.or(other.timeout);
            return;
        }
        let own = std::mem::take(self);
        let mut headers = other.headers;
        headers.extend(own.headers);
        *self = Self {
            endpoint: other.endpoint,
            traces_endpoint: other.traces_endpoint,
            logs_endpoint: other.logs_endpoint,
            metrics_endpoint: other.metrics_endpoint,
            protocol: own.protocol.or(other.protocol),
            headers,
            compression: own.compression.or(other.compression),
            timeout: own.timeout.or(other.timeout),
            certificate: own.certificate.or(other.certificate),
            client_certificate: own.client_certificate.or(other.client_certificate),
            client_key: own.client_key.or(other.client_key),
            name: own.name,
            signals: own.signals,
            filter: own.filter,
            enrich: own.enrich,
            enrich_wait: own.enrich_wait,
            max_in_flight: own.max_in_flight,
            max_bytes: own.max_bytes,
            max_age: own.max_age,
            when_full: own.when_full,
        };
    }

    fn check(
        self,
        number: usize,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Destination, ConfigError> {
        let key = |key: &str| format!("forward[{number}].{key}");
        let name = self
            .name
            .clone()
            .ok_or_else(|| ConfigError::new(key("name"), "every destination needs a name"))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(ConfigError::new(
                key("name"),
                "expected 1 to 64 letters, digits, `-`, `_` or `.`",
            ));
        }
        let protocol = match self.protocol.as_deref() {
            None | Some("http/protobuf") => Protocol::Http(Format::Protobuf),
            Some("http/json") => Protocol::Http(Format::Json),
            Some("grpc") => Protocol::Grpc,
            Some(_) => {
                return Err(ConfigError::new(
                    key("protocol"),
                    "expected grpc, http/protobuf or http/json",
                ));
            }
        };
        let compression = match self.compression.as_deref() {
            None | Some("gzip") => Compression::Gzip,
            Some("none") => Compression::None,
            Some("zstd") => Compression::Zstd,
            Some(_) => {
                return Err(ConfigError::new(
                    key("compression"),
                    "expected none, gzip or zstd",
                ));
            }
        };
        let tls = TlsFiles {
            roots: self.certificate.clone(),
            identity: match (self.client_certificate.clone(), self.client_key.clone()) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                _ => {
                    return Err(ConfigError::new(
                        key("client_key"),
                        "client_certificate and client_key belong together",
                    ));
                }
            },
        };
        let max_in_flight = self.max_in_flight.unwrap_or(8);
        if !(1..=64).contains(&max_in_flight) {
            return Err(ConfigError::new(key("max_in_flight"), "expected 1 to 64"));
        }
        let timeout = self.timeout.unwrap_or(Duration::from_secs(10));
        if timeout.is_zero() || timeout > Duration::from_secs(600) {
            return Err(ConfigError::new(
                key("timeout"),
                "expected more than 0s, at most 10m",
            ));
        }
        Ok(Destination {
            urls: self.check_urls(number, protocol)?,
            headers: self.check_headers(number, variable)?,
            name,
            protocol,
            compression,
            timeout,
            tls,
            filter: self.filter,
            enrich: self.enrich,
            enrich_wait: self.enrich_wait.unwrap_or(Duration::from_secs(90)),
            max_in_flight,
            max_bytes: self.max_bytes.unwrap_or(1 << 30) as u64,
            max_age: self.max_age.unwrap_or(Duration::from_secs(24 * 3600)),
            when_full: self.when_full,
        })
    }

    fn check_urls(
        &self,
        number: usize,
        protocol: Protocol,
    ) -> Result<[Option<Uri>; 3], ConfigError> {
        if let Some(signals) = &self.signals
            && let Some(unknown) = signals
                .iter()
                .find(|name| EXPORTS.iter().all(|export| export.name != name.as_str()))
        {
            let message = format!("`{unknown}` is none of traces, logs, metrics");
            return Err(ConfigError::new(
                format!("forward[{number}].signals"),
                message,
            ));
        }
        let mut urls = [const { None }; 3];
        let [base, own @ ..] = self.urls();
        for ((url, own), export) in urls.iter_mut().zip(own).zip(EXPORTS) {
            let wanted = self
                .signals
                .as_ref()
                .is_none_or(|signals| signals.iter().any(|name| name == export.name));
            if !wanted {
                continue;
            }
            let (key, text) = match (own, base, protocol) {
                (Some(own), _, Protocol::Http(_)) => {
                    (format!("{}_endpoint", export.name), own.clone())
                }
                (Some(own), _, Protocol::Grpc) => (
                    format!("{}_endpoint", export.name),
                    format!("{}{}", own.trim_end_matches('/'), export.grpc_path),
                ),
                (None, Some(base), Protocol::Http(_)) => (
                    "endpoint".to_owned(),
                    format!("{}{}", base.trim_end_matches('/'), export.http_path),
                ),
                (None, Some(base), Protocol::Grpc) => (
                    "endpoint".to_owned(),
                    format!("{}{}", base.trim_end_matches('/'), export.grpc_path),
                ),
                (None, None, _) => continue,
            };
            let parsed = check_url(&text);
            let parsed = parsed
                .map_err(|message| ConfigError::new(format!("forward[{number}].{key}"), message));
            *url = Some(parsed?);
        }
        if urls.iter().all(Option::is_none) {
            return Err(ConfigError::new(
                format!("forward[{number}].endpoint"),
                "missing: a URL such as https://backend.example:4318",
            ));
        }
        Ok(urls)
    }

    fn check_headers(
        &self,
        number: usize,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, ConfigError> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let error = |message: &str| {
                ConfigError::new(format!("forward[{number}].headers.{name}"), message)
            };
            let value = expand(&value.0, variable).map_err(|missing| {
                error(&format!("the environment variable {missing} is not set"))
            })?;
            let name = HeaderName::from_str(name).map_err(|_| error("not the name of a header"))?;
            let mut value =
                HeaderValue::from_str(&value).map_err(|_| error("not the value of a header"))?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        Ok(headers)
    }
}

fn check_url(text: &str) -> Result<Uri, &'static str> {
    const EXPECTED: &str = "expected a URL such as https://backend.example:4318";
    let url: Uri = text.parse().map_err(|_| EXPECTED)?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(EXPECTED);
    }
    let authority = url.authority().ok_or(EXPECTED)?;
    if authority.as_str().contains('@') {
        return Err("a URL with a login would be shown in logs; use headers");
    }
    Ok(url)
}

/// Replaces `${NAME}`; the error is the name of a variable that is not set.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(&variable(name).ok_or(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// `k=v,k2=v2` with percent-encoded values, as W3C baggage.
fn header_list(text: &str) -> BTreeMap<String, Secret> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), Secret(percent_decode(value.trim()))))
        .collect()
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| {
            after
                .get(at)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(usize),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Bytes(bytes) => Ok(Some(bytes)),
        Written::Text(text) => parse_size(&text).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(text: &str) -> Vec<ForwardTable> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            forward: Vec<ForwardTable>,
        }
        toml::from_str::<File>(text).unwrap().forward
    }

    fn checked(text: &str, environment: &[(&str, &str)]) -> Result<Vec<Destination>, ConfigError> {
        destinations(tables(text), &|name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn urls(destination: &Destination) -> [Option<String>; 3] {
        destination
            .urls
            .clone()
            .map(|url| url.map(|url| url.to_string()))
    }

    #[test]
    fn a_name_and_an_endpoint_are_enough() {
        let text = "[[forward]]\nname = \"tempo\"\nendpoint = \"https://tempo:4318/\"";
        let [one] = &checked(text, &[]).unwrap()[..] else {
            panic!("one destination");
        };
        assert_eq!(
            urls(one),
            ["traces", "logs", "metrics"]
                .map(|signal| Some(format!("https://tempo:4318/v1/{signal}")))
        );
        assert_eq!(one.protocol, Protocol::Http(Format::Protobuf));
        assert_eq!(
            (one.compression, one.timeout),
            (Compression::Gzip, Duration::from_secs(10))
        );
        assert_eq!((one.filter, one.enrich), (Filter::All, Enrich::Settled));
    }

    #[test]
    fn signals_have_endpoints_of_their_own_or_are_left_out() {
        let text = "[[forward]]\nname = \"a\"\nprotocol = \"grpc\"\nendpoint = \"http://a:1\"\n\
                    logs_endpoint = \"http://b:2\"\nsignals = [\"traces\", \"logs\"]";
        let one = &checked(text, &[]).unwrap()[0];
        let [traces, logs, metrics] = urls(one);
        assert_eq!(
            traces.unwrap(),
            "http://a:1/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        );
        assert!(logs.unwrap().starts_with("http://b:2/opentelemetry"));
        assert_eq!(metrics, None);
        assert!(!one.takes(Signal::Metric));
    }

    #[test]
    fn the_environment_makes_or_fills_the_first() {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "backend:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb, x=y"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ];
        let alone = checked("", &environment).unwrap();
        assert_eq!(alone[0].name, "otlp");
        assert!(
            urls(&alone[0])[0]
                .as_ref()
                .unwrap()
                .starts_with("https://backend:4317/")
        );
        assert_eq!(alone[0].timeout, Duration::from_millis(2500));
        assert_eq!(alone[0].compression, Compression::None);
        assert_eq!(alone[0].headers[0].1, "a,b");

        let text = "[[forward]]\nname = \"first\"\nenrich = \"off\"\n\
                    [[forward]]\nname = \"second\"\nendpoint = \"http://s\"";
        let two = checked(text, &environment).unwrap();
        assert_eq!(
            (two[0].enrich, two[0].protocol),
            (Enrich::Off, Protocol::Grpc)
        );
        assert_eq!(two[1].protocol, Protocol::Http(Format::Protobuf));
        assert_eq!(two[1].headers.len(), 0);

        // Keys of one backend are not sent to another.
        let own = "[[forward]]\nname = \"first\"\nendpoint = \"http://own\"";
        let own = checked(own, &environment).unwrap();
        assert_eq!(
            (own[0].headers.len(), own[0].timeout.as_millis()),
            (0, 2500)
        );
        assert_eq!(checked("", &[]).unwrap().len(), 0);
    }

    #[test]
    fn mistakes_name_their_key_and_no_secret() {
        let base = "[[forward]]\nname = \"a\"\nendpoint = \"http://a\"\n";
        for (text, key) in [
            (
                "[[forward]]\nendpoint = \"http://a\"".to_owned(),
                "forward[0].name",
            ),
            ("[[forward]]\nname = \"a b\"".to_owned(), "forward[0].name"),
            (
                "[[forward]]\nname = \"a\"".to_owned(),
                "forward[0].endpoint",
            ),
            (
                "[[forward]]\nname = \"a\"\nendpoint = \"a:4318\"".to_owned(),
                "forward[0].endpoint",
            ),
            (
                "[[forward]]\nname = \"a\"\nendpoint = \"http://u:p@a\"".to_owned(),
                "forward[0].endpoint",
            ),
            (format!("{base}protocol = \"udp\""), "forward[0].protocol"),
            (
                format!("{base}compression = \"br\""),
                "forward[0].compression",
            ),
            (format!("{base}signals = [\"spans\"]"), "forward[0].signals"),
            (format!("{base}client_key = \"k\""), "forward[0].client_key"),
            (format!("{base}timeout = \"0s\""), "forward[0].timeout"),
            (
                format!("{base}max_in_flight = 0"),
                "forward[0].max_in_flight",
            ),
            (format!("{base}{base}"), "forward[1].name"),
            (
                format!("{base}headers = {{ k = \"secret\\n\" }}"),
                "forward[0].headers.k",
            ),
            (
                format!("{base}headers = {{ k = \"${{NONE}}\" }}"),
                "forward[0].headers.k",
            ),
        ] {
            let error = checked(&text, &[]).unwrap_err();
            assert_eq!(error.key, key, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn headers_come_from_the_environment_and_are_never_shown() {
        let text = "[[forward]]\nname = \"a\"\nendpoint = \"http://a\"\n\
                    headers = { authorization = \"Bearer ${KEY}\" }";
        let one = &checked(text, &[("KEY", "hunter2")]).unwrap()[0];
        assert_eq!(one.headers[0].1, "Bearer hunter2");
        assert!(!format!("{one:?}").contains("hunter2"));
        let table = tables("[[forward]]\nheaders = { a = \"hunter2\" }");
        assert!(!format!("{table:?}").contains("hunter2"));
    }

    #[test]
    fn own_listeners_are_found() {
        let at = |url: &str, listener: &str| {
            let text = format!("[[forward]]\nname = \"a\"\nendpoint = \"{url}\"");
            checked(&text, &[]).unwrap()[0].points_at(listener.parse().unwrap())
        };
        assert!(at("http://127.0.0.1:4318", "127.0.0.1:4318"));
        assert!(at("http://localhost:4318", "127.0.0.1:4318"));
        assert!(at("http://127.0.0.1:4318", "0.0.0.0:4318"));
        assert!(at("http://[::1]:4318", "[::1]:4318"));
        assert!(!at("http://localhost:4319", "127.0.0.1:4318"));
        assert!(!at("http://10.0.0.1:4318", "127.0.0.1:4318"));
        assert!(!at("http://backend:4318", "0.0.0.0:4318"));
    }
}
