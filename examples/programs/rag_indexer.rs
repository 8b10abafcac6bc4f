//! Indexes documents and answers from them, by a client that nothing can wrap: every call is measured by hand.

use costflame_examples::{Error, MockProvider, where_to_look};
use costflame_instrumentation::{GenAi, Provider, Usage, attribute_to, setup};
use opentelemetry::trace::FutureExt;
use serde_json::{Value, json};

const DOCUMENTS: [&str; 3] = [
    "Cached input costs a tenth of fresh input.",
    "Output costs more than input.",
    "Reasoning is output.",
];

struct Index {
    genai: GenAi,
    provider: MockProvider,
    client: reqwest::Client,
}

impl Index {
    async fn embed(&self, text: &str) -> Result<Value, Error> {
        let mut call = self
            .genai
            .embeddings(Provider::OPENAI, "text-embedding-3-small")
            .start();
        let request = json!({"model": "text-embedding-3-small", "input": text});
        let answer = self.post("/v1/embeddings", &request).await?;
        call.response_model(answer["model"].as_str().unwrap_or_default().to_owned());
        if let Some(tokens) = answer["usage"]["prompt_tokens"].as_u64() {
            call.usage(Usage::of_input(tokens));
        }
        call.end();
        Ok(answer["data"][0]["embedding"].clone())
    }

    async fn answer(&self, question: &str) -> Result<(), Error> {
        self.embed(question).await?;
        let mut retrieval = self
            .genai
            .retrieval("index")
            .top_k(2)
            .query(|| question.to_owned())
            .start();
        retrieval.documents(|| json!([{"id": "0"}, {"id": "1"}]).to_string());
        retrieval.end();
        let mut call = self
            .genai
            .chat(Provider::OPENAI, "gpt-4o-mini")
            .max_tokens(200)
            .start();
        let prompt = format!("{}\n{}\n{question}", DOCUMENTS[0], DOCUMENTS[1]);
        let request =
            json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}]});
        let answer = self.post("/v1/chat/completions", &request).await?;
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let usage = &answer["usage"];
        call.response_id(answer["id"].as_str().unwrap_or_default().to_owned())
            .response_model(answer["model"].as_str().unwrap_or_default().to_owned())
            .finish_reason("stop")
            .usage(
                Usage::new(
                    count(&usage["prompt_tokens"]),
                    count(&usage["completion_tokens"]),
                )
                .cache_read(count(&usage["prompt_tokens_details"]["cached_tokens"])),
            );
        call.end();
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let request = self.client.post(self.provider.url(path)).json(body);
        Ok(request.send().await?.json().await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let telemetry = setup("rag-indexer")?;
    let index = Index {
        genai: GenAi::global(),
        provider: MockProvider::reach().await?,
        client: reqwest::Client::new(),
    };
    let attribution = attribute_to().feature("indexing").context();
    let indexing = index
        .genai
        .invoke_workflow("index")
        .under(&attribution)
        .start();
    async {
        for document in DOCUMENTS {
            index.embed(document).await?;
        }
        Ok::<_, Error>(())
    }
    .with_context(indexing.context())
    .await?;
    indexing.end();

    let attribution = attribute_to().feature("answers").user("ada").context();
    let answering = index
        .genai
        .invoke_workflow("answer")
        .under(&attribution)
        .start();
    let context = answering.context();
    index
        .answer("What is expensive?")
        .with_context(context)
        .await?;
    answering.end();

    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    where_to_look(
        "Three documents were indexed and one question answered; features `indexing` and `answers`.",
    );
    Ok(())
}
