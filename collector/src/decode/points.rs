//! From the bytes of an `ExportMetricsServiceRequest` to the points of counters, scope by scope.

use std::ops::Range;

use costflame_profile::Signal;

use super::{
    envelope::{Envelope, ReadRecord, ScopeName, microseconds},
    limits::Limits,
    outcome::DecodeError,
    records::count_records,
    span::{Attributes, Point, Resource, Scope, Value},
    value::key_value,
    wire::{Reader, WireError},
};

/// Points of one scope of one request that are read; more are left out. A coding agent sends some ten per session and minute.
const MAX_POINTS: usize = 10_000;

/// Walks the points of the counters (sums that only grow) that are `wanted` by name, all of one scope at a time, and returns
/// the number of all data points of the request. What `visit` is given lives as long as its call.
///
/// Nothing is visited unless all of the body is well-formed and within the bounds of a request. A point with more
/// attributes than the bounds allow, or with nested ones, is not visited.
///
/// # Errors
/// The body is not OTLP or exceeds a bound that refuses the request.
pub fn walk_points(
    body: &[u8],
    limits: &Limits,
    wanted: fn(&str) -> bool,
    visit: impl FnMut(&Resource<'_>, &Scope<'_>, &[Point<'_>]),
) -> Result<u64, DecodeError> {
    let count = count_records(Signal::Metric, body, limits)?;
    let mut counters = Counters {
        wanted,
        visit,
        points: Vec::new(),
        attributes: Vec::new(),
    };
    Envelope::new(limits).walk(Reader::new(body), &mut counters)?;
    Ok(count as u64)
}

struct Counters<'a, V> {
    wanted: fn(&str) -> bool,
    visit: V,
    points: Vec<(Point<'a>, Range<usize>)>,
    /// Those of all points, one after the other.
    attributes: Vec<(&'a str, Value<'a>)>,
}

impl<'a, V: FnMut(&Resource<'_>, &Scope<'_>, &[Point<'_>])> ReadRecord<'a> for Counters<'a, V> {
    fn record(
        &mut self,
        envelope: &mut Envelope<'a, '_>,
        mut metric: Reader<'a>,
        _: ScopeName<'a>,
    ) -> Result<(), WireError> {
        let (mut name, mut sum) = ("", None);
        while let Some(field) = metric.next_field()? {
            match field.number {
                1 => name = envelope.text(field.bytes()?),
                7 => sum = Some(field.message()?),
                _ => {}
            }
        }
        match sum.filter(|_| (self.wanted)(name)) {
            Some(sum) => self.sum(envelope.limits, name, sum),
            None => Ok(()),
        }
    }

    fn end_of_scope(&mut self, envelope: &mut Envelope<'a, '_>, scope: ScopeName<'a>) {
        if self.points.is_empty() {
            return;
        }
        let points: Vec<Point<'_>> = self
            .points
            .drain(..)
            .map(|(point, place)| Point {
                attributes: Attributes(&self.attributes[place]),
                ..point
            })
            .collect();
        (self.visit)(&envelope.resource(), &envelope.scope(scope), &points);
        drop(points);
        self.attributes.clear();
    }
}

impl<'a, V> Counters<'a, V> {
    fn sum(&mut self, limits: &Limits, name: &'a str, sum: Reader<'a>) -> Result<(), WireError> {
        const DELTA: u64 = 1;
        const CUMULATIVE: u64 = 2;
        let (mut temporality, mut grows) = (0, false);
        let mut fields = sum;
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => temporality = field.varint()?,
                3 => grows = field.varint()? != 0,
                _ => {}
            }
        }
        if !grows || !matches!(temporality, DELTA | CUMULATIVE) {
            return Ok(());
        }
        let mut fields = sum;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 && self.points.len() < MAX_POINTS {
                let mut point = Point {
                    metric: name,
                    cumulative: temporality == CUMULATIVE,
                    start_us: 0,
                    end_us: 0,
                    value: Value::Empty,
                    attributes: Attributes::default(),
                };
                self.point(limits, &mut point, field.message()?)?;
            }
        }
        Ok(())
    }

    fn point(
        &mut self,
        limits: &Limits,
        point: &mut Point<'a>,
        mut fields: Reader<'a>,
    ) -> Result<(), WireError> {
        let first = self.attributes.len();
        let mut is_readable = true;
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => point.start_us = microseconds(field.fixed64()?),
                3 => point.end_us = microseconds(field.fixed64()?),
                4 => point.value = Value::Double(f64::from_bits(field.fixed64()?)),
                6 => point.value = Value::Int(field.fixed64()?.cast_signed()),
                7 => {
                    let has_room = self.attributes.len() - first < limits.max_attributes_per_span;
                    let entry = key_value(field.message()?)?;
                    let is_nested = matches!(entry.value, Value::Array(_) | Value::Map(_));
                    match entry.key {
                        Ok(key) if has_room && !is_nested => {
                            self.attributes.push((key, entry.value));
                        }
                        _ => is_readable = false,
                    }
                }
                _ => {}
            }
        }
        if !is_readable {
            self.attributes.truncate(first);
            return Ok(());
        }
        self.points.push((*point, first..self.attributes.len()));
        Ok(())
    }
}
