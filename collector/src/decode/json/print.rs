//! Protobuf to OTLP/JSON, by the same tables.
//!
//! What the tables do not know has no name and is left out; text that is not UTF-8 is repaired with U+FFFD.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use costflame_profile::Signal;

use crate::decode::{
    records::request_of,
    schema::{Field as Spec, Kind, Message, Role},
    wire::{Field, Reader, WireError},
};

/// Nested lists below which values are left out: their messages were never looked at.
const MAX_LISTS: usize = 128;

/// Turns the protobuf of an export request into JSON.
///
/// # Errors
/// The bytes are not the protobuf of this signal.
pub fn protobuf_to_json(signal: Signal, body: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(2 * body.len());
    message(request_of(signal), Reader::new(body), MAX_LISTS, &mut out)?;
    Ok(out)
}

fn message(
    spec: &Message,
    reader: Reader<'_>,
    lists: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let lists = match spec.role {
        Role::List if lists == 0 => {
            out.extend_from_slice(b"{}");
            return Ok(());
        }
        Role::List => lists - 1,
        _ => lists,
    };
    let present = present(spec, reader)?;
    out.push(b'{');
    let mut separator: &[u8] = b"";
    for (place, field) in spec.fields.iter().enumerate() {
        if present & (1 << place) == 0 {
            continue;
        }
        out.extend_from_slice(separator);
        separator = b",";
        text(field.name, out);
        out.push(b':');
        if field.repeated {
            repeated(field, reader, lists, out)?;
        } else {
            single(field, reader, lists, out)?;
        }
    }
    out.push(b'}');
    Ok(())
}

/// A bit for each field that occurs: fields come in any order, JSON wants those of one name together.
fn present(spec: &Message, mut reader: Reader<'_>) -> Result<u32, WireError> {
    let mut present = 0;
    while let Some(field) = reader.next_field()? {
        let place = spec
            .fields
            .iter()
            .position(|known| known.number == field.number);
        present |= place.map_or(0, |place| 1 << place);
    }
    Ok(present)
}

/// The last occurrence counts.
fn single(
    spec: &Spec,
    mut reader: Reader<'_>,
    lists: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let mut last = None;
    while let Some(field) = reader.next_field()? {
        if field.number == spec.number {
            last = Some(field);
        }
    }
    last.map_or(Ok(()), |field| value(spec, field, lists, out))
}

fn repeated(
    spec: &Spec,
    mut reader: Reader<'_>,
    lists: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let is_number = !matches!(
        spec.kind,
        Kind::Message(_) | Kind::Text | Kind::Hex | Kind::Base64
    );
    out.push(b'[');
    let start = out.len();
    while let Some(field) = reader.next_field()? {
        if field.number != spec.number {
            continue;
        }
        if is_number && field.is_length_delimited() {
            packed(spec, field.message()?, start, out)?;
            continue;
        }
        separate(start, out);
        value(spec, field, lists, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Numbers without tags.
fn packed(
    spec: &Spec,
    mut reader: Reader<'_>,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    while !reader.bytes().is_empty() {
        let bits = match spec.kind {
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => reader.read_fixed64()?,
            _ => reader.read_varint()?,
        };
        separate(start, out);
        number(&spec.kind, bits, out);
    }
    Ok(())
}

fn separate(start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b',');
    }
}

fn value(spec: &Spec, field: Field<'_>, lists: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
    match &spec.kind {
        Kind::Message(inner) => return message(inner, field.message()?, lists, out),
        Kind::Text => text(&String::from_utf8_lossy(field.bytes()?), out),
        Kind::Hex => {
            out.push(b'"');
            for byte in field.bytes()? {
                print(out, format_args!("{byte:02x}"));
            }
            out.push(b'"');
        }
        Kind::Base64 => text(&STANDARD.encode(field.bytes()?), out),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => number(&spec.kind, field.fixed64()?, out),
        Kind::Fixed32 => number(&spec.kind, field.fixed32()?.into(), out),
        _ => number(&spec.kind, field.varint()?, out),
    }
    Ok(())
}

/// Integers of 64 bits are text, those of 32 bits are numbers.
fn number(kind: &Kind, bits: u64, out: &mut Vec<u8>) {
    match kind {
        Kind::Bool => print(out, format_args!("{}", bits != 0)),
        Kind::Double => double(f64::from_bits(bits), out),
        Kind::Int64 | Kind::Sfixed64 => print(out, format_args!("\"{}\"", bits.cast_signed())),
        Kind::Uint64 | Kind::Fixed64 => print(out, format_args!("\"{bits}\"")),
        Kind::Enum(_) => print(out, format_args!("{}", bits as i32)),
        Kind::Sint32 => {
            let bits = bits as u32;
            let value = (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed();
            print(out, format_args!("{value}"));
        }
        _ => print(out, format_args!("{}", bits as u32)),
    }
}

fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        text(if value > 0.0 { "Infinity" } else { "-Infinity" }, out);
    } else {
        serde_json::to_writer(out, &value).expect("a finite number into memory");
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text into memory");
}

fn print(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("into memory");
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        metrics::v1::{
            ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint,
            Metric, ResourceMetrics, ScopeMetrics, exponential_histogram_data_point::Buckets,
            metric::Data,
        },
    };
    use prost::Message as _;

    use super::*;
    use crate::decode::{Limits, json_to_protobuf};

    /// Everything that spans and logs of the recordings do not have: packed numbers, signed ones, no numbers.
    fn metrics() -> ExportMetricsServiceRequest {
        let histogram = HistogramDataPoint {
            count: u64::MAX,
            sum: Some(f64::NEG_INFINITY),
            min: Some(-0.0),
            max: Some(0.1),
            bucket_counts: vec![1, 0, 1 << 60],
            explicit_bounds: vec![0.5, 1e300],
            ..Default::default()
        };
        let exponential = ExponentialHistogramDataPoint {
            scale: -3,
            positive: Some(Buckets {
                offset: i32::MIN,
                bucket_counts: vec![300, 1],
            }),
            ..Default::default()
        };
        let metric = |data| Metric {
            name: "quoted \"name\"\n\u{1f600}".into(),
            data: Some(data),
            ..Default::default()
        };
        let metrics = vec![
            metric(Data::Histogram(Histogram {
                data_points: vec![histogram.clone(), histogram],
                aggregation_temporality: 2,
            })),
            metric(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: 1,
            })),
        ];
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                scope_metrics: vec![ScopeMetrics {
                    metrics,
                    ..Default::default()
                }],
                ..Default::default()
            }],
        }
    }

    #[test]
    fn reads_back_as_the_same_message() {
        let message = metrics();
        let json = protobuf_to_json(Signal::Metric, &message.encode_to_vec()).unwrap();
        let back = json_to_protobuf(Signal::Metric, &json, &Limits::default()).unwrap();
        assert_eq!(
            ExportMetricsServiceRequest::decode(&*back).unwrap(),
            message
        );
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let point = &json["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["histogram"]["dataPoints"]
            [0];
        assert_eq!(point["count"], "18446744073709551615");
        assert_eq!(point["sum"], "-Infinity");
    }

    #[test]
    fn values_nested_without_end_are_cut() {
        // AnyValue { arrayValue: ArrayValue { values: [ … ] } }, over and over.
        let mut value = Vec::new();
        for _ in 0..1000 {
            for tag in [0x0a, 0x2a] {
                let mut outer = vec![tag];
                prost::encoding::encode_varint(value.len() as u64, &mut outer);
                outer.append(&mut value);
                value = outer;
            }
        }
        // ExportTraceServiceRequest.resource_spans.scope_spans.spans.attributes.value
        for tag in [0x12, 0x4a, 0x12, 0x12, 0x0a] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(value.len() as u64, &mut outer);
            outer.append(&mut value);
            value = outer;
        }
        let json = protobuf_to_json(Signal::Span, &value).unwrap();
        assert!(String::from_utf8(json).unwrap().contains("arrayValue"));
    }
}
