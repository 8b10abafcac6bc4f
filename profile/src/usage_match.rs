//! When two spans report the usage of one call although one of them knows fewer token classes.

use costflame_pricing::{TokenClass, Usage};

use TokenClass::{
    AudioIn, AudioOut, CacheRead, CacheReadAudio, CacheWrite, CacheWrite1h, ImageIn, ImageOut,
    Input, Output, Reasoning, VideoIn,
};

/// Classes that some emitters report as one number, or not at all.
const INPUT_PARTS: [&[TokenClass]; 5] = [
    &[CacheRead, CacheReadAudio],
    &[CacheWrite, CacheWrite1h],
    &[AudioIn, CacheReadAudio],
    &[ImageIn],
    &[VideoIn],
];
const OUTPUT_PARTS: [&[TokenClass]; 3] = [&[Reasoning], &[AudioOut], &[ImageOut]];

/// Number of token classes and counters in use, 0 to 18.
pub(crate) fn classes(usage: &Usage) -> u8 {
    let used = |numbers: &[u64]| numbers.iter().filter(|n| **n > 0).count();
    u8::try_from(used(&usage.tokens) + used(&usage.counters)).unwrap_or(u8::MAX)
}

/// The same usage, class by class where both report the class.
///
/// Total input and total output are equal and not both zero, and so is every part (cache reads, cache writes, reasoning, …)
/// that both have: an emitter that lost a part has its tokens in plain input or output, and one
/// that does not tell cache writes of five minutes from those of an hour has their sum.
pub(crate) fn same(a: &Usage, b: &Usage) -> bool {
    !a.is_zero() && totals_agree(a, b, true) && totals_agree(a, b, false) && counters_agree(a, b)
}

/// True when `outer` says nothing that `inner` does not say: [`same`], or `outer` knows only the
/// uncached input or only the visible output, and those are equal.
///
/// The second form is an emitter that passes on a provider's exclusive numbers and drops the parts
/// beside them: strands 0.2 (Anthropic cache), google-genai 0.7 (Gemini thoughts).
pub(crate) fn repeats(outer: &Usage, inner: &Usage) -> bool {
    let side = |input: bool, plain: TokenClass| {
        totals_agree(outer, inner, input)
            || (outer.get(plain) > 0
                && outer.get(plain) == total(outer, input)
                && outer.get(plain) == inner.get(plain))
    };
    !outer.is_zero()
        && outer.total() > 0
        && side(true, Input)
        && side(false, Output)
        && counters_agree(outer, inner)
}

/// The (input, output) totals that an outer span repeating `inner` may have, see [`repeats`].
pub(crate) fn keys(inner: &Usage) -> [(u64, u64); 4] {
    let (input, output) = (inner.total_input(), inner.total_output());
    let (plain_input, plain_output) = (inner.get(Input), inner.get(Output));
    [
        (input, output),
        (plain_input, output),
        (input, plain_output),
        (plain_input, plain_output),
    ]
}

fn totals_agree(a: &Usage, b: &Usage, input: bool) -> bool {
    let parts: &[&[TokenClass]] = if input { &INPUT_PARTS } else { &OUTPUT_PARTS };
    let part = |usage: &Usage, classes: &[TokenClass]| {
        classes
            .iter()
            .map(|class| usage.get(*class))
            .fold(0, u64::saturating_add)
    };
    total(a, input) == total(b, input)
        && parts.iter().all(|classes| {
            let (mine, theirs) = (part(a, classes), part(b, classes));
            mine == theirs || mine == 0 || theirs == 0
        })
}

fn counters_agree(a: &Usage, b: &Usage) -> bool {
    a.counters
        .iter()
        .zip(&b.counters)
        .all(|(mine, theirs)| mine == theirs || *mine == 0 || *theirs == 0)
}

fn total(usage: &Usage, input: bool) -> u64 {
    if input {
        usage.total_input()
    } else {
        usage.total_output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(tokens: &[(TokenClass, u64)]) -> Usage {
        let mut usage = Usage::default();
        tokens.iter().for_each(|(class, n)| usage.set(*class, *n));
        usage
    }

    #[test]
    fn lost_parts_are_the_same_usage_when_totals_agree() {
        let full = usage(&[
            (Input, 100),
            (CacheRead, 50),
            (CacheWrite, 7),
            (CacheWrite1h, 3),
            (Output, 20),
            (Reasoning, 5),
        ]);
        assert!(same(&full, &full));
        assert!(same(&full, &usage(&[(Input, 160), (Output, 25)])));
        assert!(same(
            &full,
            &usage(&[
                (Input, 100),
                (CacheRead, 50),
                (CacheWrite, 10),
                (Output, 25)
            ])
        ));
        assert!(!same(
            &full,
            &usage(&[(Input, 99), (CacheRead, 51), (CacheWrite, 10), (Output, 25)])
        ));
        assert!(!same(&full, &usage(&[(Input, 160), (Output, 24)])));
        assert!(!same(&Usage::default(), &Usage::default()));
    }

    #[test]
    fn an_outer_span_may_have_dropped_what_lies_beside() {
        let inner = usage(&[(Input, 100), (CacheRead, 50), (Output, 20), (Reasoning, 5)]);
        assert!(repeats(&usage(&[(Input, 100), (Output, 20)]), &inner));
        assert!(repeats(&usage(&[(Input, 150), (Output, 20)]), &inner));
        assert!(repeats(&usage(&[(Input, 100), (Output, 25)]), &inner));
        assert!(!repeats(&usage(&[(Input, 100), (Output, 21)]), &inner));
        assert!(
            !repeats(&inner, &usage(&[(Input, 100), (Output, 20)])),
            "the wrapper knows less, not more"
        );
        assert!(!repeats(&Usage::default(), &Usage::default()));
        for outer in [
            usage(&[(Input, 100), (Output, 20)]),
            usage(&[(Input, 150), (Output, 25)]),
        ] {
            assert!(keys(&inner).contains(&(outer.total_input(), outer.total_output())));
        }
    }
}
