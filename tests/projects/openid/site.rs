//! A costflame, a provider, and browsers between them.

use std::collections::BTreeMap;

use reqwest::{Client, Method, Response, header::LOCATION};
use serde_json::Value;

use crate::{
    login::{body, from_page, send},
    run,
    support::{Addresses, Server, provider::Provider},
    user,
};

/// A browser: cookies by name, redirects one by one.
pub(super) struct Browser {
    pub(super) client: Client,
    pub(super) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn new() -> Self {
        let policy = reqwest::redirect::Policy::none();
        let client = Client::builder().redirect(policy).build();
        Self {
            client: client.expect("a client"),
            cookies: BTreeMap::new(),
        }
    }

    pub(super) fn shown(&self) -> String {
        let pairs = self.cookies.iter().filter(|(_, value)| !value.is_empty());
        let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub(super) async fn go(&mut self, url: &str, form: Option<&str>) -> Response {
        let request = match form {
            Some(form) => self
                .client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.to_owned()),
            None => self.client.get(url),
        };
        let answer = send(request.header("cookie", self.shown())).await;
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().expect("ASCII").split(';').next();
            let (name, value) = pair.expect("a pair").split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Follows a login at the provider until it leads back to costflame; the address there. Nobody gives up.
    pub(super) async fn log_in(
        &mut self,
        provider: &Provider,
        url: &str,
        person: Option<&str>,
    ) -> String {
        let mut url = url.to_owned();
        let mut form = None;
        for _ in 0..12 {
            let answer = self.go(&url, form.take().as_deref()).await;
            if let Some(next) = place(&answer) {
                let next = match next.strip_prefix('/') {
                    Some(path) => format!("{}/{path}", provider.issuer),
                    None => next,
                };
                if !next.starts_with(&provider.issuer) {
                    return next;
                }
                url = next;
                continue;
            }
            let page = answer.bytes().await.expect("a page");
            let page = String::from_utf8_lossy(&page).into_owned();
            match person {
                None => url.push_str("/abort"),
                Some(person) if page.contains(r#"value="login""#) => {
                    form = Some(format!("prompt=login&login={person}&password=x"));
                }
                Some(_) => {
                    assert!(page.contains(r#"value="consent""#), "{page}");
                    form = Some("prompt=consent".to_owned());
                }
            }
        }
        panic!("the provider leads nowhere");
    }
}

pub(super) fn place(answer: &Response) -> Option<String> {
    let place = answer.headers().get(LOCATION)?;
    Some(place.to_str().expect("ASCII").to_owned())
}

/// A costflame whose people come from a provider; and `root`, who has a password.
pub(super) struct Site {
    pub(super) folder: tempfile::TempDir,
    pub(super) provider: Provider,
    pub(super) server: Server,
}

pub(super) const DATABASE: &str = "sqlite://c.db";

impl Site {
    /// Where costflame asks for `issuer`, or for the provider as it names itself.
    pub(super) fn open(issuer: impl Fn(&Provider) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        run(folder.path(), DATABASE, &["project", "create", "search"]);
        user(folder.path(), DATABASE, "root", "admin", None);
        let at = Addresses::free();
        let public = format!("http://{}", at.api);
        let provider = Provider::start("127.0.0.1", &public);
        std::fs::write(folder.path().join("secret"), "the client secret\n").expect("writable");
        let flags = [
            "--auth-required",
            "--login-limit=1000",
            "--public-url",
            &public,
            "--oidc-issuer",
            &issuer(&provider),
            "--oidc-name=The House",
            "--oidc-client-id=costflame",
            "--oidc-client-secret-file=secret",
            "--oidc-scopes=profile groups",
            "--oidc-roles=ops=admin; search-team=viewer@search",
        ];
        let server = Server::start_with(folder.path(), DATABASE, &at, &flags);
        Self {
            folder,
            provider,
            server,
        }
    }

    /// Begins a login; where the browser is sent.
    pub(super) async fn begin(&self, browser: &mut Browser, to: &str) -> String {
        let url = format!("{}/api/v1/login/openid?to={to}", self.server.api);
        self.arrive(browser, &url).await
    }

    /// Begins a login and goes through it at the provider; the address that leads back.
    pub(super) async fn proved(&self, browser: &mut Browser, person: &str) -> String {
        let url = self.begin(browser, "%2F").await;
        browser.log_in(&self.provider, &url, Some(person)).await
    }

    /// Where an address of ours leads.
    pub(super) async fn arrive(&self, browser: &mut Browser, address: &str) -> String {
        let answer = browser.go(address, None).await;
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        place(&answer).expect("a place")
    }

    /// A whole login for the page `to`; where it ends.
    pub(super) async fn login(&self, browser: &mut Browser, person: &str, to: &str) -> String {
        let url = self.begin(browser, to).await;
        let callback = browser.log_in(&self.provider, &url, Some(person)).await;
        self.arrive(browser, &callback).await
    }

    pub(super) async fn me(&self, browser: &Browser) -> Value {
        let address = "/api/v1/session";
        let request = from_page(&browser.client, &self.server.api, Method::GET, address);
        body(send(request.header("cookie", browser.shown())).await).await
    }

    pub(super) fn audit(&self) -> String {
        run(self.folder.path(), DATABASE, &["audit", "list", "--json"])
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }
}

/// One parameter of an address replaced.
pub(super) fn with(url: &str, name: &str, value: &str) -> String {
    let (head, query) = url.split_once('?').expect("a query");
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if key == name => format!("{name}={value}"),
        _ => pair.to_owned(),
    });
    format!("{head}?{}", pairs.collect::<Vec<_>>().join("&"))
}

pub(super) fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
    let (_, query) = url.split_once('?').expect("a query");
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).expect("there").1
}
