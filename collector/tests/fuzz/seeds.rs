//! Recorded spans and log records, one by one with their resource and scope.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use costflame_collector::decode::{Encoding, Limits, inflate, json_to_protobuf};
use costflame_profile::Signal;
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::KeyValue,
    logs::v1::{ResourceLogs, ScopeLogs},
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message;

use crate::mutate::{Random, damage, exchange};

/// Longest recorded value; prompts are of no interest here and cost time.
const LONGEST: usize = 4_096;

/// What inputs are made of.
pub(crate) struct Seeds {
    spans: Vec<ResourceSpans>,
    logs: Vec<ResourceLogs>,
    /// Every key that was recorded.
    keys: Vec<String>,
}

impl Seeds {
    /// Reads the recordings in the repository.
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
        let mut files = Vec::new();
        find(&folder, &mut files);
        files.sort();
        let (mut spans, mut logs) = (Vec::new(), Vec::new());
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.contains("traces.") {
                let body = body(Signal::Span, &path);
                let request = ExportTraceServiceRequest::decode(&*body).unwrap();
                spans.extend(request.resource_spans.into_iter().flat_map(single_spans));
            } else if name.contains("logs.") {
                let body = body(Signal::Log, &path);
                let request = ExportLogsServiceRequest::decode(&*body).unwrap();
                logs.extend(request.resource_logs.into_iter().flat_map(single_logs));
            }
        }
        let of_spans = spans
            .iter()
            .flat_map(|one| &one.scope_spans)
            .flat_map(|one| &one.spans);
        let of_logs = logs
            .iter()
            .flat_map(|one| &one.scope_logs)
            .flat_map(|one| &one.log_records);
        let attributes = of_spans
            .flat_map(|span| &span.attributes)
            .chain(of_logs.flat_map(|record| &record.attributes));
        let keys: BTreeSet<String> = attributes.map(|attribute| attribute.key.clone()).collect();
        assert!(
            spans.len() > 1_000 && logs.len() > 100 && keys.len() > 300,
            "the corpus is there"
        );
        Self {
            spans,
            logs,
            keys: keys.into_iter().collect(),
        }
    }

    /// A request of one or a few records: as recorded, with other values, damaged, or several of these.
    pub(crate) fn input(&self, random: &mut Random) -> (Signal, Vec<u8>) {
        let records = 1 + random.below(3);
        let (signal, mut bytes) = if random.one_in(4) {
            let resource_logs = (0..records).map(|_| self.log(random)).collect();
            let request = ExportLogsServiceRequest { resource_logs };
            (Signal::Log, request.encode_to_vec())
        } else {
            let resource_spans = (0..records).map(|_| self.span(random)).collect();
            let request = ExportTraceServiceRequest { resource_spans };
            (Signal::Span, request.encode_to_vec())
        };
        if random.one_in(3) {
            damage(&mut bytes, random);
        }
        (signal, bytes)
    }

    /// A request as JSON text, damaged.
    pub(crate) fn json(&self, random: &mut Random) -> Vec<u8> {
        let resource_spans = vec![self.span(random)];
        let request = ExportTraceServiceRequest { resource_spans };
        let mut text = serde_json::to_vec(&request).unwrap_or_default();
        damage(&mut text, random);
        text
    }

    fn span(&self, random: &mut Random) -> ResourceSpans {
        let mut one = random.pick(&self.spans).clone();
        let scope = random.one_in(8).then(|| random.pick(&self.spans).clone());
        for own in &mut one.scope_spans {
            if let Some(other) = scope.as_ref().and_then(|other| other.scope_spans.first()) {
                own.scope.clone_from(&other.scope);
            }
            for span in &mut own.spans {
                exchange(&mut span.attributes, &self.keys, random);
                if random.one_in(8) {
                    span.start_time_unix_nano = random.next();
                }
            }
        }
        one
    }

    fn log(&self, random: &mut Random) -> ResourceLogs {
        let mut one = random.pick(&self.logs).clone();
        for record in one
            .scope_logs
            .iter_mut()
            .flat_map(|own| &mut own.log_records)
        {
            exchange(&mut record.attributes, &self.keys, random);
        }
        one
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the corpus is in the repository") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|end| end == "pb")
            || (path.extension().is_some_and(|end| end == "json")
                && !path.to_string_lossy().ends_with("headers.json"))
        {
            files.push(path);
        }
    }
}

/// The recorded body of a request as protobuf.
fn body(signal: Signal, path: &Path) -> Vec<u8> {
    let limits = Limits::default();
    let sent = fs::read(path).unwrap();
    let encoding = if sent.starts_with(&[0x1f, 0x8b]) {
        Encoding::Gzip
    } else {
        Encoding::Identity
    };
    let plain = inflate(encoding, &sent, limits.max_request_bytes).unwrap();
    if path.extension().is_some_and(|end| end == "json") {
        return json_to_protobuf(signal, &plain, &limits).unwrap();
    }
    plain.into_owned()
}

fn single_spans(all: ResourceSpans) -> Vec<ResourceSpans> {
    let mut singles = Vec::new();
    for scope in &all.scope_spans {
        // Of the many spans that have nothing to do with models there are enough in the other tests.
        for span in scope
            .spans
            .iter()
            .filter(|span| span.attributes.iter().any(is_of_a_model))
        {
            let mut span = span.clone();
            shorten(&mut span.attributes);
            span.events.clear();
            singles.push(ResourceSpans {
                scope_spans: vec![ScopeSpans {
                    spans: vec![span],
                    ..scope_of(scope)
                }],
                resource: all.resource.clone(),
                ..ResourceSpans::default()
            });
        }
    }
    singles
}

fn is_of_a_model(attribute: &KeyValue) -> bool {
    let words = ["token", "usage", "model", "llm", "gen_ai"];
    words.iter().any(|word| attribute.key.contains(word))
}

fn scope_of(scope: &ScopeSpans) -> ScopeSpans {
    ScopeSpans {
        scope: scope.scope.clone(),
        ..ScopeSpans::default()
    }
}

fn single_logs(all: ResourceLogs) -> Vec<ResourceLogs> {
    let mut singles = Vec::new();
    for scope in &all.scope_logs {
        for record in &scope.log_records {
            let mut record = record.clone();
            shorten(&mut record.attributes);
            singles.push(ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    scope: scope.scope.clone(),
                    log_records: vec![record],
                    ..ScopeLogs::default()
                }],
                resource: all.resource.clone(),
                ..ResourceLogs::default()
            });
        }
    }
    singles
}

fn shorten(attributes: &mut Vec<KeyValue>) {
    attributes.retain(|attribute| {
        let size = attribute.value.as_ref().map_or(0, Message::encoded_len);
        size <= LONGEST
    });
}
