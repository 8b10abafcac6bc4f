//! From a decoded span to what is stored of it: place, frame, attribution, and for calls usage and receipt.

use std::sync::Arc;

use costflame_pricing::{
    Asked, Catalog, Flag, Normal, PriceRequest, Receipt, Usage, normalise, provider_of_model,
};
use costflame_profile::{Attribution, Call, FrameKind, Signal, Span as ProfileSpan, Step, Text};
use costflame_store::{LandingRow, Sent, UNSAMPLED};

use super::{
    above, attribution,
    evidence::{self, ModelCall, Recognised},
    frame,
    interner::Interner,
    log, recognise,
    sampling::{self, Unbelievable},
    sent,
    slots::{Slot, Slots},
    sum,
};
use crate::decode::{Attributes, LogRecord, Point, Resource, Scope, Span, Status, Value};
use content_hash::content_hash;

mod content_hash;

/// Longest model, provider, operation or id in bytes.
const MAX_TEXT: usize = 256;

/// Turns the spans of one request into rows. Texts, resources and scopes that repeat are read once.
///
/// Not to be used for a second request: what is known of a resource is found again by the place of its bytes.
pub struct Lander<'c> {
    catalog: &'c Catalog,
    texts: Interner,
    resource: Option<KnownResource>,
    scope: Option<KnownScope>,
    asked: Option<Arc<Asked>>,
    empty: Text,
    bytes: Vec<u8>,
    /// Spans, and resources, with an adjusted count that cannot be; it is ignored.
    pub(crate) ignored_weights: u64,
}

struct KnownResource {
    place: u64,
    service: Text,
    instance: Option<Text>,
    attribution: Arc<Attribution>,
    /// Adjusted count in thousandths; 0 = it says none.
    weight_milli: u32,
}

struct KnownScope {
    name: String,
    version: String,
    emitter: Text,
}

impl<'c> Lander<'c> {
    /// A lander for one request, pricing by a catalog.
    #[must_use]
    pub fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            texts: Interner::default(),
            resource: None,
            scope: None,
            asked: None,
            empty: Text::from(""),
            bytes: Vec::new(),
            ignored_weights: 0,
        }
    }

    /// The row of a span received at `received_us`, microseconds since 1970 UTC.
    #[must_use]
    pub fn land(
        &mut self,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        span: &Span<'_>,
        project: i32,
        received_us: i64,
    ) -> LandingRow {
        let slots = Slots::read(span.attributes);
        let recognised = recognise(scope, span, &slots);
        let at = (project, received_us);
        self.landed(
            Signal::Span,
            resource,
            scope,
            span,
            (&slots, &recognised),
            at,
        )
    }

    /// The span as it is stored, and its receipt if it is a call or an aggregate.
    #[must_use]
    pub fn read(
        &mut self,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        span: &Span<'_>,
    ) -> (ProfileSpan, Option<Receipt>) {
        let slots = Slots::read(span.attributes);
        let recognised = recognise(scope, span, &slots);
        let row = self.landed(
            Signal::Span,
            resource,
            scope,
            span,
            (&slots, &recognised),
            (0, 0),
        );
        (row.span, row.receipt)
    }

    /// The row of a log record that reports a model call; `None` for every other record.
    #[must_use]
    pub fn land_log(
        &mut self,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        record: &LogRecord<'_>,
        project: i32,
        received_us: i64,
    ) -> Option<LandingRow> {
        let event = log::Event::of(scope, record)?;
        let slots = Slots::read(record.attributes);
        let mut span = log::as_span(record);
        let recognised = log::recognise(event, scope, &span, &slots)?;
        self.know(resource);
        let (service, session) = self.process();
        let session = slots.text(Slot::Session).or(session);
        (span.trace_id, span.span_id) = log::ids(record, scope, service, session);
        span.parent_span_id = record.span_id.filter(|_| record.trace_id.is_some());
        let at = (project, received_us);
        Some(self.landed(
            Signal::Log,
            resource,
            scope,
            &span,
            (&slots, &recognised),
            at,
        ))
    }

    /// The rows of what counters of one scope sum of model calls, see [`sum`].
    #[must_use]
    pub fn land_points(
        &mut self,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        points: &[Point<'_>],
        project: i32,
        received_us: i64,
    ) -> Vec<LandingRow> {
        self.know(resource);
        let sums = sum::sums(points);
        sums.filter_map(|sum| {
            let mut span = sum.span();
            let slots = Slots::read(span.attributes);
            let mut recognised = log::recognise(sum.event(), scope, &span, &slots)?;
            let call = recognised.call.as_mut()?;
            call.flags.insert(Flag::FromMetrics);
            let (service, session) = self.process();
            let session = slots.text(Slot::Session).or(session)?;
            (span.trace_id, span.span_id) = sum.ids(scope, service, session);
            let at = (project, received_us);
            Some(self.landed(
                Signal::Metric,
                resource,
                scope,
                &span,
                (&slots, &recognised),
                at,
            ))
        })
        .collect()
    }

    /// Service and session of the resource last seen.
    fn process(&self) -> (&str, Option<&str>) {
        let known = self.resource.as_ref();
        known
            .map(|known| (&*known.service, known.attribution.session.as_deref()))
            .unwrap_or_default()
    }

    fn landed(
        &mut self,
        signal: Signal,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        span: &Span<'_>,
        (slots, recognised): (&Slots<'_>, &Recognised<'_>),
        (project, received_us): (i32, i64),
    ) -> LandingRow {
        let (kind, raw) = frame::of(recognised, span, slots);
        let label = self.texts.label(&raw);
        let emitter = self.emitter(scope);
        self.know(resource);
        let attribution = self.attribution(span, slots, recognised, &label);
        let (call, receipt) = recognised
            .call
            .as_ref()
            .map(|call| self.price(call, span, &attribution))
            .unzip();
        let (service, instance) = self.resource.as_ref().map_or_else(
            || (self.empty.clone(), None),
            |known| (known.service.clone(), known.instance.clone()),
        );
        let mut landed = ProfileSpan {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            service,
            kind,
            label,
            span_kind: span.kind,
            start_us: span.start_us,
            end_us: span.end_us,
            error: span.status == Status::Error,
            role: recognised.role,
            call,
            attribution,
            above: self.above(signal, span, slots),
            signal,
            emitter,
            instance,
            links: span.links.to_vec(),
            attribute_count: attribute_count(span),
            content_hash: 0,
            weight_milli: self.weight_milli(signal, span, slots),
        };
        let sent = match landed.call {
            Some(_) => sent::sent(span),
            None => Sent::default(),
        };
        landed.content_hash = content_hash(&mut self.bytes, &landed, sent);
        LandingRow {
            project,
            received_us,
            span: landed,
            receipt,
            sent,
        }
    }

    /// What the span says lies above it. A root has nothing above it.
    fn above(&mut self, signal: Signal, span: &Span<'_>, slots: &Slots<'_>) -> Vec<Step> {
        let is_below = signal == Signal::Span && span.parent_span_id.is_some();
        let path = slots.text(Slot::Above).filter(|_| is_below);
        path.map_or_else(Vec::new, |path| above::steps(path, &mut self.texts))
    }

    /// What the span itself or its resource says about how many it stands for, in thousandths; 0 where they say nothing.
    fn weight_milli(&mut self, signal: Signal, span: &Span<'_>, slots: &Slots<'_>) -> u32 {
        // Counters count what no sampler keeps, too.
        if signal == Signal::Metric {
            return UNSAMPLED;
        }
        let own = self.believed(sampling::weight_milli(span.trace_state, slots));
        // What a resource says is about its spans.
        let inherited = self.resource.as_ref().filter(|_| signal == Signal::Span);
        own.or(inherited.map(|known| known.weight_milli))
            .unwrap_or(0)
    }

    fn believed(&mut self, weight_milli: Result<Option<u32>, Unbelievable>) -> Option<u32> {
        self.ignored_weights += u64::from(weight_milli.is_err());
        weight_milli.unwrap_or(None)
    }

    fn price(
        &mut self,
        call: &ModelCall<'_>,
        span: &Span<'_>,
        attribution: &Attribution,
    ) -> (Call, Receipt) {
        let model = call.response_model.or(call.request_model);
        let vendor = call.provider.or_else(|| evidence::google_if_gemini(model));
        let normal = call
            .has_usage()
            .then(|| normalise(&call.reported, call.accounting, vendor))
            .flatten()
            // Parts of nothing are cut down to nothing, which is not a cost of zero.
            .filter(|normal| !normal.usage.is_zero())
            .map(|normal| Normal {
                flags: normal.flags.union(call.flags),
                ..normal
            });
        let guessed = if call.provider.is_none() {
            model.and_then(provider_of_model)
        } else {
            None
        };
        let whole = call
            .cut_vendor
            .zip(call.request_model)
            .map(|(vendor, model)| format!("{vendor}.{model}"));
        let request = PriceRequest {
            provider: call.provider.or(guessed),
            provider_guessed: guessed.is_some(),
            server_address: call.server_address,
            response_model: call.response_model,
            request_model: whole.as_deref().or(call.request_model),
            at_us: span.start_us,
            service_tier: call.service_tier,
            processing: call.processing,
            speed: call.speed,
            service: self.resource.as_ref().map(|known| &*known.service),
            environment: attribution.environment.as_deref(),
            reported_cost: call.reported_cost,
        };
        let mut receipt = self.catalog.price(&request, normal.as_ref());
        receipt.flags = receipt.flags.union(call.flags);
        receipt.asked = Some(asked(&mut self.asked, &request, whole.is_some()));
        let usage = normal.map_or_else(Usage::default, |normal: Normal| normal.usage);
        let catalog_provider = receipt.price.as_ref().map(|price| price.provider.as_str());
        let mut text = |text: Option<&str>| {
            text.map(|text| self.texts.intern(&frame::shortened(text, MAX_TEXT)))
        };
        let call = Call {
            operation: text(call.operation),
            provider: text(catalog_provider.or(call.provider)),
            request_model: text(call.request_model),
            response_model: text(call.response_model),
            // No two calls share it.
            response_id: call
                .response_id
                .map(|id| Text::from(&*frame::shortened(id, MAX_TEXT))),
            usage,
            cost: receipt.cost,
        };
        (call, receipt)
    }

    fn know(&mut self, resource: &Resource<'_>) {
        let place = place(resource.attributes);
        if self
            .resource
            .as_ref()
            .is_some_and(|known| known.place == place)
        {
            return;
        }
        let slots = Slots::read(resource.attributes);
        let service = self.texts.intern(&frame::shortened(
            slots.text(Slot::Service).unwrap_or(""),
            MAX_TEXT,
        ));
        let instance = instance(&slots)
            .map(|instance| self.texts.intern(&frame::shortened(&instance, MAX_TEXT)));
        let attribution = Arc::new(attribution::find(
            resource.attributes,
            &slots,
            &mut self.texts,
        ));
        let weight_milli = self.believed(sampling::weight_milli("", &slots));
        self.resource = Some(KnownResource {
            place,
            service,
            instance,
            attribution,
            weight_milli: weight_milli.unwrap_or(0),
        });
    }

    fn emitter(&mut self, scope: &Scope<'_>) -> Text {
        if scope.name.is_empty() && scope.version.is_empty() {
            return self.empty.clone();
        }
        if let Some(known) = &self.scope
            && known.name == scope.name
            && known.version == scope.version
        {
            return known.emitter.clone();
        }
        let name = format!("{}@{}", scope.name, scope.version);
        let emitter = self.texts.intern(&frame::shortened(&name, MAX_TEXT));
        let (name, version) = (scope.name.to_owned(), scope.version.to_owned());
        self.scope = Some(KnownScope {
            name,
            version,
            emitter: emitter.clone(),
        });
        emitter
    }

    /// Values of the span before those of its resource. Agents and tools give their name by their frame, too.
    fn attribution(
        &mut self,
        span: &Span<'_>,
        slots: &Slots<'_>,
        recognised: &Recognised<'_>,
        label: &Text,
    ) -> Arc<Attribution> {
        let mut own = attribution::find(span.attributes, slots, &mut self.texts);
        let named = recognised.label.is_some().then(|| label.clone());
        match recognised.kind {
            FrameKind::Agent => own.agent = own.agent.or(named),
            FrameKind::Tool => own.tool = own.tool.or(named),
            _ => {}
        }
        let inherited = self.resource.as_ref().map(|known| &known.attribution);
        match inherited {
            Some(inherited) if own.is_empty() => inherited.clone(),
            Some(inherited) if !inherited.is_empty() => Arc::new(own.or(inherited)),
            _ => Arc::new(own),
        }
    }
}

/// What a price was looked up by. The calls of one request mostly ask alike and share it.
fn asked(last: &mut Option<Arc<Asked>>, request: &PriceRequest<'_>, own_model: bool) -> Arc<Asked> {
    if let Some(last) = last.as_ref().filter(|last| last.is(request, own_model)) {
        return Arc::clone(last);
    }
    Arc::clone(last.insert(Arc::new(Asked::of(request, own_model))))
}

/// Lands a single span. For the spans of one request a [`Lander`] is faster and shares their texts.
#[must_use]
pub fn land(
    resource: &Resource<'_>,
    scope: &Scope<'_>,
    span: &Span<'_>,
    catalog: &Catalog,
    project: i32,
    received_us: i64,
) -> LandingRow {
    Lander::new(catalog).land(resource, scope, span, project, received_us)
}

fn attribute_count(span: &Span<'_>) -> u32 {
    u32::try_from(span.attributes.0.len())
        .unwrap_or(u32::MAX)
        .saturating_add(span.dropped_attributes)
}

/// Where the bytes of a resource's attributes lie: equal for the spans of one resource, different for two of them.
fn place(attributes: Attributes<'_>) -> u64 {
    let mix = |hash: u64, word: u64| {
        (hash ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23)
    };
    attributes
        .0
        .iter()
        .fold(attributes.0.len() as u64, |hash, (key, value)| {
            let value = match *value {
                Value::Str(text) => text.as_ptr() as u64 ^ text.len() as u64,
                Value::Bytes(bytes) | Value::Array(bytes) | Value::Map(bytes) => {
                    bytes.as_ptr() as u64 ^ bytes.len() as u64
                }
                Value::Int(number) => number.cast_unsigned(),
                Value::Double(number) => number.to_bits(),
                Value::Bool(flag) => u64::from(flag),
                Value::Empty => 0,
            };
            mix(mix(hash, key.as_ptr() as u64 ^ key.len() as u64), value)
        })
}

/// `service.instance.id`, else `host.name/process.pid` as far as present.
fn instance(slots: &Slots<'_>) -> Option<String> {
    if let Some(instance) = slots.text(Slot::Instance) {
        return Some(instance.to_owned());
    }
    let (host, pid) = (slots.text(Slot::Host), slots.count(Slot::Pid));
    match (host, pid) {
        (Some(host), Some(pid)) => Some(format!("{host}/{pid}")),
        (Some(host), None) => Some(host.to_owned()),
        (None, Some(pid)) => Some(pid.to_string()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
