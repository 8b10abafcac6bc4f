//! One suite that both databases pass.
//!
//! Every case is an async function of a [`support::Database`]; `on_both!` makes a test of it for
//! SQLite and one for Postgres.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod distribute;
mod election;
mod history;
mod horizon;
mod landing;
mod lists;
mod outbox;
mod questions;
mod reprice;
mod retention;
mod settle;
mod support;
mod trouble;
mod upgrade;

/// Makes one test per database of each case.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::support::Database::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::support::Database::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;
