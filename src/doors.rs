//! Who is let in by `costflame serve`.

use std::sync::Arc;

use anyhow::Result;
use axum::http::Uri;
use costflame_access::{Gate, Hosts, Keyring, Login, OpenId, SessionTimes, Sessions};
use costflame_dashboards::Front;
use costflame_store::Store;
use tokio_util::sync::CancellationToken;

use crate::config::ServeConfig;

/// What programs and people come in by.
pub(crate) struct Doors {
    pub(crate) gate: Gate,
    /// Absent where nobody is asked who they are.
    pub(crate) login: Option<Arc<Login>>,
    /// Absent without a provider.
    pub(crate) openid: Option<Arc<OpenId>>,
    pub(crate) front: Front,
    /// Where browsers and programs find the pages and the API.
    pub(crate) hosts: Hosts,
}

impl Doors {
    /// Opens them. Keys and failures are followed until `ended`.
    pub(crate) async fn open(
        config: &ServeConfig,
        store: &Store,
        ended: &CancellationToken,
    ) -> Result<Self> {
        let front = Front {
            hops: config.proxy_hops,
            origin: config.public_url.as_ref().map(|url| url.as_str().into()),
        };
        let hosts = hosts(config);
        if !config.auth_required {
            return Ok(Self {
                gate: Gate::open(),
                login: None,
                openid: None,
                front,
                hosts,
            });
        }
        let keyring = Keyring::open(store.clone()).await?;
        tokio::spawn(Arc::clone(&keyring).follow(ended.clone()));
        let times = SessionTimes {
            idle: config.session_idle,
            lifetime: config.session_lifetime,
        };
        let sessions = Sessions::new(store.clone(), times, config.is_seen_by_tls());
        let gate = Gate::locked(keyring, config.auth_header.clone());
        let gate = gate.with_sessions(Arc::clone(&sessions), config.api_limit.0);
        let login = Login::new(store.clone(), sessions, config.login_limit);
        tokio::spawn(Arc::clone(&login).follow(ended.clone()));
        Ok(Self {
            gate,
            login: Some(login),
            openid: config.oidc.provider(config, store).await?,
            front,
            hosts,
        })
    }
}

/// By which names the pages and the API may be asked. Where it is asked who it is, by any: a page of another site finds neither session
/// nor key. Otherwise on loopback by the known ones, and elsewhere, where containers have names, as soon as one is known.
fn hosts(config: &ServeConfig) -> Hosts {
    let public = config.public_url.as_deref().and_then(host_of);
    let others = config
        .allowed_hosts
        .iter()
        .flat_map(|names| names.split_whitespace());
    let names: Vec<String> = others.map(str::to_owned).chain(public).collect();
    let is_here = config.http_addr.ip().is_loopback() && !config.behind_proxy;
    if config.auth_required || (!is_here && names.is_empty()) {
        return Hosts::any();
    }
    Hosts::only(names, !is_here)
}

fn host_of(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    url.host().map(str::to_owned)
}
