//! Chance that can be repeated, and damage.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value,
};

/// A small generator: a number is enough to get the same input again.
pub(crate) struct Random(u64);

impl Random {
    /// Numbers near each other begin far apart.
    pub(crate) fn new(number: u64) -> Self {
        Self((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `n`, which is not zero.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap_or(0) % n
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Damages bytes in a few places.
pub(crate) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = *random.pick(&[0, 0x7f, 0x80, 0xff, b'-', b'.', b'e', b'9']),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.below(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let end = (at + random.below(9)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => bytes.insert(at, random.next().to_le_bytes()[0]),
        }
    }
}

/// Exchanges some keys and values; `keys` are those that libraries write.
pub(crate) fn exchange(attributes: &mut Vec<KeyValue>, keys: &[String], random: &mut Random) {
    for _ in 0..random.below(6) {
        let key = random.pick(keys).clone();
        match random.below(4) {
            0 if !attributes.is_empty() => {
                let at = random.below(attributes.len());
                attributes[at].value = any_value(random);
            }
            1 if !attributes.is_empty() => {
                let at = random.below(attributes.len());
                attributes[at].key = key;
            }
            2 if !attributes.is_empty() => {
                attributes.swap_remove(random.below(attributes.len()));
            }
            _ => attributes.push(KeyValue {
                key,
                value: any_value(random),
                ..KeyValue::default()
            }),
        }
    }
}

const TEXTS: [&str; 24] = [
    "",
    "null",
    "None",
    "0",
    "-1",
    "1e3",
    "9007199254740993",
    "18446744073709551616",
    "NaN",
    "chat",
    "embeddings",
    "invoke_agent",
    "openai",
    "anthropic",
    "aws.bedrock",
    "gcp.gemini",
    "azure.ai.openai",
    "gpt-4o",
    "claude-sonnet-4-5",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "models/gemini-2.5-pro",
    "ft:gpt-4o-mini:org::id",
    r#"{"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 900, "total_tokens": 912, "service_tier": "flex"}"#,
    r#"{"usage": {"prompt_tokens": [1, {"cached_tokens": 3}], "completion_tokens": -4, "x": {"y": {"z": "\u00e9\"#,
];

fn any_value(random: &mut Random) -> Option<AnyValue> {
    let value = value(random, 0)?;
    Some(AnyValue { value: Some(value) })
}

fn value(random: &mut Random, depth: usize) -> Option<Value> {
    let most = 1 << random.below(24);
    let below = random.below(most);
    Some(match random.below(if depth < 3 { 12 } else { 9 }) {
        0 => return None,
        1..=3 => Value::IntValue(i64::try_from(below).unwrap_or(0)),
        4 => Value::IntValue(*random.pick(&[0, -1, i64::MIN, i64::MAX, 1 << 53, (1 << 53) + 1])),
        5 => Value::DoubleValue(*random.pick(&[
            0.0,
            -0.0,
            0.5,
            17.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
            0.000_123,
        ])),
        6 => Value::BoolValue(random.one_in(2)),
        7 => Value::BytesValue(random.next().to_le_bytes().to_vec()),
        8 => Value::StringValue((*random.pick(&TEXTS)).to_owned()),
        9 => Value::ArrayValue(ArrayValue {
            values: (0..random.below(4))
                .map(|_| AnyValue {
                    value: value(random, depth + 1),
                })
                .collect(),
        }),
        10 => Value::KvlistValue(KeyValueList {
            values: (0..random.below(4))
                .map(|_| KeyValue {
                    key: (*random.pick(&[
                        "input_tokens",
                        "output_tokens",
                        "cached_tokens",
                        "model",
                        "usage",
                    ]))
                    .to_owned(),
                    value: Some(AnyValue {
                        value: value(random, depth + 1),
                    }),
                    ..KeyValue::default()
                })
                .collect(),
        }),
        _ => Value::StringValue(below.to_string()),
    })
}
