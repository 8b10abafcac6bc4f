//! Scenario: two projects send the same trace ids and response ids; each then tries to reach what is the other's, at every
//! endpoint of the served OpenAPI document, and others come with wrong keys or none.
//! Guarantee: nobody sees or changes anything but their own.

use std::time::Duration;

use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    document::{Operation, operations},
    key, run,
    support::{Addresses, PATIENCE, Server, api::ALL_TIME},
};

const SHARED: [u8; 16] = [1; 16];
/// A trace of beta alone.
const BETAS: [u8; 16] = [2; 16];
const NOON_NS: u64 = 1_795_176_000_000_000_000;
const DAY_NS: u64 = 86_400_000_000_000;

/// A server that asks for keys, two projects, and their keys.
struct Two {
    folder: tempfile::TempDir,
    database: String,
    server: Server,
    client: Client,
    alpha: Keys,
    beta: Keys,
}

struct Keys {
    ingest: String,
    read: String,
}

impl Two {
    fn start(database: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut keys = ["alpha", "beta"].map(|project| {
            run(folder.path(), database, &["project", "create", project]);
            let [ingest, read] =
                ["ingest", "read"].map(|scope| key(folder.path(), database, project, scope));
            Some(Keys { ingest, read })
        });
        let mut all = vec!["--auth-required", "--settle-after", "100ms"];
        all.extend(flags);
        let server = Server::start_with(folder.path(), database, &Addresses::free(), &all);
        Self {
            database: database.to_owned(),
            server,
            client: Client::new(),
            alpha: keys[0].take().expect("made"),
            beta: keys[1].take().expect("made"),
            folder,
        }
    }

    async fn send(&self, key: Option<&str>, body: Vec<u8>) -> Response {
        let mut request = self
            .client
            .post(format!("{}/v1/traces", self.server.http))
            .header("content-type", "application/x-protobuf")
            .body(body);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await.expect("an answer")
    }

    async fn ask(&self, key: &str, path: &str) -> Response {
        let url = format!("{}{path}", self.server.api);
        let request = self.client.get(url).bearer_auth(key);
        request.send().await.expect("an answer")
    }

    /// The answer to a question that must have one.
    async fn get(&self, key: &str, path: &str) -> Value {
        let answer = self.ask(key, &format!("/api/v1{path}")).await;
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    }

    async fn settled(&self, key: &str, calls: u64) -> Value {
        let settled = async {
            loop {
                let summary = self.get(key, &format!("/summary?{ALL_TIME}")).await;
                if summary["calls"] == calls && summary["pending"]["traces"] == 0 {
                    return summary;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settled).await;
        settled.expect("the calls settle")
    }
}

fn id(key: &str) -> &str {
    key.split('_').nth(2).expect("an id")
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Any::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// A trace of one agent with one call, in which every name is the project's and every id is not.
fn request(project: &str, trace: [u8; 16], start: u64) -> ExportTraceServiceRequest {
    let named = |what: &str| format!("{project}-{what}");
    let span = |id: u8, parent: &[u8], name: String, attributes: Vec<KeyValue>| Span {
        trace_id: trace.to_vec(),
        span_id: vec![id; 8],
        parent_span_id: parent.to_vec(),
        name,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 1_000_000_000,
        attributes,
        ..Span::default()
    };
    let agent = vec![
        attribute("gen_ai.operation.name", "invoke_agent"),
        attribute("gen_ai.agent.name", &named("agent")),
        attribute("user.id", &named("user")),
        attribute("session.id", &named("session")),
        attribute("costflame.feature", &named("feature")),
        attribute("costflame.tag.team", &named("team")),
    ];
    let number = |key: &str, value: i64| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Any::IntValue(value)),
        }),
        ..KeyValue::default()
    };
    let call = vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.provider.name", "openai"),
        attribute("gen_ai.request.model", "gpt-4o"),
        attribute("gen_ai.prompt.name", &named("prompt")),
        attribute("gen_ai.response.id", &format!("shared-{}", trace[0])),
        number("gen_ai.usage.input_tokens", 100),
        number("gen_ai.usage.output_tokens", 10),
    ];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    attribute("service.name", &named("service")),
                    attribute("deployment.environment.name", &named("environment")),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: vec![
                    span(1, &[], named("agent"), agent),
                    span(2, &[1; 8], "chat gpt-4o".to_owned(), call),
                ],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Status and text; of a feed, its first event.
async fn read(mut answer: Response) -> (StatusCode, String) {
    let status = answer.status();
    let is_feed = answer
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.expect("a body") {
        text.extend_from_slice(&chunk);
        if is_feed && text.ends_with(b"\n\n") {
            break;
        }
    }
    (status, String::from_utf8_lossy(&text).into_owned())
}

async fn nobody_crosses(database: &str) {
    let two = Two::start(database, &["--auth-header", "x-costflame-key"]);
    let (alpha, beta) = (&two.alpha, &two.beta);

    // The same ids in both projects, over both transports.
    let sent = two.send(
        Some(&alpha.ingest),
        request("alpha", SHARED, NOON_NS).encode_to_vec(),
    );
    assert_eq!(sent.await.status(), 200);
    let mut grpc = TraceServiceClient::connect(two.server.grpc.clone())
        .await
        .expect("listens");
    for (trace, start) in [(SHARED, NOON_NS), (BETAS, NOON_NS - DAY_NS)] {
        let mut call = tonic::Request::new(request("beta", trace, start));
        let key = format!("Bearer {}", beta.ingest);
        call.metadata_mut()
            .insert("authorization", key.parse().expect("ASCII"));
        grpc.export(call).await.expect("taken");
    }
    let summary = two.settled(&alpha.read, 1).await;
    assert_eq!(
        (&summary["traces"], &summary["excluded"]["calls"]),
        (&1.into(), &0.into())
    );
    let summary = two.settled(&beta.read, 2).await;
    assert_eq!(
        (&summary["traces"], &summary["excluded"]["calls"]),
        (&2.into(), &0.into())
    );

    let document = two.get(&alpha.read, "/openapi.json").await;
    let operations = operations(&document, &hex(&BETAS), &hex(&[2; 8]));
    let is_readable = |one: &&Operation| one.by_key && one.method == "GET";
    let readable = operations.iter().filter(is_readable);
    assert!(readable.clone().count() >= 20);
    let mut named = 0;
    for operation in readable {
        let (method, address) = (&operation.method, &operation.address);
        let ask = async |key: Option<&str>, query: &str| {
            let mark = if address.contains('?') { '&' } else { '?' };
            let address = match query {
                "" => format!("{}{address}", two.server.api),
                query => format!("{}{address}{mark}{query}", two.server.api),
            };
            let mut request = two
                .client
                .request(method.parse().expect("a method"), address);
            if let Some(key) = key {
                request = request.bearer_auth(key);
            }
            read(request.send().await.expect("an answer")).await
        };
        // What beta sees itself is what alpha must not see.
        let (status, own) = ask(Some(&beta.read), "").await;
        assert_eq!(status, 200, "{address}: {own}");
        assert!(!own.contains("alpha-"), "{address}: {own}");
        named += usize::from(own.contains("beta-"));
        let other_filter = [
            "",
            "user=beta-user",
            "service=beta-service",
            "project=beta",
            "project_id=3",
        ];
        for query in other_filter {
            let (status, other) = ask(Some(&alpha.read), query).await;
            let is_asked_for = query.contains("beta") && other.contains("There is no such");
            assert!(
                is_asked_for || !other.contains("beta-"),
                "{address} {query}: {other}"
            );
            assert!(!status.is_server_error(), "{address} {query}: {other}");
            if address.contains(&hex(&BETAS)) && query.is_empty() {
                assert_eq!(status, 404, "{address}: {other}");
            }
        }
        for wrong in wrong_keys(&alpha.read) {
            assert_eq!(
                ask(wrong.as_deref(), "").await.0,
                401,
                "{address} {wrong:?}"
            );
        }
        assert_eq!(ask(Some(&alpha.ingest), "").await.0, 403, "{address}");
        let posted = two
            .client
            .post(format!("{}{address}", two.server.api))
            .bearer_auth(&alpha.read);
        assert_eq!(
            posted.send().await.expect("an answer").status(),
            405,
            "{address}"
        );
    }
    assert!(
        named >= 12,
        "only {named} of {} endpoints name anything",
        operations.len()
    );

    // What is not for keys is not for this one.
    for operation in operations
        .iter()
        .filter(|one| !one.by_key && !one.is_open())
    {
        let method = operation.method.parse().expect("a method");
        let address = format!("{}{}", two.server.api, operation.address);
        let request = two.client.request(method, address).bearer_auth(&alpha.read);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{}", operation.name());
    }

    // Places in the other's lists lead nowhere.
    let calls = two
        .get(&beta.read, &format!("/calls?{ALL_TIME}&limit=1"))
        .await;
    let next = calls["next"].as_str().expect("a second call");
    let answer = two
        .get(&alpha.read, &format!("/calls?{ALL_TIME}&cursor={next}"))
        .await;
    assert!(!answer.to_string().contains("beta-"), "{answer}");
    let health = two.get(&alpha.read, "/health").await;
    assert_eq!(health["data"]["first"], health["data"]["last"]);
    assert_ne!(
        two.get(&beta.read, "/health").await["data"]["first"],
        health["data"]["first"]
    );

    // Counters are of all projects, and have keys of their own.
    assert_eq!(two.ask(&alpha.read, "/metrics").await.status(), 401);
    let metrics = key(two.folder.path(), &two.database, "default", "metrics");
    let came = async {
        while two.ask(&metrics, "/metrics").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, came)
        .await
        .expect("a new key is known within seconds");
    assert_eq!(two.ask(&metrics, "/api/v1/summary").await.status(), 403);

    strangers_write_nothing(&two, &mut grpc).await;
    a_revoked_key_ends(&two).await;
    assert_eq!(two.server.terminate().code(), Some(0));
}

/// No key, and what is almost one.
fn wrong_keys(right: &str) -> Vec<Option<String>> {
    let other_scope = match right.strip_prefix("cf_read") {
        Some(rest) => format!("cf_ingest{rest}"),
        None => right.replace("cf_ingest", "cf_read"),
    };
    let (head, _) = right.rsplit_once('_').expect("a key");
    let zeros = "0".repeat(64);
    vec![
        None,
        Some(String::new()),
        Some("x".to_owned()),
        Some(right[..right.len() - 1].to_owned()),
        Some(format!("{right}0")),
        Some(format!("{head}_{zeros}")),
        Some(other_scope),
    ]
}

async fn strangers_write_nothing(
    two: &Two,
    grpc: &mut TraceServiceClient<tonic::transport::Channel>,
) {
    let body = || request("intruder", [3; 16], NOON_NS).encode_to_vec();
    for wrong in wrong_keys(&two.alpha.ingest) {
        let answer = two.send(wrong.as_deref(), body()).await;
        assert_eq!(answer.status(), 401, "{wrong:?}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        let status = answer.bytes().await.expect("a body");
        let status =
            tonic_types::Status::decode(status).expect("a Status in the encoding of the request");
        assert_eq!(status.code, tonic::Code::Unauthenticated as i32);
    }
    let answer = two.send(Some(&two.alpha.read), body()).await;
    assert_eq!(answer.status(), 403);
    let mut call = tonic::Request::new(request("intruder", [3; 16], NOON_NS));
    let refused = grpc
        .export(tonic::Request::new(call.get_ref().clone()))
        .await
        .expect_err("no key");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let key = format!("Bearer {}", two.alpha.read).parse().expect("ASCII");
    call.metadata_mut().insert("authorization", key);
    let refused = grpc.export(call).await.expect_err("a key for reading");
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);

    // Refused by its head, although the body never comes.
    let address = two.server.http.strip_prefix("http://").expect("plain");
    let mut stream = TcpStream::connect(address).await.expect("listens");
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut first = [0; 12];
    let answer = tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut first));
    answer
        .await
        .expect("before the body's time is over")
        .expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 401");

    // The other header works; nothing of the intruder has landed.
    let answer = two
        .client
        .post(format!("{}/v1/traces", two.server.http))
        .header("content-type", "application/x-protobuf")
        .header("x-costflame-key", &two.alpha.ingest)
        .body(request("alpha", [4; 16], NOON_NS).encode_to_vec());
    assert_eq!(answer.send().await.expect("an answer").status(), 200);
    two.settled(&two.alpha.read, 2).await;
    for keys in [&two.alpha, &two.beta] {
        let calls = two.get(&keys.read, &format!("/calls?{ALL_TIME}")).await;
        assert!(!calls.to_string().contains("intruder"), "{calls}");
    }
}

async fn a_revoked_key_ends(two: &Two) {
    let mut feed = two
        .ask(&two.alpha.read, &format!("/api/v1/live?{ALL_TIME}"))
        .await;
    assert_eq!(feed.status(), 200);
    for key in [&two.alpha.read, &two.alpha.ingest] {
        run(
            two.folder.path(),
            &two.database,
            &["key", "revoke", id(key)],
        );
    }
    let ended = async {
        while let Ok(Some(_)) = feed.chunk().await {}
        while two.ask(&two.alpha.read, "/api/v1/summary").await.status() != 401 {}
        let body = request("alpha", [5; 16], NOON_NS).encode_to_vec();
        assert_eq!(two.send(Some(&two.alpha.ingest), body).await.status(), 401);
    };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("a revoked key ends within seconds");
    let listed = run(two.folder.path(), &two.database, &["key", "list"]);
    assert_eq!(listed.matches("revoked").count(), 2, "{listed}");
    let secret = two.alpha.read.rsplit('_').next().expect("a secret");
    assert!(!listed.contains(secret), "{listed}");
    // The other project goes on.
    assert_eq!(
        two.ask(&two.beta.read, "/api/v1/summary").await.status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_crosses_on_sqlite() {
    nobody_crosses("sqlite://c.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_crosses_on_postgres() {
    nobody_crosses(&costflame_store::testing::postgres_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_outlive_the_database() {
    let postgres = costflame_store::testing::Postgres::start();
    let two = Two::start(&postgres.url(), &[]);
    postgres.stop();
    let answer = two.send(
        Some(&two.alpha.ingest),
        request("alpha", SHARED, NOON_NS).encode_to_vec(),
    );
    assert_eq!(
        answer.await.status(),
        503,
        "known, but nothing can be committed"
    );
    let answer = two
        .send(None, request("alpha", SHARED, NOON_NS).encode_to_vec())
        .await;
    assert_eq!(answer.status(), 401);
    postgres.start_again();
    let taken = async {
        loop {
            let body = request("alpha", SHARED, NOON_NS).encode_to_vec();
            if two.send(Some(&two.alpha.ingest), body).await.status() == 200 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("taken once the database is back");
}
