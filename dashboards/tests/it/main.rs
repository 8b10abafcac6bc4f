//! The API over real databases.

mod empty;
mod support;
