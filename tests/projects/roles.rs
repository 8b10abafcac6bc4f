//! Scenario: somebody of each role, and nobody, try every operation of the served document; an admin of one project reaches for another.
//! Guarantee: each may do what the document says, and nothing of a project is managed from another.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    document::{Operation, operations},
    key,
    login::{House, body, send},
    run,
    support::Server,
};

/// Status of an operation, with a body that no operation takes.
async fn status(house: &House, operation: &Operation, cookie: Option<&str>) -> u16 {
    let method: Method = operation.method.parse().expect("a method");
    let mut request = house.request(method.clone(), &operation.address);
    if method != Method::GET {
        request = request.json(&json!({"unknown": 1}));
    }
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    send(request).await.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_the_document_says() {
    let house = House::open("sqlite://c.db", &[]);
    let mut cookies = Vec::new();
    for role in ["viewer", "editor", "admin"] {
        cookies.push((role, house.login(role).await));
    }
    let document = house.get(&cookies[0].1, "/api/v1/openapi.json").await;
    let operations = operations(&document, &"0".repeat(32), &"0".repeat(16));
    for (role, at_least) in [("viewer", 20), ("editor", 22), ("admin", 30)] {
        let may = operations
            .iter()
            .filter(|one| one.roles.iter().any(|may| may == role));
        assert!(may.count() >= at_least, "{role}");
    }
    for operation in &operations {
        let name = operation.name();
        let out = status(&house, operation, None).await;
        if operation.is_open() {
            assert_ne!(out, 401, "{name}");
            continue;
        }
        assert_eq!(out, 401, "{name}");
        for (role, cookie) in &cookies {
            let status = status(&house, operation, Some(cookie)).await;
            let may = operation.roles.iter().any(|may| may == role);
            assert_eq!(status == 403, !may, "{name} as {role}: {status}");
            assert!(status != 401 && status < 500, "{name} as {role}: {status}");
        }
    }

    // Views are kept by editors, for all of the project.
    let (viewer, editor) = (&cookies[0].1, &cookies[1].1);
    let week = "/api/v1/views/last%20week%2Fall";
    let saved = house.tell(editor, Method::PUT, week, json!({"address": "/?range=7d"}));
    assert_eq!(saved.await.status(), 204);
    let views = house.get(viewer, "/api/v1/views").await;
    assert_eq!(views["views"][0]["name"], "last week/all");
    assert_eq!(views["views"][0]["saved_by"], "editor");
    let away = json!({"address": "//evil.example"});
    assert_eq!(
        house.tell(editor, Method::PUT, week, away).await.status(),
        400
    );
    let owner = house.login("owner").await;
    let there = house.get(&owner, "/api/v1/views?project=beta").await;
    assert_eq!(there["views"], json!([]));
    assert_eq!(house.ask(editor, Method::DELETE, week).await.status(), 204);
    nobody_is_asked_nobody_administers(house).await;
}

/// The same database without logins: views are kept by everybody, users by nobody.
async fn nobody_is_asked_nobody_administers(house: House) {
    let House {
        folder,
        database,
        server,
        client,
    } = house;
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start(folder.path(), &database);
    let house = House {
        folder,
        database,
        server,
        client,
    };
    assert_eq!(house.get("", "/api/v1/session").await["user"], Value::Null);
    assert_eq!(house.get("", "/api/v1/login").await["required"], false);
    let view = json!({"address": "/"});
    assert_eq!(
        house
            .tell("", Method::PUT, "/api/v1/views/a", view)
            .await
            .status(),
        204
    );
    assert_eq!(
        house.ask("", Method::GET, "/api/v1/users").await.status(),
        403
    );
    assert_eq!(house.try_login("owner", "x").await.status(), 400);
    assert_eq!(house.server.terminate().code(), Some(0));
}

async fn an_admin_looks_after_their_own(database: &str) {
    let house = House::open(database, &[]);
    let (folder, database) = (house.folder.path(), &*house.database);
    crate::user(folder, database, "betas", "viewer", Some("beta"));
    let betas_key = key(folder, database, "beta", "read");
    let betas_key = betas_key.split('_').nth(2).expect("an id");
    let metrics = key(folder, database, "default", "metrics");
    let metrics = metrics.split('_').nth(2).expect("an id");
    let (admin, owner) = (house.login("admin").await, house.login("owner").await);
    let betas = house.login("betas").await;
    let session = house.get(&betas, "/api/v1/session").await["session"].clone();
    let session = session.as_str().expect("an id");

    // Nothing of beta or of all is seen.
    for path in [
        "/users",
        "/keys",
        "/sessions",
        "/projects",
        "/audit",
        "/session",
    ] {
        let seen = house
            .get(&admin, &format!("/api/v1{path}"))
            .await
            .to_string();
        for name in [
            "beta",
            "\"owner\"",
            "user owner",
            betas_key,
            metrics,
            session,
        ] {
            assert!(!seen.contains(name), "{path} shows {name}: {seen}");
        }
        let all = house
            .get(&owner, &format!("/api/v1{path}"))
            .await
            .to_string();
        assert!(path == "/session" || all.contains("beta"), "{path}: {all}");
    }
    let entered = house
        .ask(&admin, Method::GET, "/api/v1/summary?project=beta")
        .await;
    assert_eq!(entered.status(), 404);
    house.get(&owner, "/api/v1/summary?project=beta").await;

    // Nor changed.
    let rights = json!({"role": "admin", "project": "alpha"});
    let secret = json!({"password": "a good password"});
    for (method, path, told, expected) in [
        (Method::PUT, "/users/betas", &rights, 404),
        (Method::PUT, "/users/owner", &rights, 404),
        (Method::PUT, "/users/owner/password", &secret, 404),
        (Method::DELETE, "/users/betas", &Value::Null, 404),
        (Method::DELETE, "/users/admin", &Value::Null, 409),
        (Method::PUT, "/users/admin", &rights, 409),
        (
            Method::DELETE,
            &format!("/keys/{betas_key}"),
            &Value::Null,
            404,
        ),
        (
            Method::DELETE,
            &format!("/keys/{metrics}"),
            &Value::Null,
            404,
        ),
        (
            Method::DELETE,
            &format!("/sessions/{session}"),
            &Value::Null,
            404,
        ),
        (
            Method::PUT,
            "/users/viewer",
            &json!({"role": "admin", "project": null}),
            400,
        ),
        (
            Method::PUT,
            "/users/viewer",
            &json!({"role": "admin", "project": "beta"}),
            400,
        ),
        (
            Method::POST,
            "/users",
            &json!({"name": "x", "password": "a good password", "role": "viewer"}),
            400,
        ),
        (
            Method::POST,
            "/keys",
            &json!({"project": "beta", "scope": "read"}),
            400,
        ),
        (
            Method::POST,
            "/keys",
            &json!({"project": "alpha", "scope": "metrics"}),
            400,
        ),
        (Method::POST, "/projects", &json!({"name": "gamma"}), 400),
    ] {
        let path = format!("/api/v1{path}");
        let answer = house
            .tell(&admin, method.clone(), &path, told.clone())
            .await;
        assert_eq!(answer.status(), expected, "{method} {path}");
    }

    // Their own is: a user, who logs in, changes their password, and a key, which works.
    let new = json!({"name": "carol", "password": "a good password", "role": "viewer", "project": "alpha"});
    assert_eq!(
        house
            .tell(&admin, Method::POST, "/api/v1/users", new.clone())
            .await
            .status(),
        204
    );
    assert_eq!(
        house
            .tell(&admin, Method::POST, "/api/v1/users", new)
            .await
            .status(),
        409
    );
    let carol = crate::login::kept(&house.try_login("carol", "a good password").await);
    let change = |old: &str, new: &str| {
        let change = json!({"old": old, "new": new});
        house.tell(&carol, Method::PUT, "/api/v1/session/password", change)
    };
    assert_eq!(change("wrong", "a better password").await.status(), 400);
    assert_eq!(change("a good password", "short").await.status(), 400);
    assert_eq!(
        change("a good password", "a better password")
            .await
            .status(),
        204
    );
    assert_eq!(
        house.try_login("carol", "a good password").await.status(),
        401
    );
    assert_eq!(
        house
            .ask(&carol, Method::GET, "/api/v1/session")
            .await
            .status(),
        200
    );
    let rights = json!({"role": "admin", "project": "alpha"});
    assert_eq!(
        house
            .tell(&admin, Method::PUT, "/api/v1/users/carol", rights)
            .await
            .status(),
        204
    );
    assert_eq!(
        house
            .ask(&carol, Method::GET, "/api/v1/users")
            .await
            .status(),
        200,
        "at once"
    );
    assert_eq!(
        house
            .ask(&admin, Method::DELETE, "/api/v1/users/carol")
            .await
            .status(),
        204
    );
    assert_eq!(
        house
            .ask(&carol, Method::GET, "/api/v1/session")
            .await
            .status(),
        401
    );

    let new = json!({"project": "alpha", "scope": "read", "label": "x"});
    let made = body(house.tell(&admin, Method::POST, "/api/v1/keys", new).await).await;
    let text = made["key"].as_str().expect("a key");
    let works = async {
        let url = format!("{}/api/v1/summary", house.server.api);
        while send(house.client.get(&url).bearer_auth(text))
            .await
            .status()
            != 200
        {}
    };
    tokio::time::timeout(crate::support::PATIENCE, works)
        .await
        .expect("known in seconds");
    let path = format!("/api/v1/keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(house.ask(&admin, Method::DELETE, &path).await.status(), 204);
    let listed = run(folder, database, &["audit", "list"]);
    for done in [
        "user.create         carol: done",
        "key.create",
        "key.revoke",
        "user.set-password",
    ] {
        assert!(listed.contains(done), "{done}: {listed}");
    }
    assert!(!listed.contains(text), "{listed}");
    assert_eq!(house.server.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_looks_after_their_own_on_sqlite() {
    an_admin_looks_after_their_own("sqlite://c.db").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_looks_after_their_own_on_postgres() {
    an_admin_looks_after_their_own(&costflame_store::testing::postgres_database().await).await;
}
