use proptest::{collection, option, prelude::*, sample::select};

use super::*;

fn now() -> Timestamp {
    "2026-11-22T22:49:12.7683541Z".parse().unwrap()
}

fn parse(query: &str) -> Result<Selection, Invalid> {
    let mut params = Params::parse(query, 1)?;
    let selection = selection(&mut params, now())?;
    params.finish()?;
    Ok(selection)
}

fn parse_clauses(query: &str) -> Vec<Clause> {
    parse(query).unwrap().filter.clauses
}

fn column(column: Column, any: &[Option<&str>], none: &[Option<&str>]) -> Clause {
    let owned = |values: &[Option<&str>]| {
        values
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect()
    };
    Clause::Column(
        column,
        OneOf {
            any: owned(any),
            none: owned(none),
        },
    )
}

#[test]
fn repeats_join_by_or_and_keys_by_and() {
    assert_eq!(
        parse_clauses("model=gpt-5&user=&model=o3&model!=o1&model=o3"),
        [
            column(Column::Model, &[Some("gpt-5"), Some("o3")], &[Some("o1")]),
            column(Column::User, &[None], &[]),
        ],
    );
}

#[test]
fn reads_every_kind_of_value() {
    let id = "00112233445566778899aabbccddeeff";
    let query = format!(
        "path={id}&status=error&counted!=true&flag=clamped&flag=&unpriced!=&tag.a=b=c&tool=x"
    );
    assert_eq!(
        parse_clauses(&query),
        [
            Clause::Path(OneOf {
                any: vec![PathId(hex::read(id).unwrap())],
                none: vec![]
            }),
            Clause::Failed(OneOf {
                any: vec![true],
                none: vec![]
            }),
            Clause::Counted(OneOf {
                any: vec![],
                none: vec![true]
            }),
            Clause::Flag(OneOf {
                any: vec![Some(Flag::Clamped), None],
                none: vec![]
            }),
            Clause::Unpriced(OneOf {
                any: vec![],
                none: vec![None]
            }),
            column(Column::Tag("a".into()), &[Some("b=c")], &[]),
            Clause::Tool(OneOf {
                any: vec![Some("x".into())],
                none: vec![]
            }),
        ],
    );
}

#[test]
fn errors_name_the_field() {
    for (query, field) in [
        ("modell=gpt-5", "modell"),
        ("tag.=1", "tag."),
        ("from=yesterday", "from"),
        ("to=99999999999999999999", "to"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("from=5&to=5", "to"),
        ("from=1&from=2", "from"),
        ("tz=Mars/Olympus", "tz"),
        ("path=", "path"),
        ("path=12", "path"),
        ("status=", "status"),
        ("status=broken", "status"),
        ("counted=yes", "counted"),
        ("flag=red", "flag"),
        ("unpriced=true", "unpriced"),
        ("fingerprint=12", "fingerprint"),
    ] {
        assert_eq!(parse(query).unwrap_err().field, field, "{query}");
    }
}

#[test]
fn times_are_half_open_microseconds() {
    let range = |query: &str| {
        let filter = parse(query).unwrap().filter;
        (filter.from_us, filter.to_us)
    };
    assert_eq!(range("from=0&to=1000"), (0, 1_000_000));
    assert_eq!(
        range("from=1970-01-01T00:00:00Z&to=1970-01-01T02:00:00%2B01:00"),
        (0, 3_600_000_000)
    );
    assert_eq!(
        range("from=0&to=1970-01-01T02:00:00+01:00"),
        (0, 3_600_000_000)
    );
    // A call at 1.000000 s is before 1.0000001 s and not before 1.0000000 s.
    assert_eq!(range("from=0&to=1970-01-01T00:00:01.0000001Z").1, 1_000_001);
    let month = range("");
    assert_eq!(month.1, now().as_microsecond());
    assert_eq!(month.1 - month.0, DEFAULT_DAYS * 86_400_000_000);
    assert_eq!(range("to=2592000000"), (0, 2_592_000_000_000));
}

#[test]
fn a_base_replaces_range_and_keys() {
    let base = |query: &str| {
        let mut params = Params::parse(query, 1).unwrap();
        let selection = selection(&mut params, now()).unwrap();
        let base = base_selection(&mut params, &selection, now());
        (selection.filter, base)
    };
    let (filter, none) = base("from=5&to=6&model=a");
    assert_eq!(none, Ok(None));
    let (_, ranged) = base("from=5&to=6&model=a&base_from=1&base_to=2");
    assert_eq!(
        ranged,
        Ok(Some(Filter {
            from_us: 1000,
            to_us: 2000,
            ..filter.clone()
        }))
    );
    let (_, keyed) = base("from=5&to=6&model=a&user=u&base.model=b");
    let clauses = vec![
        column(Column::User, &[Some("u")], &[]),
        column(Column::Model, &[Some("b")], &[]),
    ];
    assert_eq!(keyed, Ok(Some(Filter { clauses, ..filter })));
    for (query, field) in [
        ("base_from=1", "base_to"),
        ("base_to=1", "base_from"),
        ("base_from=2&base_to=1", "base_to"),
        ("base.modell=1", "base.modell"),
        ("base.status=1", "base.status"),
    ] {
        assert_eq!(base(query).1.unwrap_err().field, field, "{query}");
    }
}

#[test]
fn every_dimension_has_one_name() {
    for name in [
        "model",
        "provider",
        "service",
        "environment",
        "feature",
        "agent",
        "tool",
        "operation",
        "user",
        "session",
        "prompt",
        "path",
        "tag.a.b",
    ] {
        assert_eq!(dimension_name(&dimension(name).unwrap()), name);
    }
    for name in [
        "status",
        "counted",
        "flag",
        "unpriced",
        "fingerprint",
        "",
        "tag.",
        "Model",
    ] {
        assert_eq!(dimension(name), None, "{name}");
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]", any::<String>()]
}

fn written() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = select(vec!["model", "user", "tag.k", "tag.\u{202e}\"'", "agent"]);
    let pair = (key, any::<bool>(), value()).prop_map(|(key, negated, value)| {
        (format!("{key}{}", if negated { "!" } else { "" }), value)
    });
    collection::vec(pair, 0..12)
}

fn query(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// What the grammar says, pair by pair.
fn passes(pairs: &[(String, String)], key: &str, value: &Option<String>) -> bool {
    let of = |name: String| {
        pairs
            .iter()
            .filter(move |(key, _)| *key == name)
            .map(|(_, text)| (!text.is_empty()).then(|| text.clone()))
    };
    let mut wanted = of(key.to_owned()).peekable();
    (wanted.peek().is_none() || wanted.any(|wanted| wanted == *value))
        && of(format!("{key}!")).all(|unwanted| unwanted != *value)
}

proptest! {
    #[test]
    fn clauses_pass_what_the_grammar_says(
        pairs in written(),
        value in option::of("[a-c]"),
    ) {
        let clauses = parse_clauses(&query(&pairs));
        for (name, column) in [("model", Column::Model), ("user", Column::User), ("tag.k", Column::Tag("k".into()))] {
            let by_clauses = clauses.iter().all(|clause| match clause {
                Clause::Column(of, test) if *of == column => test.passes(&value),
                _ => true,
            });
            prop_assert_eq!(by_clauses, passes(&pairs, name, &value), "{}", name);
        }
    }

    #[test]
    fn any_query_is_answered_or_refused(query in any::<String>()) {
        let _ = parse(&query);
    }

    #[test]
    fn unknown_keys_are_named(key in "[a-z]{1,8}_x") {
        prop_assert_eq!(parse(&format!("{key}=1")).unwrap_err().field, key);
    }
}
