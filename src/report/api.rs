//! Asking a running costflame.

use anyhow::{Context, Result, bail};
use reqwest::{Client, Url};
use serde_json::Value;

/// Parameters of a question, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The same with one more.
    pub(super) fn with(&self, key: &str, value: &str) -> Self {
        let mut query = self.clone();
        query.0.push((key.to_owned(), value.to_owned()));
        query
    }
}

/// The API of a running costflame.
pub(super) struct Api {
    base: Url,
    client: Client,
    key: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Api {
    pub(super) fn new(url: &str, key: Option<String>) -> Result<Self> {
        let base = format!("{}/api/v1/", url.trim_end_matches('/'));
        Ok(Self {
            base: Url::parse(&base).with_context(|| format!("`{url}` is no address"))?,
            client: Client::new(),
            key,
            runtime: tokio::runtime::Runtime::new().context("cannot start the runtime")?,
        })
    }

    /// The answer to a question.
    pub(super) fn get(&self, path: &str, query: &Query) -> Result<Value> {
        let mut url = self.base.join(path).context("no such question")?;
        url.query_pairs_mut().extend_pairs(&query.0);
        let answered = self.runtime.block_on(async {
            let mut request = self.client.get(url);
            if let Some(key) = &self.key {
                request = request.bearer_auth(key);
            }
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?))
        });
        let (status, body) = answered.with_context(|| {
            format!(
                "costflame does not answer at {}: is it running? --url names another address",
                self.base.origin().ascii_serialization()
            )
        })?;
        let body: Value = serde_json::from_slice(&body)
            .with_context(|| format!("{} does not look like costflame's API", self.base))?;
        if !status.is_success() {
            let message = body["error"]["message"]
                .as_str()
                .unwrap_or("no reason given");
            match body["error"]["field"].as_str() {
                Some(field) => bail!("{field}: {message}"),
                None => bail!("{message}"),
            }
        }
        Ok(body)
    }
}
