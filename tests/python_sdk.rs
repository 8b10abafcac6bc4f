//! Scenario: a Python program with the real OpenTelemetry SDK, exporter and OpenAI instrumentation.
//! Guarantee: its spans land, over gRPC and over HTTP, compressed, with exactly the tokens that were billed.

mod support;

use std::{path::Path, process::Command};

use costflame_pricing::TokenClass;
use costflame_profile::{Role, TraceId};
use costflame_store::{Options, Store, TraceKey};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use support::{Addresses, Server, costflame, output, wait_until};

/// The Python that `cargo xtask test` has prepared.
fn python() -> String {
    std::env::var("TEST_PYTHON").expect("TEST_PYTHON names a Python with tests/python/requirements.txt installed; `cargo xtask test` sets it")
}

fn trace_id(hex: &str) -> TraceId {
    let byte = |place: usize| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).expect("hex");
    TraceId(std::array::from_fn(byte))
}

/// The program, which sends to an endpoint; it prints what was billed.
fn agent(protocol: &str, endpoint: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/agent.py");
    let mut command = Command::new(python());
    command
        .arg(script)
        .arg(protocol)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    command
}

fn billed(command: &mut Command) -> serde_json::Value {
    let (code, out, err) = output(command);
    assert_eq!(code, Some(0), "{out}\n{err}");
    serde_json::from_str(out.lines().last().expect("one line")).expect("JSON")
}

async fn lands(protocol: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let server = Server::start(folder.path(), &url);
    let endpoint = if protocol == "grpc" {
        &server.grpc
    } else {
        &server.http
    };
    let sent = billed(&mut agent(protocol, endpoint));
    assert_eq!(server.terminate().code(), Some(0));
    has_landed(&url, &sent).await;
}

async fn has_landed(url: &str, sent: &serde_json::Value) {
    let store = Store::connect(url, &Options::default())
        .await
        .expect("the database opens");
    let rows = store
        .landed(TraceKey {
            project: 1,
            trace_id: trace_id(sent["trace_id"].as_str().expect("text")),
        })
        .await
        .expect("readable");
    let services: std::collections::BTreeSet<_> = rows
        .iter()
        .map(|row| row.span.service.to_string())
        .collect();
    assert_eq!(services.into_iter().collect::<Vec<_>>(), ["agent", "front"]);
    let mut landed: Vec<_> = rows
        .iter()
        .filter(|row| row.span.role == Role::Call)
        .map(|row| {
            let call = row.span.call.as_ref().expect("a call");
            let receipt = row.receipt.as_ref().expect("a receipt");
            let tokens = (
                receipt.usage.get(TokenClass::Input),
                receipt.usage.get(TokenClass::Output),
            );
            (
                call.response_id.as_deref().expect("an id").to_owned(),
                tokens,
                receipt.cost,
            )
        })
        .collect();
    landed.sort();
    assert_eq!(
        landed.len(),
        sent["calls"].as_array().expect("a list").len()
    );
    let mut billed = sent["calls"].as_array().expect("a list").clone();
    billed.sort_by_key(|call| call["response_id"].as_str().map(str::to_owned));
    for (call, (response_id, (input, output), cost)) in billed.iter().zip(landed) {
        assert_eq!(call["response_id"], response_id.as_str());
        assert_eq!(
            (call["input"].as_u64(), call["output"].as_u64()),
            (Some(input), Some(output))
        );
        // gpt-4o-2024-08-06: 2.50 and 10 dollars per million, in pico-dollars per token.
        let expected = i64::try_from(input * 2_500_000 + output * 10_000_000).expect("small");
        assert_eq!(cost.expect("priced").0, expected);
    }
}

#[tokio::test]
async fn over_grpc_compressed() {
    lands("grpc").await;
}

#[tokio::test]
async fn over_http_compressed() {
    lands("http/protobuf").await;
}

/// Writes a new authority, and a certificate and key of it for `localhost`.
fn write_certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "tests");
    let key = || KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    let own = key();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&own, &authority).expect("a certificate");
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("cert.pem", certificate.pem()),
        ("key.pem", own.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).expect("writable");
    }
}

#[tokio::test]
async fn over_tls_with_a_certificate_to_show_while_certificates_change() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    write_certificates(folder.path());
    let url = format!("sqlite://{}", file("c.db"));
    let addresses = Addresses::free();
    let [certificate, key, authority] = ["cert.pem", "key.pem", "ca.pem"].map(file);
    let flags = [
        ["--tls-certificate", &certificate],
        ["--tls-key", &key],
        ["--tls-client-ca", &authority],
    ];
    let server = Server::start_with(folder.path(), &url, &addresses, &flags.concat());
    assert!(server.banner.contains("https://"), "{}", server.banner);
    let at = |address: &str| {
        let port = address.rsplit(':').next().expect("a port");
        format!("https://localhost:{port}")
    };
    let sends = |protocol: &str, address: &str| {
        let mut agent = agent(protocol, &at(address));
        // Python's HTTP client would take these for the exporter's own.
        agent.env_remove("REQUESTS_CA_BUNDLE");
        agent.env_remove("CURL_CA_BUNDLE");
        agent.env("OTEL_EXPORTER_OTLP_CERTIFICATE", &authority);
        agent.env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate);
        agent.env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key);
        agent
    };
    let first = billed(&mut sends("grpc", &addresses.grpc));
    write_certificates(folder.path());
    let hangup = ["-HUP", &server.id().to_string()];
    let status = Command::new("kill").args(hangup).status();
    assert!(status.expect("kill runs").success());
    wait_until("both ports have the new certificate", || {
        let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
        (log.matches("new TLS certificate in use").count() == 2).then_some(())
    });
    let second = billed(&mut sends("http/protobuf", &addresses.http));
    let mut report = costflame(folder.path());
    report.args(["report", "--json", "--url", &at(&addresses.api)]);
    let (code, _, err) = output(&mut report);
    assert_eq!(code, Some(1), "the authority is not one of this system's");
    assert!(err.contains("certificate"), "{err}");
    let (code, out, err) = output(report.args(["--certificate", &authority]));
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert_eq!(server.terminate().code(), Some(0));
    for sent in [first, second] {
        has_landed(&url, &sent).await;
    }
}
