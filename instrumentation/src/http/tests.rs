//! The JSON picker against a whole parser, on any document and any split.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    facts::{Facts, Slot},
    frames::Frames,
    skim::Skimmer,
    table::{Entry, Table},
};

const ENTRIES: &[Entry] = &[
    (&["a"], Slot::Id),
    (&["b", "a"], Slot::Model),
    (&["b", "c"], Slot::Input),
    (&["c", "*", "a"], Slot::Finish),
    (&["c", "*"], Slot::Stop),
    (&["a", "b", "c"], Slot::Output),
];
const TABLE: &Table = &Table::new(ENTRIES);

/// What a whole parser finds at the paths of the table.
fn expected(document: &Value) -> Vec<(Slot, String)> {
    fn walk(value: &Value, path: &[&str], slot: Slot, found: &mut Vec<(Slot, String)>) {
        match (path.split_first(), value) {
            (None, Value::String(text)) if !text.is_empty() => found.push((slot, text.clone())),
            (None, Value::Number(number)) => found.push((slot, number.to_string())),
            (Some((&"*", rest)), Value::Array(elements)) => {
                for element in elements {
                    walk(element, rest, slot, found);
                }
            }
            (Some((key, rest)), Value::Object(members)) => {
                if let Some(member) = members.get(*key) {
                    walk(member, rest, slot, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (path, slot) in ENTRIES {
        walk(document, path, *slot, &mut found);
    }
    found
}

fn skimmed(pieces: &[&[u8]]) -> (Facts, bool) {
    let mut facts = Facts::default();
    let mut skimmer = Skimmer::new(TABLE);
    for piece in pieces {
        skimmer.feed(piece, &mut facts);
    }
    let whole = skimmer.is_whole();
    (facts, whole)
}

fn found(facts: &Facts, slot: Slot) -> Vec<String> {
    let texts: Vec<String> = facts.texts(slot).map(str::to_owned).collect();
    match facts.count(slot) {
        Some(count) if texts.is_empty() => vec![count.to_string()],
        _ => texts,
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\],:/\u{1F600}é\n]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof!["[abc]", "[a-z\"\\\\]{0,4}"];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .prop_filter("an object, as providers send", Value::is_object)
}

proptest! {
    #[test]
    fn it_finds_what_a_whole_parser_finds_wherever_the_bytes_are_split(
        document in document(),
        pretty in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let json = match pretty {
            true => serde_json::to_string_pretty(&document)?,
            false => serde_json::to_string(&document)?,
        };
        let (head, tail) = json.as_bytes().split_at(cut.index(json.len()));
        let single: Vec<&[u8]> = json.as_bytes().chunks(1).collect();
        let expected = expected(&document);
        for pieces in [&[json.as_bytes()][..], &[head, tail], &single] {
            let (facts, whole) = skimmed(pieces);
            prop_assert!(whole, "{json}");
            for slot in [Slot::Id, Slot::Model, Slot::Finish] {
                let wanted: Vec<String> = expected
                    .iter()
                    .filter(|(known, _)| *known == slot)
                    .map(|(_, text)| text.clone())
                    .collect();
                // Numbers where a list of texts is expected are no texts.
                if slot == Slot::Finish && wanted.iter().any(|text| text.parse::<u32>().is_ok()) {
                    continue;
                }
                prop_assert_eq!(found(&facts, slot), wanted, "{:?} of {}", slot, json);
            }
            let wanted = expected.iter().find(|(slot, _)| *slot == Slot::Input);
            let wanted = wanted.and_then(|(_, text)| text.parse::<u64>().ok());
            prop_assert_eq!(facts.count(Slot::Input), wanted, "{}", json);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        skimmed(&[&bytes]);
    }

    #[test]
    fn a_document_that_is_cut_is_not_whole(document in document(), cut in any::<prop::sample::Index>()) {
        let json = serde_json::to_string(&document)?;
        let at = cut.index(json.len());
        prop_assume!(at > 0);
        prop_assert!(!skimmed(&[&json.as_bytes()[..at]]).1);
    }
}

#[test]
fn documents_may_follow_each_other_and_stand_in_one_array() {
    for json in [
        r#"{"a":"1"}{"b":{"c":7}}"#,
        "{\"a\":\"1\"}\n{\"b\":{\"c\":7}}\n",
        r#"[{"a":"1"},{"b":{"c":7}}]"#,
    ] {
        let (facts, whole) = skimmed(&[json.as_bytes()]);
        assert!(whole, "{json}");
        assert_eq!(facts.get_text(Slot::Id), Some("1"), "{json}");
        assert_eq!(facts.count(Slot::Input), Some(7), "{json}");
    }
}

#[test]
fn what_is_not_json_is_broken() {
    for text in [
        "<html>",
        "upstream error",
        "{\"a\" 1}",
        "{\"a\":1]",
        "[1}",
        "{\"b\":{\"c\":1e}}",
    ] {
        assert!(!skimmed(&[text.as_bytes()]).1, "{text}");
    }
}

#[test]
fn texts_are_unescaped_and_bounded() {
    let (facts, _) = skimmed(&[br#"{"a":"x\u00e9\ud83d\ude00\n\/"}"#]);
    assert_eq!(facts.get_text(Slot::Id), Some("xé😀\n/"));
    let long = format!(r#"{{"a":"{}","b":{{"c":7}}}}"#, "x".repeat(5000));
    let (facts, whole) = skimmed(&[long.as_bytes()]);
    assert!(whole);
    assert_eq!(
        (facts.get_text(Slot::Id), facts.count(Slot::Input)),
        (None, Some(7))
    );
}

#[test]
fn deep_nesting_costs_no_memory_and_is_survived() {
    let deep = format!(
        "{{\"a\":{}1{},\"b\":{{\"c\":7}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let (facts, whole) = skimmed(&[deep.as_bytes()]);
    assert!(whole);
    assert_eq!(facts.count(Slot::Input), Some(7));
}

#[test]
fn what_is_held_of_a_body_is_bounded() {
    let (mut facts, mut json) = (Facts::default(), Skimmer::new(TABLE));
    let piece = [b'x'; 4096];
    json.feed(b"{\"a\":\"", &mut facts);
    for _ in 0..1000 {
        json.feed(&piece, &mut facts);
    }
    json.feed(b"\",\"c\":[\"", &mut facts);
    for _ in 0..1000 {
        json.feed(b"a reason\",\"", &mut facts);
    }
    assert!(json.held() < 8192, "{}", json.held());
    assert!(facts.texts(Slot::Stop).count() <= 64);

    let mut frames = Frames::new(TABLE);
    // 100 MB of headers are announced, which no frame may have.
    let prelude = [0x7f, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0];
    frames.feed(&prelude, &mut facts, &mut |_| {});
    for _ in 0..1000 {
        frames.feed(&piece, &mut facts, &mut |_| {});
    }
    assert!(!frames.is_whole() && frames.held() < 8192);
}
