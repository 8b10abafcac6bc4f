//! Scenario: people log in at a certified OpenID provider, others bend what goes back and forth, and the provider goes away.
//! Guarantee: who has a role by the provider's word is let in to their project; everybody else hears why not, and passwords go on.

mod site;

use serde_json::{Value, json};

use crate::login::{body, from_page, kept, send};
use site::{Browser, Site, parameter, with};

fn as_it_says(provider: &crate::support::provider::Provider) -> String {
    provider.issuer.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_at_a_provider() {
    let mut site = Site::open(as_it_says);
    let mut alice = Browser::new();
    let address = "/api/v1/login";
    let request = from_page(
        &alice.client,
        &site.server.api,
        reqwest::Method::GET,
        address,
    );
    let methods = body(send(request).await).await;
    assert_eq!(
        (&methods["password"], &methods["openid"]),
        (&json!(true), &json!("The House"))
    );

    // With all that binds the answer to this browser, which keeps its part for ten minutes.
    let url = format!("{}/api/v1/login/openid", site.server.api);
    let answer = alice.go(&url, None).await;
    let cookie = answer.headers()["set-cookie"].to_str().expect("ASCII");
    assert!(cookie.starts_with("costflame-login="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"),
        "{cookie}"
    );
    let url = site::place(&answer).expect("to the provider");
    assert_eq!(parameter(&url, "response_type"), "code");
    assert_eq!(parameter(&url, "code_challenge_method"), "S256");
    assert_eq!(parameter(&url, "scope"), "openid+profile+groups");
    for bound in ["state", "nonce", "code_challenge"] {
        assert!(parameter(&url, bound).len() >= 43, "{bound} of {url}");
    }

    // By the first role that fits; whatever session the browser showed before.
    let planted = "ab".repeat(32);
    alice
        .cookies
        .insert("costflame".to_owned(), planted.clone());
    let there = site
        .login(&mut alice, "alice", "%2Fmodels%3Frange%3D7d")
        .await;
    assert_eq!(there, "/models?range=7d");
    let session = alice.cookies["costflame"].clone();
    assert!(session != planted && alice.cookies["costflame-login"].is_empty());
    let me = site.me(&alice).await;
    assert_eq!(
        (&me["user"], &me["method"], &me["role"], &me["all_projects"]),
        (
            &json!("Alice"),
            &json!("openid"),
            &json!("admin"),
            &json!(true)
        )
    );
    assert_eq!(site.login(&mut alice, "alice", "%2F").await, "/");
    let mut before = Browser::new();
    before.cookies.insert("costflame".to_owned(), session);
    assert_eq!(site.me(&before).await["error"]["code"], "unauthenticated");

    let mut bob = Browser::new();
    site.login(&mut bob, "bob", "%2F").await;
    let me = site.me(&bob).await;
    assert_eq!(
        (&me["role"], &me["projects"]),
        (&json!("viewer"), &json!(["search"]))
    );
    for (nobody, to) in [("mallory", "%2Flive"), ("stranger", "%2F")] {
        let mut browser = Browser::new();
        let refused = site.login(&mut browser, nobody, to).await;
        let way_back = if to == "%2F" { "" } else { "&to=%2Flive" };
        assert_eq!(refused, format!("/login?error=no_grant{way_back}"));
        assert_eq!(site.me(&browser).await["error"]["code"], "unauthenticated");
    }

    // The provider may change its keys at any time.
    site.provider.tell("rotate");
    assert_eq!(site.login(&mut Browser::new(), "bob", "%2F").await, "/");
    what_is_written_down(&site);
    assert_eq!(site.server.terminate().code(), Some(0));
}

fn what_is_written_down(site: &Site) {
    let audit = site.audit();
    let lines: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let has = |actor: &str, target: &str, result: &str| {
        lines.iter().any(|line| {
            line["act"] == "login"
                && line["actor"] == actor
                && line["target"] == target
                && line["result"] == result
                && line["peer"] == "127.0.0.1"
        })
    };
    assert!(has("openid Alice", "Alice (alice)", "done"), "{audit}");
    assert!(has("openid Bob", "Bob (bob)", "done"), "{audit}");
    assert!(
        has("anybody", "Mallory (mallory)", "no role is granted"),
        "{audit}"
    );
    assert!(has("anybody", "stranger", "no role is granted"), "{audit}");
    let log = site.log();
    assert!(!log.contains("the client secret") && !audit.contains("the client secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bent_on_the_way_logs_nobody_in() {
    let mut site = Site::open(as_it_says);
    forged_answers(&site).await;
    stolen_codes(&site).await;

    // Nobody is led away from here.
    for elsewhere in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%09%2Fevil.example",
    ] {
        let there = site.login(&mut Browser::new(), "alice", elsewhere).await;
        assert_eq!(there, "/", "{elsewhere}");
    }

    let mut shy = Browser::new();
    let url = site.begin(&mut shy, "%2F").await;
    let callback = shy.log_in(&site.provider, &url, None).await;
    refused(&site, &mut shy, &callback, "refused", "gave up").await;

    // A code has a time.
    let mut late = Browser::new();
    let callback = site.proved(&mut late, "alice").await;
    site.provider.tell("later");
    refused(&site, &mut late, &callback, "untrusted", "expired").await;
    assert_eq!(site.server.terminate().code(), Some(0));
}

/// An address that leads back is refused, and logs nobody in.
async fn refused(site: &Site, browser: &mut Browser, callback: &str, code: &str, what: &str) {
    let place = site.arrive(browser, callback).await;
    assert_eq!(place, format!("/login?error={code}"), "{what}");
    let me = site.me(browser).await;
    assert_eq!(me["error"]["code"], "unauthenticated", "{what}");
}

async fn forged_answers(site: &Site) {
    let other = "f".repeat(64);
    let mut browser = Browser::new();
    let callback = site.proved(&mut browser, "alice").await;
    let bent = with(&callback, "state", &other);
    refused(site, &mut browser, &bent, "not_begun", "another state").await;

    let mut browser = Browser::new();
    let url = site.begin(&mut browser, "%2F").await;
    let url = with(&url, "nonce", &other);
    let callback = browser.log_in(&site.provider, &url, Some("alice")).await;
    refused(site, &mut browser, &callback, "untrusted", "another nonce").await;

    let mut browser = Browser::new();
    let callback = site.proved(&mut browser, "alice").await;
    let elsewhere = with(&callback, "iss", "https%3A%2F%2Fevil.example");
    refused(
        site,
        &mut browser,
        &elsewhere,
        "untrusted",
        "another issuer",
    )
    .await;

    // What the browser keeps ends, or is bent to last.
    let mut browser = Browser::new();
    let callback = site.proved(&mut browser, "alice").await;
    let flow = browser.cookies["costflame-login"].clone();
    for gone in ["", "0.", &flow.replacen('.', "0.", 1)] {
        browser
            .cookies
            .insert("costflame-login".to_owned(), gone.to_owned());
        refused(site, &mut browser, &callback, "not_begun", gone).await;
    }
}

async fn stolen_codes(site: &Site) {
    // What another browser began is not finished in this one: nobody is logged in as somebody else.
    let mut victim = Browser::new();
    let attackers = site.proved(&mut Browser::new(), "alice").await;
    refused(site, &mut victim, &attackers, "not_begun", "no flow").await;
    site.begin(&mut victim, "%2F").await;
    refused(site, &mut victim, &attackers, "not_begun", "another flow").await;

    // A code put into a flow of one's own: the verifier does not fit.
    let mut thief = Browser::new();
    let own = site.proved(&mut thief, "alice").await;
    let injected = with(&own, "code", parameter(&attackers, "code"));
    refused(
        site,
        &mut thief,
        &injected,
        "untrusted",
        "a code of another",
    )
    .await;

    // Once, also for whoever has copied all the browser has.
    let mut browser = Browser::new();
    let callback = site.proved(&mut browser, "alice").await;
    let mut copy = Browser::new();
    copy.cookies.clone_from(&browser.cookies);
    assert_eq!(site.arrive(&mut browser, &callback).await, "/");
    refused(site, &mut copy, &callback, "untrusted", "replayed").await;
    let again = site.arrive(&mut browser, &callback).await;
    assert_eq!(again, "/login?error=not_begun", "the flow is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_go_on_without_the_provider() {
    let site = Site::open(as_it_says);
    let mut browser = Browser::new();
    let callback = site.proved(&mut browser, "alice").await;
    let Site {
        folder,
        provider,
        server,
    } = site;
    let issuer = provider.issuer.clone();
    drop(provider);
    let answer = browser.go(&callback, None).await;
    assert_eq!(
        site::place(&answer).as_deref(),
        Some("/login?error=unreachable"),
        "gone on the way back"
    );
    let begin = format!("{}/api/v1/login/openid?to=%2Flive", server.api);
    let gone = async {
        // What it said is believed for some seconds.
        loop {
            let place = site::place(&browser.go(&begin, None).await).expect("a place");
            if !place.starts_with(&issuer) {
                return place;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let place = tokio::time::timeout(crate::support::PATIENCE, gone).await;
    assert_eq!(
        place.expect("noticed"),
        "/login?error=unreachable&to=%2Flive"
    );

    let who = json!({"name": "root", "password": crate::password("root")});
    let request = from_page(
        &browser.client,
        &server.api,
        reqwest::Method::POST,
        "/api/v1/login",
    );
    let answer = send(request.json(&who)).await;
    assert_eq!(answer.status(), 204);
    assert!(kept(&answer).starts_with("costflame="));
    assert_eq!(server.terminate().code(), Some(0));
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(log.contains("the OpenID provider cannot be found"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_issuer_is_not_the_provider() {
    // The same server under another name: it names itself otherwise.
    let site = Site::open(|provider| provider.issuer.replace("127.0.0.1", "localhost"));
    let place = site.begin(&mut Browser::new(), "%2F").await;
    assert_eq!(place, "/login?error=untrusted");
    assert!(
        site.log().contains("unexpected issuer URI"),
        "{}",
        site.log()
    );
    assert_eq!(site.server.terminate().code(), Some(0));
}
