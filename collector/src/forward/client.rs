//! One request to one destination, over HTTP or gRPC. Redirects are not followed: a destination cannot send us elsewhere.

use std::{path::Path, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use bytes::{BufMut, Bytes, BytesMut};
use costflame_profile::Signal;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};

use super::{
    answer::Answer,
    config::{Compression, Destination, Protocol, TlsFiles, place},
};
use crate::{
    pem::{self, TlsError, bad},
    receive::Format,
};

/// Longest answer that is read, in bytes; as OTLP recommends.
const MAX_ANSWER: usize = 4 << 20;
/// How long a connection may take; within the time of the request.
const CONNECT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("OTel-OTLP-Exporter-costflame/", env!("CARGO_PKG_VERSION"));

/// Sends to one destination.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    destination: Arc<Destination>,
}

impl Client {
    /// A client for a destination; reads the files for TLS.
    ///
    /// # Errors
    /// A file cannot be used.
    pub(crate) fn new(destination: Arc<Destination>) -> Result<Self, TlsError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT.min(destination.timeout)));
        let is_grpc = destination.protocol == Protocol::Grpc;
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&destination)?)
            .https_or_http();
        let connector = if is_grpc {
            tls.enable_http2().wrap_connector(connector)
        } else {
            tls.enable_all_versions().wrap_connector(connector)
        };
        let http = HttpClient::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(destination.max_in_flight)
            .http2_only(is_grpc)
            .build(connector);
        Ok(Self { http, destination })
    }

    /// Sends a request that is encoded and compressed as the destination wants it.
    pub(crate) async fn send(&self, signal: Signal, body: Bytes) -> Answer {
        let Some(url) = &self.destination.urls[place(signal)] else {
            return Answer::Refused {
                error: "this signal does not go there any more".to_owned(),
            };
        };
        let answer = tokio::time::timeout(self.destination.timeout, self.exchange(url, body)).await;
        let answer = answer.unwrap_or_else(|_| {
            Answer::nothing(format!("no answer within {:?}", self.destination.timeout))
        });
        let headers = self.destination.headers.iter();
        let secrets: Vec<&str> = headers
            .filter_map(|(_, value)| value.to_str().ok())
            .collect();
        answer.without(&secrets)
    }

    async fn exchange(&self, url: &Uri, body: Bytes) -> Answer {
        let answer = match self.http.request(self.request(url, body)).await {
            Ok(answer) => answer,
            Err(error) => return Answer::nothing(causes(&error)),
        };
        let (head, body) = answer.into_parts();
        let read = Limited::new(body, MAX_ANSWER).collect().await;
        let read = read.map(|body| {
            (
                body.trailers().cloned().unwrap_or_default(),
                body.to_bytes(),
            )
        });
        let (trailers, body) = match (read, self.destination.protocol) {
            (Ok(read), _) => read,
            // The status says what became of the request, whatever goes wrong behind it.
            (Err(_), Protocol::Http(_)) => Default::default(),
            (Err(error), Protocol::Grpc) => {
                return Answer::nothing(format!("the answer broke off: {error}"));
            }
        };
        match self.destination.protocol {
            Protocol::Http(format) => Answer::of_http(head.status, &head.headers, &body, format),
            Protocol::Grpc => Answer::of_grpc(head.status, &head.headers, &trailers, &body),
        }
    }

    fn request(&self, url: &Uri, body: Bytes) -> Request<Full<Bytes>> {
        let compression = self.destination.compression;
        let encoding = match compression {
            Compression::None => None,
            Compression::Gzip => Some(HeaderValue::from_static("gzip")),
            Compression::Zstd => Some(HeaderValue::from_static("zstd")),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(self.destination.headers.iter().cloned());
        let (content_type, encoding_header, body) = match self.destination.protocol {
            Protocol::Grpc => {
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
                let encoding = header::HeaderName::from_static("grpc-encoding");
                ("application/grpc", encoding, framed(compression, &body))
            }
            Protocol::Http(format) => (format.content_type(), header::CONTENT_ENCODING, body),
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(encoding) = encoding {
            headers.insert(encoding_header, encoding);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers;
        if self.destination.protocol == Protocol::Grpc {
            *request.version_mut() = Version::HTTP_2;
        }
        request
    }

    /// How messages are written.
    pub(crate) fn format(&self) -> Format {
        match self.destination.protocol {
            Protocol::Grpc => Format::Protobuf,
            Protocol::Http(format) => format,
        }
    }
}

/// The message with the prefix of gRPC.
fn framed(compression: Compression, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(u8::from(compression != Compression::None));
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// An error with everything that led to it: `client error (Connect): tcp connect error: Connection refused`.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn tls(destination: &Destination) -> Result<ClientConfig, TlsError> {
    let TlsFiles { roots, identity } = &destination.tls;
    let needs_tls = destination
        .urls
        .iter()
        .flatten()
        .any(|url| url.scheme_str() == Some("https"));
    let trusted = match roots {
        Some(file) => pem::roots(file, &read(file)?)?,
        None if needs_tls => system_roots()?,
        None => RootCertStore::empty(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Config(error.to_string()))?
        .with_root_certificates(trusted);
    let Some((certificate, key)) = identity else {
        return Ok(config.with_no_client_auth());
    };
    let private = pem::private_key(key, &read(key)?)?;
    config
        .with_client_auth_cert(
            pem::certificates(certificate, &read(certificate)?)?,
            private,
        )
        .map_err(|error| bad(certificate, error))
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut trusted = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    trusted.add_parsable_certificates(system.certs);
    if trusted.is_empty() {
        return Err(TlsError::Config(
            "this system has no trusted certificates; name some with `certificate`".into(),
        ));
    }
    Ok(trusted)
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| bad(file, error))
}
