//! Which table answers.
//!
//! All give the same answer. `calls` knows everything. Rollups are sums of the same calls by path,
//! series and time; by series and one value of a user, session, prompt or tag per UTC day; the same by path
//! where a filter picks the value; and by the value alone. So they answer whatever only asks for these;
//! differences not yet folded are added in the same snapshot. Settling writes calls and differences in one
//! transaction, so at any moment both add up to the same, and a range may be cut into pieces that are
//! answered by different tables ([`super::pieces`]).

use super::{
    ask::{Ask, By, Value},
    clauses::Source,
    filter::{Clause, Column, Dimension, Filter, OneOf},
    plan::DAY,
};
use crate::delta::DimTable;

/// The name of a column outside of the series in the tables by dimension.
pub(crate) fn dimension_name(column: &Column) -> Option<String> {
    match column {
        Column::User => Some("user".to_owned()),
        Column::Session => Some("session".to_owned()),
        Column::Prompt => Some("prompt".to_owned()),
        Column::Tag(key) => Some(format!("tag.{key}")),
        _ => None,
    }
}

/// The cheapest table that can answer, and the column outside of the series that is asked for.
pub(crate) fn choose<'a>(filter: &'a Filter, ask: &Ask<'a>) -> (Source, Option<&'a Column>) {
    let asked = match ask.by {
        By::Column(column) if !column.in_series() => Some(column),
        _ => None,
    };
    let Some(column) = outside(filter, asked) else {
        return (Source::Calls, None);
    };
    let Some(column) = column else {
        return (Source::Rollups, None);
    };
    let by_day = ask.bucket.is_none_or(|seconds| seconds == DAY);
    let no_path = ask.by != By::Path && !names_path(filter);
    let name = dimension_name(column).unwrap_or_default();
    // What has no value is in no row of the tables by dimension.
    let of_values = filter.clauses.iter().any(|clause| match clause {
        Clause::Column(known, test) => known == column && is_present(test),
        _ => false,
    });
    let only_values =
        asked.is_some() && ask.only.is_some_and(|only| !only.contains(&Value::Absent));
    if !of_values && !only_values {
        return (Source::Calls, None);
    }
    let by_hour = ask.bucket.is_none_or(|seconds| seconds >= 3600);
    let source = if is_alone(filter, column)
        && by_value(ask.by, column)
        && by_hour
        && DimTable::Paths.holds(&name)
    {
        Source::Totals
    } else if by_day && no_path {
        Source::Dimensions
    } else if by_day && DimTable::Paths.holds(&name) && !picked(filter, column).is_empty() {
        Source::Paths
    } else {
        return (Source::Calls, None);
    };
    (source, Some(column))
}

/// True when nothing but a column is filtered by.
fn is_alone(filter: &Filter, column: &Column) -> bool {
    let about = Dimension::Column(column.clone());
    filter.clauses.iter().all(|clause| clause.is_about(&about))
}

fn by_value(by: By<'_>, column: &Column) -> bool {
    by == By::Nothing || by == By::Column(column)
}

fn names_path(filter: &Filter) -> bool {
    let names = |clause: &Clause| matches!(clause, Clause::Tool(_) | Clause::Path(_));
    filter.clauses.iter().any(names)
}

/// The values of a column that a filter names; empty when it lets others pass.
pub(crate) fn picked<'a>(filter: &'a Filter, column: &Column) -> Vec<&'a str> {
    let values = |clause: &'a Clause| match clause {
        Clause::Column(known, test) if known == column && is_present(test) => {
            Some(test.any.iter().flatten().map(String::as_str))
        }
        _ => None,
    };
    filter
        .clauses
        .iter()
        .find_map(values)
        .into_iter()
        .flatten()
        .collect()
}

/// The table that the values of a column can be ranked from, apart from its absence.
pub(crate) fn ranks_from(filter: &Filter, column: &Column) -> Option<Source> {
    let name = dimension_name(column).unwrap_or_default();
    if names_path(filter) {
        return None;
    }
    outside(filter, Some(column))?;
    Some(
        match is_alone(filter, column) && DimTable::Totals(0).holds(&name) {
            true => Source::Totals,
            false => Source::Dimensions,
        },
    )
}

/// The one column outside of the series that filters or grouping name; `None` when rollups of either
/// kind cannot answer: there are two of them, or something that no rollup keeps.
fn outside<'a>(filter: &'a Filter, asked: Option<&'a Column>) -> Option<Option<&'a Column>> {
    let mut found = asked;
    for clause in &filter.clauses {
        match clause {
            Clause::Column(column, _) if !column.in_series() => {
                if found.is_some_and(|found| found != column) {
                    return None;
                }
                found = Some(column);
            }
            clause if !clause.in_rollups() && !matches!(clause, Clause::Column(..)) => return None,
            _ => {}
        }
    }
    Some(found)
}

/// True when a call without the value cannot pass.
pub(crate) fn is_present(test: &OneOf<Option<String>>) -> bool {
    !test.passes(&None)
}

/// The same filter among calls that have a value.
pub(crate) fn with_value(filter: &Filter, column: &Column) -> Filter {
    let mut present = filter.clone();
    let known = present
        .clauses
        .iter_mut()
        .find(|clause| clause.is_about(&Dimension::Column(column.clone())));
    match known {
        Some(Clause::Column(_, test)) => test.none.push(None),
        _ => present.clauses.push(Clause::Column(
            column.clone(),
            OneOf {
                any: Vec::new(),
                none: vec![None],
            },
        )),
    }
    present
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(clauses: Vec<Clause>) -> Filter {
        Filter {
            project: 1,
            from_us: 0,
            to_us: 1,
            clauses,
        }
    }

    fn is(column: Column, value: Option<&str>) -> Clause {
        Clause::Column(
            column,
            OneOf {
                any: vec![value.map(str::to_owned)],
                none: Vec::new(),
            },
        )
    }

    fn source(clauses: Vec<Clause>, by: By<'_>) -> Source {
        choose(&filter(clauses), &Ask::by(by)).0
    }

    #[test]
    fn the_cheapest_table_answers() {
        let error = || {
            Clause::Failed(OneOf {
                any: vec![true],
                none: Vec::new(),
            })
        };
        let tool = || {
            Clause::Tool(OneOf {
                any: vec![None],
                none: Vec::new(),
            })
        };
        let (model, user) = (
            || is(Column::Model, Some("m")),
            || is(Column::User, Some("u")),
        );
        assert_eq!(source(vec![], By::Nothing), Source::Rollups);
        assert_eq!(source(vec![model(), tool()], By::Path), Source::Rollups);
        assert_eq!(source(vec![model(), error()], By::Nothing), Source::Calls);
        assert_eq!(
            source(vec![model(), user()], By::Column(&Column::Agent)),
            Source::Dimensions
        );
        assert_eq!(source(vec![user()], By::Path), Source::Paths);
        assert_eq!(source(vec![user(), tool()], By::Nothing), Source::Paths);
        let session = is(Column::Session, Some("s"));
        assert_eq!(
            source(vec![session], By::Path),
            Source::Calls,
            "few calls, by index"
        );
        assert_eq!(
            source(vec![user(), is(Column::Session, Some("s"))], By::Nothing),
            Source::Calls
        );
        assert_eq!(
            source(vec![is(Column::User, None)], By::Nothing),
            Source::Calls
        );
        assert_eq!(
            source(vec![], By::Column(&Column::User)),
            Source::Calls,
            "absent ones too"
        );
        let present = with_value(&filter(vec![]), &Column::User);
        assert_eq!(choose(&present, &Ask::by(By::Nothing)).0, Source::Totals);
        assert_eq!(
            choose(&present, &Ask::by(By::Path)).0,
            Source::Calls,
            "every value is as many rows as calls"
        );
        let quarters = Ask {
            bucket: Some(900),
            ..Ask::by(By::Nothing)
        };
        assert_eq!(choose(&present, &quarters).0, Source::Calls);
    }
}
