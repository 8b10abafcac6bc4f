//! `/live`: server-sent events of what settles.
//!
//! Every event brings the calls that were settled since the one before, and beside them the spend of the last hour by
//! minute and what is pending. Its id is a place among the commits of the database, so a client that names it in
//! `Last-Event-ID` goes on without a gap, with any collector of the same database.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use costflame_access::Pass;
use costflame_profile::{SpanId, TraceId};
use costflame_store::query::{self, Filter, Minute, Place};
use futures::{Stream, stream};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

use super::{
    calls::CallRow,
    document::FilterParams,
    error::{ApiError, ErrorBody},
    state::{ApiState, selection},
    summary::Pending,
    words::{Dollars, Time},
};
use crate::{
    hex,
    params::{Invalid, Params},
};

/// Feeds at the same time.
pub(super) const MAX_FEEDS: usize = 64;

/// Calls of one event.
const MAX_CALLS: usize = 500;

/// Calls of the first event.
const FIRST_CALLS: usize = 200;

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(1);

/// A client waits so long before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// A comment is sent when there was nothing else for so long, so that proxies keep the connection.
const QUIET: Duration = Duration::from_secs(15);

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;

/// Data of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct Live {
    /// When it was read.
    at: Time,
    /// Settled since the event before, counted or not; a call that was settled again comes again. The first event
    /// brings the newest of the last hour.
    calls: Vec<CallRow>,
    /// Spend of the last hour; minutes without a counted call are left out.
    minutes: Vec<MinuteBody>,
    /// Not yet settled, whatever the filters.
    pending: Pending,
}

/// Spend of a minute.
#[derive(Serialize, ToSchema)]
#[schema(as = Minute)]
struct MinuteBody {
    /// Start of the minute.
    start: Time,
    /// Counted calls that started in it.
    calls: u64,
    /// Cost of those with a price.
    cost_usd: Dollars,
}

impl From<Minute> for MinuteBody {
    fn from(minute: Minute) -> Self {
        Self {
            start: Time(minute.start_us),
            calls: minute.calls,
            cost_usd: Dollars(minute.cost),
        }
    }
}

/// Calls as they settle, spend by minute and what is pending, as server-sent events named `settled`.
#[utoipa::path(get, path = "/live", params(
    FilterParams,
    ("after" = Option<String>, Query, description = "Id of the last event seen; the same as the header \
                                                     `Last-Event-ID`, which comes first."),
    ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event seen: the feed goes on behind it."),
), responses(
    (status = 200, body = Live, content_type = "text/event-stream"),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn live(
    State(api): State<ApiState>,
    Extension(pass): Extension<Pass>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let selection = selection(&mut params)?;
    let after = params.take("after")?;
    params.finish()?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = seen.map(str::to_owned).or(after);
    let after = after.map(|id| place(&id)).transpose()?;
    let turn = Arc::clone(&api.feeds).try_acquire_owned();
    let turn = turn.map_err(|_| ApiError::Unavailable("Too many pages follow what settles."))?;
    let mut feed = Feed {
        api,
        pass,
        filter: selection.filter,
        place: after.unwrap_or(Place::START),
        pending: None,
        more: true,
        _turn: turn,
    };
    // The first one is read before there is an answer, so that an error still is one.
    let first = match after {
        Some(_) => feed.next().await?,
        None => Some(feed.first().await?),
    };
    let first = first.map(|event| event.retry(RETRY));
    let events = stream::unfold((feed, first), |(mut feed, ready)| async move {
        let event = match ready {
            Some(event) => event,
            None => feed.wait().await?,
        };
        Some((Ok(event), (feed, None)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(QUIET)))
}

/// One client's feed.
struct Feed {
    api: ApiState,
    /// Who follows; a revoked key and a session that has ended end the feed.
    pass: Pass,
    filter: Filter,
    /// What it has seen.
    place: Place,
    /// What was said of pending traces last.
    pending: Option<query::Pending>,
    /// There may be more to read at once.
    more: bool,
    _turn: OwnedSemaphorePermit,
}

impl Feed {
    /// The next event; `None` ends the feed, and the client connects again, here or elsewhere.
    async fn wait(&mut self) -> Option<Event> {
        loop {
            let pause = if self.more { Duration::ZERO } else { EVERY };
            tokio::select! {
                () = self.api.ended.cancelled() => return None,
                () = tokio::time::sleep(pause) => {}
            }
            if !self.pass.holds().await {
                return None;
            }
            // A database that is away ends it too; why is in the log.
            if let Some(event) = self.next().await.ok()? {
                return Some(event);
            }
        }
    }

    /// The newest calls of the last hour.
    async fn first(&mut self) -> Result<Event, ApiError> {
        let mut snapshot = self.api.snapshot().await?;
        self.place = query::place(&mut snapshot).await?;
        let hour = self.last_hour();
        let calls = query::calls(&mut snapshot, &hour, None, FIRST_CALLS).await?;
        self.more = false;
        let pending = query::pending(&mut snapshot, hour.project).await?;
        self.event(&mut snapshot, &hour, calls, pending).await
    }

    /// What settled since; `None` when nothing did and as much is pending as before.
    async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        let mut snapshot = self.api.snapshot().await?;
        let settled = query::settled(&mut snapshot, &self.filter, self.place, MAX_CALLS).await?;
        let pending = query::pending(&mut snapshot, self.filter.project).await?;
        (self.place, self.more) = (settled.place, settled.more);
        if settled.calls.is_empty() && self.pending == Some(pending) {
            return Ok(None);
        }
        let hour = self.last_hour();
        let event = self.event(&mut snapshot, &hour, settled.calls, pending);
        event.await.map(Some)
    }

    async fn event(
        &mut self,
        snapshot: &mut query::Snapshot,
        hour: &Filter,
        calls: Vec<query::CallRecord>,
        pending: query::Pending,
    ) -> Result<Event, ApiError> {
        let minutes = query::minutes(snapshot, hour).await?;
        let stand_ins = query::stand_ins(snapshot, hour.project, &calls).await?;
        self.pending = Some(pending);
        let body = Live {
            at: Time(Timestamp::now().as_microsecond()),
            calls: calls
                .iter()
                .map(|call| CallRow::new(call, stand_ins.get(&call.id()).copied()))
                .collect(),
            minutes: minutes.into_iter().map(MinuteBody::from).collect(),
            pending: pending.into(),
        };
        let event = Event::default().event("settled").id(id(&self.place));
        event.json_data(body).map_err(|error| {
            tracing::error!(%error, "an event could not be written");
            ApiError::Internal
        })
    }

    /// The filter over the last sixty minutes and the one that runs.
    fn last_hour(&self) -> Filter {
        let now = Timestamp::now().as_microsecond();
        let minute = now - now.rem_euclid(MINUTE_US);
        Filter {
            from_us: minute - HOUR_US,
            to_us: minute + 2 * MINUTE_US,
            ..self.filter.clone()
        }
    }
}

fn id(place: &Place) -> String {
    let (trace, span) = place.call;
    format!("{}-{trace}-{span}", place.tx)
}

/// Reads [`id`].
fn place(id: &str) -> Result<Place, Invalid> {
    let read = || {
        let mut parts = id.split('-');
        let (tx, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Place {
            tx: tx.parse().ok().filter(|tx| *tx >= 0)?,
            call: (TraceId(hex::read(trace)?), SpanId(hex::read(span)?)),
        })
    };
    read().ok_or_else(|| Invalid::new("after", "It is no id of an event."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_place() {
        let here = Place {
            tx: 7,
            call: (TraceId([1; 16]), SpanId([2; 8])),
        };
        assert_eq!(place(&id(&here)), Ok(here));
        for bad in ["", "7", "-1-00-00", "7-1-2", "x-y-z"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
