//! The OpenID provider of the configuration.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use axum::http::{Request, Response, Uri};
use clap::{Args, ValueEnum as _};
use costflame_access::{
    OpenId, OpenIdConfig,
    openid::{Fetch, FetchError, Grant, Secret},
};
use costflame_store::{Project, Store};
use futures::FutureExt as _;

use crate::{
    config::ServeConfig,
    https::{HttpClient, Trust},
    user::RoleName,
};

/// How long the provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest answer, bytes.
const LONGEST: usize = 1 << 20;

/// Settings of the provider.
#[derive(Clone, Debug, Args)]
pub(crate) struct OidcConfig {
    /// OpenID provider at which people may log in, as it names itself; needs `auth_required` and `public_url`, see docs/security.md
    #[arg(long, env = "COSTFLAME_OIDC_ISSUER", value_name = "URL", value_parser = issuer)]
    oidc_issuer: Option<String>,

    /// What people call it; without this, its host
    #[arg(long, env = "COSTFLAME_OIDC_NAME", value_name = "NAME")]
    oidc_name: Option<String>,

    /// What it calls costflame; there it leads back to `/api/v1/login/openid/callback` below `public_url`
    #[arg(long, env = "COSTFLAME_OIDC_CLIENT_ID", value_name = "ID")]
    oidc_client_id: Option<String>,

    /// What proves to it that it is costflame, if it asks; rather the variable or the file below than a flag, which others on this machine see
    #[arg(long, env = "COSTFLAME_OIDC_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true, hide_default_value = true, value_parser = secret)]
    oidc_client_secret: Option<Secret>,

    /// A file with that on its first line
    #[arg(long, env = "COSTFLAME_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    oidc_client_secret_file: Option<PathBuf>,

    /// What it is asked for beside `openid`
    #[arg(
        long,
        env = "COSTFLAME_OIDC_SCOPES",
        value_name = "SCOPES",
        default_value = "profile email"
    )]
    oidc_scopes: String,

    /// The claim that `oidc_roles` go by: a text or a list of them, with dots on the way to an inner one; `email` only if it is verified
    #[arg(
        long,
        env = "COSTFLAME_OIDC_CLAIM",
        value_name = "NAME",
        default_value = "groups"
    )]
    oidc_claim: String,

    /// Who may come in from there, by values of that claim: `VALUE=ROLE@PROJECT`, or `VALUE=ROLE` in all projects, with `;` between them. The
    /// first that fits counts; whom none fits is refused
    #[arg(long, env = "COSTFLAME_OIDC_ROLES", value_name = "ROLES")]
    oidc_roles: Option<String>,
}

impl OidcConfig {
    /// Checks what no single value can show.
    pub(crate) fn validate(&self, config: &ServeConfig) -> Result<()> {
        if self.oidc_issuer.is_none() {
            let of_no_use = [
                ("oidc_client_id", self.oidc_client_id.is_some()),
                ("oidc_client_secret", self.oidc_client_secret.is_some()),
                (
                    "oidc_client_secret_file",
                    self.oidc_client_secret_file.is_some(),
                ),
                ("oidc_roles", self.oidc_roles.is_some()),
            ];
            return match of_no_use.iter().find(|(_, is_there)| *is_there) {
                Some((key, _)) => bail!("{key} needs oidc_issuer"),
                None => Ok(()),
            };
        }
        let needed = [
            ("auth_required", config.auth_required),
            ("public_url", config.public_url.is_some()),
            ("oidc_client_id", self.oidc_client_id.is_some()),
            ("oidc_roles", self.oidc_roles.is_some()),
        ];
        if let Some((missing, _)) = needed.iter().find(|(_, is_there)| !is_there) {
            bail!("oidc_issuer needs {missing}");
        }
        if self.oidc_client_secret.is_some() && self.oidc_client_secret_file.is_some() {
            bail!("oidc_client_secret and oidc_client_secret_file: which one?");
        }
        Ok(())
    }

    /// The provider, if there is one. It is not asked for anything yet.
    pub(crate) async fn provider(
        &self,
        config: &ServeConfig,
        store: &Store,
    ) -> Result<Option<Arc<OpenId>>> {
        let (Some(issuer), Some(client_id), Some(public_url)) =
            (&self.oidc_issuer, &self.oidc_client_id, &config.public_url)
        else {
            return Ok(None);
        };
        let scopes = self.oidc_scopes.split_whitespace().map(str::to_owned);
        let provider = OpenIdConfig {
            name: self.oidc_name.clone().unwrap_or_else(|| host(issuer)),
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            client_secret: self.secret()?,
            public_url: public_url.clone(),
            scopes: scopes.collect(),
            claim: self.oidc_claim.clone(),
            grants: grants(
                self.oidc_roles.as_deref().unwrap_or_default(),
                &store.projects().await?,
            )?,
        };
        let openid = OpenId::new(provider, config.is_seen_by_tls(), fetch(issuer)?);
        let openid = openid.map_err(|error| anyhow!("oidc_issuer or public_url: {error}"))?;
        Ok(Some(Arc::new(openid)))
    }

    /// The secret of the configuration, or the first line of its file.
    fn secret(&self) -> Result<Option<Secret>> {
        let Some(file) = &self.oidc_client_secret_file else {
            return Ok(self.oidc_client_secret.clone());
        };
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("oidc_client_secret_file: {}", file.display()))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            bail!("oidc_client_secret_file: {} is empty", file.display());
        }
        Ok(Some(Secret(line.to_owned())))
    }
}

fn secret(text: &str) -> Result<Secret, String> {
    match text {
        "" => Err("expected a secret".to_owned()),
        text => Ok(Secret(text.to_owned())),
    }
}

/// An issuer: without TLS only on this machine, or anybody on the way decides who is who.
fn issuer(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|_| "expected a URL")?;
    let host = uri.host().unwrap_or_default();
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(text.to_owned()),
        Some("http") if is_here => Ok(text.to_owned()),
        _ => Err("expected https://, as the provider names itself".to_owned()),
    }
}

fn host(url: &str) -> String {
    let url: Option<Uri> = url.parse().ok();
    let host = url.as_ref().and_then(Uri::host);
    host.unwrap_or("OpenID").to_owned()
}

/// Reads `VALUE=ROLE` and `VALUE=ROLE@PROJECT`, between semicolons: names of groups may have commas.
fn grants(text: &str, projects: &[Project]) -> Result<Vec<Grant>> {
    let parts = text.split(';').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| grant(part, projects)).collect()
}

fn grant(part: &str, projects: &[Project]) -> Result<Grant> {
    // The last one: a value may be anything.
    let (value, rights) = part.rsplit_once('=').unwrap_or_default();
    if value.is_empty() {
        bail!("oidc_roles: `{part}` is not VALUE=ROLE or VALUE=ROLE@PROJECT");
    }
    let (role, project) = match rights.split_once('@') {
        Some((role, project)) => (role, Some(project)),
        None => (rights, None),
    };
    let role = RoleName::from_str(role, false)
        .map_err(|_| anyhow!("oidc_roles: `{role}` is no role; viewer, editor and admin are"))?;
    let project = project.map(|name| {
        let found = projects.iter().find(|project| project.name == name);
        found.with_context(|| format!("oidc_roles: there is no project `{name}`"))
    });
    Ok(Grant {
        value: value.to_owned(),
        role: role.into(),
        project: project.transpose()?.map(|project| project.id),
    })
}

/// Asks a provider, and whoever it names, each question within its time.
fn fetch(issuer: &str) -> Result<Fetch> {
    let client = HttpClient::new(issuer, &Trust::default()).context("oidc_issuer")?;
    let needs_tls = issuer.starts_with("https:");
    Ok(Arc::new(move |request: Request<Vec<u8>>| {
        let client = client.clone();
        async move {
            let uri = request.uri();
            let host = uri.host().unwrap_or_default().to_owned();
            if needs_tls && uri.scheme_str() != Some("https") {
                return Err(FetchError(format!("{host}: it is not asked without TLS")));
            }
            let asking = ask(client, request);
            match tokio::time::timeout(PATIENCE, asking).await {
                Ok(answer) => answer.map_err(|error| FetchError(format!("{host}: {error:#}"))),
                Err(_) => Err(FetchError(format!("{host}: no answer within {PATIENCE:?}"))),
            }
        }
        .boxed()
    }))
}

async fn ask(client: HttpClient, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
    let answer = client.send(request.map(Into::into), LONGEST).await?;
    Ok(answer.map(|body| body.to_vec()))
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, response::Redirect, routing::get};
    use costflame_store::Role;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn roles_are_read_in_order() {
        let project = Project {
            id: 7,
            name: "search".to_owned(),
            created_us: 0,
        };
        let read = |text: &str| grants(text, std::slice::from_ref(&project));
        let grant = |value: &str, role, project| Grant {
            value: value.to_owned(),
            role,
            project,
        };
        assert_eq!(
            read("ops=admin; cn=a,o=b@x=viewer@search;").expect("two"),
            [
                grant("ops", Role::Admin, None),
                grant("cn=a,o=b@x", Role::Viewer, Some(7))
            ]
        );
        assert!(read("").expect("none").is_empty());
        for (bad, why) in [
            ("ops", "`ops` is not VALUE=ROLE"),
            ("=admin", "`=admin` is not VALUE=ROLE"),
            ("ops=root", "`root` is no role"),
            ("ops=admin@nowhere", "no project `nowhere`"),
        ] {
            let error = read(bad).expect_err(bad).to_string();
            assert!(
                error.starts_with("oidc_roles: ") && error.contains(why),
                "{error}"
            );
        }
    }

    #[test]
    fn an_issuer_is_reached_by_tls() {
        for good in [
            "https://id.example",
            "https://id.example/realms/a",
            "http://127.0.0.1:8080",
        ] {
            assert!(issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example",
            "http://localhost.evil.example",
            "id.example",
            "",
            "ftp://id.example",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_provider_has_bounds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = listener.local_addr().expect("bound");
        let routes = Router::new()
            .route("/keys", get(|| async { "{}" }))
            .route("/moved", get(|| async { Redirect::to("/keys") }))
            .route("/large", get(|| async { "x".repeat(LONGEST + 1) }))
            .route("/never", get(std::future::pending::<StatusCode>));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let ask = async |issuer: &str, path: &str| {
            let request = Request::get(format!("http://{place}{path}"));
            let request = request.body(Vec::new()).expect("a request");
            fetch(issuer).expect("a client")(request).await
        };
        let issuer = format!("http://{place}");
        let answer = ask(&issuer, "/keys").await.expect("an answer");
        assert_eq!(answer.body(), b"{}");
        let moved = ask(&issuer, "/moved").await.expect("an answer");
        assert_eq!(moved.status(), StatusCode::SEE_OTHER, "not followed");
        for (path, why) in [("/large", "larger"), ("/never", "no answer within 5s")] {
            let error = ask(&issuer, path).await.expect_err(path);
            assert!(error.to_string().contains(why), "{error}");
        }
        let error = ask("https://id.example", "/keys").await.expect_err("TLS");
        assert!(error.to_string().contains("without TLS"), "{error}");
    }
}
