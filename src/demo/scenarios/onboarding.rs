//! A new customer's guided setup.

use opentelemetry::KeyValue;

use super::spans::{MINI, SUPPORT_HTTP, Tokens, WEB, agent, call, request};
use crate::demo::trace::TraceBuilder;

/// A new customer's guided setup.
pub(in crate::demo) fn onboarding(t: &mut TraceBuilder) {
    let root = request(
        t,
        WEB,
        None,
        "POST",
        "/onboarding/agent",
        vec![
            KeyValue::new("costflame.feature", "onboarding"),
            KeyValue::new("user.id", "trial"),
        ],
    );
    let served = request(t, SUPPORT_HTTP, Some(&root), "POST", "/v1/onboard", vec![]);
    let guide = agent(t, &served, "guide");
    for _ in 0..2 {
        call(
            t,
            &guide,
            MINI,
            Tokens {
                input: 3_100,
                cached: 1_900,
                output: 260,
                reasoning: 90,
                ..Tokens::default()
            },
        );
    }
    t.close(guide);
    t.close(served);
    t.close(root);
}
