//! Fingerprints of what a call sent. The content itself goes no further: what is kept tells whether two calls sent the
//! same, so that identical requests are known, and prompts without a name by their system prompt.

use blake3::Hasher;
use costflame_store::Sent;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::{Span, Value, event};

/// What a key holds of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Messages, or a whole request.
    Body,
    /// The system prompt, where it stands apart.
    System,
    /// What is sent along: tools.
    Beside,
}

/// Spellings of a request in the order in which they are read: of several on one span the first is the one with the
/// fewest other things in it.
const MESSAGES: u8 = 0;
const OPENINFERENCE: u8 = 1;
const OPENLLMETRY: u8 = 2;
const VERCEL: u8 = 3;

const INDEXED: [(u8, &str); 2] = [
    (OPENINFERENCE, "llm.input_messages."),
    (OPENLLMETRY, "gen_ai.prompt."),
];

/// The fingerprints of a call, from its attributes, else from its events.
pub(super) fn sent(span: &Span<'_>) -> Sent {
    let of_attributes = read(span.attributes.0.iter().copied());
    if of_attributes != Sent::default() || span.events.is_empty() {
        return of_attributes;
    }
    of_events(span)
}

fn read<'a>(parts: impl Iterator<Item = (&'a str, Value<'a>)> + Clone) -> Sent {
    let known = parts.filter_map(|(key, value)| spelled(key).map(|known| (known, key, value)));
    let bodies = known.clone().filter(|((_, part), ..)| *part == Part::Body);
    let Some(best) = bodies.map(|((spelling, _), ..)| spelling).min() else {
        return Sent::default();
    };
    let of_best = known.filter(|((spelling, _), ..)| *spelling == best);
    let mut request = Hasher::new();
    of_best
        .clone()
        .for_each(|(_, key, value)| add(&mut request, key, value));
    Sent {
        request: Some(short(&request)),
        system: match INDEXED.iter().find(|(spelling, _)| *spelling == best) {
            Some((_, prefix)) => first_of_indexed(of_best, prefix),
            None => of_best
                .clone()
                .find(|((_, part), ..)| *part == Part::System)
                .map(|(_, _, value)| whole(value))
                .or_else(|| {
                    let mut bodies = of_best.filter(|((_, part), ..)| *part == Part::Body);
                    bodies.find_map(|(_, _, value)| first_message(value))
                }),
        },
    }
}

/// Which spelling a key belongs to, and what it holds.
fn spelled(key: &str) -> Option<(u8, Part)> {
    // Near the beginning: a search that is fast in long texts takes longer to begin.
    let dot = key.bytes().position(|byte| byte == b'.');
    let (family, rest) = dot.map_or((key, ""), |dot| (&key[..dot], &key[dot + 1..]));
    let body = |spelling| Some((spelling, Part::Body));
    match (family, rest) {
        ("gen_ai", "input.messages") => body(MESSAGES),
        ("gen_ai", "system_instructions") => Some((MESSAGES, Part::System)),
        ("gen_ai", "tool.definitions") => Some((MESSAGES, Part::Beside)),
        ("gen_ai", "prompt") => body(4),
        // Not `gen_ai.prompt.name` and its like.
        ("gen_ai", _) => {
            let index = rest.strip_prefix("prompt.")?;
            index
                .as_bytes()
                .first()?
                .is_ascii_digit()
                .then_some((OPENLLMETRY, Part::Body))
        }
        ("llm", _) if rest.starts_with("input_messages.") => body(OPENINFERENCE),
        ("llm", _) if rest.starts_with("tools.") => Some((OPENINFERENCE, Part::Beside)),
        ("llm", _) if rest.starts_with("request.functions.") => Some((OPENLLMETRY, Part::Beside)),
        ("llm", _) if rest.starts_with("prompts") => body(5),
        ("ai", "prompt.messages") => body(VERCEL),
        ("ai", "prompt.tools") => Some((VERCEL, Part::Beside)),
        ("ai", "prompt" | "value" | "values") => body(6),
        ("embedding", _) if rest.ends_with(".embedding.text") => body(7),
        ("gcp", "vertex.agent.llm_request") => body(8),
        ("request_data", "") => body(9),
        ("langfuse", "observation.input") => body(10),
        ("braintrust", "input" | "input_json") => body(11),
        ("mlflow", "spanInputs") => body(12),
        ("traceloop", "entity.input") => body(13),
        ("input", "value") => body(14),
        _ => None,
    }
}

/// Requests told by events: one for the whole, or one per message.
fn of_events(span: &Span<'_>) -> Sent {
    let (mut request, mut system) = (Hasher::new(), None);
    let mut any = false;
    for bytes in span.events {
        let Some((name, _, entries)) = event(bytes) else {
            continue;
        };
        match name {
            "gen_ai.client.inference.operation.details" => {
                let entries: Vec<_> = entries.collect();
                let whole = read(entries.into_iter());
                if whole != Sent::default() {
                    return whole;
                }
            }
            "gen_ai.system.message"
            | "gen_ai.user.message"
            | "gen_ai.assistant.message"
            | "gen_ai.tool.message"
            | "gen_ai.content.prompt" => {
                any = true;
                let mut message = Hasher::new();
                entries.for_each(|(key, value)| add(&mut message, key, value));
                if name == "gen_ai.system.message" {
                    system = system.or(Some(short(&message)));
                }
                request.update(message.finalize().as_bytes());
            }
            _ => {}
        }
    }
    Sent {
        request: any.then(|| short(&request)),
        system,
    }
}

/// The first of messages written one key per field, if it is the system prompt.
fn first_of_indexed<'a>(
    parts: impl Iterator<Item = ((u8, Part), &'a str, Value<'a>)>,
    prefix: &str,
) -> Option<i64> {
    let (mut message, mut is_system, mut any) = (Hasher::new(), false, false);
    for (_, key, value) in parts {
        let Some(field) = key
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix("0."))
        else {
            continue;
        };
        if field == "role" || field.ends_with(".role") {
            is_system = value.as_text().is_some_and(is_system_role);
        } else {
            any = true;
            add(&mut message, field, value);
        }
    }
    (is_system && any).then(|| short(&message))
}

fn is_system_role(role: &str) -> bool {
    matches!(role, "system" | "developer")
}

/// The first of some messages if it is the system prompt, or the system prompt of a request.
fn first_message(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Str(text) => system_of(text).map(|system| whole(Value::Str(system))),
        Value::Array(_) => {
            let first = value.array().next()?;
            let mut roles = first.map().filter(|(key, _)| *key == "role");
            let role = roles.next()?.1.as_text()?;
            is_system_role(role).then(|| whole(first))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: std::borrow::Cow<'a, str>,
}

/// A provider's request as far as its system prompt goes.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow, alias = "systemInstruction")]
    system_instruction: Option<&'a RawValue>,
    #[serde(borrow)]
    config: Option<&'a RawValue>,
    #[serde(borrow, alias = "input")]
    messages: Option<&'a RawValue>,
}

/// Its JSON text; `None` if there is none, or the text was cut.
fn system_of(json: &str) -> Option<&str> {
    let json = json.trim_start();
    if let Some(list) = json.strip_prefix('[') {
        // Only the first message is read.
        let mut messages = serde_json::Deserializer::from_str(list).into_iter::<Message<'_>>();
        let role = messages.next()?.ok()?.role;
        return is_system_role(&role).then(|| &list[..messages.byte_offset()]);
    }
    if !json.starts_with('{') {
        return None;
    }
    let request: Request<'_> = serde_json::from_str(json).ok()?;
    let apart = [
        request.system,
        request.instructions,
        request.system_instruction,
    ];
    let mut inside = [request.messages, request.config].into_iter().flatten();
    let apart = apart.into_iter().flatten().next().map(RawValue::get);
    apart.or_else(|| inside.find_map(|part| system_of(part.get())))
}

fn whole(value: Value<'_>) -> i64 {
    let mut hasher = Hasher::new();
    add(&mut hasher, "", value);
    short(&hasher)
}

/// With lengths before them two lists of parts are never the same bytes.
fn add(hasher: &mut Hasher, key: &str, value: Value<'_>) {
    let mut bytes = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    bytes(key.as_bytes());
    match value {
        Value::Str(text) => bytes(text.as_bytes()),
        Value::Bytes(raw) | Value::Array(raw) | Value::Map(raw) => bytes(raw),
        Value::Int(number) => bytes(&number.to_le_bytes()),
        Value::Double(number) => bytes(&number.to_le_bytes()),
        Value::Bool(flag) => bytes(&[u8::from(flag)]),
        Value::Empty => bytes(&[]),
    }
}

/// 64 bits: among ten million requests two that differ are taken for one with a chance of 1 in 370,000.
fn short(hasher: &Hasher) -> i64 {
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    i64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::{decode::Value::Str, dialect::testing::span};

    fn of(attributes: &[(&str, Value<'_>)]) -> Sent {
        sent(&span("chat", attributes))
    }

    #[test]
    fn every_spelling_tells_requests_and_system_prompts_apart() {
        let messages = |system: &str, user: &str| {
            format!(
                r#"[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}}]"#
            )
        };
        let request = |system: &str, user: &str| {
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"{user}"}}],"system":"{system}"}}"#
            )
        };
        type Spell = Box<dyn Fn(&str, &str) -> Sent>;
        let by_messages = |key: &'static str| -> Spell {
            Box::new(move |system, user| of(&[(key, Str(&messages(system, user)))]))
        };
        let by_request = |key: &'static str| -> Spell {
            Box::new(move |system, user| of(&[(key, Str(&request(system, user)))]))
        };
        let spellings: [(&str, Spell); 8] = [
            ("messages", by_messages("gen_ai.input.messages")),
            ("vercel", by_messages("ai.prompt.messages")),
            ("logfire", by_request("request_data")),
            ("mlflow", by_request("mlflow.spanInputs")),
            ("openinference's value", by_request("input.value")),
            (
                "instructions",
                Box::new(|system, user| {
                    of(&[
                        ("gen_ai.system_instructions", Str(system)),
                        ("gen_ai.input.messages", Str(user)),
                    ])
                }),
            ),
            (
                "openinference",
                Box::new(|system, user| {
                    of(&[
                        ("llm.input_messages.0.message.role", Str("system")),
                        ("llm.input_messages.0.message.content", Str(system)),
                        ("llm.input_messages.1.message.content", Str(user)),
                    ])
                }),
            ),
            (
                "openllmetry",
                Box::new(|system, user| {
                    of(&[
                        ("gen_ai.prompt.0.content", Str(system)),
                        ("gen_ai.prompt.0.role", Str("developer")),
                        ("gen_ai.prompt.1.content", Str(user)),
                    ])
                }),
            ),
        ];
        for (name, spell) in spellings {
            let (first, again) = (spell("be kind", "hi"), spell("be kind", "hi"));
            assert!(first.request.is_some() && first.system.is_some(), "{name}");
            assert_eq!(first, again, "{name}");
            let other = spell("be kind", "ho");
            assert_ne!(first.request, other.request, "{name}");
            assert_eq!(first.system, other.system, "{name}");
            assert_ne!(first.system, spell("be quick", "hi").system, "{name}");
        }
    }

    #[test]
    fn without_content_there_is_no_fingerprint() {
        for attributes in [
            &[
                ("gen_ai.request.model", Str("m")),
                ("gen_ai.prompt.name", Str("p")),
            ][..],
            &[("gen_ai.tool.definitions", Str("[]"))],
            &[
                ("gen_ai.output.messages", Str("[]")),
                ("embedding.embeddings.0.embedding.vector", Str("[1]")),
            ],
        ] {
            assert_eq!(of(attributes), Sent::default(), "{attributes:?}");
        }
    }

    #[test]
    fn messages_without_a_system_prompt_and_cut_text_are_requests_alone() {
        for text in [
            r#"[{"role":"user","content":"hi"}]"#,
            r#"[{"role":"system","content":"be ki"#,
            r#"{"messages":[{"role":"sys"#,
            "hi",
            "",
            "[",
            "[[",
        ] {
            let sent = of(&[("gen_ai.input.messages", Str(text))]);
            assert!(sent.request.is_some() && sent.system.is_none(), "{text}");
        }
    }

    #[test]
    fn of_several_spellings_the_one_with_the_fewest_other_things_is_read() {
        let message = ("llm.input_messages.0.message.content", Str("hi"));
        let alone = of(&[message]);
        assert_eq!(of(&[("input.value", Str("run 1")), message]), alone);
        assert_eq!(of(&[("input.value", Str("run 2")), message]), alone);
    }

    #[test]
    fn events_tell_what_was_sent_too() {
        use opentelemetry_proto::tonic::{
            common::v1::{AnyValue, KeyValue, any_value},
            trace::v1::span::Event,
        };
        let text = |key: &str, text: &str| KeyValue {
            key: key.into(),
            value: Some(AnyValue {
                value: Some(any_value::Value::StringValue(text.into())),
            }),
            ..KeyValue::default()
        };
        let event = |name: &str, time: u64, attributes: Vec<KeyValue>| {
            Event {
                name: name.into(),
                time_unix_nano: time,
                attributes,
                ..Event::default()
            }
            .encode_to_vec()
        };
        let of = |events: &[Vec<u8>]| {
            let events: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
            sent(&Span {
                events: &events,
                ..span("chat", &[])
            })
        };
        let asked = |user: &str, answer: &str, time| {
            of(&[
                event(
                    "gen_ai.system.message",
                    time,
                    vec![text("content", "be kind")],
                ),
                event("gen_ai.user.message", time, vec![text("content", user)]),
                event("gen_ai.choice", time, vec![text("message", answer)]),
            ])
        };
        let first = asked("hi", "hello", 1);
        assert!(first.request.is_some() && first.system.is_some());
        assert_eq!(first, asked("hi", "good day", 2));
        assert_eq!(first.system, asked("ho", "hello", 1).system);
        assert_ne!(first.request, asked("ho", "hello", 1).request);
        let details = "gen_ai.client.inference.operation.details";
        let whole = of(&[event(
            details,
            1,
            vec![text(
                "gen_ai.input.messages",
                r#"[{"role":"system","content":"be kind"}]"#,
            )],
        )]);
        assert!(whole.request.is_some() && whole.system.is_some());
    }
}
