//! Sums on SQLite: two integers, so that adding cannot overflow.

use costflame_pricing::UsdSum;

/// The sum as (hi, lo): `hi * 2^32 + lo` with `0 <= lo < 2^32`.
pub(crate) fn split(sum: UsdSum) -> (i64, i64) {
    let hi =
        i64::try_from(sum.0 >> 32).expect("2^63 calls of the largest amount do not reach 2^95");
    (hi, (sum.0 & 0xffff_ffff) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn join(hi: i64, lo: i64) -> UsdSum {
        UsdSum((i128::from(hi) << 32) + i128::from(lo))
    }

    proptest! {
        #[test]
        fn halves_join_to_the_sum(sum in -(1_i128 << 95)..(1_i128 << 95)) {
            let (hi, lo) = split(UsdSum(sum));
            prop_assert!((0..1 << 32).contains(&lo));
            prop_assert_eq!(join(hi, lo), UsdSum(sum));
        }

        #[test]
        fn halves_add(a in any::<i64>(), b in any::<i64>()) {
            let (a_hi, a_lo) = split(UsdSum(a.into()));
            let (b_hi, b_lo) = split(UsdSum(b.into()));
            prop_assert_eq!(join(a_hi + b_hi, a_lo + b_lo), UsdSum(i128::from(a) + i128::from(b)));
        }
    }
}
