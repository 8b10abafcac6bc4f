//! The list of shortfalls and the page for users.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{judge::Judged, truth::Scenario};

/// Every scenario that is not read perfectly, with what is wrong and why.
pub(crate) fn shortfalls(judged: &[Judged]) -> String {
    let mut out = String::new();
    for judged in judged.iter().filter(|judged| !judged.is_perfect()) {
        let Judged {
            name,
            calls,
            found,
            tokens,
            cost,
            ..
        } = judged;
        writeln!(
            out,
            "{name}: calls {calls}, found {found}, tokens right {tokens}, cost right {cost}"
        )
        .unwrap();
        for (reason, count) in &judged.reasons {
            writeln!(out, "  {count} {reason}").unwrap();
        }
    }
    out
}

const HEAD: &str = "\
# Compatibility

What costflame makes of the telemetry of each library and version, measured on recordings whose true calls are known
(`tests/corpus`): the calls that returned usage, how many of them count, how many are counted twice, and of how many every
token class and the cost are right. Where a figure falls short, the reason stands beside it; `not sent` means that the
library does not put it on the wire, so that nothing behind it can know.

This page is written by a test (`BLESS=1 cargo test -p costflame-collector --test corpus`), which fails when it is no
longer true. Cost is right when it equals what the provider billed, or what the telemetry carries of that where a library
drops fees and lifetimes of cache writes.

Usage that metrics alone carry is read where it can be told from that of the spans: `claude_code.token.usage` with
`claude_code.cost.usage`, `gemini_cli.token.usage` and `qwen-code.token.usage`, which name their session. It counts for a
session, model and time of which no span and no log record tells the calls. Codex CLI's `codex.turn.token_usage` and
`gen_ai.client.token.usage` name none and are not used. AutoGen writes token counts into the text of its agents' messages
alone, without a model: they are not read.

What stands behind the other reasons:

- `not on its span`: the number is on no attribute of the call's span. Another span has it by chance, or repeats in its text
  what the call returned (LangChain's chains under MLflow and old OpenLLMetry); reasoning costs what output costs.
- `deepseek-chat`, `mistral-large-latest`: the recordings were priced by entries that the catalog keeps although the names
  have pointed to other models since 2025; a correction with its source prices them as they are sold.
- `gpt-4o-audio-preview`: the recordings were priced as text; audio costs 16 times (input) and 8 times (output) as much.
- `fees of tools`: web searches that no span carries. Where only a span of another trace carries them (a stream under Logfire, beside
  the span of Anthropic's own SDK), the fee is left out with that span: between traces a call is left out whole and changes no other, so
  that every stored receipt is that of one span.
- `a call that was not billed`: a generation that the program wrote by hand, which looks like any other.

";

/// Figures by library and version.
pub(crate) fn compatibility(scenarios: &[Scenario], judged: &[Judged]) -> String {
    let mut libraries: BTreeMap<(&str, &str), Vec<&Judged>> = BTreeMap::new();
    for (scenario, judged) in scenarios.iter().zip(judged) {
        libraries
            .entry((&scenario.library, &scenario.version))
            .or_default()
            .push(judged);
    }
    let mut out = HEAD.to_owned();
    out.push_str("| recording | emitted by | calls | found | twice | tokens right | cost right | why not all |\n|---|---|---|---|---|---|---|---|\n");
    for ((library, version), judged) in &libraries {
        writeln!(
            out,
            "| {library} | {version} | {} | {} |",
            figures(judged),
            why(judged)
        )
        .unwrap();
    }
    let all: Vec<&Judged> = judged.iter().collect();
    let perfect = judged.iter().filter(|judged| judged.is_perfect()).count();
    writeln!(out, "| **all** | | {} | |", figures(&all)).unwrap();
    writeln!(
        out,
        "\n{perfect} of {} recordings are read without any shortfall.",
        judged.len()
    )
    .unwrap();
    out
}

fn figures(judged: &[&Judged]) -> String {
    let sum = |what: fn(&Judged) -> usize| judged.iter().map(|judged| what(judged)).sum::<usize>();
    let columns = [
        sum(|judged| judged.calls),
        sum(|judged| judged.found),
        sum(|judged| judged.twice),
        sum(|judged| judged.tokens),
        sum(|judged| judged.cost),
    ];
    columns.map(|number| number.to_string()).join(" | ")
}

/// The reasons without their figures, the most frequent first.
fn why(judged: &[&Judged]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (reason, count) in judged.iter().flat_map(|judged| &judged.reasons) {
        let short = if reason.starts_with("read ") {
            "tokens read wrongly"
        } else if reason.starts_with("none of the billed") {
            "a call that was not billed"
        } else {
            reason.split(" costs ").next().unwrap_or(reason)
        };
        *reasons.entry(short).or_default() += count;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let texts: Vec<_> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} × {reason}"))
        .collect();
    texts.join("; ")
}
