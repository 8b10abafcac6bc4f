//! JSON API and web UI.
