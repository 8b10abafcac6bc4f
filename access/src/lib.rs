//! Who may do what.
//!
//! A program shows a [`key`]; the [`gate`] looks it up among the keys it remembers ([`keyring`]) and says for which
//! project it may act. Receivers and the API ask the same gate, before anything else of a request is read.

pub mod gate;
pub mod key;
pub mod keyring;

pub use gate::{Denied, Gate, Pass};
pub use keyring::Keyring;
