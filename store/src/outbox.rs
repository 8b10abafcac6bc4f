//! Received requests on their way to other backends.
//!
//! A request is committed together with the spans it carried: its body once, and one narrow delivery per destination.
//! Whoever claims a delivery has it until a given time; one that is not finished by then is free again. So every
//! delivery takes place at least once, in whichever collector is alive, and in one at a time unless one stalls.

use std::sync::Arc;

use crate::{
    StoreError,
    query::outbox,
    store::{Backend, Store, dispatch},
};

pub use crate::query::outbox::{Letter, Level, Selection};

/// Deliveries deleted or changed in one transaction.
const CHUNK: usize = 1000;

/// Longest error kept with a delivery, in bytes.
const MAX_ERROR: usize = 1024;

/// One received OTLP request to be delivered further, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The project.
    pub project: i32,
    /// When it was received, microseconds since 1970 UTC.
    pub received_us: i64,
    /// 0 = traces, 1 = logs, 2 = metrics.
    pub signal: u8,
    /// 0 = none, 1 = zstd.
    pub codec: u8,
    /// Spans, records or points in it.
    pub items: u32,
    /// Bytes of the request before compression.
    pub raw_bytes: u32,
    /// The OTLP request, compressed by `codec`.
    pub body: Vec<u8>,
    /// The names of its destinations in the configuration, and when each may be claimed first (microseconds since 1970 UTC).
    pub deliveries: Vec<(Arc<str>, i64)>,
}

/// A claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity, never used twice.
    pub id: i64,
    /// The request, see [`Store::outbox_body`].
    pub outbox_id: i64,
    /// The project.
    pub project: i32,
    /// When the request was received, microseconds since 1970 UTC.
    pub received_us: i64,
    /// 0 = traces, 1 = logs, 2 = metrics.
    pub signal: u8,
    /// 0 = none, 1 = zstd.
    pub codec: u8,
    /// Spans, records or points in it.
    pub items: u32,
    /// Bytes of the request before compression.
    pub raw_bytes: u32,
    /// Attempts that failed so far.
    pub attempts: u32,
}

/// What became of a claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The destination has it, or there was nothing in it for this destination.
    Delivered,
    /// Nothing was tried; free again at a time.
    Later {
        /// Microseconds since 1970 UTC.
        next_us: i64,
    },
    /// An attempt failed; free again at a time.
    Again {
        /// Microseconds since 1970 UTC.
        next_us: i64,
        /// What was heard.
        error: String,
    },
    /// Refused for good: a dead letter.
    Dead {
        /// Microseconds since 1970 UTC.
        at_us: i64,
        /// What was heard.
        error: String,
    },
}

impl Finish {
    /// The error, bounded and as both databases can hold it.
    pub(crate) fn clean_error(error: &str) -> String {
        let cut = &error[..error.floor_char_boundary(MAX_ERROR)];
        crate::clean::clean_str(cut).into_owned()
    }
}

/// A stored request of some signal, whoever it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its identity, never used twice.
    pub outbox_id: i64,
    /// 0 = traces, 1 = logs, 2 = metrics.
    pub signal: u8,
    /// 0 = none, 1 = zstd.
    pub codec: u8,
    /// Bytes of the request before compression.
    pub raw_bytes: u32,
    /// Spans, records or points in it.
    pub items: u32,
    /// The OTLP request, compressed by `codec`.
    pub body: Vec<u8>,
}

/// What was deleted to keep a destination within its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Deliveries.
    pub deliveries: u64,
    /// Spans, records and points in them.
    pub items: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// Whether a delivery is free at `$2`, for a claim until `$3`. One that was received by a clock that has been set back since
/// waits no longer than claims and failures make it wait.
macro_rules! free {
    () => {
        "(next_us <= $2 OR (received_us > $2 AND next_us > $3 + 60000000))"
    };
}
pub(crate) use free;

impl Store {
    /// Claims at most `limit` free deliveries of a destination until `until_us`, the longest free first.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn outbox_claim(
        &self,
        destination: &str,
        now_us: i64,
        until_us: i64,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut claimed = dispatch!(self, outbox_claim(destination, now_us, until_us, limit))?;
        claimed.sort_by_key(|delivery| delivery.id);
        Ok(claimed)
    }

    /// The body of a request; `None` when its deliveries have been deleted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_body(&self, outbox_id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        outbox::body(&mut self.reading().await?, outbox_id).await
    }

    /// Keeps what became of claimed deliveries. One that is gone is passed over.
    ///
    /// # Errors
    /// When the database cannot be written; may be repeated.
    pub async fn outbox_finish(&self, finished: &[(i64, Finish)]) -> Result<(), StoreError> {
        if finished.is_empty() {
            return Ok(());
        }
        dispatch!(self, outbox_finish(finished))
    }

    /// How much waits and how much is dead, by destination.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_levels(&self) -> Result<Vec<Level>, StoreError> {
        outbox::levels(&mut self.reading().await?).await
    }

    /// Deletes the oldest waiting (or dead) deliveries of a destination: all received before `before_us`, and more
    /// until `excess_bytes` are gone. At most [`CHUNK`] at once.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn outbox_trim(
        &self,
        destination: &str,
        dead: bool,
        before_us: i64,
        excess_bytes: u64,
    ) -> Result<Trimmed, StoreError> {
        let mut snapshot = self.reading().await?;
        let oldest = outbox::oldest(&mut snapshot, destination, dead, CHUNK).await?;
        drop(snapshot);
        let mut trimmed = Trimmed::default();
        let mut ids = Vec::new();
        for letter in oldest {
            if letter.received_us >= before_us && trimmed.bytes >= excess_bytes {
                break;
            }
            trimmed.bytes += u64::from(letter.bytes);
            trimmed.items += u64::from(letter.items);
            ids.push(letter.id);
        }
        // Some may have been delivered meanwhile: their items are counted once too often at worst.
        trimmed.deliveries = self.outbox_delete(&ids).await?;
        Ok(trimmed)
    }

    /// Deliveries of a selection by id, at most `limit` behind `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_list(
        &self,
        selection: &Selection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        outbox::list(&mut self.reading().await?, selection, after, limit).await
    }

    /// The requests of a project that wait or are dead, the oldest first, at most `limit` behind `after`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox_requests(
        &self,
        project: i32,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        outbox::requests(&mut self.reading().await?, project, after, limit).await
    }

    /// Puts what is left of a request in its place. A courier that has read it already still sends what it read.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn outbox_rewrite(&self, request: &Request) -> Result<(), StoreError> {
        let mut body = self.sql("UPDATE outbox SET body = ");
        body.bind(&request.body[..])
            .push(" WHERE id = ")
            .bind(request.outbox_id);
        let mut sizes = self.sql("UPDATE deliveries SET items = ");
        let bytes = i64::try_from(request.body.len()).unwrap_or(i64::MAX);
        sizes
            .bind(i64::from(request.items))
            .push(", bytes = ")
            .bind(bytes);
        sizes
            .push(", raw_bytes = ")
            .bind(i64::from(request.raw_bytes));
        sizes.push(" WHERE outbox_id = ").bind(request.outbox_id);
        self.change(vec![body, sizes]).await?;
        Ok(())
    }

    /// Deletes a request with all its deliveries.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn outbox_remove(&self, outbox_id: i64) -> Result<(), StoreError> {
        let mut deliveries = self.sql("DELETE FROM deliveries WHERE outbox_id = ");
        deliveries.bind(outbox_id);
        let mut body = self.sql("DELETE FROM outbox WHERE id = ");
        body.bind(outbox_id);
        self.change(vec![deliveries, body]).await?;
        Ok(())
    }

    /// Keeps a record of spans and log records that were cut out of requests on request.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_cut(&self, why: &str, items: u64, now_us: i64) -> Result<(), StoreError> {
        let mut sql =
            self.sql("INSERT INTO deletions (at_us, why, traces, calls, forwarded) VALUES (");
        sql.bind(now_us).push(", ").bind(why).push(", 0, 0, ");
        sql.bind(items.cast_signed()).push(")");
        self.change_one(sql).await?;
        tracing::info!(why, items, "cut out of what waits to be forwarded");
        Ok(())
    }

    /// Makes dead deliveries of a selection wait again, as if never tried; returns how many.
    ///
    /// # Errors
    /// When the database cannot be written; some may have been changed.
    pub async fn outbox_retry(&self, selection: &Selection) -> Result<u64, StoreError> {
        let dead = Selection {
            dead: Some(true),
            ..selection.clone()
        };
        let mut count = 0;
        let mut after = 0;
        loop {
            let letters = self.outbox_list(&dead, after, CHUNK).await?;
            let Some(last) = letters.last() else {
                return Ok(count);
            };
            after = last.id;
            let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
            count += dispatch!(self, outbox_revive(&ids))?;
        }
    }

    /// Deletes deliveries of a selection; returns how many.
    ///
    /// # Errors
    /// When the database cannot be written; some may have been deleted.
    pub async fn outbox_drop(&self, selection: &Selection) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut after = 0;
        loop {
            let letters = self.outbox_list(selection, after, CHUNK).await?;
            let Some(last) = letters.last() else {
                return Ok(count);
            };
            after = last.id;
            let ids: Vec<i64> = letters.iter().map(|letter| letter.id).collect();
            count += self.outbox_delete(&ids).await?;
        }
    }

    async fn outbox_delete(&self, ids: &[i64]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        dispatch!(self, outbox_delete(ids))
    }
}
