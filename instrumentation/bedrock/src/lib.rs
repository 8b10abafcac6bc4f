//! Spans and metrics for [`aws-sdk-bedrockruntime`](https://docs.rs/aws-sdk-bedrockruntime).
//!
//! The SDK lets others in at two places. An interceptor sees a request before and a response after it was read as a type,
//! but no stream as it passes, which is where a streamed answer tells its usage. An HTTP client sees every byte: so
//! [`GenAiHttpClient`] goes around the one the SDK is given.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connector_metadata::ConnectorMetadata,
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpClient, SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
    },
    shared::IntoShared,
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use costflame_instrumentation::{HttpCall, HttpCalls};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use opentelemetry::trace::FutureExt;

/// An HTTP client of the AWS SDK whose calls to models are spans.
///
/// ```
/// use aws_sdk_bedrockruntime::config::{Builder, SharedHttpClient};
/// use costflame_instrumentation_bedrock::GenAiHttpClient;
///
/// fn visible(config: Builder, client: SharedHttpClient) -> Builder {
///     config.http_client(GenAiHttpClient::new(client))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct GenAiHttpClient {
    inner: SharedHttpClient,
    calls: HttpCalls,
}

impl GenAiHttpClient {
    /// Sends by this client, and writes to the global providers.
    pub fn new(inner: impl HttpClient + 'static) -> Self {
        Self {
            inner: inner.into_shared(),
            calls: HttpCalls::new(),
        }
    }

    /// With other settings: a tracer of its own, or the host of an endpoint that is not AWS's own.
    pub fn with_calls(mut self, calls: HttpCalls) -> Self {
        self.calls = calls;
        self
    }
}

impl HttpClient for GenAiHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(settings, components),
            calls: self.calls.clone(),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.inner, components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.inner, components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    calls: HttpCalls,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(call) = begin(&self.calls, &request) else {
            return self.inner.call(request);
        };
        let response = self.inner.call(request).with_context(call.context());
        HttpConnectorFuture::new(async move {
            match response.await {
                Ok(response) => Ok(watched(call, response)),
                Err(error) => {
                    call.fail(name(&error));
                    Err(error)
                }
            }
        })
    }
}

fn begin(calls: &HttpCalls, request: &HttpRequest) -> Option<HttpCall> {
    let method: Method = request.method().parse().ok()?;
    let uri: Uri = request.uri().parse().ok()?;
    calls.start(&method, &uri, &HeaderMap::new(), request.body().bytes())
}

/// The same response, its body watched.
fn watched(call: HttpCall, mut response: HttpResponse) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or_default();
    let headers: HeaderMap = response
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        })
        .collect();
    let body = call.respond(status, &headers, response.take_body());
    *response.body_mut() = SdkBody::from_body_1_x(body);
    response
}

fn name(error: &ConnectorError) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_io() {
        "io"
    } else {
        "request"
    }
}
