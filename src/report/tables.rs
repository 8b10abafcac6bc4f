//! The API's answers as tables for a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde_json::Value;

/// A heading and a table below it.
pub(super) struct Section {
    heading: String,
    table: Table,
}

#[expect(clippy::print_stdout, reason = "a report talks to a terminal")]
pub(super) fn print(section: &Section) {
    println!("{}\n{}\n", section.heading, section.table);
}

pub(super) fn summary(range: &str, summary: &Value) -> Section {
    let mut table = table(&[]);
    let coverage = &summary["coverage"]["calls"];
    let rows = [
        ("cost", dollars(&summary["cost_usd"])),
        ("calls", number(&summary["calls"])),
        ("traces", number(&summary["traces"])),
        ("priced calls", share(coverage)),
        ("unpriced calls", number(&summary["unpriced"]["calls"])),
        ("pending traces", number(&summary["pending"]["traces"])),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    let estimate = &summary["estimate"];
    if !estimate.is_null() {
        let calls = estimate["calls"].as_f64().unwrap_or_default().round();
        let rows = [
            ("estimated cost", dollars(&estimate["cost_usd"])),
            ("estimated calls", number(&Value::from(calls as u64))),
        ];
        for (name, value) in rows {
            table.add_row([name.to_owned(), format!("≈ {value}")]);
        }
    }
    align(&mut table, 1);
    Section {
        heading: range.to_owned(),
        table,
    }
}

pub(super) fn breakdown(breakdown: &Value) -> Section {
    let by = breakdown["by"].as_str().unwrap_or_default();
    let mut table = table(&[by, "cost", "share", "calls", "unpriced"]);
    let mut add = |name: String, row: &Value| {
        table.add_row([
            name,
            dollars(&row["cost_usd"]),
            share(&row["share"]),
            number(&row["calls"]),
            number(&row["unpriced"]["calls"]),
        ]);
    };
    for row in list(&breakdown["rows"]) {
        add(value(row), row);
    }
    let rest = &breakdown["rest"];
    if !rest.is_null() {
        add(format!("{} more", number(&rest["values"])), rest);
    }
    align(&mut table, 1);
    Section {
        heading: format!("by {by}"),
        table,
    }
}

pub(super) fn difference(
    range: &str,
    base: Option<&(String, String)>,
    bases: &[(String, String)],
    total: &Value,
) -> Section {
    let mut table = table(&["", "before", "now", "change", "growth"]);
    table.add_row([
        "cost".to_owned(),
        dollars(&total["base_cost_usd"]),
        dollars(&total["cost_usd"]),
        dollars(&total["change_usd"]),
        growth(&total["growth"]),
    ]);
    table.add_row([
        "calls".to_owned(),
        number(&total["base_calls"]),
        number(&total["calls"]),
        String::new(),
        String::new(),
    ]);
    align(&mut table, 1);
    let mut against: Vec<String> = bases
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    against.extend(base.map(|(from, to)| format!("{from} to {to}")));
    Section {
        heading: format!("{range}, against {}", against.join(", ")),
        table,
    }
}

/// What each cause adds to the change, and its share of it.
pub(super) fn why(why: &Value) -> Section {
    let mut table = table(&["cause", "change", "of the change"]);
    let change = why["change_usd"]
        .as_str()
        .and_then(|text| text.parse::<f64>().ok());
    for step in list(&why["steps"]) {
        let cause = match step["cause"].as_str().unwrap_or_default() {
            "calls" => "number of calls",
            "models" => "which models",
            "prompt" => "length of prompts",
            "cache" => "cache hits",
            "output" => "length of output",
            "price" => "price of a token, fees",
            other => other,
        };
        let amount = step["amount_usd"]
            .as_str()
            .and_then(|text| text.parse::<f64>().ok());
        let part = amount.zip(change).filter(|(_, change)| *change != 0.0);
        table.add_row([
            cause.to_owned(),
            dollars(&step["amount_usd"]),
            part.map_or_else(String::new, |(amount, change)| {
                format!("{:.0} %", amount / change * 100.0)
            }),
        ]);
    }
    align(&mut table, 1);
    Section {
        heading: "why it changed".to_owned(),
        table,
    }
}

pub(super) fn movers(movers: &Value) -> Section {
    let by = movers["by"].as_str().unwrap_or_default();
    let mut table = table(&[by, "before", "now", "change", "growth"]);
    for row in list(&movers["rows"]) {
        table.add_row([
            value(row),
            dollars(&row["base_cost_usd"]),
            dollars(&row["cost_usd"]),
            dollars(&row["change_usd"]),
            growth(&row["growth"]),
        ]);
    }
    align(&mut table, 1);
    let more = movers["more"].as_u64().unwrap_or(0);
    let rest = if more == 0 {
        String::new()
    } else {
        format!(" ({more} more)")
    };
    Section {
        heading: format!("what moved, by {by}{rest}"),
        table,
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    if !head.is_empty() {
        table.set_header(head);
    }
    table
}

/// Numbers stand right.
fn align(table: &mut Table, first: usize) {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The value of a row, or its call path; control characters of foreign names do not reach the terminal.
fn value(row: &Value) -> String {
    let path = list(&row["path"])
        .iter()
        .filter_map(|frame| frame["label"].as_str());
    let path: Vec<&str> = path.collect();
    let text = match (path.is_empty(), row["value"].as_str()) {
        (false, _) => path.join(" › "),
        (true, Some(value)) => value.to_owned(),
        (true, None) => "(none)".to_owned(),
    };
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Dollars to the cent, or to the first two digits of what is smaller. The exact amount is in `--json`.
fn dollars(amount: &Value) -> String {
    let Some(text) = amount.as_str() else {
        return "unknown".to_owned();
    };
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text), |text| ("-", text));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let zeros = decimals.len() - decimals.trim_start_matches('0').len();
    let digits = if whole == "0" && !decimals.is_empty() {
        (zeros + 2).max(2)
    } else {
        2
    };
    format!("{sign}${whole}.{decimals:0<digits$.digits$}")
}

fn number(value: &Value) -> String {
    value.to_string()
}

fn share(value: &Value) -> String {
    value
        .as_f64()
        .map_or(String::new(), |share| format!("{:.1} %", share * 100.0))
}

fn growth(value: &Value) -> String {
    value.as_f64().map_or_else(
        || "new".to_owned(),
        |growth| format!("{:+.1} %", growth * 100.0),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_short_and_never_zero_when_something_was_spent() {
        for (exact, shown) in [
            ("1234.567891", "$1234.56"),
            ("0", "$0.00"),
            ("0.5", "$0.50"),
            ("0.000012345", "$0.000012"),
            ("-0.25", "-$0.25"),
            ("7", "$7.00"),
        ] {
            assert_eq!(dollars(&json!(exact)), shown, "{exact}");
        }
        assert_eq!(dollars(&Value::Null), "unknown");
    }

    #[test]
    fn names_cannot_command_the_terminal() {
        let row = json!({ "value": "a\u{1b}[31mb\r\nc" });
        assert_eq!(value(&row), "a [31mb  c");
        let row = json!({ "value": "x", "path": [{ "label": "POST /chat" }, { "label": "plan" }] });
        assert_eq!(value(&row), "POST /chat › plan");
    }
}
