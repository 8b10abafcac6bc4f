//! `/models`: what models cost now, which calls have no price, and where reported costs differ.

use axum::{Json, extract::State};
use costflame_pricing::{Catalog, PriceRequest, UnitRate, overrides::Suggestion};
use costflame_store::query::{
    self, Clause, Column, CostDifference, Dimension, Filter, OneOf, Snapshot, UnpricedModel, Value,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::SumsBody,
    state::{ApiState, selection},
    words::{Count, Dollars, FlagWord, LineUnit, Time, UnpricedWord},
};
use crate::{hex, params::Params};

/// Providers whose models are listed.
const PROVIDERS: usize = 50;

/// Models seen, and their prices.
#[derive(Serialize, ToSchema)]
pub(super) struct Models {
    /// The price snapshot in force, hex.
    catalog: String,
    /// Models of counted calls, largest cost first.
    models: Vec<ModelRow>,
    /// Counted calls without a price, most calls first.
    unpriced: Vec<UnpricedRow>,
    /// Counted calls whose computed and reported cost differ by more than 1 %, largest difference first.
    differences: Vec<DifferenceRow>,
}

/// One model.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelRow {
    /// Provider.
    #[schema(required)]
    provider: Option<String>,
    /// Model that served, else the one asked for.
    #[schema(required)]
    model: Option<String>,
    /// Sums over its counted calls.
    #[serde(flatten)]
    sums: SumsBody,
    /// The price at the end of the range, or now; null if it has none.
    #[schema(required)]
    price: Option<ModelPrice>,
}

/// The price of a model.
#[derive(Serialize, ToSchema)]
pub(super) struct ModelPrice {
    /// Provider in the catalog.
    provider: String,
    /// Model in the catalog.
    model: String,
    /// First day in force, YYYY-MM-DD, if the catalog says so.
    #[schema(required)]
    since: Option<String>,
    /// What narrowed the choice, in words; empty if nothing.
    condition: String,
    /// How it was found.
    flags: Vec<FlagWord>,
    /// What each unit costs.
    rates: Vec<RateRow>,
}

/// What one unit costs.
#[derive(Serialize, ToSchema)]
#[schema(as = Rate)]
pub(super) struct RateRow {
    /// What is counted.
    unit: LineUnit,
    /// Dollars for `per` units in the smallest prompts.
    usd: Dollars,
    /// The same in the largest prompts.
    largest_usd: Dollars,
    /// Units that it buys.
    per: u32,
}

/// Calls of one model that have no cost for one reason.
#[derive(Serialize, ToSchema)]
#[schema(as = UnpricedModel)]
pub(super) struct UnpricedRow {
    /// Provider as sent.
    #[schema(required)]
    provider: Option<String>,
    /// Model that served, else the one asked for.
    #[schema(required)]
    model: Option<String>,
    /// Why they have no cost.
    reason: UnpricedWord,
    /// Calls.
    calls: u64,
    /// Tokens of all input classes.
    input: Count,
    /// Tokens of all output classes.
    output: Count,
    /// Start of the newest.
    last: Time,
    /// TOML for the file of price overrides: with its rates filled in it would price them; null if no price could.
    #[schema(required)]
    r#override: Option<String>,
}

/// Calls of one model and emitter whose two costs differ.
#[derive(Serialize, ToSchema)]
#[schema(as = CostDifference)]
pub(super) struct DifferenceRow {
    /// Provider.
    #[schema(required)]
    provider: Option<String>,
    /// Model that served, else the one asked for.
    #[schema(required)]
    model: Option<String>,
    /// Instrumentation scope that reported, name@version; empty if none.
    emitter: String,
    /// Calls that differ.
    calls: u64,
    /// What they cost by our prices.
    computed_usd: Dollars,
    /// What was reported.
    reported_usd: Dollars,
}

/// Models seen and their prices in force, calls without a price, and differences to reported costs.
#[utoipa::path(get, path = "/models", params(
    FilterParams,
    ("limit" = Option<usize>, Query, description = "Rows at most, of each list.", minimum = 1, maximum = 1000),
), responses(
    (status = 200, body = Models),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn models(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<Models>, ApiError> {
    let selection = selection(&mut params)?;
    let limit = params.number("limit", 100, (1, 1_000))?;
    params.finish()?;

    let catalog = api.catalog();
    let filter = selection.filter;
    let at_us = filter.to_us.min(Timestamp::now().as_microsecond());
    let mut snapshot = api.snapshot().await?;
    let mut models = seen(&mut snapshot, &filter, limit).await?;
    for model in &mut models {
        model.price = price(&catalog, model, at_us);
    }
    let unpriced = query::unpriced_models(&mut snapshot, &filter, limit).await?;
    let differences = query::cost_differences(&mut snapshot, &filter, limit).await?;
    Ok(Json(Models {
        catalog: hex::write(&catalog.id().0),
        models,
        unpriced: unpriced.into_iter().map(UnpricedRow::from).collect(),
        differences: differences.into_iter().map(DifferenceRow::from).collect(),
    }))
}

/// Models of counted calls, provider by provider, then by cost.
async fn seen(
    snapshot: &mut Snapshot,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<ModelRow>, ApiError> {
    let by = |column| Dimension::Column(column);
    let providers = query::breakdown(snapshot, filter, &by(Column::Provider), PROVIDERS).await?;
    let mut models = Vec::new();
    for (provider, _) in providers.rows {
        let provider = text(provider);
        let mut own = filter.clone();
        own.clauses.push(Clause::Column(
            Column::Provider,
            OneOf {
                any: vec![provider.clone()],
                none: Vec::new(),
            },
        ));
        let rows = query::breakdown(snapshot, &own, &by(Column::Model), limit).await?;
        models.extend(rows.rows.into_iter().map(|(model, sums)| {
            let row = ModelRow {
                provider: provider.clone(),
                model: text(model),
                sums: SumsBody::from(&sums),
                price: None,
            };
            (sums.cost, row)
        }));
    }
    models.sort_by_key(|(cost, row)| {
        let name = (row.provider.clone(), row.model.clone());
        (
            std::cmp::Reverse(*cost),
            std::cmp::Reverse(row.sums.calls),
            name,
        )
    });
    models.truncate(limit);
    Ok(models.into_iter().map(|(_, row)| row).collect())
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        Value::Absent | Value::Path(_) | Value::Series(_) => None,
    }
}

fn price(catalog: &Catalog, model: &ModelRow, at_us: i64) -> Option<ModelPrice> {
    let card = catalog.rate_card(&PriceRequest {
        provider: model.provider.as_deref(),
        response_model: model.model.as_deref(),
        at_us,
        ..PriceRequest::default()
    })?;
    Some(ModelPrice {
        provider: card.price.provider,
        model: card.price.model,
        since: card.price.since,
        condition: card.price.condition,
        flags: card.flags.iter().map(FlagWord).collect(),
        rates: card.rates.iter().map(RateRow::from).collect(),
    })
}

impl From<&UnitRate> for RateRow {
    fn from(rate: &UnitRate) -> Self {
        Self {
            unit: LineUnit(rate.unit),
            usd: rate.rate.into(),
            largest_usd: rate.largest.into(),
            per: rate.per,
        }
    }
}

impl From<UnpricedModel> for UnpricedRow {
    fn from(found: UnpricedModel) -> Self {
        let suggestion = Suggestion {
            provider: found.provider.as_deref(),
            model: found.model.as_deref(),
            units: &found.units,
        };
        let r#override = found
            .reason
            .is_for_an_override()
            .then(|| suggestion.to_string());
        Self {
            r#override,
            reason: UnpricedWord(found.reason),
            calls: found.calls,
            input: Count(found.input),
            output: Count(found.output),
            last: Time(found.last_us),
            provider: found.provider,
            model: found.model,
        }
    }
}

impl From<CostDifference> for DifferenceRow {
    fn from(found: CostDifference) -> Self {
        Self {
            provider: found.provider,
            model: found.model,
            emitter: found.emitter,
            calls: found.calls,
            computed_usd: Dollars(found.computed),
            reported_usd: Dollars(found.reported),
        }
    }
}
