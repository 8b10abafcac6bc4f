//! What becomes of a span.

use costflame_profile::FrameKind;

use super::*;
use crate::{
    decode::Value::{Int, Str},
    dialect::testing::{scope, span},
};

const CHAT: [(&str, Value<'_>); 5] = [
    ("gen_ai.operation.name", Str("chat")),
    ("gen_ai.provider.name", Str("openai")),
    ("gen_ai.request.model", Str("gpt-4o")),
    ("gen_ai.usage.input_tokens", Int(1_234)),
    ("gen_ai.usage.output_tokens", Int(567)),
];

fn resource<'a>(attributes: &'a [(&'a str, Value<'a>)]) -> Resource<'a> {
    Resource {
        attributes: Attributes(attributes),
    }
}

#[test]
fn a_call_lands_with_its_receipt() {
    let shop = [
        ("service.name", Str("shop")),
        ("host.name", Str("h")),
        ("process.pid", Int(17)),
        ("user.id", Str("u")),
    ];
    let row = land(
        &resource(&shop),
        &scope("lib"),
        &span("chat", &CHAT),
        &Catalog::embedded(),
        1,
        9,
    );
    assert_eq!((row.project, row.received_us), (1, 9));
    assert_eq!(
        (
            &*row.span.service,
            &*row.span.emitter,
            row.span.instance.as_deref()
        ),
        ("shop", "lib@", Some("h/17"))
    );
    assert_eq!(
        (row.span.kind, &*row.span.label),
        (FrameKind::Model, "gpt-4o")
    );
    assert_eq!(row.span.attribution.user.as_deref(), Some("u"));
    let (call, receipt) = (row.span.call.unwrap(), row.receipt.unwrap());
    assert_eq!(
        receipt.cost.map(|cost| cost.to_string()).as_deref(),
        Some("0.008755")
    );
    assert_eq!((call.cost, call.usage), (receipt.cost, receipt.usage));
}

#[test]
fn texts_and_resources_are_shared() {
    let (shop, till) = (
        [("service.name", Str("shop"))],
        [("service.name", Str("till"))],
    );
    let catalog = Catalog::embedded();
    let mut lander = Lander::new(&catalog);
    let mut read = |attributes| {
        lander
            .read(&resource(attributes), &scope("lib"), &span("step 1", &[]))
            .0
    };
    let (a, b, other) = (read(&shop), read(&shop), read(&till));
    assert!(Arc::ptr_eq(&a.service, &b.service) && Arc::ptr_eq(&a.label, &b.label));
    assert!(Arc::ptr_eq(&a.attribution, &b.attribution));
    assert_eq!((&*other.service, &*other.label), ("till", "step {id}"));
}

#[test]
fn the_hash_tells_versions_apart() {
    let hash = |name: &str, attributes: &[(&str, Value<'_>)]| {
        let catalog = Catalog::embedded();
        Lander::new(&catalog)
            .read(&resource(&[]), &scope("lib"), &span(name, attributes))
            .0
            .content_hash
    };
    assert_eq!(hash("chat", &CHAT), hash("chat", &CHAT));
    assert_ne!(hash("chat", &CHAT), hash("chat", &CHAT[..4]));
    assert_ne!(
        hash("a", &[("user.id", Str("u"))]),
        hash("a", &[("session.id", Str("u"))])
    );
    assert_ne!(hash("a", &[]), hash("b", &[]));
}

#[test]
fn weight_is_that_of_the_span_before_that_of_its_resource() {
    let catalog = Catalog::embedded();
    let mut lander = Lander::new(&catalog);
    let mut weight = |attributes: &[(&str, Value<'_>)], of_resource: &[(&str, Value<'_>)]| {
        let span = span("chat", attributes);
        let landed = lander.read(&resource(of_resource), &scope("lib"), &span);
        landed.0.weight_milli
    };
    let half = [("sampling.probability", Str("0.5"))];
    assert_eq!(weight(&CHAT, &[]), 0, "nothing is said");
    assert_eq!(weight(&CHAT, &half), 2_000);
    let rate = [("SampleRate", Int(8))];
    assert_eq!(weight(&rate, &half), 8_000);
    let bad = [("SampleRate", Int(0))];
    assert_eq!(weight(&bad, &half), 2_000);
    assert_eq!(weight(&bad, &[]), 0);
    assert_eq!(lander.ignored_weights, 2);
}
