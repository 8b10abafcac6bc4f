//! `/why`: why the cost of a selection changed, by cause.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use costflame_profile::{
    ModelSums,
    change::{self, Cause},
};
use costflame_store::query::{self, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    compare::{BaseParams, both_sides, side_by_side},
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{Amounts, SumsBody},
    state::ApiState,
    words::{CauseWord, Dollars},
};
use crate::params::Params;

/// Why a cost changed.
#[derive(Serialize, ToSchema)]
pub(super) struct WhyChanged {
    /// The selection.
    now: WhySide,
    /// The one it is compared with.
    base: WhySide,
    /// The change.
    change_usd: Dollars,
    /// What each cause adds to it, in the order in which they are replaced; adds up to the change.
    steps: Vec<Step>,
    /// Both sides by model, the largest change first.
    models: Vec<WhyModel>,
}

/// One side of the change.
#[derive(Serialize, ToSchema)]
pub(super) struct WhySide {
    /// Traces with a counted call.
    traces: u64,
    /// False when `traces` is an estimate.
    traces_exact: bool,
    #[serde(flatten)]
    figures: WhyFigures,
}

/// What calls sent, received and cost.
#[derive(Serialize, ToSchema)]
pub(super) struct WhyFigures {
    /// Sums over the counted calls.
    #[serde(flatten)]
    sums: SumsBody,
    /// Cost by class over the same calls; adds up to `cost_usd`.
    amounts: Amounts,
}

/// One cause and what it adds.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyStep)]
pub(super) struct Step {
    /// calls: how many there are. models: which models make them. prompt: tokens sent per call. cache: how these divide
    /// into fresh and cached ones. output: tokens received per call. price: what a token costs, and what is not billed
    /// by token.
    cause: CauseWord,
    /// Negative when it made the cost smaller.
    amount_usd: Dollars,
}

/// A model on both sides.
#[derive(Serialize, ToSchema)]
pub(super) struct WhyModel {
    /// null = the calls name no model.
    #[schema(required)]
    model: Option<String>,
    /// In the selection.
    now: WhyFigures,
    /// In the one it is compared with.
    base: WhyFigures,
}

impl From<&Sums> for WhyFigures {
    fn from(sums: &Sums) -> Self {
        Self {
            sums: SumsBody::from(sums),
            amounts: Amounts::of(sums),
        }
    }
}

impl From<&query::ByModel> for WhySide {
    fn from(side: &query::ByModel) -> Self {
        let whole = side.models.values().fold(Sums::default(), |mut all, sums| {
            all += sums;
            all
        });
        Self {
            traces: side.traces.traces,
            traces_exact: side.traces.exact,
            figures: WhyFigures::from(&whole),
        }
    }
}

/// Why the cost changed: more calls, other models, longer prompts, fewer cache hits, longer output, price. The other side
/// is the same selection but for `base_from` with `base_to`, or `base.KEY`.
#[utoipa::path(get, path = "/why", params(FilterParams, BaseParams), responses(
    (status = 200, body = WhyChanged),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn why(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<WhyChanged>, ApiError> {
    let (filter, base) = both_sides(&mut params)?;
    params.finish()?;

    let mut snapshot = api.snapshot().await?;
    let now = query::by_model(&mut snapshot, &filter).await?;
    let base = query::by_model(&mut snapshot, &base).await?;
    drop(snapshot);
    let split = change::split(&sums_of(&base), &sums_of(&now));
    let (now_side, base_side) = (WhySide::from(&now), WhySide::from(&base));
    let change = now_side.figures.sums.cost_usd.0 - base_side.figures.sums.cost_usd.0;
    Ok(Json(WhyChanged {
        change_usd: Dollars(change),
        steps: split.into_iter().map(step).collect(),
        models: models(&now, &base),
        now: now_side,
        base: base_side,
    }))
}

fn step((cause, amount): (Cause, costflame_pricing::UsdSum)) -> Step {
    Step {
        cause: CauseWord(cause),
        amount_usd: Dollars(amount),
    }
}

type Model<'a> = Option<&'a str>;

fn sums_of(side: &query::ByModel) -> BTreeMap<Model<'_>, ModelSums> {
    let of = |sums: &Sums| ModelSums {
        calls: sums.calls,
        tokens: sums.tokens,
        amounts: sums.amounts,
        other: sums.other_amount,
    };
    let models = side.models.iter();
    models
        .map(|(model, sums)| (model.as_deref(), of(sums)))
        .collect()
}

fn models(now: &query::ByModel, base: &query::ByModel) -> Vec<WhyModel> {
    fn of(side: &query::ByModel) -> impl Iterator<Item = (Model<'_>, Sums)> {
        let models = side.models.iter();
        models.map(|(model, sums)| (model.as_deref(), *sums))
    }
    let row = |(model, now, base): (Model<'_>, Sums, Sums)| WhyModel {
        model: model.map(str::to_owned),
        now: WhyFigures::from(&now),
        base: WhyFigures::from(&base),
    };
    let rows = side_by_side(of(now), of(base));
    rows.into_iter().map(row).collect()
}
