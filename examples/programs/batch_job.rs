//! A nightly job that uses `tracing` throughout: its spans are the call path of every call, also in parallel tasks.

use costflame_examples::{Error, MockProvider, where_to_look};
use costflame_instrumentation::{Provider, attribute_to, setup};
use futures::future::try_join_all;
use opentelemetry::trace::FutureExt;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::json;

#[tracing::instrument(name = "nightly digest", skip_all)]
async fn digest(provider: &MockProvider, client: &ClientWithMiddleware) -> Result<(), Error> {
    let regions = ["emea", "apac", "amer"].map(|region| summarise(provider, client, region));
    try_join_all(regions).await?;
    Ok(())
}

#[tracing::instrument(skip(provider, client))]
async fn summarise(
    provider: &MockProvider,
    client: &ClientWithMiddleware,
    region: &'static str,
) -> Result<(), Error> {
    let report = "A long report of the day. ".repeat(100);
    let request = json!({
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": format!("{report} Summarise {region}.")}],
    });
    let url = provider.url("/v1/chat/completions");
    client
        .post(url)
        .json(&request)
        .send()
        .await?
        .bytes()
        .await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let telemetry = setup("nightly-digest")?;
    let provider = MockProvider::reach().await?;
    let client = provider.client(Provider::OPENAI);
    let attribution = attribute_to()
        .feature("digest")
        .tag("team", "reporting")
        .context();
    digest(&provider, &client).with_context(attribution).await?;
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    where_to_look(
        "Three regions were summarised in parallel; feature `digest`, mostly from the cache.",
    );
    Ok(())
}
