//! Pricing the past again.

use std::sync::Arc;

use costflame_pricing::{
    Asked, Catalog, CountedCost, Normal, Overrides, PriceRequest, Receipt, TokenClass, Usage, Usd,
};
use costflame_store::{LandingRow, Options, Repricing, RepricingState, Store};

use crate::support::{Database, NOON_US, NOW_US, call, everything, key, plain, settle, verify};

crate::on_both!(
    calls_and_sums_follow_the_new_prices,
    only_the_range_is_priced_again,
    a_crash_in_the_middle_is_gone_on_from,
    settling_meanwhile_loses_nothing,
    prices_that_decide_which_span_counts_settle_the_trace_again,
    dropped_spans_leave_calls_that_are_priced_as_they_stand,
    the_newest_prices_are_kept,
);

const OWN: &str = "[[override]]\nmatch = { equals = \"in-house\" }\nrates = { input_mtok = 3, output_mtok = 7 }\n\
                   [[override]]\nprovider = \"openai\"\nmatch = { starts_with = \"gpt-4o\" }\nmultiplier = 2\n";

fn old() -> Arc<Catalog> {
    Catalog::embedded()
}

fn new() -> Catalog {
    let overrides = Overrides::from_toml(OWN).unwrap();
    Catalog::embedded().with_overrides(&overrides).unwrap()
}

/// A call as the collector lands it, priced by the old prices.
fn priced(trace: u8, span: u8, parent: u8, model: &str) -> LandingRow {
    let mut row = call(trace, span, parent, 0);
    price(&mut row, &old(), model);
    row
}

fn price(row: &mut LandingRow, catalog: &Catalog, model: &str) {
    let usage = row
        .receipt
        .as_ref()
        .map_or_else(Usage::default, |receipt| receipt.usage);
    let asked = PriceRequest {
        provider: Some("openai"),
        request_model: Some(model),
        response_model: Some(model),
        service: Some(&row.span.service),
        environment: row.span.attribution.environment.as_deref(),
        at_us: row.span.start_us,
        ..PriceRequest::default()
    };
    let normal = Normal {
        usage,
        ..Normal::default()
    };
    let receipt = Receipt {
        asked: Some(Arc::new(Asked::of(&asked, false))),
        ..catalog.price(&asked, Some(&normal))
    };
    let call = row.span.call.as_mut().unwrap();
    let listed = receipt
        .price
        .as_ref()
        .map_or("openai", |price| &price.provider);
    call.provider = Some(listed.into());
    (call.request_model, call.response_model) = (Some(model.into()), Some(model.into()));
    (call.usage, call.cost) = (usage, receipt.cost);
    row.receipt = Some(receipt);
}

/// The same rows as if the new prices had been there from the start.
fn as_new(rows: &[LandingRow]) -> Vec<LandingRow> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        if let Some(model) = row
            .span
            .call
            .as_ref()
            .and_then(|call| call.response_model.clone())
        {
            price(row, &new(), &model);
        }
    }
    rows
}

fn rows() -> Vec<LandingRow> {
    let mut user = priced(2, 1, 0, "gpt-4o");
    user.span.attribution = everything();
    user.span.weight_milli = 12_345;
    // Two traces report one response: one of them lost.
    let mut twins = [priced(3, 1, 0, "in-house"), priced(4, 1, 0, "in-house")];
    for twin in &mut twins {
        twin.span.call.as_mut().unwrap().response_id =
            Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
    }
    let mut rows = vec![
        plain(1, 1, 0),
        priced(1, 2, 1, "gpt-4o"),
        priced(1, 3, 1, "o3"),
        user,
    ];
    rows.extend(twins);
    rows
}

fn work(catalog: &Catalog) -> Repricing<'_> {
    Repricing {
        project: 1,
        from_us: NOON_US - 1,
        to_us: NOON_US + 3_600_000_000,
        catalog,
    }
}

async fn reprice(store: &Store, work: &Repricing<'_>) -> RepricingState {
    let mut state = store.begin_repricing(work, NOW_US).await.unwrap();
    while !state.is_done {
        state = store.reprice(work, state, NOW_US).await.unwrap();
    }
    state
}

/// What is stored, without the snapshots that amounts were computed with: equal prices leave the old one.
async fn dump(db: &Database) -> Vec<String> {
    while db.store.fold(100).await.unwrap() > 0 {}
    let snapshot = |catalog: &Catalog| format!("catalog: {:?}", catalog.id());
    let lines = db.dump().await;
    let plain = |line: String| line.replace(&snapshot(&new()), &snapshot(&old()));
    lines.into_iter().map(plain).collect()
}

async fn landed(db: &Database, rows: &[LandingRow]) {
    db.store.commit(rows, &[]).await.unwrap();
    settle(&db.store).await;
}

async fn calls_and_sums_follow_the_new_prices(db: Database) {
    landed(&db, &rows()).await;
    while db.store.fold(100).await.unwrap() > 0 {}
    let catalog = new();
    let totals = db
        .store
        .reprice_totals(&work(&catalog), |_| ())
        .await
        .unwrap();
    let line = |model: &str| totals[&("openai".to_owned(), model.to_owned())];
    let gpt = line("gpt-4o");
    assert_eq!(
        (gpt.calls, gpt.changed, gpt.after.0),
        (2, 2, 2 * gpt.before.0)
    );
    let own = line("in-house");
    assert_eq!(
        (own.calls, own.unpriced_before, own.unpriced_after),
        (1, 1, 0)
    );
    let o3 = line("o3");
    assert_eq!((o3.changed, o3.after), (0, o3.before));
    let untouched = db.dump().await;

    let state = reprice(&db.store, &work(&catalog)).await;
    assert_eq!((state.seen, state.changed), (5, 4));
    let difference = totals.values().map(|model| model.after.0 - model.before.0);
    let corrected = db.store.take_corrections().await.unwrap();
    assert_eq!(
        corrected
            .iter()
            .map(|(_, change)| change.cost())
            .sum::<i128>(),
        difference.sum::<i128>(),
        "for the counters of a running server"
    );
    assert_eq!(db.store.take_corrections().await.unwrap(), [], "once");
    verify(&db.store).await;
    assert_ne!(db.dump().await, untouched);
    let fresh = db.fresh().await;
    landed(&fresh, &as_new(&rows())).await;
    assert_eq!(dump(&db).await, dump(&fresh).await);
    verify(&db.store).await;

    // There and back again; the amounts stay when nothing changes.
    assert_eq!(reprice(&db.store, &work(&catalog)).await.changed, 0);
    let before = old();
    assert_eq!(reprice(&db.store, &work(&before)).await.changed, 4);
    while db.store.fold(100).await.unwrap() > 0 {}
    assert_eq!(db.dump().await, untouched);

    let mut counted = old().counting(CountedCost::Reported);
    assert_eq!(
        reprice(&db.store, &work(&counted)).await.changed,
        0,
        "nothing is reported"
    );
    counted = new();
    let before = db
        .store
        .reprice_totals(&work(&counted), |_| ())
        .await
        .unwrap();
    assert_eq!(before, totals);
}

async fn only_the_range_is_priced_again(db: Database) {
    landed(&db, &rows()).await;
    let catalog = new();
    // The second span of a trace starts 2 ms after noon.
    let narrow = Repricing {
        from_us: NOON_US + 1_500,
        to_us: NOON_US + 2_500,
        ..work(&catalog)
    };
    let state = reprice(&db.store, &narrow).await;
    assert_eq!((state.seen, state.changed), (1, 1));
    verify(&db.store).await;
    let empty = Repricing {
        to_us: narrow.from_us,
        ..narrow
    };
    assert_eq!(reprice(&db.store, &empty).await.seen, 0);
}

async fn a_crash_in_the_middle_is_gone_on_from(db: Database) {
    landed(&db, &rows()).await;
    let catalog = new();
    let work = work(&catalog);
    let mut state = db.store.begin_repricing(&work, NOW_US).await.unwrap();
    let mut steps = 0;
    while !state.is_done {
        // A step of which nobody hears the end may or may not have taken place.
        let lost = db.store.reprice(&work, state, NOW_US);
        let _ =
            tokio::time::timeout(std::time::Duration::from_micros(300 * (steps % 7)), lost).await;
        verify(&db.store).await;
        let other = db.another().await;
        state = other.begin_repricing(&work, NOW_US).await.unwrap();
        state = other.reprice(&work, state, NOW_US).await.unwrap();
        other.close().await;
        steps += 1;
    }
    verify(&db.store).await;
    let fresh = db.fresh().await;
    landed(&fresh, &as_new(&rows())).await;
    assert_eq!(dump(&db).await, dump(&fresh).await);
    let next = db.store.begin_repricing(&work, NOW_US).await.unwrap();
    assert_ne!(next, state, "what has ended is not gone on with");
    assert_eq!((next.seen, next.changed), (0, 0));
}

async fn settling_meanwhile_loses_nothing(db: Database) {
    let mut all: Vec<LandingRow> = Vec::new();
    for trace in 1..40 {
        all.extend([
            plain(trace, 1, 0),
            priced(trace, 2, 1, "gpt-4o"),
            priced(trace, 3, 1, "in-house"),
        ]);
    }
    landed(&db, &all).await;
    let catalog = new();
    let work = work(&catalog);
    let other = db.another().await;
    db.store.release_lanes("test").await.unwrap();
    // Another program lands late spans at the old prices and settles without end.
    let late: Vec<LandingRow> = (1..40).map(|trace| priced(trace, 4, 1, "gpt-4o")).collect();
    let settling = async {
        for row in &late {
            other.commit(std::slice::from_ref(row), &[]).await.unwrap();
            let leases = other
                .lease_lanes("other", NOW_US, 60_000_000)
                .await
                .unwrap();
            let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
            let page = other
                .marks_after(&lanes, costflame_store::MarkId::default(), 1_000)
                .await
                .unwrap();
            // A lane that was taken over in the middle comes again.
            let _ = other
                .settle(&leases, &costflame_store::Due::of(&page.marks))
                .await;
        }
    };
    let (state, ()) = tokio::join!(reprice(&db.store, &work), settling);
    assert!(state.changed >= 78, "{state:?}");
    other.release_lanes("other").await.unwrap();
    settle(&db.store).await;
    assert_eq!(db.store.status().await.unwrap().pending_traces, 0);
    verify(&db.store).await;
    reprice(&db.store, &work).await;
    verify(&db.store).await;
    let fresh = db.fresh().await;
    all.extend(late);
    landed(&fresh, &as_new(&all)).await;
    assert_eq!(dump(&db).await, dump(&fresh).await);
}

/// A wrapper names the deployment and more classes, the call below it the model.
async fn prices_that_decide_which_span_counts_settle_the_trace_again(db: Database) {
    let mut outer = priced(1, 1, 0, "in-house");
    let mut inner = priced(1, 2, 1, "gpt-4o");
    let mut usage = Usage::default();
    usage.set(TokenClass::Input, 60);
    usage.set(TokenClass::CacheRead, 40);
    usage.set(TokenClass::Output, 2);
    outer.receipt.as_mut().unwrap().usage = usage;
    inner.receipt.as_mut().unwrap().usage = Usage::default();
    inner
        .receipt
        .as_mut()
        .unwrap()
        .usage
        .set(TokenClass::Input, 100);
    inner
        .receipt
        .as_mut()
        .unwrap()
        .usage
        .set(TokenClass::Output, 2);
    for (row, model) in [(&mut outer, "in-house"), (&mut inner, "gpt-4o")] {
        row.span.call.as_mut().unwrap().response_id = Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
        price(row, &old(), model);
    }
    let rows = [outer, inner];
    landed(&db, &rows).await;
    let catalog = new();
    reprice(&db.store, &work(&catalog)).await;
    settle(&db.store).await;
    verify(&db.store).await;
    let fresh = db.fresh().await;
    landed(&fresh, &as_new(&rows)).await;
    assert_eq!(dump(&db).await, dump(&fresh).await);
}

async fn dropped_spans_leave_calls_that_are_priced_as_they_stand(db: Database) {
    const DAY: i64 = 86_400_000_000;
    let options = Options {
        keep_call_days: Some(14),
        ..Options::default()
    };
    let store = Store::connect(&db.url, &options).await.unwrap();
    let mut ancient = priced(9, 1, 0, "gpt-4o");
    ancient.span.start_us -= 20 * DAY;
    ancient.span.end_us -= 20 * DAY;
    store.prepare(NOW_US - 20 * DAY).await.unwrap();
    landed(&db, &[rows(), vec![ancient]].concat()).await;
    // Four days later spans are gone, and the calls of the ancient day; who lost stays out.
    store.prepare(NOW_US).await.unwrap();
    while store.fold(100).await.unwrap() > 0 {}
    store.drop_sealed(NOW_US + 4 * DAY).await.unwrap();
    assert!(store.landed(key(1)).await.unwrap().is_empty());
    let catalog = new();
    let whole = Repricing {
        from_us: NOON_US - 30 * DAY,
        ..work(&catalog)
    };
    let state = reprice(&store, &whole).await;
    assert_eq!((state.seen, state.changed), (5, 4));
    verify(&store).await;
    let calls = store.all_calls().await.unwrap();
    let counted = calls.iter().filter(|call| call.why().is_none());
    assert_eq!(counted.count(), 4);
    let own: Vec<_> = calls
        .iter()
        .filter(|call| call.call.response_model.as_deref() == Some("in-house"))
        .map(|call| (call.why().is_some(), call.call.cost))
        .collect();
    assert_eq!(
        own,
        [
            (false, Some(Usd(307_000_000))),
            (true, Some(Usd(307_000_000)))
        ]
    );
}

async fn the_newest_prices_are_kept(db: Database) {
    use costflame_store::{PriceKind, PriceSourceRow};
    assert_eq!(db.store.prices_version().await.unwrap(), 0);
    let source = |kind, body: &[u8]| PriceSourceRow {
        kind,
        fetched_us: NOW_US,
        source: "https://example.com/prices.json".to_owned(),
        sha256: [3; 32],
        body: body.to_vec(),
    };
    for row in [
        source(PriceKind::Catalog, b"1"),
        source(PriceKind::Second, b"2"),
        source(PriceKind::Catalog, b""),
    ] {
        db.store.put_prices(&row).await.unwrap();
        assert_eq!(db.store.newest_prices(row.kind).await.unwrap(), Some(row));
    }
    assert_eq!(db.store.prices_version().await.unwrap(), 3);
    let second = db.store.newest_prices(PriceKind::Second).await.unwrap();
    assert_eq!(second.map(|row| row.body), Some(b"2".to_vec()));
}
