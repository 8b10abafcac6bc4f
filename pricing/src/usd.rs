//! Money as an integer: one unit is 10⁻¹² USD, a pico-dollar.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Pico-dollars in one dollar.
pub const PICO_PER_USD: i128 = 1_000_000_000_000;

/// An amount in pico-dollars, range ±9.2 million USD.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Usd(pub i64);

impl Usd {
    /// Reads dollars from a decimal text, as emitters report a cost: `0.0290025`, `2.9e-05`.
    ///
    /// Float dust is repaired, see [`crate::rate::parse_pico`]. `None` for what is no number or
    /// does not fit.
    #[must_use]
    pub fn parse_decimal(text: &str) -> Option<Self> {
        crate::rate::parse_pico(text).map(Self)
    }

    /// Reads dollars that an emitter reported as a double. `None` if not finite or too large.
    #[must_use]
    pub fn from_f64(dollars: f64) -> Option<Self> {
        Self::parse_decimal(&format!("{dollars:e}"))
    }
}

/// A sum of amounts in pico-dollars; cannot overflow for any number of calls a database can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsdSum(pub i128);

impl std::ops::AddAssign<Usd> for UsdSum {
    fn add_assign(&mut self, amount: Usd) {
        self.0 += i128::from(amount.0);
    }
}

impl std::ops::AddAssign for UsdSum {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::ops::Sub for UsdSum {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl std::iter::Sum<Usd> for UsdSum {
    fn sum<I: Iterator<Item = Usd>>(amounts: I) -> Self {
        let mut sum = Self::default();
        for amount in amounts {
            sum += amount;
        }
        sum
    }
}

impl From<Usd> for UsdSum {
    fn from(amount: Usd) -> Self {
        Self(i128::from(amount.0))
    }
}

/// Exact decimal dollars without trailing zeros: `0.0290025`, `-12.5`, `0`.
impl fmt::Display for UsdSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let pico = self.0.unsigned_abs();
        let per_usd = PICO_PER_USD.unsigned_abs();
        let (whole, rest) = (pico / per_usd, pico % per_usd);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{rest:012}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UsdSum::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_exact_decimals() {
        let text = |pico: i64| Usd(pico).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(1), "0.000000000001");
        assert_eq!(text(29_002_500_000), "0.0290025");
        assert_eq!(text(-12_500_000_000_000), "-12.5");
        assert_eq!(text(i64::MIN), "-9223372.036854775808");
    }

    #[test]
    fn reads_reported_costs() {
        assert_eq!(Usd::parse_decimal("0.0290025"), Some(Usd(29_002_500_000)));
        assert_eq!(Usd::parse_decimal(" 2.9e-05 "), Some(Usd(29_000_000)));
        assert_eq!(Usd::parse_decimal("free"), None);
        assert_eq!(Usd::from_f64(0.1 + 0.2), Some(Usd(300_000_000_000)));
        assert_eq!(
            Usd::from_f64(0.008_754_999_999_999_999),
            Some(Usd(8_755_000_000))
        );
        assert_eq!(Usd::from_f64(-0.0), Some(Usd(0)));
        assert_eq!(
            [f64::NAN, f64::INFINITY, 1e300].map(Usd::from_f64),
            [None; 3]
        );
    }
}
