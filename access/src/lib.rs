//! Who may do what.
//!
//! A program shows a [`key`], a browser the cookie of a session. The [`gate`] looks the one up among the keys it remembers ([`keyring`]),
//! the other among the [`sessions`] of the database, and says for which project and in which role they may act. Receivers and the API ask
//! the same gate, before anything else of a request is read. People come by a [`login`], with a password or from a provider ([`openid`]);
//! what changes something must come from our own pages ([`origin`]); nobody comes too often ([`limit`]), whoever is at the other end
//! ([`peer`]), nor by a name that is not ours ([`host`]).

mod clock;
pub mod cookie;
mod failures;
pub mod gate;
pub mod host;
pub mod key;
pub mod keyring;
pub mod limit;
pub mod login;
pub mod openid;
pub mod origin;
pub mod password;
pub mod peer;
mod secret;
pub mod sessions;

pub use clock::now_us;
pub use gate::{Denied, Gate, Pass, Refused};
pub use host::Hosts;
pub use keyring::Keyring;
pub use login::{Login, LoginError};
pub use openid::{OpenId, OpenIdConfig};
pub use sessions::{SessionTimes, Sessions};
