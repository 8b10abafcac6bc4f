//! Calls without a price, and calls whose computed and reported cost differ.

use costflame_pricing::{Flag, TokenClass, Unpriced, UsdSum, receipt::Unit};

use super::{
    calls::unpriced,
    clauses::{JOIN_SERIES, Source, needs_series, push_clauses},
    facts::push_call_range,
    filter::Filter,
    snapshot::Snapshot,
    sql::Sql,
};
use crate::StoreError;

/// Receipts that are looked into for what the calls of a group used.
const SAMPLES: usize = 20;

/// Counted calls of one model that have no cost for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpricedModel {
    /// Provider.
    pub provider: Option<String>,
    /// Model that served, else the one asked for.
    pub model: Option<String>,
    /// Why they have no cost.
    pub reason: Unpriced,
    /// Calls.
    pub calls: u64,
    /// Tokens of all input classes.
    pub input: i128,
    /// Tokens of all output classes.
    pub output: i128,
    /// What the newest of them used.
    pub units: Vec<Unit>,
    /// Start of the newest, microseconds since 1970 UTC.
    pub last_us: i64,
}

/// Counted calls of one model and emitter whose computed and reported cost differ by more than 1 %.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostDifference {
    /// Provider.
    pub provider: Option<String>,
    /// Model that served, else the one asked for.
    pub model: Option<String>,
    /// Instrumentation scope that reported, `name@version`; empty if none.
    pub emitter: String,
    /// Calls that differ.
    pub calls: u64,
    /// What they cost by our prices.
    pub computed: UsdSum,
    /// What the emitter said.
    pub reported: UsdSum,
}

const MODEL: &str = "COALESCE(f.response_model, f.request_model)";

/// Counted calls of a filter without a cost by provider, model and reason, most calls first.
///
/// # Errors
/// When the database cannot be read.
pub async fn unpriced_models(
    snapshot: &mut Snapshot,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<UnpricedModel>, StoreError> {
    let sum = |wanted: fn(TokenClass) -> bool| {
        let classes = TokenClass::ALL.into_iter().filter(|class| wanted(*class));
        let columns: Vec<_> = classes
            .map(|class| format!("COALESCE(f.tokens_{}, 0)", class.name()))
            .collect();
        columns.join(" + ")
    };
    let input = snapshot.dialect().sum(&sum(TokenClass::is_input));
    let output = snapshot.dialect().sum(&sum(|class| !class.is_input()));
    let mut sql = snapshot.sql(&format!(
        "SELECT f.provider, {MODEL} AS model, f.unpriced, COUNT(*) AS many, {input}, {output}, MAX(f.start_us) FROM calls f"
    ));
    push_where(&mut sql, filter);
    sql.push(" AND f.unpriced IS NOT NULL");
    sql.push(&format!(
        " GROUP BY f.provider, {MODEL}, f.unpriced ORDER BY many DESC, f.provider, model, f.unpriced LIMIT "
    ))
    .bind(limit);
    let mut models = snapshot
        .all(sql, |row| {
            Ok(UnpricedModel {
                provider: row.maybe_text(0)?,
                model: row.maybe_text(1)?,
                reason: unpriced(row.int(2)?)?,
                calls: row.count(3)?,
                input: row.sum(4)?,
                output: row.sum(5)?,
                units: Vec::new(),
                last_us: row.int(6)?,
            })
        })
        .await?;
    for model in &mut models {
        model.units = units(snapshot, filter, model).await?;
    }
    Ok(models)
}

/// What the newest calls of a group used.
async fn units(
    snapshot: &mut Snapshot,
    filter: &Filter,
    group: &UnpricedModel,
) -> Result<Vec<Unit>, StoreError> {
    let mut sql = snapshot.sql("SELECT f.receipt FROM calls f");
    push_where(&mut sql, filter);
    sql.push(" AND f.unpriced = ").bind(group.reason as i64);
    for (column, value) in [("f.provider", &group.provider), (MODEL, &group.model)] {
        match value {
            Some(value) => sql.push(&format!(" AND {column} = ")).bind(value.as_str()),
            None => sql.push(&format!(" AND {column} IS NULL")),
        };
    }
    sql.push(" ORDER BY f.start_us DESC LIMIT ").bind(SAMPLES);
    let receipts = snapshot.all(sql, |row| row.receipt(0)).await?;
    let mut units: Vec<Unit> = Vec::new();
    for unit in receipts.iter().flat_map(|receipt| receipt.usage.units()) {
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    Ok(units)
}

/// Counted calls of a filter whose two costs differ by more than 1 % of the larger, by model and emitter, the largest
/// difference first.
///
/// # Errors
/// When the database cannot be read.
pub async fn cost_differences(
    snapshot: &mut Snapshot,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<CostDifference>, StoreError> {
    // Where the reported cost counts for want of a price there is no computed one.
    let computed = format!(
        "COALESCE(f.computed, CASE WHEN (f.flags & {}) = 0 THEN f.cost END)",
        1_u32 << Flag::ReportedCost as u8
    );
    let difference = format!("ABS(f.reported - {computed})");
    // Of amounts up to nine million dollars, so divided instead of multiplied.
    let larger = format!("CASE WHEN f.reported > {computed} THEN f.reported ELSE {computed} END");
    let (ours, theirs) = (
        snapshot.dialect().sum(&computed),
        snapshot.dialect().sum("f.reported"),
    );
    let mut sql = snapshot.sql(&format!(
        "SELECT f.provider, {MODEL} AS model, f.emitter, COUNT(*), {ours}, {theirs} FROM calls f"
    ));
    push_where(&mut sql, filter);
    sql.push(&format!(
        " AND f.reported IS NOT NULL AND {difference} > ({larger}) / 100 \
         GROUP BY f.provider, {MODEL}, f.emitter ORDER BY ABS(SUM(f.reported - {computed})) DESC, COUNT(*) DESC, f.emitter, \
         f.provider, model LIMIT "
    ))
    .bind(limit);
    snapshot
        .all(sql, |row| {
            Ok(CostDifference {
                provider: row.maybe_text(0)?,
                model: row.maybe_text(1)?,
                emitter: row.text(2)?,
                calls: row.count(3)?,
                computed: UsdSum(row.sum(4)?),
                reported: UsdSum(row.sum(5)?),
            })
        })
        .await
}

/// The counted calls of a filter.
fn push_where(sql: &mut Sql, filter: &Filter) {
    if needs_series(filter) {
        sql.push(JOIN_SERIES);
    }
    sql.push(" WHERE f.why = 0 AND f.project_id = ")
        .bind(filter.project);
    push_call_range(sql, (filter.from_us, filter.to_us));
    push_clauses(sql, filter, Source::Calls);
}
