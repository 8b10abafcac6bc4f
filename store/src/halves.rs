//! Sums on SQLite: two integers, so that adding cannot overflow.

/// The sum as (hi, lo): `hi * 2^32 + lo` with `0 <= lo < 2^32`.
pub(crate) fn split(sum: i128) -> (i64, i64) {
    let hi = i64::try_from(sum >> 32).expect("2^63 calls of the largest amount do not reach 2^95");
    (hi, (sum & 0xffff_ffff) as i64)
}

/// The sum of two halves, normalised or not.
pub(crate) fn join(hi: i64, lo: i64) -> i128 {
    (i128::from(hi) << 32) + i128::from(lo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn halves_join_to_the_sum(sum in -(1_i128 << 95)..(1_i128 << 95)) {
            let (hi, lo) = split(sum);
            prop_assert!((0..1 << 32).contains(&lo));
            prop_assert_eq!(join(hi, lo), sum);
        }

        #[test]
        fn halves_add(a in any::<i64>(), b in any::<i64>()) {
            let (a_hi, a_lo) = split(a.into());
            let (b_hi, b_lo) = split(b.into());
            prop_assert_eq!(join(a_hi + b_hi, a_lo + b_lo), i128::from(a) + i128::from(b));
        }
    }
}
