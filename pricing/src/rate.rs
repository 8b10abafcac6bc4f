//! Prices as exact decimals: parsed from text, multiplied in integers, rounded once.

use crate::{Usd, usd::PICO_PER_USD};

/// Decimals of a pico-dollar.
const PICO_DECIMALS: i64 = 12;

/// A price in pico-dollars for a number of units, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i64);

impl Rate {
    /// A price of nothing.
    pub const FREE: Self = Self(0);

    /// Reads dollars from a decimal text as JSON and TOML write it: `2.5`, `1e-3`.
    ///
    /// Float dust is repaired as [`parse_pico`] says. `None` for anything that is not a decimal
    /// number between 0 and 9.2 million dollars.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_pico(text).filter(|pico| *pico >= 0).map(Self)
    }

    /// A price of so many pico-dollars, which are not negative.
    pub(crate) const fn of_pico(pico: i64) -> Self {
        Self(pico)
    }

    /// Pico-dollars.
    #[must_use]
    pub const fn pico(self) -> i64 {
        self.0
    }

    /// This rate times a factor in parts per 10¹², rounded half to even. `None` if it does not fit.
    #[must_use]
    pub fn times(self, factor: i64) -> Option<Self> {
        let product = i128::from(self.0) * i128::from(factor);
        i64::try_from(div_half_even(product, PICO_PER_USD))
            .ok()
            .map(Self)
    }

    /// `quantity × rate / per`, rounded half to even. `None` if it does not fit.
    ///
    /// `per` is at least 1.
    #[must_use]
    pub fn amount(self, quantity: u64, per: u32) -> Option<Usd> {
        let product = i128::from(quantity) * i128::from(self.0);
        i64::try_from(div_half_even(product, i128::from(per)))
            .ok()
            .map(Usd)
    }
}

/// Reads dollars from a decimal text into pico-dollars.
///
/// Catalogs hold numbers that went through a binary double (`0.18000000000000002`). Such dust is
/// repaired by one rule: more than 12 decimals are rounded to 12, half to even. No price list has
/// more than six, and the dust of a double below 1,000 dollars begins behind the twelfth.
///
/// ```
/// use costflame_pricing::rate::parse_pico;
///
/// assert_eq!(parse_pico("0.18000000000000002"), Some(180_000_000_000));
/// assert_eq!(parse_pico("2.5e-6"), Some(2_500_000));
/// assert_eq!(parse_pico("NaN"), None);
/// ```
#[must_use]
pub fn parse_pico(text: &str) -> Option<i64> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (digits, fraction) = read_digits(number)?;
    let decimals = i64::try_from(fraction).ok()? - i64::from(exponent);
    let pico = at_decimals(digits, decimals)?;
    i64::try_from(if text.starts_with('-') { -pico } else { pico }).ok()
}

/// The digits of `12.50` as a number, and how many are behind the point. At most 38.
fn read_digits(number: &str) -> Option<(i128, usize)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = whole
        .bytes()
        .chain(fraction.bytes())
        .try_fold(0_i128, |digits, byte| {
            let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
            digits.checked_mul(10)?.checked_add(digit)
        })?;
    Some((digits, fraction.len()))
}

fn at_decimals(digits: i128, decimals: i64) -> Option<i128> {
    let shift = PICO_DECIMALS - decimals;
    let power = u32::try_from(shift.unsigned_abs())
        .ok()
        .and_then(|shift| 10_i128.checked_pow(shift));
    match power {
        Some(power) if shift >= 0 => digits.checked_mul(power),
        Some(power) => Some(div_half_even(digits, power)),
        None if shift < 0 || digits == 0 => Some(0),
        None => None,
    }
}

/// Integer division of non-negative numbers, a half rounded to the even neighbour.
fn div_half_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let up = match (rest).cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(parse_pico("2.5"), Some(2_500_000_000_000));
        assert_eq!(parse_pico("0.003625"), Some(3_625_000_000));
        assert_eq!(parse_pico("1E-12"), Some(1));
        assert_eq!(parse_pico("12e+1"), Some(120_000_000_000_000));
        assert_eq!(parse_pico("-0.5"), Some(-500_000_000_000));
        assert_eq!(parse_pico(".5"), Some(500_000_000_000));
        assert_eq!(parse_pico("0"), Some(0));
        assert_eq!(parse_pico("0e999999"), Some(0));
        assert_eq!(parse_pico("9223372.036854775807"), Some(i64::MAX));
    }

    #[test]
    fn float_dust_is_repaired() {
        // Every number with more than 12 decimals in the embedded catalog.
        for (dusty, clean) in [
            ("0.18000000000000002", 180_000_000_000),
            ("0.13999999999999999", 140_000_000_000),
            ("0.27999999999999997", 280_000_000_000),
            ("1.0399999999999998", 1_040_000_000_000),
            ("0.0833333333333333", 83_333_333_333),
            ("0.08333333333333334", 83_333_333_333),
            ("0.04166666666666665", 41_666_666_667),
            ("0.0416666666666667", 41_666_666_667),
            ("0.041666666666666664", 41_666_666_667),
            ("999.2000000000000455", 999_200_000_000_000),
        ] {
            assert_eq!(parse_pico(dusty), Some(clean), "{dusty}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "NaN",
            "inf",
            "1.2.3",
            "1e",
            "0x10",
            "9223372.1e6",
            "1e99",
            "1e9999999999",
            "1 2",
        ] {
            assert_eq!(parse_pico(text), None, "{text:?}");
        }
        assert_eq!(parse_pico(&"9".repeat(60)), None);
        assert_eq!(parse_pico("1e-99"), Some(0));
        assert_eq!(Rate::parse("-1"), None);
    }

    #[test]
    fn amounts_round_half_to_even_once() {
        let amount = |pico, quantity, per| Rate(pico).amount(quantity, per).map(|usd| usd.0);
        assert_eq!(amount(5, 1, 10), Some(0));
        assert_eq!(amount(15, 1, 10), Some(2));
        assert_eq!(amount(25, 1, 10), Some(2));
        assert_eq!(amount(26, 1, 10), Some(3));
        assert_eq!(
            amount(2_500_000_000_000, 1_234, 1_000_000),
            Some(3_085_000_000)
        );
        assert_eq!(amount(111_000_000_000, 10, 3_600), Some(308_333_333));
        assert_eq!(amount(i64::MAX, u64::MAX, 1), None);
        assert_eq!(amount(i64::MAX, 1, 1), Some(i64::MAX));
    }

    #[test]
    fn multipliers_round_half_to_even() {
        let half = parse_pico("0.5").unwrap();
        assert_eq!(Rate(3).times(half), Some(Rate(2)));
        assert_eq!(Rate(5).times(half), Some(Rate(2)));
        assert_eq!(Rate(i64::MAX).times(2 * half), Some(Rate(i64::MAX)));
        assert_eq!(Rate(i64::MAX).times(4 * half), None);
    }

    proptest! {
        #[test]
        fn printed_amounts_are_read_back(pico in -i64::MAX..i64::MAX) {
            prop_assert_eq!(parse_pico(&Usd(pico).to_string()), Some(pico));
        }

        #[test]
        fn doubles_are_read_as_their_shortest_decimal(pico in 0_i64..1_000_000_000_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "below 2⁵³")]
            let double = pico as f64 / 1e12;
            prop_assert_eq!(parse_pico(&format!("{double:.25}")), Some(pico));
        }

        #[test]
        fn text_never_panics(text in "[-+.eE0-9]{0,60}|.*") {
            let _ = parse_pico(&text);
        }
    }
}
