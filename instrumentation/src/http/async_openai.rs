use std::{
    pin::Pin,
    task::{Context, Poll},
};

use ::reqwest::{Client, Response};
use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use tower_service::Service;

use super::{
    calls::HttpCalls,
    reqwest::{begin, error_name, watched},
};

/// The service that makes an [`async_openai`] client visible.
///
/// Each attempt is a call: put retries around it, as `async-openai` itself does when it has no service of its own.
///
/// ```
/// use async_openai::{Client, config::OpenAIConfig};
/// use costflame_instrumentation::AsyncOpenAi;
///
/// let client = Client::with_config(OpenAIConfig::new()).with_http_service(AsyncOpenAi::default());
/// ```
#[derive(Clone, Debug, Default)]
pub struct AsyncOpenAi {
    client: Client,
    calls: HttpCalls,
}

impl AsyncOpenAi {
    /// Sends by this client, with these settings.
    pub fn new(client: Client, calls: HttpCalls) -> Self {
        Self { client, calls }
    }
}

impl Service<HttpRequestFactory> for AsyncOpenAi {
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let Self { client, calls } = self.clone();
        Box::pin(async move {
            let mut request = factory.build().await?;
            let Some(started) = begin(&calls, &mut request) else {
                return client.execute(request).await.map_err(OpenAIError::Reqwest);
            };
            match client.execute(request).await {
                Ok(response) => Ok(watched(started, response)),
                Err(error) => {
                    started.fail(error_name(&error).to_owned());
                    Err(OpenAIError::Reqwest(error))
                }
            }
        })
    }
}
