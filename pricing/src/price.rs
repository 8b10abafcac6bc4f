//! Pricing one call: usage × the rates in force = a receipt.

use crate::{
    Catalog, Flag, Flags, Line, Normal, Receipt, Unpriced, Usd,
    catalog::{Terms, prices::Context},
    quote::{Quote, unpriced},
    receipt::{Asked, Unit},
};

/// What a span says about whom to pay for a call. Every text as reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriceRequest<'a> {
    /// `gen_ai.provider.name` or its older spellings.
    pub provider: Option<&'a str>,
    /// The provider is not named but was taken from the model's name.
    pub provider_guessed: bool,
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

/// Which cost counts where a span reports one and there is a price, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CountedCost {
    /// The computed one; the reported one where there is no price.
    #[default]
    Computed,
    /// The reported one; the computed one where none is reported.
    Reported,
}

impl Catalog {
    /// Prices one call. Never fails: what has no price says why, see [`Unpriced`].
    ///
    /// `normal` is `None` for a call without usage. The receipt's lines add up to its cost. A reported cost counts where
    /// there is no price or where [`CountedCost`] says so, as a line of its own and with [`Flag::ReportedCost`].
    #[must_use]
    pub fn price(&self, request: &PriceRequest<'_>, normal: Option<&Normal>) -> Receipt {
        count_reported(self.compute(request, normal), self.counted())
    }

    /// The receipt of the same call by this catalog: its usage, how that was read and what the emitter reported stay.
    ///
    /// The call was priced by `request`, which may leave out what the receipt itself knows: see [`Receipt::asked`].
    #[must_use]
    pub fn reprice(&self, receipt: &Receipt, request: &PriceRequest<'_>) -> Receipt {
        let asked = receipt.asked.as_deref();
        let text = |kept: fn(&Asked) -> &Option<Box<str>>, given| {
            asked.map_or(given, |asked| kept(asked).as_deref())
        };
        let request = PriceRequest {
            provider: text(|asked| &asked.provider, request.provider),
            provider_guessed: asked
                .map_or(request.provider_guessed, |asked| asked.provider_guessed),
            server_address: text(|asked| &asked.server_address, request.server_address),
            request_model: asked
                .and_then(|asked| asked.request_model.as_deref())
                .or(request.request_model),
            service_tier: text(|asked| &asked.service_tier, request.service_tier),
            processing: text(|asked| &asked.processing, request.processing),
            speed: text(|asked| &asked.speed, request.speed),
            reported_cost: receipt.reported,
            ..*request
        };
        let kept = receipt.flags.without(Flags::of_pricing());
        let normal = Normal {
            usage: receipt.usage,
            accounting: receipt.accounting,
            flags: kept,
        };
        let mut again = self.price(&request, (!normal.usage.is_zero()).then_some(&normal));
        again.flags = again.flags.union(kept);
        again.accounting = receipt.accounting;
        again.asked = receipt.asked.clone();
        again
    }

    /// The receipt by our own prices.
    fn compute(&self, request: &PriceRequest<'_>, normal: Option<&Normal>) -> Receipt {
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
        let quote = match Quote::new(self, &terms, request) {
            Ok(quote) => quote,
            Err(why) => {
                receipt.flags = receipt.flags.union(terms.resolved.flags);
                let second = (why == Unpriced::UnknownModel)
                    .then(|| self.second())
                    .flatten();
                return second
                    .and_then(|second| second.lend(request, receipt.clone()))
                    .unwrap_or_else(|| unpriced(receipt, why));
            }
        };
        Self::found(&terms, request, &mut receipt);
        quote.bill(receipt)
    }

    /// Prices what another catalog does not know; `None` if this one does not, either.
    fn lend(&self, request: &PriceRequest<'_>, mut receipt: Receipt) -> Option<Receipt> {
        let terms = self.terms(request);
        let quote = Quote::new(self, &terms, request).ok()?;
        Self::found(&terms, request, &mut receipt);
        receipt.flags.insert(Flag::SecondSource);
        Some(quote.bill(receipt))
    }

    fn found(terms: &Terms<'_>, request: &PriceRequest<'_>, receipt: &mut Receipt) {
        receipt.flags = receipt.flags.union(terms.resolved.flags);
        if request.provider_guessed {
            receipt.flags.insert(Flag::ProviderGuessed);
        }
    }
}

/// Where no price is known, the cost that the span reports is better than none: an emitter that was told what a deployment
/// is called knows what nobody behind it can.
fn count_reported(mut receipt: Receipt, counted: CountedCost) -> Receipt {
    let is_missing = matches!(
        receipt.unpriced,
        Some(Unpriced::UnknownModel | Unpriced::NoModel | Unpriced::NoRate)
    );
    if !is_missing && counted == CountedCost::Computed {
        return receipt;
    }
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
    receipt.computed = receipt.cost;
    if receipt.computed.is_none() {
        receipt.price = None;
    }
    (receipt.cost, receipt.unpriced) = (Some(cost), None);
    receipt.flags.insert(Flag::ReportedCost);
    receipt
}
