//! What a model costs per unit: the rates that its calls would be priced by.

use crate::{
    Catalog, Counter, Flag, Flags, PriceRequest, PriceRow, TokenClass, Usd,
    catalog::prices::{PriceKey, counter_keys, token_keys},
    quote::Quote,
    receipt::Unit,
};

/// Rates of one model at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCard {
    /// The price in force. Its condition is that of the smallest prompts.
    pub price: PriceRow,
    /// How it was found.
    pub flags: Flags,
    /// The rates of every unit that has one, in the order of receipts.
    pub rates: Vec<UnitRate>,
}

/// What one unit costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitRate {
    /// What is counted.
    pub unit: Unit,
    /// Dollars for `per` units in the smallest prompts.
    pub rate: Usd,
    /// The same in the largest prompts.
    pub largest: Usd,
    /// Units that the rate buys.
    pub per: u32,
}

impl Catalog {
    /// The rates for calls such as this one. `None` when the model has no price.
    #[must_use]
    pub fn rate_card(&self, request: &PriceRequest<'_>) -> Option<RateCard> {
        self.own_card(request)
            .or_else(|| self.second()?.own_card(request))
    }

    fn own_card(&self, request: &PriceRequest<'_>) -> Option<RateCard> {
        let terms = self.terms(request);
        let mut quote = Quote::new(self, &terms, request).ok()?;
        let mut flags = terms.resolved.flags;
        if request.provider_guessed {
            flags.insert(Flag::ProviderGuessed);
        }
        let tokens = TokenClass::ALL.map(|class| (Unit::Tokens(class), token_keys(class)));
        let counters = Counter::ALL.map(|counter| (Unit::Counter(counter), counter_keys(counter)));
        let request: (Unit, &[PriceKey]) = (Unit::Request, &[PriceKey::Requests]);
        let units = tokens.into_iter().chain(counters).chain([request]);
        let rates: Vec<_> = units
            .filter_map(|(unit, keys)| quote.unit_rate(unit, keys))
            .collect();
        (!rates.is_empty()).then(|| RateCard {
            price: quote.row(None),
            flags,
            rates,
        })
    }
}
