//! Lists of the pages: models without a price, costs that differ, prompts, days, buckets.

use costflame_pricing::{CatalogId, Unpriced, Usd, UsdSum};
use costflame_profile::Role;
use costflame_store::{
    CatalogRow,
    query::{self, Filter, PromptKey},
};

use crate::support::{Database, NOON_US, call, everything, plain, settle};

crate::on_both!(calls_are_listed_by_what_is_asked);

const DAY: i64 = 86_400_000_000;

async fn calls_are_listed_by_what_is_asked(db: Database) {
    let mut prompted = call(1, 1, 0, 5);
    prompted.span.attribution = everything();
    let mut unpriced = call(2, 2, 0, 0);
    unpriced.span.call.as_mut().unwrap().cost = None;
    let receipt = unpriced.receipt.as_mut().unwrap();
    (receipt.cost, receipt.unpriced) = (None, Some(Unpriced::UnknownModel));
    let mut reported = call(3, 3, 0, 100);
    reported.receipt.as_mut().unwrap().reported = Some(Usd(200));
    let mut tomorrow = call(4, 4, 0, 7);
    tomorrow.span.start_us += DAY;
    tomorrow.span.end_us += DAY;
    // An agent that repeats the usage of the two calls below it.
    let mut agent = call(5, 5, 0, 30);
    agent.span.role = Role::Aggregate;
    let below = [call(5, 6, 5, 10), call(5, 7, 5, 20)];
    let rows = [
        prompted,
        unpriced,
        reported,
        tomorrow,
        agent,
        plain(5, 8, 0),
    ];
    let rows = [&rows[..], &below].concat();
    db.store.commit(&rows, &[]).await.unwrap();
    settle(&db.store).await;
    let first = NOON_US + 1_000;
    assert_eq!(
        db.store.extent(1).await.unwrap(),
        Some((first, first + 3_000 + DAY))
    );
    assert_eq!(db.store.extent(2).await.unwrap(), None);
    let from_us = NOON_US - NOON_US % DAY;
    let to_us = from_us + 2 * DAY;
    let in_range = db.store.count_calls(1, from_us, to_us).await.unwrap();
    assert_eq!(in_range, 7);
    let at_noon = db.store.count_calls(1, first, first + 1).await.unwrap();
    assert_eq!(at_noon, 1);

    let filter = Filter {
        project: 1,
        from_us,
        to_us,
        clauses: Vec::new(),
    };
    let mut snapshot = db.store.snapshot().await.unwrap();
    let found = query::unpriced_models(&mut snapshot, &filter, 10).await;
    let [model] = &found.unwrap()[..] else {
        panic!("one model has no price")
    };
    assert_eq!(model.model.as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!((model.reason, model.calls), (Unpriced::UnknownModel, 1));
    assert_eq!((model.input, model.output), (100, 2));

    let found = query::cost_differences(&mut snapshot, &filter, 10).await;
    let [difference] = &found.unwrap()[..] else {
        panic!("one emitter reports another cost")
    };
    assert_eq!(difference.computed, UsdSum(100));
    assert_eq!(difference.reported, UsdSum(200));
    assert_eq!(
        (difference.emitter.as_str(), difference.calls),
        ("app@1.0", 1)
    );

    let found = query::prompts(&mut snapshot, &filter, 2).await.unwrap();
    let named = PromptKey::Named("greet".to_owned(), Some("3".to_owned()));
    let prompt = &found.prompts[&named];
    assert_eq!((prompt.sums.calls, prompt.sums.cost), (1, UsdSum(5)));
    let parts: Vec<u64> = prompt.parts.iter().map(|part| part.calls).collect();
    assert_eq!(parts, [1, 0]);
    let all: u64 = found.prompts.values().map(|prompt| prompt.sums.calls).sum();
    assert_eq!(all, 6, "the agent does not count");

    let days = query::sums_by_day(&mut snapshot, &filter).await.unwrap();
    let costs: Vec<_> = days
        .iter()
        .map(|day| {
            (
                day.day_us - from_us,
                day.series.values[1].as_deref(),
                day.sums.cost,
            )
        })
        .collect();
    let model = Some("gpt-4o-2024-08-06");
    assert_eq!(
        costs
            .iter()
            .filter(|(day, _, _)| *day == DAY)
            .collect::<Vec<_>>(),
        [&(DAY, model, UsdSum(7))]
    );
    let today = costs.iter().filter(|(day, _, _)| *day == 0);
    assert_eq!(today.map(|(_, _, cost)| cost.0).sum::<i128>(), 5 + 100 + 30);

    let starts = [from_us, from_us + DAY];
    let found = query::timeseries(&mut snapshot, &filter, None, 5, &starts, 86_400).await;
    let found = found.unwrap();
    let buckets: Vec<_> = found.series[0]
        .buckets
        .iter()
        .map(|sums| (sums.calls, sums.cost.0))
        .collect();
    assert_eq!(buckets, [(5, 135), (1, 7)]);

    let calls = query::calls(&mut snapshot, &filter, None, 100)
        .await
        .unwrap();
    let stand_ins = query::stand_ins(&mut snapshot, 1, &calls).await.unwrap();
    assert_eq!(stand_ins.into_values().collect::<Vec<_>>(), [2]);
    drop(snapshot);

    // The snapshot that receipts name can be found by it, however often it is kept.
    let catalog = CatalogRow {
        id: CatalogId([7; 8]),
        fetched_us: NOON_US,
        source: "built-in".to_owned(),
        sha256: [7; 32],
        body: vec![1, 2, 3],
    };
    db.store.put_catalog(&catalog).await.unwrap();
    db.store.put_catalog(&catalog).await.unwrap();
    let mut snapshot = db.store.snapshot().await.unwrap();
    let call = below[0].span.clone();
    let id = (call.trace_id, call.span_id);
    let receipt = query::receipt(&mut snapshot, 1, id).await.unwrap().unwrap();
    assert_eq!(receipt.catalog.unwrap().source, "built-in");
    let shared = db.store.now_us().await.unwrap();
    assert!(shared > NOON_US);
}
