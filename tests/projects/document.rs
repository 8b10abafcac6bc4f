//! Every operation of the served OpenAPI document, and who may call it by the document's own word.

use serde_json::Value;

use crate::support::api::ALL_TIME;

/// Something that may be asked of the API.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) address: String,
    /// A read key may.
    pub(crate) by_key: bool,
    /// The roles that may.
    pub(crate) roles: Vec<String>,
}

impl Operation {
    /// Everybody may.
    pub(crate) fn is_open(&self) -> bool {
        !self.by_key && self.roles.is_empty()
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.address)
    }
}

/// Every operation, with the ids of a trace and a span.
pub(crate) fn operations(document: &Value, trace: &str, span: &str) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let proofs = operation["security"].as_array();
            let proofs = proofs.unwrap_or_else(|| panic!("{method} {path} does not say who may"));
            let named = |proof: &str| {
                let named = proofs.iter().find_map(|one| one[proof].as_array());
                let names = named.into_iter().flatten().filter_map(Value::as_str);
                names.map(str::to_owned).collect::<Vec<_>>()
            };
            all.push(Operation {
                method: method.to_uppercase(),
                address: address(path, operation, trace, span),
                by_key: named("key") == ["read"],
                roles: named("session"),
            });
        }
    }
    all
}

fn address(path: &str, operation: &Value, trace: &str, span: &str) -> String {
    let address = path
        .replace("{trace_id}", trace)
        .replace("{span_id}", span)
        .replace("{name}", "nobody")
        .replace("{id}", "nothing");
    assert!(
        !address.contains('{'),
        "an id this test does not know: {path}"
    );
    let parameters = operation["parameters"].as_array().map(Vec::as_slice);
    let parameters = parameters.unwrap_or_default();
    let in_query = |one: &&Value| one["in"] == "query";
    let mut query: Vec<String> = Vec::new();
    if parameters
        .iter()
        .filter(in_query)
        .any(|one| one["name"] == "from")
    {
        query.push(ALL_TIME.to_owned());
    }
    for parameter in parameters.iter().filter(in_query) {
        let name = parameter["name"].as_str().expect("a name");
        if parameter["required"] != true {
            continue;
        }
        query.push(match (name, path) {
            ("by", _) => "by=user".to_owned(),
            ("key", _) => "key=user".to_owned(),
            ("format", "/flamegraph/export") => "format=folded".to_owned(),
            ("format", _) => "format=jsonl".to_owned(),
            ("base_from", _) => "base_from=2019-01-01T00:00:00Z".to_owned(),
            ("base_to", _) => "base_to=2020-01-01T00:00:00Z".to_owned(),
            other => panic!("a parameter this test does not know: {other:?}"),
        });
    }
    if matches!(path, "/movers" | "/why") && !query.iter().any(|one| one.starts_with("base_from")) {
        query.push("base_from=2019-01-01T00:00:00Z&base_to=2020-01-01T00:00:00Z".to_owned());
    }
    if query.is_empty() {
        return format!("/api/v1{address}");
    }
    format!("/api/v1{address}?{}", query.join("&"))
}
