//! Postgres 15 and newer.

mod connect;
mod copy;
mod landing;
mod misc;
mod partitions;

use sqlx::PgPool;

/// A pool of connections; the schema is there.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pub(crate) pool: PgPool,
    /// Opens a transaction.
    begin: &'static str,
}
