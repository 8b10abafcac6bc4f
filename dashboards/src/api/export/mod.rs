//! Answers as files: for spreadsheets, profilers and bills.

pub(super) mod flamegraph;
pub(super) mod focus;
pub(super) mod lists;
mod table;

use axum::{
    body::Body,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
};

/// A file to save, named `costflame-{what}.{extension}`.
fn file(what: &str, extension: &str, content_type: &'static str, body: Body) -> Response {
    let name = format!("attachment; filename=\"costflame-{what}.{extension}\"");
    let headers = [
        (CONTENT_TYPE, content_type.to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    (headers, body).into_response()
}
