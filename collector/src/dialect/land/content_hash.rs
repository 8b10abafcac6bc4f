//! What tells two versions of a span apart.

use costflame_profile::Span;
use costflame_store::Sent;
use xxhash_rust::xxh3::xxh3_64;

/// Everything that was read but what the catalog adds: a span that is sent again after prices have changed is the
/// same span. `bytes` is room to work in.
pub(super) fn content_hash(bytes: &mut Vec<u8>, span: &Span, sent: Sent) -> u64 {
    bytes.clear();
    let mut text = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    for part in [&span.service, &span.label, &span.emitter] {
        text(part);
    }
    let attribution = &*span.attribution;
    let named = [
        &span.instance,
        &attribution.environment,
        &attribution.feature,
        &attribution.user,
        &attribution.session,
        &attribution.agent,
        &attribution.tool,
        &attribution.prompt,
        &attribution.prompt_version,
    ];
    for part in named {
        // Absent is not empty.
        text(part.as_deref().unwrap_or("\0"));
    }
    for (key, value) in &attribution.tags {
        text(key);
        text(value);
    }
    if let Some(call) = &span.call {
        for part in [
            &call.operation,
            &call.request_model,
            &call.response_model,
            &call.response_id,
        ] {
            text(part.as_deref().unwrap_or("\0"));
        }
        let usage = call.usage.tokens.iter().chain(&call.usage.counters);
        usage.for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
    }
    bytes.extend_from_slice(&[
        span.kind as u8,
        span.span_kind as u8,
        span.role as u8,
        u8::from(span.error),
    ]);
    bytes.extend_from_slice(&span.parent_span_id.map_or([0; 8], |parent| parent.0));
    for number in [
        span.start_us,
        span.end_us,
        i64::from(span.attribute_count),
        i64::from(span.weight_milli),
    ] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    span.links
        .iter()
        .for_each(|link| bytes.extend_from_slice(&link.0));
    for hash in [sent.request, sent.system].into_iter().flatten() {
        bytes.extend_from_slice(&hash.to_le_bytes());
    }
    for step in &span.above {
        bytes.push(step.kind as u8);
        bytes.extend_from_slice(&(step.label.len() as u64).to_le_bytes());
        bytes.extend_from_slice(step.label.as_bytes());
    }
    xxh3_64(bytes)
}
