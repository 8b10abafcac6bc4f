//! Destinations that are down, slow, hostile or too far behind.

use std::{sync::Arc, time::Duration};

use costflame_collector::{CommitConfig, ReceiverConfig, forward::Forwarder};
use costflame_store::{Options, Selection, Store};
use futures::future::join_all;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prometheus_client::registry::Registry;
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::Code;

use crate::{
    backend::{Backend, Mood},
    common::{Ledger, Mode, body, request, span, start_with, until},
    pipeline::{Pipeline, configured, to},
};

const PLAIN: &str = "enrich = \"off\"";

fn numbered(number: u64) -> Vec<u8> {
    request(vec![span(number, "step")]).encode_to_vec()
}

#[tokio::test]
async fn a_destination_that_is_down_delays_no_other_and_loses_nothing() {
    // Bound and released: nobody listens there for now.
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let (hung, up) = (Backend::start().await, Backend::start().await);
    hung.always(Mood::Hang);
    let text = [
        to("gone", &format!("http://{gone}"), PLAIN),
        to("hung", &hung.url(), "enrich = \"off\"\ntimeout = \"300ms\""),
        to("up", &up.url(), PLAIN),
    ];
    let pipeline = Pipeline::start(&text.concat()).await;
    let sent: Vec<_> = (0..50).map(numbered).collect();
    for body in &sent {
        assert_eq!(pipeline.post("traces", body.clone()).await, 200);
    }
    up.has(sent.len()).await;
    until(|| hung.asked() > 0).await;
    assert_eq!(hung.taken().len(), 0);

    hung.always(Mood::Take);
    let back = Backend::serve_at(TcpListener::bind(gone).await.unwrap());
    for backend in [&back, &hung, &up] {
        backend.has(sent.len()).await;
        let mut bodies = backend.bodies();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), sent.len(), "all, each at least once");
    }
    pipeline.until_left((0, 0)).await;
    assert_eq!(
        up.taken().len(),
        sent.len(),
        "each once where nothing went wrong"
    );
}

#[tokio::test]
async fn delays_that_a_destination_asks_for_are_kept() {
    let (http, grpc) = (Backend::start().await, Backend::start().await);
    http.next([Mood::Say(503, Some("0"))]);
    http.next([Mood::Say(503, Some("2"))]);
    grpc.next([Mood::SayGrpc(
        Code::ResourceExhausted,
        Some(Duration::from_secs(2)),
    )]);
    let text = [
        to("http", &http.url(), PLAIN),
        to("grpc", &grpc.url(), "enrich = \"off\"\nprotocol = \"grpc\""),
    ];
    let pipeline = Pipeline::start(&text.concat()).await;
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    http.has(1).await;
    grpc.has(1).await;
    pipeline.until_left((0, 0)).await;
    assert_eq!((http.asked(), grpc.asked()), (3, 2));
}

/// The codes that the tables of the OTLP specification call retryable; RESOURCE_EXHAUSTED only with RetryInfo.
const RETRYABLE_HTTP: [u16; 4] = [429, 502, 503, 504];
const RETRYABLE_GRPC: [Code; 6] = [
    Code::Cancelled,
    Code::DeadlineExceeded,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unavailable,
    Code::DataLoss,
];

#[tokio::test]
async fn every_retryable_code_of_the_tables_is_tried_again() {
    let http = RETRYABLE_HTTP.map(|status| (Mood::Say(status, None), PLAIN.to_owned()));
    let grpc = format!("{PLAIN}\nprotocol = \"grpc\"");
    let told = Some(Duration::from_secs(1));
    let codes = RETRYABLE_GRPC.map(|code| Mood::SayGrpc(code, None));
    let codes = codes
        .into_iter()
        .chain([Mood::SayGrpc(Code::ResourceExhausted, told)]);
    let moods = http
        .into_iter()
        .chain(codes.map(|mood| (mood, grpc.clone())));
    // A destination for each, so that the pauses run side by side.
    let (mut text, mut backends) = (String::new(), Vec::new());
    for (number, (mood, more)) in moods.enumerate() {
        let backend = Backend::start().await;
        text += &to(&format!("d{number}"), &backend.url(), &more);
        backend.next([mood.clone()]);
        backends.push((mood, backend));
    }
    let pipeline = Pipeline::start(&text).await;
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    for (mood, backend) in &backends {
        backend.has(1).await;
        assert_eq!(backend.asked(), 2, "{mood:?}");
    }
    pipeline.until_left((0, 0)).await;
}

#[tokio::test]
async fn every_other_code_is_a_dead_letter_that_can_be_tried_again_or_dropped() {
    let (http, grpc) = (Backend::start().await, Backend::start().await);
    let statuses: Vec<u16> = [400, 401, 403, 404, 405, 408, 413, 415, 422, 500, 501, 505].into();
    assert!(
        statuses
            .iter()
            .all(|status| !RETRYABLE_HTTP.contains(status))
    );
    let codes: Vec<Code> = (1..=16)
        .map(Code::from_i32)
        .filter(|code| !RETRYABLE_GRPC.contains(code))
        .collect();
    assert_eq!(codes.len(), 10);
    http.next(statuses.iter().map(|status| Mood::Say(*status, None)));
    grpc.next(codes.iter().map(|code| Mood::SayGrpc(*code, None)));
    let text = [
        to("http", &http.url(), PLAIN),
        to("grpc", &grpc.url(), "enrich = \"off\"\nprotocol = \"grpc\""),
    ];
    let pipeline = Pipeline::start(&text.concat()).await;
    for number in 0..13 {
        assert_eq!(pipeline.post("traces", numbered(number)).await, 200);
    }
    let refused = statuses.len() + codes.len();
    pipeline.until_left((0, refused)).await;
    assert_eq!(
        (http.taken().len(), grpc.taken().len()),
        (13 - statuses.len(), 13 - codes.len()),
        "others are not held up"
    );
    let of = |name: &str| Selection {
        destination: Some(name.to_owned()),
        ..Selection::default()
    };
    let letters = pipeline
        .store
        .outbox_list(&of("http"), 0, 20)
        .await
        .unwrap();
    assert!(letters.iter().all(|letter| {
        letter
            .error
            .as_ref()
            .is_some_and(|error| error.starts_with("HTTP ") && error.contains("not now"))
    }));
    let retried = pipeline.store.outbox_retry(&of("http")).await.unwrap();
    assert_eq!(retried, statuses.len() as u64);
    http.has(13).await;
    let dropped = pipeline.store.outbox_drop(&of("grpc")).await.unwrap();
    assert_eq!(dropped, codes.len() as u64);
    pipeline.until_left((0, 0)).await;
    let counter = "costflame_forward_requests_total{destination=\"grpc\",result=\"refused\"}";
    assert_eq!(pipeline.rig.metric(counter), codes.len() as u64);
}

#[tokio::test]
async fn a_partial_success_is_counted_and_not_sent_again() {
    let backend = Backend::start().await;
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 2,
            error_message: "too old".into(),
        }),
    };
    backend.next([Mood::Answer(partial.encode_to_vec())]);
    let pipeline = Pipeline::start(&to("a", &backend.url(), PLAIN)).await;
    assert_eq!(pipeline.post("traces", body(&["a", "b", "c"])).await, 200);
    backend.has(1).await;
    pipeline.until_left((0, 0)).await;
    let metric = |name: &str| {
        pipeline.rig.metric(&format!(
            "costflame_forward_{name}_total{{destination=\"a\"}}"
        ))
    };
    assert_eq!((metric("rejected_items"), metric("items")), (2, 3));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let backend = Backend::start().await;
    backend.next([Mood::Answer(vec![b' '; 64 << 20])]);
    let pipeline = Pipeline::start(&to("a", &backend.url(), PLAIN)).await;
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    pipeline.until_left((0, 0)).await;
    assert_eq!(backend.asked(), 1);
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_headers_stay_secret() {
    let (backend, elsewhere) = (Backend::start().await, Backend::start().await);
    backend.always(Mood::Redirect(elsewhere.url()));
    let more = "enrich = \"off\"\nheaders = { authorization = \"Bearer hunter2\" }";
    let pipeline = Pipeline::start(&to("a", &backend.url(), more)).await;
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    pipeline.until_left((0, 1)).await;
    assert_eq!(elsewhere.asked(), 0);
    let letters = pipeline
        .store
        .outbox_list(&Selection::default(), 0, 10)
        .await
        .unwrap();
    assert!(!format!("{letters:?}").contains("hunter2"));
    assert!(!format!("{:?}", configured(&to("a", "http://a", more))).contains("hunter2"));
}

#[tokio::test]
async fn beyond_its_bound_a_destination_loses_the_oldest_or_nothing_more_is_taken() {
    let down = Backend::start().await;
    down.always(Mood::Say(503, None));
    let bound = "enrich = \"off\"\nmax_bytes = 1000";
    let dropping = Pipeline::start(&to("a", &down.url(), bound)).await;
    for number in 0..50 {
        assert_eq!(dropping.post("traces", numbered(number)).await, 200);
    }
    let dropped = "costflame_forward_dropped_requests_total{destination=\"a\",reason=\"bytes\"}";
    let mut left = u64::MAX / 2;
    while left + dropping.rig.metric(dropped) != 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let letters = dropping
            .store
            .outbox_list(&Selection::default(), 0, 100)
            .await
            .unwrap();
        let bytes: u32 = letters.iter().map(|letter| letter.bytes).sum();
        left = if bytes <= 1000 {
            letters.len() as u64
        } else {
            u64::MAX / 2
        };
    }
    assert!(left > 0, "the newest stay");

    let up = Backend::start().await;
    up.always(Mood::Say(503, None));
    let refusing = format!("{bound}\nwhen_full = \"refuse\"");
    let refusing = Pipeline::start(&to("a", &up.url(), &refusing)).await;
    let mut taken = 0;
    while refusing.post("traces", numbered(taken)).await == 200 {
        taken += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        refusing.post("metrics", Vec::new()).await,
        503,
        "every signal waits"
    );
    assert_eq!(
        refusing
            .rig
            .metric("costflame_forward_full{destination=\"a\"}"),
        1
    );
    up.always(Mood::Take);
    up.has(taken as usize).await;
    while refusing.post("traces", numbered(taken)).await != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    up.has(taken as usize + 1).await;
}

#[tokio::test]
async fn too_old_is_dropped_too() {
    let down = Backend::start().await;
    down.always(Mood::Say(503, None));
    let pipeline =
        Pipeline::start(&to("a", &down.url(), "enrich = \"off\"\nmax_age = \"1s\"")).await;
    assert_eq!(pipeline.post("traces", body(&["a"])).await, 200);
    pipeline.until_left((0, 0)).await;
    let dropped = "costflame_forward_dropped_requests_total{destination=\"a\",reason=\"age\"}";
    until(|| pipeline.rig.metric(dropped) == 1).await;
}

#[tokio::test]
async fn two_collectors_share_an_outbox() {
    let backend = Backend::start().await;
    let text = to("a", &backend.url(), PLAIN);
    let one = Pipeline::on_postgres(&text).await;
    let two = one.another(&text).await;
    let sent: Vec<_> = (0..200).map(numbered).collect();
    let posts = sent
        .iter()
        .enumerate()
        .map(|(number, body)| [&one, &two][number % 2].post("traces", body.clone()));
    assert!(join_all(posts).await.iter().all(|status| *status == 200));
    backend.has(sent.len()).await;
    one.until_left((0, 0)).await;
    let (mut bodies, mut expected) = (backend.bodies(), sent);
    bodies.sort();
    expected.sort();
    assert!(bodies == expected, "each exactly once");
}

/// A receiver in front of a ledger, with somewhere to forward to.
async fn in_front_of_ledger(commit: CommitConfig) -> crate::common::Rig {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("unused.db").display());
    let store = Arc::new(Store::connect(&url, &Options::default()).await.unwrap());
    let mut registry = Registry::with_prefix("costflame");
    let text = to("a", "http://nowhere.invalid", PLAIN);
    let forwarder =
        Forwarder::new(store, configured(&text), Duration::ZERO, &mut registry).unwrap();
    let config = ReceiverConfig {
        commit,
        ..ReceiverConfig::default()
    };
    start_with(
        Arc::new(Ledger::default()),
        config,
        forwarder.outgoing(),
        registry,
    )
    .await
}

async fn post(rig: &crate::common::Rig, body: Vec<u8>) -> u16 {
    let request = reqwest::Client::new()
        .post(rig.url("/v1/traces"))
        .header("content-type", "application/x-protobuf");
    request.body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_large_request_is_forwarded_once_all_its_spans_are_durable() {
    let rig = in_front_of_ledger(CommitConfig {
        max_rows: 1,
        ..CommitConfig::default()
    })
    .await;
    let spans = (0..10_000).map(|number| span(number, "step")).collect();
    let body = request(spans).encode_to_vec();
    let turns = rig.ledger.turns.acquire_many(64).await.unwrap();
    let url = rig.url("/v1/traces");
    let sending = tokio::spawn({
        let body = body.clone();
        let client = reqwest::Client::new()
            .post(url)
            .header("content-type", "application/x-protobuf");
        async move { client.body(body).send().await.unwrap().status().as_u16() }
    });
    until(|| {
        rig.ledger
            .attempts
            .load(std::sync::atomic::Ordering::Relaxed)
            > 0
    })
    .await;
    assert_eq!(rig.ledger.outbox.lock().unwrap().len(), 0);
    drop(turns);
    assert_eq!(sending.await.unwrap(), 200);
    let outbox = rig.ledger.outbox.lock().unwrap();
    assert_eq!(
        (outbox.len(), outbox[0].items, outbox[0].raw_bytes),
        (1, 10_000, body.len() as u32)
    );
    let sizes = rig.ledger.sizes();
    assert_eq!((sizes.iter().sum::<usize>(), sizes.len()), (10_000, 3));
}

#[tokio::test]
async fn a_poison_span_does_not_keep_its_request_from_being_forwarded() {
    let rig = in_front_of_ledger(CommitConfig::default()).await;
    rig.ledger.set(Mode::Poison("bad"));
    assert_eq!(post(&rig, body(&["a", "bad"])).await, 200);
    assert_eq!(rig.ledger.names(), ["a"]);
    assert_eq!(rig.ledger.outbox.lock().unwrap().len(), 1);
    rig.ledger.set(Mode::Down);
    assert_eq!(post(&rig, body(&["c"])).await, 503);
    assert_eq!(rig.ledger.outbox.lock().unwrap().len(), 1);
}
