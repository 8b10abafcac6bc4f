//! One statement for both databases. Texts are the same but for sums and JSON.

use crate::{StoreError, clean::clean_str};

/// Where the two databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A sum of integers that cannot overflow, as text for [`read_sum`]; of no rows it is zero.
    pub(crate) fn sum(self, integer: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(COALESCE(SUM({integer}), 0) AS text)"),
            Self::Sqlite => format!(
                "COALESCE(SUM(({integer}) >> 32), 0) || ':' || COALESCE(SUM(({integer}) & 4294967295), 0)"
            ),
        }
    }

    /// The same of a column that is a sum itself: numeric, or two halves.
    pub(crate) fn sum_of_sums(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(COALESCE(SUM({column}), 0) AS text)"),
            Self::Sqlite => {
                format!("COALESCE(SUM({column}_hi), 0) || ':' || COALESCE(SUM({column}_lo), 0)")
            }
        }
    }

    /// A column that is a sum, as text for [`read_sum`].
    pub(crate) fn stored_sum(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("CAST({column} AS text)"),
            Self::Sqlite => format!("{column}_hi || ':' || {column}_lo"),
        }
    }

    /// Two columns, `rank_hi` and `rank_lo`, that order groups by the sum of a column that is a sum itself.
    pub(crate) fn rank_of_sums(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("SUM({column}) AS rank_hi, 0 AS rank_lo"),
            Self::Sqlite => format!(
                "SUM({column}_hi) + (SUM({column}_lo) >> 32) AS rank_hi, SUM({column}_lo) & 4294967295 AS rank_lo"
            ),
        }
    }

    /// An integer as a column that is a sum.
    pub(crate) fn as_sum(self, integer: &str, name: &str) -> String {
        match self {
            Self::Postgres => format!("CAST(COALESCE({integer}, 0) AS numeric) AS {name}"),
            Self::Sqlite => format!(
                "COALESCE({integer}, 0) >> 32 AS {name}_hi, COALESCE({integer}, 0) & 4294967295 AS {name}_lo"
            ),
        }
    }

    /// Orders by a stored sum.
    pub(crate) fn by_stored_sum(self, column: &str, direction: &str) -> String {
        match self {
            Self::Postgres => format!("{column} {direction}"),
            Self::Sqlite => format!("{column}_hi {direction}, {column}_lo {direction}"),
        }
    }

    /// Compares texts by their bytes.
    pub(crate) const fn bytewise(self) -> &'static str {
        match self {
            Self::Postgres => "COLLATE \"C\"",
            Self::Sqlite => "COLLATE BINARY",
        }
    }
}

/// Reads what [`Dialect::sum`] wrote.
pub(crate) fn read_sum(text: &str) -> Result<i128, StoreError> {
    let corrupt = || StoreError::corrupt("sum", text);
    match text.split_once(':') {
        None => text.parse().map_err(|_| corrupt()),
        Some((hi, lo)) => {
            let half = |text: &str| text.parse::<i64>().map(i128::from).map_err(|_| corrupt());
            Ok((half(hi)? << 32) + half(lo)?)
        }
    }
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arg {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Arg {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<usize> for Arg {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Arg {
    /// As it would have been stored.
    fn from(value: &str) -> Self {
        Self::Text(clean_str(value).into_owned())
    }
}

impl From<&[u8]> for Arg {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

/// A statement and its arguments. Only text from this crate is pushed; what came from a client is bound.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) dialect: Dialect,
    pub(crate) text: String,
    pub(crate) args: Vec<Arg>,
}

impl Sql {
    /// Starts a statement.
    pub(crate) fn new(dialect: Dialect, text: &str) -> Self {
        Self {
            dialect,
            text: text.to_owned(),
            args: Vec::new(),
        }
    }

    /// Appends SQL text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends the place of an argument.
    pub(crate) fn bind(&mut self, arg: impl Into<Arg>) -> &mut Self {
        self.args.push(arg.into());
        let number = self.args.len();
        self.push(&format!("${number}"))
    }

    /// Appends the place of an argument, or NULL.
    pub(crate) fn bind_maybe(&mut self, arg: Option<impl Into<Arg>>) -> &mut Self {
        match arg {
            Some(arg) => self.bind(arg),
            None => self.push("NULL"),
        }
    }

    /// Appends a list in parentheses; of nothing it is a list that contains nothing.
    pub(crate) fn bind_list<A: Into<Arg>>(
        &mut self,
        args: impl IntoIterator<Item = A>,
    ) -> &mut Self {
        self.push("(");
        let start = self.args.len();
        for arg in args {
            if self.args.len() > start {
                self.push(", ");
            }
            self.bind(arg);
        }
        if self.args.len() == start {
            self.push("NULL");
        }
        self.push(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_read_back() {
        assert_eq!(read_sum("-12").unwrap(), -12);
        assert_eq!(read_sum("1:5").unwrap(), (1 << 32) + 5);
        assert_eq!(read_sum("-1:4294967295").unwrap(), -1);
        assert_eq!(read_sum("0:8589934592").unwrap(), 8_589_934_592);
        assert!(read_sum("x").is_err());
        assert!(read_sum("1:").is_err());
    }

    #[test]
    fn clients_text_is_only_bound() {
        let mut sql = Sql::new(Dialect::Sqlite, "SELECT 1 WHERE a = ");
        sql.bind("'; DROP TABLE calls; --\0")
            .push(" AND b IN ")
            .bind_list(Vec::<i64>::new());
        sql.push(" AND c IN ").bind_list([1_i64, 2]);
        assert_eq!(
            sql.text,
            "SELECT 1 WHERE a = $1 AND b IN (NULL) AND c IN ($2, $3)"
        );
        assert_eq!(
            sql.args[0],
            Arg::Text("'; DROP TABLE calls; --\u{fffd}".into())
        );
    }
}
