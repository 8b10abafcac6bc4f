//! `costflame serve`: listeners, database, collector and API put together.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, bail};
use costflame_collector::{
    decode::Limits,
    forward::{self, Destination, Forwarder},
    health::{self, Health},
    listen::{self, ListenConfig, Port, Tls, TlsFiles},
    receive::ReceiverConfig,
    service::{Collector, Listeners},
    settle::{SettleConfig, SettleMetrics, SettleTimes, Settler},
};
use costflame_dashboards::ApiState;
use costflame_store::{Options, Project, Store};
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::ServeConfig,
    doors::Doors,
    figures, log,
    prices::{LivePrices, PriceSettings},
};

/// Runs until SIGTERM or SIGINT, then drains.
pub(crate) fn run(config: &ServeConfig) -> Result<()> {
    config.validate()?;
    log::start(&config.log, config.log_format)?;
    allow_files(config);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(serve(config))
}

/// As many as the system lets the process have open: each connection is a file, and shells allow 1,024.
fn allow_files(config: &ServeConfig) {
    const PORTS: u64 = 3;
    const OTHERS: u64 = 128;
    let needed = PORTS * config.max_connections as u64 + OTHERS;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed < needed => tracing::warn!(
            allowed,
            needed,
            "max_connections on three ports needs more open files than the system allows: raise the limit (`ulimit -n`, LimitNOFILE)"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

async fn serve(config: &ServeConfig) -> Result<()> {
    let grpc = bind("otlp_grpc_addr", config.otlp_grpc_addr).await?;
    let http = bind("otlp_http_addr", config.otlp_http_addr).await?;
    let api = bind("http_addr", config.http_addr).await?;
    let store = Store::connect(&config.database_url, &store_options(config)).await;
    let store =
        Arc::new(store.with_context(|| format!("cannot open {}", config.shown_database()))?);
    let settings = PriceSettings {
        overrides: config.price_overrides.clone(),
        counted: config.cost_source.into(),
    };
    let prices = LivePrices::start(Arc::clone(&store), settings).await?;
    let ended = CancellationToken::new();
    let Doors {
        gate,
        login,
        openid,
        front,
        hosts,
    } = Doors::open(config, &store, &ended).await?;
    let projects = store.projects().await?;
    let listeners = [grpc.local_addr()?, http.local_addr()?];
    let destinations = destinations(config, &projects, &listeners)?;
    let outboxes = destinations
        .iter()
        .map(|to| (to.name.clone(), to.max_bytes))
        .collect();
    let tls = Encryption::open(config)?;
    let signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    let mut registry = Registry::with_prefix("costflame");
    let (after_root, after_quiet, at_most) = config.settle_times();
    let forwarder = Forwarder::new(
        Arc::clone(&store),
        destinations,
        after_root.min(after_quiet).min(at_most),
        &mut registry,
    )?;
    let collector = Collector::start(
        receiver_config(config),
        Arc::clone(&store),
        prices.catalog(),
        forwarder.outgoing(),
        &mut registry,
    )
    .behind(gate.clone());
    let settle_metrics = SettleMetrics::new(&mut registry);
    let delivered = CancellationToken::new();
    let forwarding = forwarder.start(&settle_metrics.spend(), delivered.clone());
    let settled = CancellationToken::new();
    let settling = Settler::start(
        Arc::clone(&store),
        settle_config(config),
        settle_metrics,
        settled.clone(),
    );

    let (grpc_addr, http_addr, api_addr) =
        (grpc.local_addr()?, http.local_addr()?, api.local_addr()?);
    let registry = Arc::new(registry);
    let limits = Limits {
        max_request_bytes: config.max_request_bytes,
        max_spans_per_request: config.max_spans_per_request,
        ..Limits::default()
    };
    let figures = figures::source(
        Arc::clone(&registry),
        limits,
        outboxes,
        (grpc_addr, http_addr),
    );
    let catalog = prices.catalog();
    let state = ApiState::new(Store::clone(&store), figures)
        .with_catalog(Arc::new(move || catalog.load_full()))
        .behind(gate.clone())
        .seen_through(front)
        .until(ended.clone());
    let state = match login {
        Some(login) => state.with_login(login),
        None => state,
    };
    let state = match openid {
        Some(openid) => state.with_openid(openid),
        None => state,
    };
    let pages = costflame_dashboards::router(state);
    let pages = pages.merge(health::router(Health {
        store,
        commits: collector.commits(),
        draining: shutdown.clone(),
        registry,
        gate,
    }));
    let pages = costflame_dashboards::only_at(pages, hosts);
    let answering = tokio::spawn({
        let port = Port {
            name: "http",
            listener: api,
            tls: tls.pages.clone(),
        };
        let (metrics, ended) = (collector.listen_metrics(), ended.clone());
        let config = listen_config(config);
        async move { listen::serve(port, pages, &config, &metrics, ended).await }
    });
    let senders = tls.senders.clone();
    tls.follow()?;
    tokio::spawn(signals.wait(shutdown.clone()));
    tokio::spawn(prices.follow(shutdown.clone())?);
    print_banner(config, grpc_addr, http_addr, api_addr);
    let listeners = Listeners {
        grpc,
        http,
        tls: senders,
    };
    collector.serve(listeners, shutdown).await;
    // What is not settled yet is settled by the next start, or by another collector.
    settled.cancel();
    settling.await.context("the settler ended badly")?;
    // Nor is everything delivered: it waits in the outbox.
    delivered.cancel();
    forwarding.await.context("forwarding ended badly")?;
    // Readiness and metrics are answered until the last span is committed.
    ended.cancel();
    answering.await.context("the API ended badly")?;
    tracing::info!("everything received is committed; good bye");
    Ok(())
}

/// The destinations of the file and of the environment. None may lead back here.
fn destinations(
    config: &ServeConfig,
    projects: &[Project],
    listeners: &[SocketAddr],
) -> Result<Vec<Destination>> {
    let variable = |name: &str| std::env::var(name).ok();
    let project = |name: &str| Some(projects.iter().find(|known| known.name == name)?.id);
    let mut destinations = forward::destinations(config.forward.clone(), &variable, &project)?;
    let is_own = |destination: &Destination| {
        listeners
            .iter()
            .any(|listener| destination.points_at(*listener))
    };
    if config.forward.is_empty() && destinations.iter().any(is_own) {
        // Set for the programs that send here, as the banner says.
        tracing::info!(
            "OTEL_EXPORTER_OTLP_ENDPOINT leads to costflame itself: nothing is forwarded there"
        );
        destinations.clear();
    }
    if let Some(own) = destinations.iter().find(|destination| is_own(destination)) {
        bail!("forward `{}` leads to costflame itself", own.name);
    }
    Ok(destinations)
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address} (setting {key})"))
}

/// What the listeners show to whom connects.
struct Encryption {
    /// Of whoever sends OTLP a certificate may be asked.
    senders: Option<Arc<Tls>>,
    /// Of whoever asks the API none is.
    pages: Option<Arc<Tls>>,
}

impl Encryption {
    fn open(config: &ServeConfig) -> Result<Self> {
        let Some(files) = config.tls_files() else {
            return Ok(Self {
                senders: None,
                pages: None,
            });
        };
        let open = |files| Tls::open(files).context("cannot speak TLS (settings tls_…)");
        let pages = open(TlsFiles {
            client_authorities: None,
            ..files.clone()
        })?;
        let senders = match files.client_authorities {
            Some(_) => open(files)?,
            None => Arc::clone(&pages),
        };
        Ok(Self {
            senders: Some(senders),
            pages: Some(pages),
        })
    }

    /// Takes over new files as they come, and on SIGHUP.
    fn follow(self) -> Result<()> {
        let mut all: Vec<_> = self.senders.into_iter().chain(self.pages).collect();
        all.dedup_by(|one, other| Arc::ptr_eq(one, other));
        if !all.is_empty() {
            let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
            tokio::spawn(listen::follow(all, hangup));
        }
        Ok(())
    }
}

fn listen_config(config: &ServeConfig) -> ListenConfig {
    ListenConfig {
        max_connections: config.max_connections,
        ..ListenConfig::default()
    }
}

fn store_options(config: &ServeConfig) -> Options {
    Options {
        direct_url: config.database_direct_url.clone(),
        keep_spans: config.keep_spans,
        keep_call_days: config.keep_call_days(),
        ..Options::default()
    }
}

fn receiver_config(config: &ServeConfig) -> ReceiverConfig {
    ReceiverConfig {
        max_request_bytes: config.max_request_bytes,
        max_inflight_bytes: config.max_in_flight_bytes,
        max_spans_per_request: config.max_spans_per_request,
        listen: listen_config(config),
        ..ReceiverConfig::default()
    }
}

fn settle_config(config: &ServeConfig) -> SettleConfig {
    let (after_root, after_quiet, at_most) = config.settle_times();
    let owner = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
    SettleConfig {
        times: SettleTimes {
            after_root,
            after_quiet,
            at_most,
        },
        owner,
    }
}

/// SIGTERM and SIGINT, listened to from the moment this exists.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        Ok(Self {
            terminate,
            interrupt,
        })
    }

    /// The first signal drains, a second one means now.
    async fn wait(mut self, shutdown: CancellationToken) {
        self.next().await;
        tracing::info!("shutting down: what was received is committed and answered");
        shutdown.cancel();
        self.next().await;
        tracing::warn!("told twice: ending without draining");
        std::process::exit(1);
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Where everybody is asked for a key.
const KEY_HINT: &str = "  export OTEL_EXPORTER_OTLP_HEADERS=\"authorization=Bearer%20KEY\"  # costflame key create --scope ingest\n";

/// Where everybody is asked who they are.
const USER_HINT: &str = "  login       costflame user create NAME --role admin --all-projects\n";

#[expect(
    clippy::print_stdout,
    reason = "addressed to the person who started it, not to the log"
)]
fn print_banner(config: &ServeConfig, grpc: SocketAddr, http: SocketAddr, api: SocketAddr) {
    println!(
        "costflame {version} is ready\n\
         \x20 OTLP/gRPC   {scheme}://{grpc}\n\
         \x20 OTLP/HTTP   {scheme}://{http}\n\
         \x20 UI and API  {scheme}://{api}\n\
         \x20 database    {database}\n\
         {user}\
         \n\
         Set in the application to be profiled:\n\
         \x20 export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n\
         {key}\
         \x20 export OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{http}",
        version = env!("CARGO_PKG_VERSION"),
        scheme = if config.tls_certificate.is_some() {
            "https"
        } else {
            "http"
        },
        database = config.shown_database(),
        user = if config.auth_required { USER_HINT } else { "" },
        key = if config.auth_required { KEY_HINT } else { "" },
    );
}
