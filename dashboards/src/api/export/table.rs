//! Tables as CSV (RFC 4180) or JSON Lines, row by row.

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt, future::ready, stream};
use serde::Serialize;
use serde_json::Value;

use super::file;
use crate::{
    api::error::ApiError,
    params::{Invalid, Params},
};
use axum::response::Response;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    /// Takes `format`, which is needed.
    pub(super) fn take(params: &mut Params) -> Result<Self, Invalid> {
        params
            .choice("format", &[("csv", Self::Csv), ("jsonl", Self::JsonLines)])?
            .ok_or_else(|| Invalid::new("format", "It must be csv or jsonl."))
    }
}

/// A column of a CSV file: its name, and where its value stands in the JSON of a row, `outer/inner`.
pub(super) type Column = (&'static str, &'static str);

/// A file of rows that come page by page. The first page is waited for, so that a question without an answer is an
/// error and not an empty file; a later failure breaks the transfer off.
pub(super) async fn table<R: Serialize>(
    what: &str,
    format: Format,
    columns: &'static [Column],
    pages: impl Stream<Item = Result<Vec<R>, ApiError>> + Send + 'static,
) -> Result<Response, ApiError> {
    let mut pages = Box::pin(pages.map(move |page| {
        let rows = page?;
        lines(format, columns, &rows)
    }));
    let first = pages.next().await.transpose()?.unwrap_or_default();
    let head = match format {
        Format::Csv => csv(std::iter::once(
            columns.iter().map(|(name, _)| (*name).to_owned()),
        ))?,
        Format::JsonLines => Vec::new(),
    };
    let begin = stream::iter([head, first]).map(|bytes| Ok(Bytes::from(bytes)));
    let body = begin.chain(pages.map(|page| page.map(Bytes::from)));
    let body = Body::from_stream(
        body.filter(|bytes| ready(!matches!(bytes, Ok(bytes) if bytes.is_empty()))),
    );
    Ok(match format {
        Format::Csv => file(what, "csv", "text/csv; charset=utf-8", body),
        Format::JsonLines => file(what, "jsonl", "application/jsonl", body),
    })
}

fn lines<R: Serialize>(
    format: Format,
    columns: &[Column],
    rows: &[R],
) -> Result<Vec<u8>, ApiError> {
    let rows = rows.iter().map(serde_json::to_value);
    let rows: Vec<Value> = rows.collect::<Result<_, _>>().map_err(broken)?;
    match format {
        Format::Csv => csv(rows.iter().map(|row| {
            columns.iter().map(|(_, place)| {
                row.pointer(&format!("/{place}"))
                    .map(cell)
                    .unwrap_or_default()
            })
        })),
        Format::JsonLines => {
            let mut text = Vec::new();
            for row in &rows {
                serde_json::to_writer(&mut text, row).map_err(broken)?;
                text.push(b'\n');
            }
            Ok(text)
        }
    }
}

fn csv<C: Iterator<Item = String>>(rows: impl Iterator<Item = C>) -> Result<Vec<u8>, ApiError> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(broken)?;
    }
    writer.into_inner().map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "an export failed");
    ApiError::Internal
}

/// A value in one cell; lists are separated by spaces.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text),
        Value::Array(values) => harmless(&values.iter().map(cell).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

/// A text that a spreadsheet would take for a formula begins with an apostrophe. Numbers stay numbers.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(text);
    if is_formula {
        return format!("'{text}");
    }
    text.to_owned()
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_numbers_stay() {
        for formula in ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "-"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        for plain in ["", "-0.25", "-7", "0.0001", "gpt-4o", "1=1"] {
            assert_eq!(harmless(plain), plain);
        }
    }
}
