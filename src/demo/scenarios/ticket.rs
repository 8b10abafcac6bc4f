//! A reply to a support ticket.

use opentelemetry::KeyValue;

use super::spans::{
    HAIKU, SONNET, SUPPORT_HTTP, Tokens, agent, call, customer, failed_call, request, step,
};
use crate::demo::trace::TraceBuilder;

/// A reply to a support ticket: draft, and a retry when the provider is overloaded.
pub(in crate::demo) fn ticket(t: &mut TraceBuilder) {
    let ticket = t.around(7_000);
    let root = request(
        t,
        SUPPORT_HTTP,
        None,
        "POST",
        "/tickets/{id}/reply",
        vec![
            KeyValue::new("costflame.feature", "ticket replies"),
            customer(ticket),
            KeyValue::new("url.path", format!("/tickets/{ticket}/reply")),
            KeyValue::new(
                "costflame.tag.plan",
                if ticket % 3 == 0 {
                    "enterprise"
                } else {
                    "team"
                },
            ),
        ],
    );
    let drafter = agent(t, &root, "drafter");
    if t.once_in(12) {
        failed_call(t, &drafter, SONNET, "overloaded_error");
        t.pass(900);
    }
    call(
        t,
        &drafter,
        SONNET,
        Tokens {
            input: 4_300,
            cached: 2_500,
            output: 530,
            ..Tokens::default()
        },
    );
    t.close(drafter);
    let tone = step(t, Some(&root), "tone_check", &[]);
    call(
        t,
        &tone,
        HAIKU,
        Tokens {
            input: 800,
            output: 30,
            ..Tokens::default()
        },
    );
    t.close(tone);
    t.pass(5);
    t.close(root);
}
