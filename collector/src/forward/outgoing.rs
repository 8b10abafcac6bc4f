//! What the receiver puts into the outbox with the spans of a request.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use costflame_profile::Signal;
use costflame_store::OutboxRow;

use super::config::{Destination, WhenFull, place};

/// Level of zstd: the fastest that is worth its time.
pub(crate) const LEVEL: i32 = 1;
/// [`OutboxRow::codec`] of zstd.
pub(crate) const ZSTD: u8 = 1;

/// Where requests go from here. Empty when nothing is forwarded.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    routes: Vec<Route>,
}

/// One destination as the receiver sees it.
#[derive(Clone, Debug)]
struct Route {
    name: Arc<str>,
    takes: [bool; 3],
    /// `None` = of all projects.
    projects: Option<Vec<i32>>,
    /// How long spans cannot have settled.
    hold_us: i64,
    refuses: bool,
    full: Arc<AtomicBool>,
}

impl Route {
    fn is_of(&self, project: i32) -> bool {
        let named = |projects: &Vec<i32>| projects.contains(&project);
        self.projects.as_ref().is_none_or(named)
    }

    fn is_for(&self, project: i32, signal: Signal) -> bool {
        self.takes[place(signal)] && self.is_of(project)
    }
}

impl Outgoing {
    /// Routes to destinations; a request of spans waits at least `hold` where it waits for settling.
    pub(super) fn new(destinations: &[Arc<Destination>], hold: Duration) -> Self {
        let route = |destination: &Arc<Destination>| Route {
            name: destination.name.as_str().into(),
            takes: destination.urls.each_ref().map(Option::is_some),
            projects: destination.projects.clone(),
            hold_us: match destination.waits() {
                true => i64::try_from(hold.as_micros()).unwrap_or(i64::MAX),
                false => 0,
            },
            refuses: destination.when_full == WhenFull::Refuse,
            full: Arc::default(),
        };
        Self {
            routes: destinations.iter().map(route).collect(),
        }
    }

    /// Whether a signal of a project goes anywhere.
    pub(crate) fn takes(&self, project: i32, signal: Signal) -> bool {
        self.routes
            .iter()
            .any(|route| route.is_for(project, signal))
    }

    /// Whether a destination of a project that may not lose anything is full: then nothing more of it is taken.
    pub(crate) fn is_full(&self, project: i32) -> bool {
        self.routes.iter().any(|route| {
            route.refuses && route.is_of(project) && route.full.load(Ordering::Relaxed)
        })
    }

    pub(super) fn set_full(&self, destination: &str, full: bool) {
        for route in self
            .routes
            .iter()
            .filter(|route| &*route.name == destination)
        {
            route.full.store(full, Ordering::Relaxed);
        }
    }

    /// A request for the outbox, compressed: takes time.
    ///
    /// # Errors
    /// No memory for compression.
    pub(crate) fn pack(
        &self,
        project: i32,
        signal: Signal,
        request: &[u8],
        items: u64,
        received_us: i64,
    ) -> io::Result<OutboxRow> {
        let place = place(signal);
        let hold = |route: &Route| match signal {
            Signal::Span => route.hold_us,
            Signal::Log | Signal::Metric => 0,
        };
        let routes = self
            .routes
            .iter()
            .filter(|route| route.is_for(project, signal));
        Ok(OutboxRow {
            project,
            received_us,
            signal: place as u8,
            codec: ZSTD,
            items: u32::try_from(items).unwrap_or(u32::MAX),
            raw_bytes: u32::try_from(request.len()).unwrap_or(u32::MAX),
            body: zstd::bulk::compress(request, LEVEL)?,
            deliveries: routes
                .map(|route| (route.name.clone(), received_us.saturating_add(hold(route))))
                .collect(),
        })
    }
}
