//! Scenario: people log in with a password, come again, log out, are thrown out, guess, and are made to send what they did not mean to.
//! Guarantee: a session opens what its user may see, to the browser that logged in alone, and ends when it should.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    key, password, run, run_with_password,
    support::{Addresses, PATIENCE, Server},
    user,
};

/// A server that asks who it is, with a user of each role in the project `alpha`, and `owner` of all.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database: String,
    pub(crate) server: Server,
    pub(crate) client: Client,
}

impl House {
    pub(crate) fn open(database: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for project in ["alpha", "beta"] {
            run(folder.path(), database, &["project", "create", project]);
        }
        for role in ["viewer", "editor", "admin"] {
            user(folder.path(), database, role, role, Some("alpha"));
        }
        user(folder.path(), database, "owner", "admin", None);
        let mut all = vec!["--auth-required"];
        all.extend(flags);
        let server = Server::start_with(folder.path(), database, &Addresses::free(), &all);
        Self {
            folder,
            database: database.to_owned(),
            server,
            client: Client::new(),
        }
    }

    /// A request as our own pages send it.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        from_page(&self.client, &self.server.api, method, path)
    }

    pub(crate) async fn try_login(&self, name: &str, password: &str) -> Response {
        let request = self.request(Method::POST, "/api/v1/login");
        send(request.json(&json!({"name": name, "password": password}))).await
    }

    /// Logs in; the cookie that a browser would keep.
    pub(crate) async fn login(&self, name: &str) -> String {
        let answer = self.try_login(name, &password(name)).await;
        assert_eq!(answer.status(), 204, "{name}");
        kept(&answer)
    }

    pub(crate) async fn ask(&self, cookie: &str, method: Method, path: &str) -> Response {
        send(self.request(method, path).header("cookie", cookie)).await
    }

    pub(crate) async fn tell(
        &self,
        cookie: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Response {
        let request = self.request(method, path).header("cookie", cookie);
        send(request.json(&body)).await
    }

    pub(crate) async fn get(&self, cookie: &str, path: &str) -> Value {
        let answer = self.ask(cookie, Method::GET, path).await;
        assert_eq!(answer.status(), 200, "{path}");
        body(answer).await
    }

    /// Waits until a session has ended.
    async fn until_out(&self, cookie: &str) {
        let out = async {
            while self
                .ask(cookie, Method::GET, "/api/v1/session")
                .await
                .status()
                != 401
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, out).await.expect("it ends");
    }
}

pub(crate) fn from_page(client: &Client, api: &str, method: Method, path: &str) -> RequestBuilder {
    client
        .request(method, format!("{api}{path}"))
        .header("origin", api)
        .header("x-costflame-request", "1")
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

pub(crate) async fn body(answer: Response) -> Value {
    let bytes = answer.bytes().await.expect("a body");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn set_cookie(answer: &Response) -> &str {
    answer.headers()["set-cookie"].to_str().expect("ASCII")
}

/// Name and value of the cookie that an answer sets.
pub(crate) fn kept(answer: &Response) -> String {
    let (pair, _) = set_cookie(answer).split_once(';').expect("attributes");
    pair.to_owned()
}

const SESSION: &str = "/api/v1/session";

async fn sessions_begin_and_end(database: &str) {
    let house = House::open(database, &[]);
    let answer = house.try_login("viewer", &password("viewer")).await;
    let attributes = set_cookie(&answer);
    assert!(
        attributes.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800"),
        "{attributes}"
    );
    assert!(attributes.starts_with("costflame="), "{attributes}");
    let first = kept(&answer);
    let me = house.get(&first, SESSION).await;
    assert_eq!(
        (&me["user"], &me["role"], &me["project"], &me["projects"]),
        (
            &json!("viewer"),
            &json!("viewer"),
            &json!("alpha"),
            &json!(["alpha"])
        )
    );
    house.get(&first, "/api/v1/summary").await;

    // A login begins a new session, whatever the browser shows, and ends the one it showed.
    for shown in [format!("costflame={}", "ab".repeat(32)), first.clone()] {
        let request = house
            .request(Method::POST, "/api/v1/login")
            .header("cookie", &shown);
        let who = json!({"name": "viewer", "password": password("viewer")});
        let answer = send(request.json(&who)).await;
        assert_ne!(kept(&answer), shown);
        assert_eq!(house.ask(&shown, Method::GET, SESSION).await.status(), 401);
    }

    // Out means out, also for whoever has copied the cookie.
    let cookie = house.login("viewer").await;
    let mut feed = house.ask(&cookie, Method::GET, "/api/v1/live").await;
    assert_eq!(feed.status(), 200);
    let answer = house.ask(&cookie, Method::POST, "/api/v1/logout").await;
    assert_eq!(
        (answer.status(), kept(&answer)),
        (StatusCode::NO_CONTENT, "costflame=".to_owned())
    );
    assert!(set_cookie(&answer).contains("Max-Age=0"));
    assert_eq!(house.ask(&cookie, Method::GET, SESSION).await.status(), 401);
    let ended = async { while let Ok(Some(_)) = feed.chunk().await {} };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("its feed ends too");

    // An admin ends sessions; a new password and the end of a user end theirs.
    let admin = house.login("admin").await;
    let viewer = house.login("viewer").await;
    let id = house.get(&viewer, SESSION).await["session"].clone();
    let path = format!("/api/v1/sessions/{}", id.as_str().expect("an id"));
    assert_eq!(house.ask(&admin, Method::DELETE, &path).await.status(), 204);
    assert_eq!(house.ask(&viewer, Method::GET, SESSION).await.status(), 401);

    let (viewer, editor) = (house.login("viewer").await, house.login("editor").await);
    let args = ["user", "set-password", "viewer"];
    let (folder, database) = (house.folder.path(), &*house.database);
    let (ok, said) = run_with_password(folder, database, &args, "another password");
    assert!(ok, "{said}");
    run(folder, database, &["user", "remove", "editor"]);
    house.until_out(&viewer).await;
    house.until_out(&editor).await;
    assert_eq!(
        house
            .try_login("viewer", &password("viewer"))
            .await
            .status(),
        401
    );
    let viewer = kept(&house.try_login("viewer", "another password").await);

    // Another role holds at once, a session outlives a restart, and does not outlive its user's role.
    let args = [
        "user",
        "set-role",
        "viewer",
        "--role",
        "editor",
        "--project",
        "beta",
    ];
    run(folder, database, &args);
    let House {
        folder,
        server,
        client,
        ..
    } = house;
    assert_eq!(server.terminate().code(), Some(0));
    let database = database.to_owned();
    let server = Server::start_with(
        folder.path(),
        &database,
        &Addresses::free(),
        &["--auth-required"],
    );
    let house = House {
        folder,
        database,
        server,
        client,
    };
    let me = house.get(&viewer, SESSION).await;
    assert_eq!(
        (&me["role"], &me["project"]),
        (&json!("editor"), &json!("beta"))
    );

    // A second server on the same database knows both what begins and what ends.
    let other = Server::start_with(
        house.folder.path(),
        &house.database,
        &Addresses::free(),
        &["--auth-required"],
    );
    let owner = house.login("owner").await;
    let there = |cookie: &str| {
        send(from_page(&house.client, &other.api, Method::GET, SESSION).header("cookie", cookie))
    };
    assert_eq!(there(&owner).await.status(), 200, "at once");
    house.ask(&owner, Method::POST, "/api/v1/logout").await;
    let out = async { while there(&owner).await.status() != 401 {} };
    tokio::time::timeout(PATIENCE, out)
        .await
        .expect("within seconds");
    assert_eq!(other.terminate().code(), Some(0));
    nothing_secret_is_kept(&house, &[&owner, &viewer]).await;
    assert_eq!(house.server.terminate().code(), Some(0));
}

/// Neither the audit log nor, where it is a file, the database holds a password or what a browser shows.
async fn nothing_secret_is_kept(house: &House, cookies: &[&str]) {
    let listed = run(
        house.folder.path(),
        &house.database,
        &["audit", "list", "--json"],
    );
    let acts: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let has = |actor: &str, act: &str, target: &str, result: &str| {
        acts.iter().any(|one| {
            one["actor"]
                .as_str()
                .is_some_and(|it| it.starts_with(actor))
                && one["act"] == act
                && one["target"].as_str().is_some_and(|it| it.contains(target))
                && one["result"] == result
        })
    };
    assert!(has("cli ", "project.create", "alpha", "done"), "{listed}");
    assert!(has("cli ", "user.create", "owner", "done"), "{listed}");
    assert!(
        has("cli ", "user.set-password", "viewer", "done"),
        "{listed}"
    );
    assert!(has("cli ", "user.set-role", "viewer", "done"), "{listed}");
    assert!(has("cli ", "user.remove", "editor", "done"), "{listed}");
    assert!(has("user viewer", "login", "viewer", "done"), "{listed}");
    assert!(
        has("user admin", "session.end", "of viewer", "done"),
        "{listed}"
    );
    assert!(has("user owner", "logout", "", "done"), "{listed}");
    assert!(
        has("anybody", "login", "viewer", "wrong password"),
        "{listed}"
    );
    assert_eq!(
        acts.iter()
            .filter(|one| one["act"] == "login" && one["peer"] != "127.0.0.1")
            .count(),
        0
    );
    let mut everything = listed.into_bytes();
    if house.database.starts_with("sqlite") {
        for file in std::fs::read_dir(house.folder.path()).expect("a folder") {
            let file = file.expect("readable").path();
            everything.extend(std::fs::read(file).expect("readable"));
        }
    }
    let secrets = cookies
        .iter()
        .map(|cookie| cookie.split_once('=').expect("a cookie").1);
    for secret in secrets.chain(["another password", &password("viewer"), &password("owner")]) {
        let found = everything
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_begin_and_end_on_sqlite() {
    sessions_begin_and_end("sqlite://c.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_begin_and_end_on_postgres() {
    sessions_begin_and_end(&costflame_store::testing::postgres_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_and_forging_lead_nowhere() {
    let flags = [
        "--behind-proxy",
        "--proxy-hops",
        "1",
        "--session-idle",
        "2s",
        "--session-lifetime",
        "2s",
        "--api-limit",
        "40",
    ];
    let house = House::open("sqlite://c.db", &flags);

    // Unknown and wrong are alike.
    let mut answers = Vec::new();
    for (name, guess) in [
        ("viewer", "a wrong password"),
        ("nobody", "a wrong password"),
        ("viewer", ""),
    ] {
        let answer = house.try_login(name, guess).await;
        assert!(answer.headers().get("set-cookie").is_none());
        answers.push((answer.status(), body(answer).await));
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);

    // Where browsers come by TLS, cookies go nowhere else; and a session ends with its time.
    let answer = house.try_login("owner", &password("owner")).await;
    let attributes = set_cookie(&answer);
    assert!(attributes.starts_with("__Host-costflame="), "{attributes}");
    assert!(
        attributes.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=2; Secure"),
        "{attributes}"
    );
    let cookie = kept(&answer);
    assert_eq!(house.ask(&cookie, Method::GET, SESSION).await.status(), 200);
    let plain = cookie.replace("__Host-", "");
    assert_eq!(house.ask(&plain, Method::GET, SESSION).await.status(), 401);
    for cookie in [
        format!("{cookie}; {cookie}"),
        format!("{cookie}0"),
        cookie.to_uppercase(),
    ] {
        assert_eq!(house.ask(&cookie, Method::GET, SESSION).await.status(), 401);
    }

    // What another site can make a browser send changes nothing, and logs nobody in.
    let url = format!("{}/api/v1/projects", house.server.api);
    let forged = || {
        house
            .client
            .post(&url)
            .header("cookie", &cookie)
            .json(&json!({"name": "forged"}))
    };
    let own = ("x-costflame-request", "1");
    let here = ("origin", &*house.server.api);
    for headers in [
        vec![],
        vec![here],
        vec![own],
        vec![own, ("origin", "https://evil.example")],
        vec![own, ("origin", "null")],
        vec![own, here, ("sec-fetch-site", "cross-site")],
        vec![own, here, ("sec-fetch-site", "same-site")],
    ] {
        let with = |request: RequestBuilder| {
            headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            })
        };
        assert_eq!(send(with(forged())).await.status(), 403, "{headers:?}");
        let login = house
            .client
            .post(format!("{}/api/v1/login", house.server.api));
        let login = login.json(&json!({"name": "owner", "password": password("owner")}));
        assert_eq!(send(with(login)).await.status(), 403, "{headers:?}");
    }
    let projects = run(house.folder.path(), &house.database, &["project", "list"]);
    assert!(!projects.contains("forged"), "{projects}");
    house.until_out(&cookie).await;

    // A name can be tried ten times a minute, whoever tries; others go on.
    let from = |name: &str, address: &str| {
        let request = house
            .request(Method::POST, "/api/v1/login")
            .header("x-forwarded-for", address);
        send(request.json(&json!({"name": name, "password": "a wrong password"})))
    };
    let mut refused = None;
    for attempt in 0..11 {
        let answer = from("victim", &format!("10.0.0.{attempt}")).await;
        if answer.status() == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("the last one");
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .expect("ASCII")
        .parse()
        .expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(from("another", "10.0.0.1").await.status(), 401);

    // A key, as a session, may ask so often a minute.
    let read = key(house.folder.path(), &house.database, "alpha", "read");
    let ask = || {
        send(
            house
                .client
                .get(format!("{}{SESSION}", house.server.api))
                .bearer_auth(&read),
        )
    };
    let limited = async {
        loop {
            let answer = ask().await;
            if answer.status() == 429 {
                return answer;
            }
        }
    };
    let limited = tokio::time::timeout(PATIENCE, limited)
        .await
        .expect("a limit");
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(body(limited).await["error"]["code"], "too_many_requests");
    assert_eq!(house.server.terminate().code(), Some(0));
}
