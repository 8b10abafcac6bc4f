//! What happens in one trace of each kind, one file per story; [`spans`] writes it as the libraries of the field would.

mod chat;
mod nightly;
mod onboarding;
mod search;
mod spans;
mod ticket;

pub(super) use chat::chat;
pub(super) use nightly::{digest, indexing};
pub(super) use onboarding::onboarding;
pub(super) use search::search;
pub(super) use ticket::ticket;

/// Before and after the release that made `search_docs` dearer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    Old,
    New,
}
