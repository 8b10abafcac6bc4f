//! `[[forward]]` tables and the standard variables: what a user writes, checked and made into destinations.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr, time::Duration};

use axum::http::{HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::config::{
    Compression, ConfigError, Destination, Enrich, Filter, Protocol, Secret, TlsFiles, WhenFull,
};
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
    /// How often costflame's own counters of cost, calls and tokens are sent, as metrics; not at all, if not set.
    #[serde(with = "humantime_serde")]
    pub cost_metrics: Option<Duration>,
    /// Names of the projects whose telemetry goes there; all by default.
    pub projects: Option<Vec<String>>,
}

/// Checks the tables of the configuration. `variable` looks environment variables up: the first table takes what it
/// does not set itself from the standard `OTEL_EXPORTER_OTLP_…`, and without any table these make a destination.
/// `project` finds the id of a project by its name.
///
/// # Errors
/// The first setting that cannot be used.
pub fn destinations(
    mut tables: Vec<ForwardTable>,
    variable: &dyn Fn(&str) -> Option<String>,
    project: &dyn Fn(&str) -> Option<i32>,
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
        let destination = table.check(number, variable, project)?;
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
            cost_metrics: own.cost_metrics,
            projects: own.projects,
        };
    }

    fn check(
        self,
        number: usize,
        variable: &dyn Fn(&str) -> Option<String>,
        project: &dyn Fn(&str) -> Option<i32>,
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
        if self
            .cost_metrics
            .is_some_and(|every| every < Duration::from_secs(1))
        {
            return Err(ConfigError::new(
                key("cost_metrics"),
                "expected at least 1s",
            ));
        }
        Ok(Destination {
            urls: self.check_urls(number, protocol)?,
            headers: self.check_headers(number, variable)?,
            projects: self.check_projects(number, project)?,
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
            cost_metrics: self.cost_metrics,
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

    fn check_projects(
        &self,
        number: usize,
        project: &dyn Fn(&str) -> Option<i32>,
    ) -> Result<Option<Vec<i32>>, ConfigError> {
        let Some(names) = &self.projects else {
            return Ok(None);
        };
        let error =
            |message: String| ConfigError::new(format!("forward[{number}].projects"), message);
        if names.is_empty() {
            return Err(error("expected at least one project".to_owned()));
        }
        if self.cost_metrics.is_some() {
            let why = "cost_metrics are of all projects, and cannot go to a destination of some";
            return Err(error(why.to_owned()));
        }
        let id = |name: &String| {
            let missing = || error(format!("there is no project `{name}`"));
            project(name).ok_or_else(missing)
        };
        names.iter().map(id).collect::<Result<_, _>>().map(Some)
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
#[path = "table_tests.rs"]
mod tests;
