//! `/prompts`: what each prompt costs, how it changes over the range, how much of it is cached, and what is sent again.
//! `/waste`: what failed, and what one trace asked twice.

use std::cmp::Reverse;

use axum::{Json, extract::State};
use costflame_store::query::{self, Clause, OneOf, Paths, Prompt, PromptKey, Repeats, Sums};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    document::FilterParams,
    error::{ApiError, ErrorBody},
    shapes::{FrameRef, SumsBody, frames},
    state::{ApiState, only_selection, selection},
    words::{Dollars, Time},
};
use crate::params::Params;

const DEFAULT_PARTS: usize = 30;
const MAX_PARTS: usize = 100;

/// Prompts of a range.
#[derive(Serialize, ToSchema)]
pub(super) struct PromptList {
    /// Starts of the equal parts of the range that `trend` is about.
    parts: Vec<Time>,
    /// By cost, largest first.
    prompts: Vec<PromptRow>,
    /// Those beyond the limit, added up; null if there are none.
    #[schema(required)]
    rest: Option<SumsBody>,
}

/// One prompt: one name and version, or the calls without a prompt name at one place and of one system prompt.
#[derive(Serialize, ToSchema)]
#[schema(as = Prompt)]
pub(super) struct PromptRow {
    /// Its name; null for calls without one.
    #[schema(required)]
    prompt: Option<String>,
    /// Its version.
    #[schema(required)]
    version: Option<String>,
    /// Where the calls without a name are made: the frames from the root down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<Vec<FrameRef>>,
    /// Of the system prompt of the calls without a name, 16 hex digits; null if it was not on the wire, or differs from
    /// call to call.
    #[schema(required)]
    fingerprint: Option<String>,
    /// True when there are too many system prompts at this place to tell them apart: they change with the request.
    varies: bool,
    /// Calls whose content was on the wire: of these `identical` is known, and `repeats` is about the others.
    fingerprinted: u64,
    /// Calls that sent the same request to the same model from the same place as an earlier one. Costs are without the
    /// dearest of each.
    identical: RepeatsBody,
    /// Of all its calls.
    #[serde(flatten)]
    sums: SumsBody,
    /// By model, dearest first.
    models: Vec<PromptModel>,
    /// For each of `parts`.
    trend: Vec<SumsBody>,
    /// Calls without content that sent as many tokens to the same model from the same place as another one: at most these
    /// repeat an identical request. Costs are without the dearest of each.
    repeats: RepeatsBody,
}

/// A prompt's calls of one model.
#[derive(Serialize, ToSchema)]
pub(super) struct PromptModel {
    /// null = the call names no model.
    #[schema(required)]
    model: Option<String>,
    /// Of its calls.
    #[serde(flatten)]
    sums: SumsBody,
}

/// Calls and what they cost.
#[derive(Serialize, ToSchema)]
#[schema(as = Repeats)]
pub(super) struct RepeatsBody {
    /// How many.
    calls: u64,
    /// Of those with a price.
    cost_usd: Dollars,
}

impl From<Repeats> for RepeatsBody {
    fn from(repeats: Repeats) -> Self {
        Self {
            calls: repeats.calls,
            cost_usd: Dollars(repeats.cost),
        }
    }
}

/// What was paid for nothing.
#[derive(Serialize, ToSchema)]
pub(super) struct Waste {
    /// Calls that ended with an error.
    failed: RepeatsBody,
    /// Calls that were made again in one trace: from the same place, with the same request, to the same model. Where the
    /// request was not on the wire, with as many tokens. Costs are without the dearest of each.
    repeated: RepeatsBody,
}

/// What each prompt costs, dearest first.
#[utoipa::path(get, path = "/prompts", params(
    FilterParams,
    ("limit" = Option<usize>, Query, description = "Rows at most.", minimum = 1, maximum = 1000),
    ("parts" = Option<usize>, Query, description = "Into how many equal parts `trend` divides the range. \
                                                    Default 30.", minimum = 1, maximum = 100),
), responses(
    (status = 200, body = PromptList),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn prompts(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Json<PromptList>, ApiError> {
    let filter = selection(&mut params)?.filter;
    let limit = params.number("limit", 100, (1, 1_000))?;
    let parts = params.number("parts", DEFAULT_PARTS, (1, MAX_PARTS))?;
    params.finish()?;

    let mut snapshot = api.snapshot().await?;
    let found = query::prompts(&mut snapshot, &filter, parts).await?;
    let mut prompts: Vec<(PromptKey, Prompt)> = found.prompts.into_iter().collect();
    prompts.sort_by(|(key, prompt), (other_key, other)| {
        let rank = |prompt: &Prompt| Reverse((prompt.sums.cost, prompt.sums.calls));
        rank(prompt)
            .cmp(&rank(other))
            .then_with(|| key.cmp(other_key))
    });
    let mut rest = found.rest;
    for (_, prompt) in prompts.drain(limit.min(prompts.len())..) {
        rest += &prompt.sums;
    }
    let places = prompts.iter().filter_map(|(key, _)| match key {
        PromptKey::At(path, _) => Some(*path),
        PromptKey::Named(..) => None,
    });
    let paths = query::paths(&mut snapshot, filter.project, places.collect()).await?;
    let width = (filter.to_us - filter.from_us) / i64::try_from(parts).unwrap_or(i64::MAX);
    Ok(Json(PromptList {
        parts: (0..)
            .take(parts)
            .map(|part: i64| Time(filter.from_us + part * width))
            .collect(),
        prompts: prompts
            .iter()
            .map(|(key, prompt)| row(key, prompt, &paths))
            .collect(),
        rest: (rest.calls > 0).then(|| SumsBody::from(&rest)),
    }))
}

fn row(key: &PromptKey, prompt: &Prompt, paths: &Paths) -> PromptRow {
    let (name, version, path, system) = match key {
        PromptKey::Named(name, version) => (Some(name.clone()), version.clone(), None, None),
        PromptKey::At(path, system) => (None, None, Some(frames(paths, *path)), *system),
    };
    let mut models: Vec<(&Option<String>, &Sums)> = prompt.models.iter().collect();
    models.sort_by_key(|(model, sums)| (Reverse(sums.cost), *model));
    PromptRow {
        prompt: name,
        version,
        path,
        fingerprint: system.map(|system| format!("{system:016x}")),
        varies: prompt.varies,
        fingerprinted: prompt.fingerprinted,
        identical: prompt.identical.into(),
        sums: SumsBody::from(&prompt.sums),
        models: models
            .into_iter()
            .map(|(model, sums)| PromptModel {
                model: model.clone(),
                sums: SumsBody::from(sums),
            })
            .collect(),
        trend: prompt.parts.iter().map(SumsBody::from).collect(),
        repeats: prompt.as_long.into(),
    }
}

/// What failed, and what one trace asked twice.
#[utoipa::path(get, path = "/waste", params(FilterParams), responses(
    (status = 200, body = Waste),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn waste(
    State(api): State<ApiState>,
    params: Params,
) -> Result<Json<Waste>, ApiError> {
    let mut filter = only_selection(params)?.filter;
    let mut snapshot = api.snapshot().await?;
    let repeated = query::repeated(&mut snapshot, &filter).await?;
    filter.clauses.push(Clause::Failed(OneOf {
        any: vec![true],
        none: Vec::new(),
    }));
    let failed = query::summary(&mut snapshot, &filter).await?.sums;
    Ok(Json(Waste {
        failed: RepeatsBody {
            calls: failed.calls,
            cost_usd: Dollars(failed.cost),
        },
        repeated: repeated.into(),
    }))
}
