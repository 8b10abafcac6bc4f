//! Scenario: the database cannot take commits for a while, under load: it stops, its disk is full, it lets nobody in, a table
//! is locked, the clock is set back. Or it is copied.
//! Guarantee: clients are asked to retry and told why, `/readyz` says so, memory stays flat, and afterwards everything
//! arrives and is settled once, without a hand.

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod clock;
mod connections;
mod disk;
mod lock;
mod restart;
mod stopped;
mod unreadable;
mod unsynced;

use std::{path::Path, process::Command};

use support::{Addresses, PATIENCE, Server, clients::Clients};

/// A server with clients that repeat each request until it is acknowledged.
struct Scene {
    server: Server,
    clients: Clients,
    database_url: String,
}

impl Scene {
    /// Some requests are acknowledged when this returns.
    fn start(folder: &Path, database_url: &str) -> Self {
        Self::start_as(support::costflame(folder), folder, database_url)
    }

    /// By a command with an environment of its own.
    fn start_as(command: Command, folder: &Path, database_url: &str) -> Self {
        let at = Addresses::free();
        let flags = ["--settle-after", "100ms"];
        let server = Server::start_as(command, folder, database_url, &at, &flags);
        let clients = Clients::start(&[&at.http]);
        clients.wait_for_more();
        Self {
            server,
            clients,
            database_url: database_url.to_owned(),
        }
    }

    /// Waits until `/readyz` says why nothing is committed, and sees that clients are told the same.
    async fn wait_for_trouble(&self, why: &str, told: &str) {
        let ready = wait_for_readiness(&self.server, 503, why).await;
        assert!(ready.contains(why), "{ready}");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (status, text) = self.send_nothing_new().await;
            if status == 503 && text.contains(told) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{status} {text}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// A request whose spans the clients send too.
    async fn send_nothing_new(&self) -> (u16, String) {
        let answer = reqwest::Client::new()
            .post(format!("{}/v1/traces", self.server.http))
            .header("content-type", "application/x-protobuf")
            .body(self.clients.first())
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        assert_eq!(status == 503, answer.headers().contains_key("retry-after"));
        let body = answer.bytes().await.expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Everything goes on by itself, and nothing is lost.
    async fn assert_recovery(self) {
        self.clients.wait_for_more();
        wait_for_readiness(&self.server, 200, "").await;
        let sent = self.clients.finish().await;
        sent.assert_settled(&self.database_url).await;
        assert_eq!(self.server.terminate().code(), Some(0));
    }
}

/// What `/readyz` says.
async fn readiness(server: &Server) -> (u16, String) {
    let answer = reqwest::get(format!("{}/readyz", server.api))
        .await
        .expect("it answers");
    (
        answer.status().as_u16(),
        answer.text().await.expect("a text"),
    )
}

async fn wait_for_readiness(server: &Server, status: u16, why: &str) -> String {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let seen = readiness(server).await;
        if seen.0 == status && seen.1.contains(why) {
            return seen.1;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not {status} {why}: {seen:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
