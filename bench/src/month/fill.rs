//! Real receipts multiplied into a month of calls, traces and rollups of every tier.

use anyhow::Result;
use costflame_store::{COUNTS, DAY_US, Measures, SUMS, lane};

use super::{
    load::{Cell, Loader},
    world::{self, CALLS, Seed, World, add},
};

/// Traces written in one transaction.
const TRACES: usize = 20_000;

/// Replaces what is stored by a month of so many traces.
pub(crate) async fn fill(url: &str, receipts: &[Measures], traces: usize) -> Result<()> {
    let mut loader = Loader::open(url).await?;
    loader.run(TEMPLATES).await?;
    for table in [
        "calls",
        "traces",
        "claims",
        "landing",
        "dirty",
        "paths",
        "series",
        "rollups",
        "dim_rollups",
        "rollup_deltas",
        "dim_deltas",
        "dim_paths",
        "dim_totals",
        "trace_rollups",
        "trace_deltas",
        "sampled_calls",
    ] {
        loader.run(&format!("DELETE FROM {table}")).await?;
    }
    let world = World::new();
    write_world(&mut loader, &world).await?;
    let mut sums = Default::default();
    let mut seeds = world.seeds(traces).enumerate();
    loop {
        let some: Vec<(usize, Seed)> = seeds.by_ref().take(TRACES).collect();
        let Some((first, _)) = some.first() else {
            break;
        };
        for (number, seed) in &some {
            add(&world, *number, seed, receipts, &mut sums);
        }
        let last = first + some.len();
        write_traces(&mut loader, receipts, &some).await?;
        loader.run(&calls_sql(*first, last, receipts.len())).await?;
        loader.run(SAMPLE).await?;
        loader.run("DELETE FROM seeds").await?;
        let reached_us = some.last().map_or(0, |(_, seed)| seed.start_us);
        write_sums(&mut loader, &world, &mut sums, reached_us).await?;
    }
    write_sums(&mut loader, &world, &mut sums, i64::MAX).await?;
    loader
        .run("DROP TABLE seeds; DROP TABLE leaves; DROP TABLE templates; DROP TABLE steps")
        .await?;
    loader.tidy().await?;
    loader.close().await
}

/// The real calls to multiply, and room for what is multiplied.
const TEMPLATES: &str = "
CREATE TABLE templates AS SELECT row_number() OVER (ORDER BY trace_id, span_id) - 1 AS n, end_us - start_us AS length_us, c.*
FROM calls c WHERE why = 0 AND cost IS NOT NULL;
CREATE UNIQUE INDEX templates_n ON templates (n);
CREATE TABLE seeds (n bigint, start_us bigint, lane bigint, leaf bigint, failed bigint, user_id text, tags jsonb, trace_id bytea);
CREATE TABLE leaves (n bigint PRIMARY KEY, path_id bytea, series_id bytea, provider text, model text, environment text,
feature text, agent text);
CREATE TABLE steps (k bigint, span_id bytea);
";

async fn write_world(loader: &mut Loader, world: &World) -> Result<()> {
    let text = |text: &Option<costflame_profile::Text>| {
        text.as_ref()
            .map_or(Cell::Null, |text| Cell::Text(text.to_string()))
    };
    let paths = world.paths.iter().map(|path| {
        vec![
            Cell::Int(1),
            Cell::Int(path.frame.kind as i64),
            Cell::Bytes(path.id.0.to_vec()),
            path.parent
                .map_or(Cell::Null, |id| Cell::Bytes(id.0.to_vec())),
            Cell::Text(path.frame.service.to_string()),
            Cell::Text(path.frame.label.to_string()),
        ]
    });
    let columns = [
        "project_id",
        "kind",
        "path_id",
        "parent_id",
        "service",
        "label",
    ];
    loader.rows("paths", &columns, paths).await?;
    let mut known = std::collections::HashSet::new();
    let series = world
        .leaves
        .iter()
        .filter(|leaf| known.insert(leaf.series))
        .map(|leaf| {
            let mut row = vec![Cell::Int(1), Cell::Bytes(leaf.series.0.to_vec())];
            row.extend(leaf.values.values.iter().map(text));
            row
        });
    let columns = [
        "project_id",
        "series_id",
        "provider",
        "model",
        "service",
        "environment",
        "feature",
        "agent",
        "operation",
    ];
    loader.rows("series", &columns, series).await?;
    let leaves = world.leaves.iter().enumerate().map(|(number, leaf)| {
        let [provider, model, _, environment, feature, agent, _] = &leaf.values.values;
        let mut row = vec![
            Cell::Int(number as i64),
            Cell::Bytes(leaf.path.0.to_vec()),
            Cell::Bytes(leaf.series.0.to_vec()),
        ];
        row.extend([provider, model, environment, feature, agent].map(text));
        row
    });
    let columns = [
        "n",
        "path_id",
        "series_id",
        "provider",
        "model",
        "environment",
        "feature",
        "agent",
    ];
    loader.rows("leaves", &columns, leaves).await?;
    let steps = (0..CALLS).map(|step| {
        vec![
            Cell::Int(step as i64),
            Cell::Bytes((step as u64 + 6).to_be_bytes().to_vec()),
        ]
    });
    loader.rows("steps", &["k", "span_id"], steps).await
}

/// Traces, and the seeds their calls grow from.
async fn write_traces(
    loader: &mut Loader,
    receipts: &[Measures],
    seeds: &[(usize, Seed)],
) -> Result<()> {
    let rows = seeds.iter().map(|(number, seed)| {
        vec![
            Cell::Int(*number as i64),
            Cell::Int(seed.start_us),
            Cell::Int(lane(&seed.trace).into()),
            Cell::Int(seed.leaf as i64),
            Cell::Int(seed.failed.into()),
            Cell::Text(seed.user()),
            Cell::Text(format!("{{\"team\": \"{}\"}}", seed.team())),
            Cell::Bytes(seed.trace.0.to_vec()),
        ]
    });
    let columns = [
        "n", "start_us", "lane", "leaf", "failed", "user_id", "tags", "trace_id",
    ];
    loader.rows("seeds", &columns, rows).await?;
    let rows = seeds.iter().map(|(number, seed)| {
        let calls =
            (0..CALLS).map(|call| &receipts[world::template(*number, call, receipts.len())]);
        let cost: i128 = calls.map(|call| call.sums[3]).sum();
        vec![
            Cell::Int(seed.start_us),
            Cell::Int(world::call_start(seed, CALLS)),
            Cell::Int(seed.start_us),
            Cell::Int(seed.start_us),
            Cell::Int(1),
            Cell::Int(1),
            Cell::Int(seed.start_us / DAY_US),
            Cell::Int(10),
            Cell::Int(CALLS as i64),
            Cell::Int(seed.failed.into()),
            Cell::Int(0),
            Cell::Int(0),
            Cell::Int(0),
            Cell::Int(lane(&seed.trace).into()),
            Cell::Int(0),
            Cell::Int(1),
            Cell::Bytes(seed.trace.0.to_vec()),
            Cell::Bytes(vec![1; 8]),
            Cell::Text("web-0".to_owned()),
            Cell::Text("POST /r0".to_owned()),
            Cell::Wide(cost),
            Cell::Wide(0),
            Cell::Wide(0),
            Cell::Wide(0),
        ]
    });
    let columns = [
        "start_us",
        "end_us",
        "first_received_us",
        "last_received_us",
        "tx",
        "project_id",
        "start_day",
        "spans",
        "calls",
        "errors",
        "failed_spans",
        "unpriced_calls",
        "excluded_calls",
        "lane",
        "root_kind",
        "has_root",
        "trace_id",
        "root_span_id",
        "root_service",
        "root_label",
        "cost",
        "excluded_cost",
        "tokens_in",
        "tokens_out",
    ];
    loader.rows("traces", &columns, rows).await
}

/// One trace becomes its calls: places of a leaf, usage and receipt of a real call.
fn calls_sql(first: usize, last: usize, receipts: usize) -> String {
    let copied = "cost, reported, flags, weight_milli, why, unpriced, signal, span_kind, late, tokens_input, \
         tokens_cache_read, tokens_cache_write, tokens_cache_write_1h, tokens_audio_in, tokens_cache_read_audio, \
         tokens_image_in, tokens_video_in, tokens_output, tokens_reasoning, tokens_audio_out, tokens_image_out, \
         operation, emitter, catalog, receipt";
    let from_template: Vec<String> = copied
        .split(',')
        .map(|column| format!("t.{}", column.trim()))
        .collect();
    format!(
        "INSERT INTO calls (start_us, end_us, tx, project_id, start_day, lane, error, trace_id, span_id, path_id, \
         series_id, provider, request_model, response_model, response_id, service, environment, feature, agent, user_id, \
         tags, {copied}) \
         SELECT s.start_us + k.k * 2000000, s.start_us + k.k * 2000000 + t.length_us, 1, 1, \
         (s.start_us + k.k * 2000000) / {DAY_US}, s.lane, s.failed = 1 AND k.k = 0, s.trace_id, k.span_id, l.path_id, \
         l.series_id, l.provider, l.model, l.model, NULL, 'agents', l.environment, l.feature, l.agent, s.user_id, \
         s.tags, {} \
         FROM seeds s CROSS JOIN steps k JOIN leaves l ON l.n = s.leaf + k.k \
         JOIN templates t ON t.n = (s.n * 7 + k.k) % {receipts} WHERE s.n >= {first} AND s.n < {last} ORDER BY s.n, k.k",
        from_template.join(", ")
    )
}

/// The calls of the last seeds that are in the sample.
const SAMPLE: &str = "INSERT INTO sampled_calls (start_us, project_id, start_day, flags, lane, why, unpriced, error, trace_id, \
     span_id, path_id, series_id, user_id, session_id, prompt, tags) SELECT c.start_us, c.project_id, c.start_day, c.flags, \
     c.lane, c.why, c.unpriced, c.error, c.trace_id, c.span_id, c.path_id, c.series_id, c.user_id, c.session_id, c.prompt, \
     c.tags FROM seeds s JOIN calls c ON c.project_id = 1 AND c.lane = s.lane AND c.trace_id = s.trace_id WHERE s.lane < 2";

/// Writes and forgets the sums of buckets that end before a time.
async fn write_sums(
    loader: &mut Loader,
    world: &World,
    (rollups, dimensions, traces): &mut (world::Rollups, world::Dimensions, world::Traces),
    until_us: i64,
) -> Result<()> {
    let measures = |sums: &Measures| {
        let counts = sums.counts.map(Cell::Int).into_iter();
        counts.chain(sums.sums.map(Cell::Wide)).collect::<Vec<_>>()
    };
    let columns = |keys: &[&'static str]| -> Vec<&'static str> {
        keys.iter().copied().chain(COUNTS).chain(SUMS).collect()
    };
    let done = rollups.extract_if(.., |(tier, bucket_us, _), _| {
        bucket_us + i64::from(*tier) * 1_000_000 <= until_us
    });
    let rows = done.map(|((tier, bucket_us, leaf), sums)| {
        let leaf = &world.leaves[leaf];
        let mut row = vec![
            Cell::Int(1),
            Cell::Int(tier.into()),
            Cell::Int(bucket_us),
            Cell::Bytes(leaf.path.0.to_vec()),
            Cell::Bytes(leaf.series.0.to_vec()),
        ];
        row.extend(measures(&sums));
        row
    });
    let keys = ["project_id", "tier", "bucket_us", "path_id", "series_id"];
    loader.rows("rollups", &columns(&keys), rows).await?;
    let mut tables: [Vec<Vec<Cell>>; 3] = Default::default();
    let done = dimensions.extract_if(.., |(seconds, bucket_us, ..), _| {
        bucket_us + i64::from(*seconds).max(86_400) * 1_000_000 <= until_us
    });
    for ((seconds, bucket_us, dimension, value, leaf), sums) in done {
        let leaf = &world.leaves[leaf];
        let (path, series) = (
            Cell::Bytes(leaf.path.0.to_vec()),
            Cell::Bytes(leaf.series.0.to_vec()),
        );
        let named = [Cell::Text(dimension.to_owned()), Cell::Text(value)];
        let day = Cell::Int(bucket_us / DAY_US);
        let (table, before, after) = match seconds {
            world::BY_PATH => (0, vec![day], vec![path, series]),
            world::BY_SERIES => (1, vec![day], vec![series]),
            tier => (
                2,
                vec![Cell::Int(tier.into()), Cell::Int(bucket_us)],
                Vec::new(),
            ),
        };
        let mut row = vec![Cell::Int(1)];
        row.extend(before.into_iter().chain(named).chain(after));
        row.extend(measures(&sums));
        tables[table].push(row);
    }
    let [paths, series, totals] = tables;
    let by_path = [
        "project_id",
        "day",
        "dimension",
        "value",
        "path_id",
        "series_id",
    ];
    let by_series = ["project_id", "day", "dimension", "value", "series_id"];
    let alone = ["project_id", "tier", "bucket_us", "dimension", "value"];
    for (table, keys, rows) in [
        ("dim_paths", &by_path[..], paths),
        ("dim_rollups", &by_series, series),
        ("dim_totals", &alone, totals),
    ] {
        loader.rows(table, &columns(keys), rows.into_iter()).await?;
    }
    let done = traces.extract_if(.., |(tier, bucket_us), _| {
        bucket_us + i64::from(*tier) * 1_000_000 <= until_us
    });
    let rows = done.map(|((tier, bucket_us), traces)| {
        vec![
            Cell::Int(1),
            Cell::Int(tier.into()),
            Cell::Int(bucket_us),
            Cell::Int(traces),
        ]
    });
    let columns = ["project_id", "tier", "bucket_us", "traces"];
    loader.rows("trace_rollups", &columns, rows).await
}
