//! Points of counters: what is read of them, and that no damage does more than be refused.

use std::{fs, path::Path};

use costflame_collector::{
    decode::{Limits, Point, count_records, json_to_protobuf, walk_points},
    dialect::{Lander, sum},
};
use costflame_pricing::Catalog;
use costflame_profile::Signal;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value},
    metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
        number_data_point,
    },
};
use proptest::{prelude::*, sample::Index};
use prost::Message as _;

fn request(metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics {
        metrics,
        ..ScopeMetrics::default()
    }];
    let resource_metrics = vec![ResourceMetrics {
        scope_metrics,
        ..ResourceMetrics::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn point(value: number_data_point::Value, attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: 5_000,
        time_unix_nano: 9_000,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn counter(name: &str, temporality: i32, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric {
        name: name.to_owned(),
        data: Some(Data::Sum(Sum {
            data_points,
            aggregation_temporality: temporality,
            is_monotonic: true,
        })),
        ..Metric::default()
    }
}

/// What is said of every point named `wanted…`.
fn read(metrics: Vec<Metric>, limits: &Limits) -> (Vec<String>, u64) {
    let mut seen = Vec::new();
    let all = walk_points(
        &request(metrics),
        limits,
        |name| name.starts_with("wanted"),
        |_, _, points| {
            let said = |point: &Point<'_>| {
                let Point {
                    metric,
                    cumulative,
                    start_us,
                    end_us,
                    value,
                    attributes,
                } = point;
                let kind = if *cumulative { "since" } else { "from" };
                let attributes = attributes.0;
                format!("{metric} {kind} {start_us} to {end_us} {value:?} {attributes:?}")
            };
            seen.extend(points.iter().map(said));
        },
    );
    (seen, all.expect("a request"))
}

#[test]
fn counters_are_read_and_all_points_counted() {
    use any_value::Value::{ArrayValue as Array, StringValue};
    use number_data_point::Value::{AsDouble, AsInt};
    let kind = |kind: &str| vec![attribute("type", StringValue(kind.to_owned()))];
    let nested = vec![attribute("list", Array(ArrayValue::default()))];
    let gauge = Gauge {
        data_points: vec![point(AsInt(1), Vec::new())],
    };
    let mut falls = counter("wanted.fall", 1, vec![point(AsInt(1), Vec::new())]);
    if let Some(Data::Sum(sum)) = &mut falls.data {
        sum.is_monotonic = false;
    }
    let metrics = vec![
        counter(
            "wanted.a",
            1,
            vec![point(AsInt(-7), kind("x")), point(AsInt(1), nested)],
        ),
        counter("wanted.b", 2, vec![point(AsDouble(2.5), kind("y"))]),
        counter("wanted.c", 0, vec![point(AsInt(1), Vec::new())]),
        counter("other", 1, vec![point(AsInt(1), Vec::new())]),
        Metric {
            name: "wanted.gauge".to_owned(),
            data: Some(Data::Gauge(gauge)),
            ..Metric::default()
        },
        falls,
    ];
    let (seen, all) = read(metrics, &Limits::default());
    assert_eq!(
        seen,
        [
            r#"wanted.a from 5 to 9 Int(-7) [("type", Str("x"))]"#,
            r#"wanted.b since 5 to 9 Double(2.5) [("type", Str("y"))]"#,
        ]
    );
    assert_eq!(all, 7);
}

#[test]
fn points_past_the_bounds_are_not_read() {
    let limits = Limits {
        max_attributes_per_span: 2,
        ..Limits::default()
    };
    let wide = |width: usize| {
        let keys = (0..width).map(|n| attribute(&n.to_string(), any_value::Value::IntValue(1)));
        point(number_data_point::Value::AsInt(1), keys.collect())
    };
    let (seen, _) = read(vec![counter("wanted", 1, vec![wide(3), wide(2)])], &limits);
    assert_eq!(seen.len(), 1);
    let many = vec![wide(0); 10_050];
    let (seen, all) = read(vec![counter("wanted", 1, many)], &limits);
    assert_eq!((seen.len(), all), (10_000, 10_050));
}

#[test]
fn a_request_of_another_signal_is_refused() {
    let refused = walk_points(&[0xff; 9], &Limits::default(), |_| true, |_, _, _| ());
    assert!(refused.is_err());
}

fn recorded() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
    let read = |name: &str| fs::read(corpus.join(name)).expect("a recorded body");
    let json = read("claude-code/tools/003.metrics.json");
    let from_json =
        json_to_protobuf(Signal::Metric, &json, &Limits::default()).expect("recorded JSON");
    vec![
        read("claude-code/plain/002.metrics.pb"),
        read("gemini-cli/grpc/003.metrics.pb"),
        from_json,
    ]
}

proptest! {
    #[test]
    fn damaged_requests_are_refused_or_read(
        body in prop::sample::select(recorded()),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        length in any::<Index>(),
        cut in prop::bool::weighted(0.2),
    ) {
        let mut body = body;
        for (place, byte) in damage {
            let at = place.index(body.len());
            body[at] = byte;
        }
        if cut {
            body.truncate(length.index(body.len()));
        }
        let limits = Limits::default();
        let catalog = Catalog::embedded();
        let mut lander = Lander::new(&catalog);
        let walked = walk_points(&body, &limits, sum::wanted, |resource, scope, points| {
            for row in lander.land_points(resource, scope, points, 1, 2) {
                assert!(row.span.call.is_some_and(|call| !call.usage.is_zero() || call.cost.is_none()));
            }
        });
        let counted = count_records(Signal::Metric, &body, &limits);
        prop_assert_eq!(walked.ok(), counted.ok().map(|points| points as u64));
    }
}
