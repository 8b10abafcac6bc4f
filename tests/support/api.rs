//! What the API says of calls and traces.

use std::time::Duration;

use serde_json::Value;

use super::{PATIENCE, Server};

pub(crate) const ALL_TIME: &str = "from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";

pub(crate) async fn get(server: &Server, path: &str) -> Value {
    let answer = reqwest::get(format!("{}/api/v1/{path}", server.api)).await;
    let body = answer.expect("an answer").bytes().await.expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

/// All calls, once there are as many.
pub(crate) async fn settled_calls(server: &Server, count: usize) -> Vec<Value> {
    let settled = async {
        loop {
            let answer = get(server, &format!("calls?{ALL_TIME}")).await;
            let calls = answer["calls"].as_array().expect("calls").clone();
            if calls.len() >= count {
                return calls;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let settled = tokio::time::timeout(PATIENCE, settled).await;
    settled.expect("the calls settle")
}

/// All sums, once nothing is pending and there are calls.
pub(crate) async fn settled_summary(server: &Server) -> Value {
    let settled = async {
        loop {
            let summary = get(server, &format!("summary?{ALL_TIME}")).await;
            if summary["pending"]["traces"] == 0 && summary["calls"] != 0 {
                return summary;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = tokio::time::timeout(PATIENCE, settled).await;
    settled.expect("the traces settle")
}

/// A trace as text: a line a span, indented by its depth, with its service, its frame and, of calls, the cost.
pub(crate) fn drawn(trace: &Value) -> String {
    let spans = trace["tree"].as_array().expect("a tree");
    let line = |span: &Value| {
        let text = |key: &str| span[key].as_str().unwrap_or_default();
        let indent = "  ".repeat(depth(spans, span));
        let cost = match span["role"].as_str() {
            Some("plain") => String::new(),
            _ => format!(" ${}", text("self_cost_usd")),
        };
        let (service, kind, label) = (text("service"), text("kind"), text("label"));
        format!("{indent}{service} {kind}: {label}{cost}\n")
    };
    spans.iter().map(line).collect()
}

fn depth(spans: &[Value], span: &Value) -> usize {
    let parent = |other: &&Value| other["span_id"] == span["parent_span_id"];
    match spans.iter().find(parent) {
        Some(parent) => 1 + depth(spans, parent),
        None => 0,
    }
}
