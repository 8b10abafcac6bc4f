//! OTLP/JSON, line by line of the rules in which it deviates from proto3 JSON.

use costflame_collector::decode::{
    DecodeError, Limits, Reason, Status, count_records, json_to_protobuf,
};
use costflame_profile::{Signal, SpanId, SpanKind, TraceId};

use crate::seen::{Owned, Seen, walk};

const SPAN: &str = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;

/// A request with one resource, one scope and these spans.
fn request(spans: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
}

/// A span with good ids and these fields.
fn with(fields: &str) -> String {
    request(&format!("{{{SPAN},{fields}}}"))
}

fn seen(json: &str) -> Vec<Seen> {
    walk(&transcode(json).unwrap_or_else(|error| panic!("{error} in {json}")))
        .expect("what is written can be read")
        .1
}

fn transcode(json: &str) -> Result<Vec<u8>, DecodeError> {
    json_to_protobuf(Signal::Span, json.as_bytes(), &Limits::default())
}

/// The value of the attribute `k`.
fn value(json: &str) -> Owned {
    let spans = seen(&with(&format!(
        r#""attributes":[{{"key":"k","value":{json}}}]"#
    )));
    spans[0].attributes[0].1.clone()
}

fn error(json: &str) -> String {
    transcode(json).expect_err(json).to_string()
}

#[test]
fn ids_are_hexadecimal_in_either_case() {
    for (trace_id, span_id, parent) in [
        (
            "5b8efff798038103d269b633813fc60c",
            "eee19b7ec3c1b174",
            "eee19b7ec3c1b173",
        ),
        (
            "5B8EFFF798038103D269B633813FC60C",
            "EEE19B7EC3C1B174",
            "eEE19b7Ec3C1B173",
        ),
    ] {
        let json = request(&format!(
            r#"{{"traceId":"{trace_id}","spanId":"{span_id}","parentSpanId":"{parent}"}}"#
        ));
        let span = &seen(&json)[0];
        assert_eq!(
            span.trace_id,
            TraceId(0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128.to_be_bytes())
        );
        assert_eq!(
            span.span_id,
            SpanId(0xeee1_9b7e_c3c1_b174_u64.to_be_bytes())
        );
        assert_eq!(
            span.parent_span_id,
            Some(SpanId(0xeee1_9b7e_c3c1_b173_u64.to_be_bytes()))
        );
    }
}

#[test]
fn id_that_is_not_hexadecimal_refuses_that_span_only() {
    // The first is base64, the second as long as an id in bytes, the last too long.
    for bad in [
        "W47/95gDgQPSabYzgT/GDA==",
        "xxxxxxxxxxxxxxxx",
        "5b8",
        "",
        &"ab".repeat(17),
        "5b8efff798038103d269b633813fc60é",
    ] {
        let json = request(&format!(
            r#"{{{SPAN}}},{{"traceId":"{bad}","spanId":"eee19b7ec3c1b174"}}"#
        ));
        let (outcome, seen) = walk(&transcode(&json).unwrap()).unwrap();
        assert_eq!(
            (seen.len(), outcome.rejected().next()),
            (1, Some((Reason::TraceId, 1))),
            "{bad}"
        );
    }
    let json = with(r#""parentSpanId":"not hexadecimal!""#);
    let (outcome, _) = walk(&transcode(&json).unwrap()).unwrap();
    assert_eq!(outcome.rejected().next(), Some((Reason::ParentSpanId, 1)));
}

#[test]
fn parent_that_is_missing_or_empty_is_a_root() {
    for parent in [
        r#""name":"x""#,
        r#""parentSpanId":"""#,
        r#""parentSpanId":null"#,
        r#""parentSpanId":"0000000000000000""#,
    ] {
        assert_eq!(seen(&with(parent))[0].parent_span_id, None, "{parent}");
    }
}

#[test]
fn enums_are_integers_and_leniently_names() {
    for (kind, status, expected) in [
        ("3", "2", (SpanKind::Client, Status::Error)),
        (
            r#""SPAN_KIND_CLIENT""#,
            r#""STATUS_CODE_ERROR""#,
            (SpanKind::Client, Status::Error),
        ),
        (r#""3""#, r#""1""#, (SpanKind::Client, Status::Ok)),
        (
            r#""SPAN_KIND_OTHER""#,
            "0",
            (SpanKind::Internal, Status::Unset),
        ),
        ("99", "-1", (SpanKind::Internal, Status::Unset)),
        ("null", "null", (SpanKind::Internal, Status::Unset)),
    ] {
        let span = &seen(&with(&format!(
            r#""kind":{kind},"status":{{"code":{status}}}"#
        )))[0];
        assert_eq!((span.kind, span.status), expected, "{kind} {status}");
    }
}

#[test]
fn integers_of_64_bits_are_text_or_numbers() {
    for (start, end) in [
        (r#""1795389520442000123""#, r#""1795389520448044756""#),
        ("1795389520442000123", "1795389520448044756"),
    ] {
        let span = &seen(&with(&format!(
            r#""startTimeUnixNano":{start},"endTimeUnixNano":{end}"#
        )))[0];
        assert_eq!(
            span.times_us,
            (1_795_389_520_442_000, 1_795_389_520_448_044)
        );
    }
    for (json, expected) in [
        (r#""-9223372036854775808""#, i64::MIN),
        ("-9223372036854775808", i64::MIN),
        (r#""9223372036854775807""#, i64::MAX),
        ("7494", 7494),
        ("7494.0", 7494),
        ("7.494e3", 7494),
        (r#"" 12 ""#, 12),
        (r#""12.0""#, 12),
    ] {
        assert_eq!(
            value(&format!(r#"{{"intValue":{json}}}"#)),
            Owned::Int(expected),
            "{json}"
        );
    }
}

#[test]
fn doubles_may_be_text() {
    for (json, expected) in [
        ("0.1", 0.1),
        ("3", 3.0),
        ("-3", -3.0),
        (r#""0.1""#, 0.1),
        ("5e-324", 5e-324),
        ("0.30000000000000004", 0.300_000_000_000_000_04),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
    ] {
        assert_eq!(
            value(&format!(r#"{{"doubleValue":{json}}}"#)),
            Owned::Double(expected.to_bits()),
            "{json}"
        );
    }
    let Owned::Double(bits) = value(r#"{"doubleValue":"NaN"}"#) else {
        panic!("not a double")
    };
    assert!(f64::from_bits(bits).is_nan());
}

#[test]
fn every_kind_of_value_arrives() {
    let array = r#"{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"two"},{}]}}"#;
    let map = format!(r#"{{"kvlistValue":{{"values":[{{"key":"inner","value":{array}}}]}}}}"#);
    let expected = Owned::Array(vec![Owned::Int(1), Owned::Str("two".into()), Owned::Empty]);
    assert_eq!(
        value(r#"{"stringValue":"a \"quoted\" \u00e9 \ud83d\ude00"}"#),
        Owned::Str("a \"quoted\" é 😀".into())
    );
    assert_eq!(value(r#"{"stringValue":""}"#), Owned::Str(String::new()));
    assert_eq!(value(r#"{"boolValue":false}"#), Owned::Bool(false));
    assert_eq!(value(r#"{"boolValue":"true"}"#), Owned::Bool(true));
    assert_eq!(value(r#"{"intValue":0}"#), Owned::Int(0));
    assert_eq!(value(array), expected);
    assert_eq!(value(&map), Owned::Map(vec![("inner".into(), expected)]));
    assert_eq!(value(r#"{"arrayValue":{}}"#), Owned::Array(vec![]));
    assert_eq!(value("{}"), Owned::Empty);
    assert_eq!(value("null"), Owned::Empty);
}

#[test]
fn other_bytes_are_base64() {
    for text in ["+/8=", "+/8", "-_8", "-_8="] {
        assert_eq!(
            value(&format!(r#"{{"bytesValue":"{text}"}}"#)),
            Owned::Bytes(vec![0xfb, 0xff]),
            "{text}"
        );
    }
    assert_eq!(
        error(&with(
            r#""attributes":[{"key":"k","value":{"bytesValue":"?"}}]"#
        )),
        "the body is not an OTLP JSON message: \
         resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.bytesValue must be base64 text at line 1 column 167"
    );
}

#[test]
fn keys_are_camel_case_and_leniently_snake_case() {
    let json = r#"{"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"5b8efff798038103d269b633813fc60c",
        "span_id":"eee19b7ec3c1b174","start_time_unix_nano":5000,"dropped_attributes_count":2,
        "attributes":[{"key":"k","value":{"string_value":"v"}}]}]}]}]}"#;
    let span = &seen(json)[0];
    assert_eq!((span.times_us, span.dropped_attributes), ((5, 5), 2));
    assert_eq!(span.attributes, [("k".into(), Owned::Str("v".into()))]);
}

#[test]
fn unknown_keys_are_ignored() {
    let json = format!(
        r#"{{"new":[{{"deep":[1,"two",null]}}],"resourceSpans":[{{"new":1,"scopeSpans":[{{"new":{{}},"spans":[
        {{{SPAN},"TraceId":"x","traceid":"x","new":"half a pair \ud83d","name":"kept"}}]}}]}}]}}"#
    );
    assert_eq!(seen(&json)[0].name, "kept");
}

#[test]
fn null_is_the_default() {
    let span = &seen(&with(
        r#""name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"events":null,"status":null,"flags":null"#,
    ))[0];
    assert_eq!(
        (span.name.as_str(), span.kind, span.times_us),
        ("", SpanKind::Internal, (0, 0))
    );
    assert!(span.attributes.is_empty() && span.events.is_empty());
    for empty in [
        "{}",
        r#"{"resourceSpans":null}"#,
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceSpans":[{}]}"#,
    ] {
        assert_eq!(seen(empty), []);
    }
}

#[test]
fn half_a_surrogate_pair_does_not_refuse_the_request() {
    let spans = seen(&with(
        r#""attributes":[{"key":"k","value":{"stringValue":"cut \ud83d"}}],"name":"n""#,
    ));
    assert_eq!(
        spans[0].attributes,
        [("k".into(), Owned::Bytes(b"cut \xed\xa0\xbd".into()))]
    );
}

#[test]
fn errors_say_where_and_what_without_quoting_the_body() {
    let place = "resourceSpans[0].scopeSpans[0].spans[0]";
    let number = "must be a whole number from 0 to 2^64 - 1, as text or number at line 1";
    for (json, expected) in [
        (
            with(r#""name":5"#),
            format!("{place}.name must be text at line 1 column 125"),
        ),
        (
            with(r#""startTimeUnixNano":"secret""#),
            format!("{place}.startTimeUnixNano {number} column 145"),
        ),
        (
            with(r#""startTimeUnixNano":-1"#),
            format!("{place}.startTimeUnixNano {number} column 139"),
        ),
        (
            with(r#""kind":true"#),
            format!("{place}.kind must be a number of the enum at line 1 column 128"),
        ),
        (
            with(r#""events":{}"#),
            format!("{place}.events must be an array at line 1 column 126"),
        ),
        (
            with(r#""links":[7]"#),
            format!("{place}.links[0] must be an object at line 1 column 127"),
        ),
        (
            with(r#""status":"secret""#),
            format!("{place}.status must be an object at line 1 column 134"),
        ),
        (
            r#""secret""#.into(),
            "the body must be an object at line 1 column 8".into(),
        ),
        (
            String::new(),
            "EOF while parsing a value at line 1 column 0".into(),
        ),
        (
            "{} x".into(),
            "trailing characters at line 1 column 4".into(),
        ),
        (
            request(r#"{"name":"unfinished"#),
            format!("EOF while parsing a string at line 1 column 68, in {place}.name"),
        ),
    ] {
        assert_eq!(
            error(&json),
            format!("the body is not an OTLP JSON message: {expected}"),
            "{json}"
        );
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(
        error(&deep),
        "the body is not an OTLP JSON message: more than 120 levels of nesting at byte 130"
    );
    let text = format!(r#"{{"unknown":"\"{}"}}"#, "[".repeat(200));
    assert_eq!(seen(&text), []);

    let array = |depth| {
        format!(
            "{}{}{}",
            r#"{"arrayValue":{"values":["#.repeat(depth),
            "{}",
            "]}}".repeat(depth)
        )
    };
    let attribute = |depth| {
        with(&format!(
            r#""attributes":[{{"key":"k","value":{}}}]"#,
            array(depth)
        ))
    };
    let (outcome, _) = walk(&transcode(&attribute(32)).unwrap()).unwrap();
    assert_eq!(outcome.accepted, 1);
    let (outcome, _) = walk(&transcode(&attribute(33)).unwrap()).unwrap();
    assert_eq!(outcome.rejected().next(), Some((Reason::Depth, 1)));
}

#[test]
fn bounds_hold_before_and_after() {
    let json = with(r#""name":"x""#);
    let limits = Limits {
        max_request_bytes: json.len() - 1,
        ..Limits::default()
    };
    assert!(
        json_to_protobuf(Signal::Span, json.as_bytes(), &limits)
            .unwrap_err()
            .is_too_large()
    );

    // The counts of a histogram are the one place where protobuf takes more room than JSON.
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{}0]}}]}}}}]}}]}}]}}"#,
        "0,".repeat(1000)
    );
    let body = json_to_protobuf(Signal::Metric, json.as_bytes(), &Limits::default()).unwrap();
    assert!(body.len() > json.len());
    assert_eq!(
        count_records(Signal::Metric, &body, &Limits::default()).unwrap(),
        1
    );
    let limits = Limits {
        max_request_bytes: json.len(),
        ..Limits::default()
    };
    assert!(
        json_to_protobuf(Signal::Metric, json.as_bytes(), &limits)
            .unwrap_err()
            .is_too_large()
    );
}
