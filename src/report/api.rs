//! Asking a running costflame.

use anyhow::{Context, Result, bail};
use axum::http::{Request, header::AUTHORIZATION};
use http_body_util::Full;
use serde_json::Value;

use crate::https::{HttpClient, Trust};

/// Longest answer, in bytes.
const MOST_BYTES: usize = 64 << 20;

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
    base: String,
    client: HttpClient,
    key: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Api {
    pub(super) fn new(url: &str, key: Option<String>, trust: &Trust) -> Result<Self> {
        let base = format!("{}/api/v1/", url.trim_end_matches('/'));
        Ok(Self {
            client: HttpClient::new(&base, trust)?,
            base,
            key,
            runtime: tokio::runtime::Runtime::new().context("cannot start the runtime")?,
        })
    }

    /// The answer to a question.
    pub(super) fn get(&self, path: &str, query: &Query) -> Result<Value> {
        let parameters = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&query.0)
            .finish();
        let mut request = Request::get(format!("{}{path}?{parameters}", self.base));
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request
            .body(Full::default())
            .with_context(|| format!("`{}` is no address", self.base))?;
        let answered = self.runtime.block_on(self.client.send(request, MOST_BYTES));
        let answer = answered.with_context(|| {
            format!(
                "costflame does not answer at {}: is it running? --url names another address",
                self.base.trim_end_matches("/api/v1/")
            )
        })?;
        let status = answer.status();
        let body: Value = serde_json::from_slice(answer.body())
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
