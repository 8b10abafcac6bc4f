//! What holds for every receipt, whatever the bytes were.

use costflame_pricing::{
    Catalog, Flag, PriceRequest, Receipt, TokenClass, Unit, Usage, normal::MAX_TOKENS,
};
use costflame_profile::Role;
use costflame_store::LandingRow;

/// Checks a row; 1 if it has a receipt.
pub(crate) fn check(row: &LandingRow, catalog: &Catalog) -> u64 {
    let (Some(receipt), Some(call)) = (&row.receipt, &row.span.call) else {
        assert!(row.receipt.is_none() && row.span.call.is_none());
        assert_eq!(row.span.role, Role::Plain, "a call has a receipt");
        return 0;
    };
    assert_ne!(row.span.role, Role::Plain, "a receipt belongs to a call");
    assert_eq!((call.usage, call.cost), (receipt.usage, receipt.cost));
    normal_form(&receipt.usage);
    adds_up(receipt);
    assert_eq!(&Receipt::unpack(&receipt.pack()).unwrap(), receipt);
    let request = PriceRequest {
        provider: call.provider.as_deref(),
        response_model: call.response_model.as_deref(),
        request_model: call.request_model.as_deref(),
        at_us: row.span.start_us,
        service: Some(&row.span.service),
        environment: row.span.attribution.environment.as_deref(),
        ..PriceRequest::default()
    };
    // Names longer than what is stored are cut, and found or not found by that.
    let is_whole = [&call.response_model, &call.request_model]
        .into_iter()
        .flatten()
        .all(|model| model.len() < 200);
    if is_whole {
        assert_eq!(
            &catalog.reprice(receipt, &request),
            receipt,
            "pricing again changes nothing"
        );
    }
    1
}

/// Classes are disjoint and bounded, and add up to what goes in and out.
fn normal_form(usage: &Usage) {
    let sum = |inside: bool| -> u64 {
        let classes = TokenClass::ALL
            .into_iter()
            .filter(|class| class.is_input() == inside);
        classes.map(|class| usage.get(class)).sum()
    };
    assert_eq!(sum(true), usage.total_input());
    assert_eq!(sum(false), usage.total_output());
    assert_eq!(sum(true) + sum(false), usage.total());
    // Input with both kinds of cached tokens beside it, output with reasoning beside it, or all of them disjoint.
    assert!(
        usage.tokens.iter().all(|tokens| *tokens <= 3 * MAX_TOKENS),
        "{usage:?}"
    );
}

fn adds_up(receipt: &Receipt) {
    assert_eq!(receipt.cost.is_some(), receipt.unpriced.is_none());
    let Some(cost) = receipt.cost else {
        assert!(receipt.lines.is_empty());
        return;
    };
    assert!(cost.0 >= 0, "{receipt:?}");
    let sum: i128 = receipt
        .lines
        .iter()
        .map(|line| i128::from(line.amount.0))
        .sum();
    assert_eq!(sum, i128::from(cost.0), "{receipt:?}");
    for line in &receipt.lines {
        let exact = i128::from(line.quantity) * i128::from(line.rate);
        let error = exact - i128::from(line.amount.0) * i128::from(line.per);
        assert!(2 * error.abs() <= i128::from(line.per), "{line:?}");
    }
    if receipt.flags.contains(Flag::ReportedCost) {
        assert_eq!(receipt.reported, Some(cost));
        return;
    }
    let billed: Vec<Unit> = receipt.lines.iter().map(|line| line.unit).collect();
    for unit in receipt.usage.units() {
        assert!(
            billed.contains(&unit),
            "{unit:?} is not billed: {receipt:?}"
        );
    }
    for line in &receipt.lines {
        if let Unit::Tokens(class) = line.unit {
            assert_eq!(line.quantity, receipt.usage.get(class));
        }
    }
}
