//! The feed of what settles leaves no gap: not while data arrives, not after a lost connection, not with another
//! collector of the same database, and not behind a transaction that commits late.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use costflame_store::{Store, testing};
use futures::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{
    support::{Api, both},
    traffic::{land_and_settle, traffic},
};

const ALL: &str = "from=2026-11-01T00:00:00Z&to=2026-12-30T00:00:00Z";

/// Nothing has been seen.
const START: &str = "0-00000000000000000000000000000000-0000000000000000";

/// Longer than any event takes.
const LONG: Duration = Duration::from_secs(30);

/// One client.
struct Client {
    body: BodyDataStream,
    text: String,
    /// Id of the last event.
    seen: String,
}

impl Client {
    async fn connect(router: &Router, query: &str, seen: &str) -> Self {
        let request = Request::get(format!("/api/v1/live?{query}"))
            .header("last-event-id", seen)
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
            seen: seen.to_owned(),
        }
    }

    /// The next event's data.
    async fn event(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    id.clone_into(&mut self.seen);
                    return serde_json::from_str(data).unwrap();
                }
                continue;
            }
            let more = tokio::time::timeout(LONG, self.body.next()).await;
            let bytes = more.expect("an event in time").unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Events until `wanted` calls have been told; what was told beyond them would show.
    async fn until(&mut self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        while !told.is_superset(wanted) {
            told.extend(ids(&self.event().await));
        }
        told
    }
}

fn ids(answer: &Value) -> BTreeSet<String> {
    let id = |call: &Value| format!("{} {}", call["trace_id"], call["span_id"]);
    answer["calls"].as_array().unwrap().iter().map(id).collect()
}

async fn all(api: &Api, query: &str) -> BTreeSet<String> {
    ids(&api.get(&format!("/calls?limit=1000&{ALL}&{query}")).await)
}

#[tokio::test]
async fn tells_every_call_once_while_data_arrives_and_after_a_lost_connection() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(1, 20)).await;
        let first = all(&api, "").await;
        assert!(first.len() > 20);
        let mut client = Client::connect(&api.router, "", START).await;
        assert_eq!(client.until(&first).await, first);

        land_and_settle(&api.store, &traffic(2, 5)).await;
        let second: BTreeSet<_> = all(&api, "").await.difference(&first).cloned().collect();
        assert!(!second.is_empty());
        assert_eq!(client.until(&second).await, second, "only what is new");

        let seen = client.seen.clone();
        drop(client);
        land_and_settle(&api.store, &traffic(3, 5)).await;
        let known: BTreeSet<_> = first.union(&second).cloned().collect();
        let third: BTreeSet<_> = all(&api, "").await.difference(&known).cloned().collect();
        let mut client = Client::connect(&api.router, "", &seen).await;
        assert_eq!(client.until(&third).await, third, "what was missed");
    }
}

#[tokio::test]
async fn tells_what_passes_the_filter() {
    for api in both().await {
        land_and_settle(&api.store, &traffic(1, 30)).await;
        let filter = "model=gpt-4o";
        let wanted = all(&api, filter).await;
        assert!(!wanted.is_empty());
        let mut client = Client::connect(&api.router, filter, START).await;
        assert_eq!(client.until(&wanted).await, wanted);
        let (status, _) = api.ask("/live?after=yesterday").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn goes_on_with_another_collector_and_waits_for_late_commits() {
    let url = testing::postgres_database().await;
    let [one, other] = [Api::open(&url, None).await, Api::open(&url, None).await];
    land_and_settle(&one.store, &traffic(1, 10)).await;
    let first = all(&one, "").await;
    let mut client = Client::connect(&one.router, "", START).await;
    assert_eq!(client.until(&first).await, first);
    let seen = client.seen.clone();

    // A transaction that has begun to write and may still commit holds the feed back, with any collector.
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut late = pool.begin().await.unwrap();
    let held: i64 = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
        .fetch_one(&mut *late)
        .await
        .unwrap();
    land_and_settle(&other.store, &traffic(2, 5)).await;
    let second: BTreeSet<_> = all(&other, "").await.difference(&first).cloned().collect();
    let mut moved = Client::connect(&other.router, "", &seen).await;
    let waiting = moved.event().await;
    assert!(ids(&waiting).is_empty(), "nothing is told before its time");
    let place: i64 = moved.seen.split('-').next().unwrap().parse().unwrap();
    assert!(place <= held, "{place} would pass {held}");
    late.commit().await.unwrap();
    assert_eq!(moved.until(&second).await, second);
    for api in [one, other] {
        Store::close(&api.store).await;
    }
}
