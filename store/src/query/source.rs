//! Which table answers.
//!
//! All give the same answer. `calls` knows everything. Rollups are sums of the same calls by path,
//! series and time, and by series and one value of a user, session, prompt or tag per UTC day, so
//! they answer whatever only asks for these; differences not yet folded are added in the same
//! snapshot. Settling writes calls and differences in one transaction, so at any moment both add up
//! to the same, and a range may be cut into pieces that are answered by different tables.

use super::{
    ask::{Ask, By, Value},
    clauses::Source,
    filter::{Clause, Column, Dimension, Filter, OneOf},
    plan::DAY,
};

/// The name of a column outside of the series in `dim_rollups`.
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
    let no_path = ask.by != By::Path
        && !filter
            .clauses
            .iter()
            .any(|clause| matches!(clause, Clause::Tool(_) | Clause::Path(_)));
    // What has no value is in no row of dim_rollups.
    let of_values = filter.clauses.iter().any(|clause| match clause {
        Clause::Column(known, test) => known == column && is_present(test),
        _ => false,
    });
    let only_values =
        asked.is_some() && ask.only.is_some_and(|only| !only.contains(&Value::Absent));
    if by_day && no_path && (of_values || only_values) {
        return (Source::Dimensions, Some(column));
    }
    (Source::Calls, None)
}

/// True when the values of a column can be ranked from `dim_rollups`, apart from its absence.
pub(crate) fn ranks_from_dimensions(filter: &Filter, column: &Column) -> bool {
    let no_path = !filter
        .clauses
        .iter()
        .any(|clause| matches!(clause, Clause::Tool(_) | Clause::Path(_)));
    no_path && outside(filter, Some(column)).is_some()
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
        assert_eq!(source(vec![user()], By::Path), Source::Calls);
        assert_eq!(source(vec![user(), tool()], By::Nothing), Source::Calls);
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
        assert_eq!(
            choose(&present, &Ask::by(By::Nothing)).0,
            Source::Dimensions
        );
        let quarters = Ask {
            bucket: Some(900),
            ..Ask::by(By::Nothing)
        };
        assert_eq!(choose(&present, &quarters).0, Source::Calls);
    }
}
