//! `/focus`: rows of the FinOps Open Cost and Usage Specification 1.2, <https://focus.finops.org/focus-specification/>.
//!
//! One row per UTC day, series and class of tokens; what is not tokens is one row too. Usage without a known price has no
//! row: its cost would have to be a number.

use axum::{extract::State, response::Response};
use costflame_pricing::{TokenClass, UsdSum};
use costflame_store::query::{self, DaySums};
use futures::stream;
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Serialize;
use serde_json::{Map, Value};

use super::table::{Column, Format, table};
use crate::{
    api::{
        document::FilterParams,
        error::{ApiError, ErrorBody},
        state::{ApiState, selection},
        words::{Count, Dollars, Time},
    },
    params::Params,
};

const DAY_US: i64 = 86_400_000_000;

/// One charge; names and meanings are the specification's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Charge {
    billed_cost: Dollars,
    billing_account_id: String,
    billing_account_name: String,
    billing_currency: &'static str,
    billing_period_end: Time,
    billing_period_start: Time,
    charge_category: &'static str,
    charge_class: Option<&'static str>,
    charge_description: String,
    charge_frequency: &'static str,
    charge_period_end: Time,
    charge_period_start: Time,
    consumed_quantity: Count,
    consumed_unit: &'static str,
    contracted_cost: Dollars,
    effective_cost: Dollars,
    invoice_issuer_name: String,
    list_cost: Dollars,
    pricing_category: &'static str,
    pricing_quantity: Count,
    pricing_unit: &'static str,
    provider_name: String,
    publisher_name: String,
    service_category: &'static str,
    service_name: String,
    service_subcategory: &'static str,
    sku_id: String,
    sku_meter: String,
    tags: String,
}

const COLUMNS: [Column; 29] = [
    ("BilledCost", "BilledCost"),
    ("BillingAccountId", "BillingAccountId"),
    ("BillingAccountName", "BillingAccountName"),
    ("BillingCurrency", "BillingCurrency"),
    ("BillingPeriodEnd", "BillingPeriodEnd"),
    ("BillingPeriodStart", "BillingPeriodStart"),
    ("ChargeCategory", "ChargeCategory"),
    ("ChargeClass", "ChargeClass"),
    ("ChargeDescription", "ChargeDescription"),
    ("ChargeFrequency", "ChargeFrequency"),
    ("ChargePeriodEnd", "ChargePeriodEnd"),
    ("ChargePeriodStart", "ChargePeriodStart"),
    ("ConsumedQuantity", "ConsumedQuantity"),
    ("ConsumedUnit", "ConsumedUnit"),
    ("ContractedCost", "ContractedCost"),
    ("EffectiveCost", "EffectiveCost"),
    ("InvoiceIssuerName", "InvoiceIssuerName"),
    ("ListCost", "ListCost"),
    ("PricingCategory", "PricingCategory"),
    ("PricingQuantity", "PricingQuantity"),
    ("PricingUnit", "PricingUnit"),
    ("ProviderName", "ProviderName"),
    ("PublisherName", "PublisherName"),
    ("ServiceCategory", "ServiceCategory"),
    ("ServiceName", "ServiceName"),
    ("ServiceSubcategory", "ServiceSubcategory"),
    ("SkuId", "SkuId"),
    ("SkuMeter", "SkuMeter"),
    ("Tags", "Tags"),
];

/// Charges by UTC day for FinOps tools (FOCUS 1.2). Usage without a known price is left out: `/models` lists it.
#[utoipa::path(get, path = "/focus", params(
    FilterParams,
    ("format" = String, Query, description = "csv or jsonl.", pattern = "^(csv|jsonl)$"),
), responses(
    (status = 200, content((String = "text/csv"), (String = "application/jsonl"))),
    (status = "default", body = ErrorBody),
))]
pub(in crate::api) async fn focus(
    State(api): State<ApiState>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let filter = selection(&mut params)?.filter;
    let format = Format::take(&mut params)?;
    params.finish()?;
    let days = query::sums_by_day(&mut api.snapshot().await?, &filter).await?;
    let charges = days.iter().flat_map(|day| charges(day, filter.project));
    let charges: Vec<Charge> = charges.collect();
    table("focus", format, &COLUMNS, stream::iter([Ok(charges)])).await
}

fn charges(day: &DaySums, project: i32) -> Vec<Charge> {
    let sums = &day.sums;
    let tokens = TokenClass::ALL.into_iter().filter_map(|class| {
        let (count, cost) = (sums.tokens[class as usize], sums.amounts[class as usize]);
        let is_free = count != 0 && sums.calls > sums.unpriced_calls;
        (cost != UsdSum::default() || is_free).then(|| {
            let meter = format!("{} tokens", class.name().replace('_', " "));
            charge(day, project, meter, ("Tokens", count), cost)
        })
    });
    let other = (sums.other_amount != UsdSum::default()).then(|| {
        let meter = "requests, tools and reported costs".to_owned();
        let count = ("Calls", i128::from(sums.calls));
        charge(day, project, meter, count, sums.other_amount)
    });
    tokens.chain(other).collect()
}

fn charge(
    day: &DaySums,
    project: i32,
    meter: String,
    (unit, count): (&'static str, i128),
    cost: UsdSum,
) -> Charge {
    let [
        provider,
        model,
        service,
        environment,
        feature,
        agent,
        operation,
    ] = &day.series.values;
    let word =
        |value: &Option<costflame_profile::Text>| value.as_deref().unwrap_or("unknown").to_owned();
    let (provider, model) = (word(provider), word(model));
    let tags = [
        ("service", service),
        ("environment", environment),
        ("feature", feature),
        ("agent", agent),
        ("operation", operation),
    ];
    let tags: Map<String, Value> = tags
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.as_deref()?.into())))
        .collect();
    let (start, end) = month(day.day_us);
    let cost = Dollars(cost);
    Charge {
        billed_cost: cost,
        billing_account_id: project.to_string(),
        billing_account_name: format!("costflame project {project}"),
        billing_currency: "USD",
        billing_period_end: Time(end),
        billing_period_start: Time(start),
        charge_category: "Usage",
        charge_class: None,
        charge_description: format!("{model}: {meter}"),
        charge_frequency: "Usage-Based",
        charge_period_end: Time(day.day_us + DAY_US),
        charge_period_start: Time(day.day_us),
        consumed_quantity: Count(count),
        consumed_unit: unit,
        contracted_cost: cost,
        effective_cost: cost,
        invoice_issuer_name: provider.clone(),
        list_cost: cost,
        pricing_category: "Standard",
        pricing_quantity: Count(count),
        pricing_unit: unit,
        provider_name: provider.clone(),
        publisher_name: provider.clone(),
        service_category: "AI and Machine Learning",
        service_name: format!("{provider} API"),
        service_subcategory: "Generative AI",
        sku_id: model,
        sku_meter: meter,
        tags: Value::Object(tags).to_string(),
    }
}

/// First microseconds of the UTC month of a day and of the month after.
fn month(day_us: i64) -> (i64, i64) {
    let date = Timestamp::from_microsecond(day_us)
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .date();
    let start = |date: civil::Date| {
        let zoned = date.to_zoned(TimeZone::UTC);
        zoned.map_or(day_us, |zoned| zoned.timestamp().as_microsecond())
    };
    let next = date.last_of_month().tomorrow().unwrap_or(date);
    (start(date.first_of_month()), start(next))
}
