//! `/flamegraph/export`: the cost tree for other profilers.

use std::io::{self, Write};

use axum::{body::Body, extract::State, response::Response};
use costflame_profile::{
    Metric, Tree,
    export::{folded, pprof, speedscope, svg},
};
use costflame_store::query;
use flate2::{Compression, write::GzEncoder};

use super::file;
use crate::{
    api::{
        document::FilterParams,
        error::{ApiError, ErrorBody},
        flamegraph::{DEFAULT_NODES, MAX_NODES, METRICS, Pair, tree},
        state::{ApiState, selection},
    },
    params::{Invalid, Params},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Pprof,
    Folded,
    Speedscope,
    Svg,
}

const FORMATS: [(&str, Format); 4] = [
    ("pprof", Format::Pprof),
    ("folded", Format::Folded),
    ("speedscope", Format::Speedscope),
    ("svg", Format::Svg),
];

/// The cost tree of a selection as a file: pprof (gzip) and speedscope hold every metric and show the one asked for
/// first; folded stacks and SVG hold that one. Cost is in pico-dollars, in dollars for speedscope.
#[utoipa::path(get, path = "/flamegraph/export", operation_id = "export_flamegraph", params(
    FilterParams,
    ("format" = String, Query, description = "pprof, folded, speedscope or svg.", pattern = "^(pprof|folded|speedscope|svg)$"),
    ("metric" = Option<String>, Query, description = "cost (default), tokens, calls or duration.", pattern = "^(cost|tokens|calls|duration)$"),
    ("max_nodes" = Option<usize>, Query, description = "Frames at most; the smallest are folded into \"(other)\". \
                                                        Default 5000 for svg, else 50000.", minimum = 1, maximum = 50000),
), responses(
    (status = 200, content(
        (Vec<u8> = "application/octet-stream"),
        (String = "text/plain"),
        (serde_json::Value = "application/json"),
        (String = "image/svg+xml"),
    )),
    (status = "default", body = ErrorBody),
))]
pub(in crate::api) async fn flamegraph(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let filter = selection(&mut params)?.filter;
    let format = params
        .choice("format", &FORMATS)?
        .ok_or_else(|| Invalid::new("format", "It must be pprof, folded, speedscope or svg."))?;
    let metric = params.choice("metric", &METRICS)?.unwrap_or_default();
    let most = if format == Format::Svg {
        DEFAULT_NODES
    } else {
        MAX_NODES
    };
    let max_nodes = params.number("max_nodes", most, (1, MAX_NODES))?;
    params.finish()?;

    let sums = query::path_sums(&mut api.snapshot().await?, &filter).await?;
    if sums.paths.is_empty() {
        return Err(ApiError::NotFound(
            "No settled call passes this range and these filters.".to_owned(),
        ));
    }
    let range = (filter.from_us, filter.to_us);
    let written = tokio::task::spawn_blocking(move || {
        let tree = tree(sums, None, None).prune(max_nodes, metric).tree;
        write(&tree, format, metric, range)
    });
    let body = written.await.map_err(|_| ApiError::Internal)?;
    let body = Body::from(body.map_err(|error| {
        tracing::error!(%error, "an export failed");
        ApiError::Internal
    })?);
    Ok(match format {
        Format::Pprof => file(metric.name(), "pb.gz", "application/octet-stream", body),
        Format::Folded => file(metric.name(), "folded", "text/plain; charset=utf-8", body),
        Format::Speedscope => file(metric.name(), "speedscope.json", "application/json", body),
        Format::Svg => file(metric.name(), "svg", "image/svg+xml", body),
    })
}

fn write(
    tree: &Tree<Pair>,
    format: Format,
    metric: Metric,
    range: (i64, i64),
) -> io::Result<Vec<u8>> {
    match format {
        Format::Pprof => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&pprof::write(tree, metric, range))?;
            gzip.finish()
        }
        Format::Folded => {
            let mut text = String::new();
            folded::write(tree, metric, &mut text).map_err(io::Error::other)?;
            Ok(text.into_bytes())
        }
        Format::Speedscope => {
            let file = speedscope::file(tree, metric, "costflame");
            Ok(serde_json::to_vec(&file)?)
        }
        Format::Svg => {
            let title = format!("LLM {} by call path", metric.name());
            svg::draw(tree, metric, &title)
        }
    }
}
