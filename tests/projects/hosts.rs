//! Scenario: a page of another site points a name of its own at costflame (DNS rebinding), and programs and people use names of theirs.
//! Guarantee: where nobody is asked who they are, only what is addressed to a name that is ours is answered; nobody else is turned away.

use reqwest::{Client, StatusCode};

use crate::{
    login::send,
    support::{Addresses, Server},
};

const PAGES: [&str; 4] = ["/", "/api/v1/summary", "/metrics", "/healthz"];

async fn status(server: &Server, host: &str, path: &str) -> StatusCode {
    let request = Client::new().get(format!("{}{path}", server.api));
    send(request.header("host", host)).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_another_site_is_not_answered() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |flags: &[&str]| {
        Server::start_with(folder.path(), "sqlite://c.db", &Addresses::free(), flags)
    };
    let server = start(&["--allowed-hosts", "host.docker.internal"]);
    for path in PAGES {
        for ours in [
            "127.0.0.1:4319",
            "localhost",
            "[::1]:4319",
            "10.0.0.7",
            "host.docker.internal:4319",
        ] {
            assert_eq!(status(&server, ours, path).await, 200, "{path} at {ours}");
        }
        for foreign in ["evil.example", "evil.example:4319", "costflame:4319"] {
            let status = status(&server, foreign, path).await;
            assert_eq!(status, 421, "{path} at {foreign}");
        }
    }
    let request = Client::new().get(format!("{}/api/v1/summary", server.api));
    let answer = send(request.header("host", "evil.example")).await;
    let said = crate::login::body(answer).await;
    assert_eq!(said["error"]["code"], "misdirected");
    let message = said["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("allowed_hosts"), "{message}");

    // Programs send telemetry to whatever name leads here: there is nothing to read.
    let request = Client::new().post(format!("{}/v1/traces", server.http));
    let request = request.header("host", "collector.example");
    let request = request
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(send(request).await.status(), 200);
    assert_eq!(server.terminate().code(), Some(0));

    // Something in front knows the names, unless it says which; containers have short ones.
    let server = start(&["--behind-proxy"]);
    assert_eq!(status(&server, "anything.example", "/").await, 200);
    assert_eq!(server.terminate().code(), Some(0));
    let server = start(&["--behind-proxy", "--public-url=https://c.example"]);
    for (host, expected) in [
        ("c.example", 200),
        ("costflame:8080", 200),
        ("10.0.0.7", 200),
        ("evil.example", 421),
    ] {
        assert_eq!(status(&server, host, "/").await, expected, "{host}");
    }
    assert_eq!(server.terminate().code(), Some(0));

    // Where it is asked who it is, a foreign page has nothing to show.
    let server = start(&["--auth-required", "--public-url=https://c.example"]);
    let summary = status(&server, "evil.example", "/api/v1/summary").await;
    assert_eq!(summary, 401);
    assert_eq!(status(&server, "costflame:8080", "/healthz").await, 200);
    assert_eq!(server.terminate().code(), Some(0));
}
