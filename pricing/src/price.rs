//! Pricing one call: usage × the rates in force = a receipt.

use crate::{
    Catalog, Flag, Line, Normal, Receipt, Unpriced, Usd,
    catalog::prices::Context,
    quote::{Quote, unpriced},
    receipt::Unit,
};

/// What a span says about whom to pay for a call. Every text as reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriceRequest<'a> {
    /// `gen_ai.provider.name` or its older spellings.
    pub provider: Option<&'a str>,
    /// `server.address`; tells the provider when its name is missing or unknown.
    pub server_address: Option<&'a str>,
    /// The model that answered; asked for first.
    pub response_model: Option<&'a str>,
    /// The model that was asked for.
    pub request_model: Option<&'a str>,
    /// Start of the span, microseconds since 1970 UTC: providers bill the price at the request.
    pub at_us: i64,
    /// The service tier of the response: `flex`, `priority`, …
    pub service_tier: Option<&'a str>,
    /// `batch` for batch processing.
    pub processing: Option<&'a str>,
    /// `fast` for a premium speed.
    pub speed: Option<&'a str>,
    /// `service.name`, for overrides that hold for one service.
    pub service: Option<&'a str>,
    /// Deployment environment, for overrides that hold for one.
    pub environment: Option<&'a str>,
    /// The cost that the span itself reports.
    pub reported_cost: Option<Usd>,
}

impl<'a> PriceRequest<'a> {
    /// The keys that price variants ask for. Anthropic reports batches as a service tier.
    pub(crate) fn context(&self) -> Context<'a> {
        let is_batch = self
            .service_tier
            .is_some_and(|tier| tier.eq_ignore_ascii_case("batch"));
        let (tier, processing) = if is_batch {
            (None, Some("batch"))
        } else {
            (self.service_tier, self.processing)
        };
        Context([
            ("service_tier", tier),
            ("processing", processing),
            ("speed", self.speed),
        ])
    }
}

impl Catalog {
    /// Prices one call. Never fails: what has no price says why, see [`Unpriced`].
    ///
    /// `normal` is `None` for a call without usage. The receipt's lines add up to its cost. A reported cost counts only
    /// where there is no price, as a line of its own and with [`Flag::ReportedCost`].
    #[must_use]
    pub fn price(&self, request: &PriceRequest<'_>, normal: Option<&Normal>) -> Receipt {
        let mut receipt = Receipt {
            catalog: self.id(),
            reported: request.reported_cost,
            ..Receipt::default()
        };
        let Some(normal) = normal else {
            return unpriced(receipt, Unpriced::NoUsage);
        };
        receipt.usage = normal.usage;
        receipt.accounting = normal.accounting;
        receipt.flags = normal.flags;
        // Emitters write 0 for a price they do not know.
        receipt.reported = receipt
            .reported
            .filter(|cost| cost.0 != 0 || normal.usage.total() == 0);

        let terms = self.terms(request);
        receipt.flags = receipt.flags.union(terms.resolved.flags);
        let receipt = match Quote::new(self, &terms, request) {
            Ok(quote) => quote.bill(receipt),
            Err(why) => unpriced(receipt, why),
        };
        as_reported(receipt)
    }
}

/// Where no price is known, the cost that the span reports is better than none: an emitter that was told what a deployment
/// is called knows what nobody behind it can.
fn as_reported(mut receipt: Receipt) -> Receipt {
    let Some(Unpriced::UnknownModel | Unpriced::NoModel | Unpriced::NoRate) = receipt.unpriced
    else {
        return receipt;
    };
    let Some(cost) = receipt.reported.filter(|cost| cost.0 > 0) else {
        return receipt;
    };
    receipt.lines = vec![Line {
        unit: Unit::Request,
        quantity: 1,
        rate: cost.0,
        per: 1,
        amount: cost,
    }];
    (receipt.cost, receipt.unpriced, receipt.price) = (Some(cost), None, None);
    receipt.flags.insert(Flag::ReportedCost);
    receipt
}
