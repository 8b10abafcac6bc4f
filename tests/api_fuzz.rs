//! Scenario: Schemathesis makes requests from the OpenAPI document, valid and not, and sends them to the real binary with recorded calls.
//! Guarantee: nothing is answered with 5xx, and every answer is one that the document names and describes.

mod support;

use std::{path::Path, process::Command};

use support::{
    Addresses, Server,
    api::{ALL_TIME, get, settled_summary},
};

/// Requests per endpoint and kind; `FUZZ_EXAMPLES` asks for another number.
const EXAMPLES: &str = "25";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Schemathesis beside the Python that `cargo xtask test` has prepared.
fn schemathesis() -> Command {
    let python = std::env::var("TEST_PYTHON").expect(
        "TEST_PYTHON names a Python with tests/python/requirements.txt installed; `cargo xtask test` sets it",
    );
    Command::new(Path::new(&python).with_file_name("st"))
}

async fn send_recorded(server: &Server) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let client = reqwest::Client::new();
    for scenario in ["strands/agent", "openinference-two-services/http"] {
        for file in std::fs::read_dir(corpus.join(scenario)).expect("recorded") {
            let file = file.expect("readable").path();
            if !file.to_string_lossy().ends_with(".traces.pb") {
                continue;
            }
            let request = client
                .post(format!("{}/v1/traces", server.http))
                .header("content-type", "application/x-protobuf")
                .body(std::fs::read(file).expect("readable"));
            assert_eq!(request.send().await.expect("an answer").status(), 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_a_fault_of_the_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let soon = ["--settle-after", "300ms"];
    let server = Server::start_with(folder.path(), "sqlite://c.db", &Addresses::free(), &soon);
    send_recorded(&server).await;
    settled_summary(&server).await;
    let calls = get(&server, &format!("calls?{ALL_TIME}")).await;
    let id = |key: &str| calls["calls"][0][key].as_str().expect("an id").to_owned();

    // Random time zones and ids would be refused at the door, and nothing behind it tried.
    let config = format!(
        "seed = 7\n[parameters]\n\"query.tz\" = \"Asia/Kathmandu\"\n\"path.trace_id\" = \"{}\"\n\"path.span_id\" = \"{}\"\n",
        id("trace_id"),
        id("span_id")
    );
    std::fs::write(folder.path().join("schemathesis.toml"), config).expect("writable");
    let examples = std::env::var("FUZZ_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let fuzzed = schemathesis()
        .current_dir(folder.path())
        .args(["run", &format!("{}/api/v1/openapi.json", server.api)])
        .args(["--phases", "examples,fuzzing", "--max-examples", &examples])
        // Its answer never ends.
        .args(["--exclude-path", "/live"])
        .args(["--checks", CHECKS])
        .output()
        .expect("Schemathesis runs");
    let report = String::from_utf8_lossy(&fuzzed.stdout);
    assert!(fuzzed.status.success(), "{report}");
    assert!(report.contains("Test cases:"), "{report}");
    assert_eq!(server.terminate().code(), Some(0));
}
