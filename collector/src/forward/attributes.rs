//! The attributes that a model call carries on, see the table in docs/forwarding.md.

use costflame_pricing::{Flag, Line, Unit, Usd};
use costflame_store::query::Verdict;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};

use super::splice::{ATTRIBUTES, RawSpan};

/// The encoded attributes of a call. A key that the span has already is not repeated: keys are unique in OTLP.
pub(crate) fn encode(span: &RawSpan<'_>, verdict: &Verdict) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(512);
    for attribute in attributes(verdict) {
        if !span.has_attribute(&attribute.key) {
            prost::encoding::message::encode(ATTRIBUTES, &attribute, &mut encoded);
        }
    }
    encoded
}

fn attributes(verdict: &Verdict) -> Vec<KeyValue> {
    let mut list = vec![attribute(
        "costflame.counted",
        Value::BoolValue(verdict.excluded.is_none()),
    )];
    if verdict.provisional {
        list.push(attribute("costflame.provisional", Value::BoolValue(true)));
    }
    match verdict.excluded {
        None => cost(verdict, &mut list),
        Some((rule, by)) => {
            list.push(attribute("costflame.excluded.rule", text(rule.name())));
            if let Some((trace, span)) = by {
                list.push(attribute(
                    "costflame.excluded.by.trace_id",
                    text(&hex(&trace.0)),
                ));
                list.push(attribute(
                    "costflame.excluded.by.span_id",
                    text(&hex(&span.0)),
                ));
            }
        }
    }
    list
}

fn cost(verdict: &Verdict, list: &mut Vec<KeyValue>) {
    let receipt = &verdict.receipt;
    if let Some(cost) = receipt.cost {
        list.push(attribute("gen_ai.usage.cost", dollars(cost)));
        list.push(attribute("costflame.cost.total", dollars(cost)));
        list.push(attribute("costflame.cost.picousd", Value::IntValue(cost.0)));
        list.push(attribute("costflame.cost.source", text(source(verdict))));
        for (name, amount) in by_class(&receipt.lines) {
            list.push(attribute(
                &format!("costflame.cost.{name}"),
                dollars(amount),
            ));
        }
    }
    if let Some(reason) = receipt.unpriced {
        list.push(attribute("costflame.cost.unpriced", text(reason.name())));
    }
    if let Some(price) = &receipt.price {
        let price = format!("{}/{}", price.provider, price.model);
        list.push(attribute("costflame.cost.price", text(&price)));
    }
    list.push(attribute(
        "costflame.cost.catalog",
        text(&hex(&receipt.catalog.0)),
    ));
    let flags: Vec<AnyValue> = verdict
        .flags
        .iter()
        .map(|flag| any(text(flag.name())))
        .collect();
    if !flags.is_empty() {
        let flags = Value::ArrayValue(ArrayValue { values: flags });
        list.push(attribute("costflame.cost.flags", flags));
    }
}

/// Where the amount is from.
fn source(verdict: &Verdict) -> &'static str {
    if verdict.flags.contains(Flag::ReportedCost) {
        "reported"
    } else if verdict.flags.contains(Flag::Overridden) {
        "override"
    } else {
        "catalog"
    }
}

/// One amount per class of the receipt, in its order; one that does not fit is left out.
fn by_class(lines: &[Line]) -> Vec<(&'static str, Usd)> {
    let mut classes: Vec<(Unit, Option<i64>)> = Vec::new();
    for line in lines {
        match classes.iter_mut().find(|(unit, _)| *unit == line.unit) {
            Some((_, sum)) => *sum = sum.and_then(|sum| sum.checked_add(line.amount.0)),
            None => classes.push((line.unit, Some(line.amount.0))),
        }
    }
    let amount = |(unit, sum): (Unit, Option<i64>)| Some((unit.name(), Usd(sum?)));
    classes.into_iter().filter_map(amount).collect()
}

/// The double nearest to the exact amount.
fn dollars(amount: Usd) -> Value {
    let exact = amount.to_string();
    Value::DoubleValue(exact.parse().expect("a decimal number"))
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
