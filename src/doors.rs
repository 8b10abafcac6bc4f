//! Who is let in by `costflame serve`.

use std::sync::Arc;

use anyhow::Result;
use costflame_access::{Gate, Keyring, Login, SessionTimes, Sessions};
use costflame_dashboards::Front;
use costflame_store::Store;
use tokio_util::sync::CancellationToken;

use crate::config::ServeConfig;

/// What programs and people come in by.
pub(crate) struct Doors {
    pub(crate) gate: Gate,
    /// Absent where nobody is asked who they are.
    pub(crate) login: Option<Arc<Login>>,
    pub(crate) front: Front,
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
        if !config.auth_required {
            return Ok(Self {
                gate: Gate::open(),
                login: None,
                front,
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
            front,
        })
    }
}
