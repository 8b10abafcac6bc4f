//! How many spans a kept one stands for: what samplers and collectors write about that, in their own spellings.

use super::slots::{Key, Slot, Slots};
use crate::decode::Value;

/// The largest adjusted count that is believed, in thousandths: one span kept of two million.
const MOST: f64 = 2e9;

/// Where it is written in attributes. Of several the first wins.
///
/// - `SampleRate` = N: one of N spans was kept. Honeycomb's SDKs, and Refinery behind them:
///   <https://docs.honeycomb.io/manage-data-volume/sample/>. `sampleRate`, which Honeycomb reads too, is left alone: it
///   is what programs with audio call their frequency.
/// - `sampler.adjusted_count`: the example of OpenTelemetry's proposal 0170,
///   <https://github.com/open-telemetry/oteps/blob/main/text/trace/0170-sampling-probability.md>.
/// - `sampling.probability`: OpenTelemetry's first SDKs,
///   <https://github.com/open-telemetry/opentelemetry-specification/pull/570>; `sampling.ratio`: samplers of users' own.
/// - `sentry.sample_rate`: Sentry's SDKs, on roots:
///   <https://getsentry.github.io/sentry-javascript/variables/_sentry_core.SEMANTIC_ATTRIBUTE_SENTRY_SAMPLE_RATE.html>.
/// - `_sample_rate`: Datadog's agent, on roots:
///   <https://github.com/DataDog/datadog-agent/blob/main/pkg/trace/stats/weight.go>.
/// - `_MS.sampleRate`: a percentage, by the samplers of Azure Monitor:
///   <https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-sampling>.
/// - `sampling.threshold`: the rejection threshold, on log records by the Collector's probabilistic sampler:
///   <https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/probabilisticsamplerprocessor>.
/// - `sampler.type` = `probabilistic` with `sampler.param`: Jaeger's clients, on roots,
///   <https://www.jaegertracing.io/docs/1.76/architecture/sampling/>; with the prefix `jaeger.` OpenTelemetry's remote
///   sampler for it.
pub(super) const KEYS: &[Key] = &[
    ("SampleRate", Slot::AdjustedCount),
    ("sampler.adjusted_count", Slot::AdjustedCount),
    ("sampling.probability", Slot::SamplingRatio),
    ("sampling.ratio", Slot::SamplingRatio),
    ("sentry.sample_rate", Slot::SamplingRatio),
    ("_sample_rate", Slot::SamplingRatio),
    ("_MS.sampleRate", Slot::SamplingPercentage),
    ("sampling.threshold", Slot::SamplingThreshold),
    ("sampler.type", Slot::SamplerType),
    ("jaeger.sampler.type", Slot::SamplerType),
    ("sampler.param", Slot::SamplerParam),
    ("jaeger.sampler.param", Slot::SamplerParam),
];

/// A value that cannot be: a probability of zero or above one, a count below one or beyond [`MOST`], no number at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unbelievable;

/// The adjusted count in thousandths; `None` where nothing is said about it.
///
/// The trace state comes first, since a sampler may thin out what another one has before and has to say so there.
pub(super) fn weight_milli(
    trace_state: &str,
    slots: &Slots<'_>,
) -> Result<Option<u32>, Unbelievable> {
    let count = match of_trace_state(trace_state) {
        Some(count) => Some(count?),
        None => of_attributes(slots).transpose()?,
    };
    count.map(thousandths).transpose()
}

/// `ot=th:…`, the rejection threshold, or `p:…`, its predecessor; `es=s:…`, the ratio that Elastic's agents propagate.
///
/// Sources: <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>,
/// <https://github.com/open-telemetry/opentelemetry-specification/blob/v1.35.0/specification/trace/tracestate-probability-sampling-experimental.md>,
/// <https://github.com/elastic/apm/blob/main/specs/agents/tracing-sampling.md>.
fn of_trace_state(trace_state: &str) -> Option<Result<f64, Unbelievable>> {
    if trace_state.is_empty() {
        return None;
    }
    let field = |member: &str, name: &str| {
        let mut members = trace_state.split(',');
        let list = members.find_map(|of| of.trim().strip_prefix(member))?;
        list.split(';').find_map(|field| field.strip_prefix(name))
    };
    if let Some(threshold) = field("ot=", "th:") {
        return Some(by_threshold(threshold));
    }
    if let Some(power) = field("ot=", "p:") {
        return Some(by_power(power));
    }
    let ratio = field("es=", "s:")?;
    Some(ratio.parse().map_err(|_| Unbelievable).and_then(by_ratio))
}

fn of_attributes(slots: &Slots<'_>) -> Option<Result<f64, Unbelievable>> {
    let read = |slot: Slot| {
        slots
            .value(slot)
            .map(|value| number(value).ok_or(Unbelievable))
    };
    if let Some(count) = read(Slot::AdjustedCount) {
        return Some(count);
    }
    if let Some(ratio) = read(Slot::SamplingRatio) {
        return Some(ratio.and_then(by_ratio));
    }
    if let Some(percentage) = read(Slot::SamplingPercentage) {
        return Some(percentage.and_then(|percentage| by_ratio(percentage / 100.0)));
    }
    if let Some(threshold) = slots.value(Slot::SamplingThreshold) {
        return Some(
            threshold
                .as_text()
                .ok_or(Unbelievable)
                .and_then(by_threshold),
        );
    }
    // What a sampler of another type is limited to, per second, is no probability.
    (slots.text(Slot::SamplerType)? == "probabilistic").then_some(())?;
    Some(read(Slot::SamplerParam)?.and_then(by_ratio))
}

/// A rejection threshold of 56 bits in hexadecimal digits; zeros at the end are left out, so `8` is one half.
fn by_threshold(threshold: &str) -> Result<f64, Unbelievable> {
    const ONE: u64 = 1 << 56;
    let digits = threshold.len();
    if !(1..=14).contains(&digits) || threshold.starts_with('+') {
        return Err(Unbelievable);
    }
    let rejected = u64::from_str_radix(threshold, 16).map_err(|_| Unbelievable)?;
    let kept = ONE - (rejected << (4 * (14 - digits)));
    Ok(ONE as f64 / kept as f64)
}

/// One of 2^p was kept; 63 was kept for another reason than chance, and stands for itself alone.
fn by_power(power: &str) -> Result<f64, Unbelievable> {
    match power.parse::<u8>() {
        Ok(63) => Ok(1.0),
        Ok(power) if power < 63 => Ok(f64::from(power).exp2()),
        _ => Err(Unbelievable),
    }
}

fn by_ratio(ratio: f64) -> Result<f64, Unbelievable> {
    if ratio > 0.0 && ratio <= 1.0 {
        Ok(ratio.recip())
    } else {
        Err(Unbelievable)
    }
}

fn thousandths(count: f64) -> Result<u32, Unbelievable> {
    let milli = (count * 1000.0).round();
    if (1000.0..=MOST).contains(&milli) {
        Ok(milli as u32)
    } else {
        Err(Unbelievable)
    }
}

fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Double(number) => Some(number),
        Value::Str(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use Value::{Bool, Double, Int, Str};

    use super::*;
    use crate::decode::Attributes;

    fn read(state: &str, attributes: &[(&str, Value<'_>)]) -> Result<Option<u32>, Unbelievable> {
        weight_milli(state, &Slots::read(Attributes(attributes)))
    }

    #[test]
    fn trace_states() {
        for (state, weight) in [
            ("", Ok(None)),
            ("vendor=x", Ok(None)),
            ("ot=rv:6e6d1a75832a2f", Ok(None)),
            ("ot=th:0", Ok(Some(1_000))),
            ("ot=th:8", Ok(Some(2_000))),
            ("vendor=x, ot=rv:1;th:c", Ok(Some(4_000))),
            ("ot=th:fd70a4", Ok(Some(100_000))),
            ("ot=p:3;r:5", Ok(Some(8_000))),
            ("ot=p:0", Ok(Some(1_000))),
            ("ot=p:63", Ok(Some(1_000))),
            ("es=s:0.25", Ok(Some(4_000))),
            ("es=s:0.3", Ok(Some(3_333))),
            ("ot=th:ffffffffffffff", Err(Unbelievable)),
            ("ot=th:", Err(Unbelievable)),
            ("ot=th:+8", Err(Unbelievable)),
            ("ot=th:xyz", Err(Unbelievable)),
            ("ot=th:123456789012345", Err(Unbelievable)),
            ("ot=p:64", Err(Unbelievable)),
            ("ot=p:40", Err(Unbelievable)),
            ("es=s:0", Err(Unbelievable)),
            ("es=s:much", Err(Unbelievable)),
        ] {
            assert_eq!(read(state, &[]), weight, "{state}");
        }
    }

    #[test]
    fn attributes() {
        let jaeger = |kind, param| {
            [
                ("sampler.type", Str(kind)),
                ("sampler.param", Double(param)),
            ]
        };
        for (attributes, weight) in [
            (&[("SampleRate", Int(8))][..], Ok(Some(8_000))),
            (&[("SampleRate", Str("8"))], Ok(Some(8_000))),
            (&[("SampleRate", Double(2.5))], Ok(Some(2_500))),
            (&[("sampler.adjusted_count", Int(3))], Ok(Some(3_000))),
            (&[("sampling.probability", Double(0.1))], Ok(Some(10_000))),
            (&[("sampling.ratio", Str(" 0.3 "))], Ok(Some(3_333))),
            (&[("sentry.sample_rate", Int(1))], Ok(Some(1_000))),
            (&[("_sample_rate", Double(0.5))], Ok(Some(2_000))),
            (&[("_MS.sampleRate", Double(25.0))], Ok(Some(4_000))),
            (&[("sampling.threshold", Str("c"))], Ok(Some(4_000))),
            (&jaeger("probabilistic", 0.5), Ok(Some(2_000))),
            (&jaeger("ratelimiting", 2.0), Ok(None)),
            (&jaeger("const", 1.0), Ok(None)),
            (&[("sampleRate", Int(24_000))], Ok(None)),
            (&[("SampleRate", Int(0))], Err(Unbelievable)),
            (&[("SampleRate", Int(-3))], Err(Unbelievable)),
            (&[("SampleRate", Int(i64::MAX))], Err(Unbelievable)),
            (&[("SampleRate", Bool(true))], Err(Unbelievable)),
            (&[("sampling.probability", Double(0.0))], Err(Unbelievable)),
            (&[("sampling.probability", Double(1.5))], Err(Unbelievable)),
            (
                &[("sampling.probability", Double(f64::NAN))],
                Err(Unbelievable),
            ),
            (&[("sampling.probability", Double(1e-9))], Err(Unbelievable)),
            (&[("_MS.sampleRate", Int(0))], Err(Unbelievable)),
            (&jaeger("probabilistic", 0.0), Err(Unbelievable)),
        ] {
            assert_eq!(read("", attributes), weight, "{attributes:?}");
        }
    }

    #[test]
    fn the_trace_state_comes_before_attributes_and_counts_before_ratios() {
        let both = [("sampling.ratio", Double(0.5)), ("SampleRate", Int(8))];
        assert_eq!(read("ot=th:c", &both), Ok(Some(4_000)));
        assert_eq!(read("ot=rv:1", &both), Ok(Some(8_000)));
    }
}
