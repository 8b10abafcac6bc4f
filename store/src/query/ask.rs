//! How sums are grouped, as SQL and as rows.

use costflame_profile::PathId;

use super::{
    clauses::{Source, push_column},
    filter::Column,
    plan::{FINEST, TIERS},
    snapshot::Row,
    sql::Sql,
};
use crate::{SeriesId, StoreError};

/// What SQL can group by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By<'a> {
    Nothing,
    Column(&'a Column),
    Path,
    Series,
}

/// The value of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A value.
    Text(String),
    /// A call path.
    Path(PathId),
    /// Provider, model, service and so on together.
    Series(SeriesId),
    /// No value, or nothing was grouped by. Sorts behind all others.
    Absent,
}

/// Start of the bucket (0 if time was not asked for) and value.
pub(crate) type Group = (i64, Value);

/// What to add up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) by: By<'a>,
    /// Seconds of a bucket, one of [`TIERS`].
    pub(crate) bucket: Option<i64>,
    /// Cost by class too.
    pub(crate) amounts: bool,
    /// Only these values; all, if `None`.
    pub(crate) only: Option<&'a [Value]>,
}

impl<'a> Ask<'a> {
    /// Sums by value, over the whole range.
    pub(crate) const fn by(by: By<'a>) -> Self {
        Self {
            by,
            bucket: None,
            amounts: false,
            only: None,
        }
    }

    /// True when the SQL of the grouping names the series.
    pub(crate) fn needs_series(&self) -> bool {
        matches!(self.by, By::Column(column) if column.in_series())
    }

    /// Appends two columns: start of the bucket and value.
    pub(crate) fn push_group(&self, sql: &mut Sql, source: Source) {
        match self.bucket {
            None => {
                sql.push("0, ");
            }
            Some(seconds) => {
                debug_assert!(TIERS.contains(&seconds) && seconds >= FINEST);
                let bucket = seconds * 1_000_000;
                let time = match source {
                    Source::Calls => "f.start_us",
                    Source::Rollups => "f.bucket_us",
                    _ => "f.time_us",
                };
                // Starts are never negative: OTLP times are not.
                sql.push(&format!("({time} / {bucket}) * {bucket}, "));
            }
        }
        match self.by {
            By::Nothing => {
                sql.push("NULL");
            }
            By::Column(column) => push_column(sql, column, source),
            By::Path => {
                sql.push("f.path_id");
            }
            By::Series => {
                sql.push("f.series_id");
            }
        }
    }

    /// Appends ` AND …` for the values asked for.
    pub(crate) fn push_only(&self, sql: &mut Sql, source: Source) {
        let Some(only) = self.only else { return };
        match self.by {
            By::Nothing | By::Series => {}
            By::Path => {
                let ids = only.iter().filter_map(|value| match value {
                    Value::Path(id) => Some(&id.0[..]),
                    _ => None,
                });
                sql.push(" AND f.path_id IN ").bind_list(ids);
            }
            By::Column(column) => {
                sql.push(" AND (");
                push_column(sql, column, source);
                sql.push(" IN ")
                    .bind_list(only.iter().filter_map(Value::as_text));
                if only.contains(&Value::Absent) {
                    sql.push(" OR ");
                    push_column(sql, column, source);
                    sql.push(" IS NULL");
                }
                sql.push(")");
            }
        }
    }

    /// Reads [`Ask::push_group`].
    pub(crate) fn group(&self, row: &Row) -> Result<Group, StoreError> {
        let value = match self.by {
            By::Nothing => Value::Absent,
            By::Path => Value::Path(PathId(row.id(1)?)),
            By::Series => Value::Series(SeriesId(row.id(1)?)),
            By::Column(_) => row.maybe_text(1)?.into(),
        };
        Ok((row.int(0)?, value))
    }
}

impl Value {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Path(_) | Self::Series(_) | Self::Absent => None,
        }
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Absent, Self::Text)
    }
}
