use proptest::prelude::*;

use super::*;

fn read(reported: ReportedUsage, hint: Accounting, provider: &str) -> Normal {
    normalise(&reported, hint, Some(provider)).expect("usage is reported")
}

fn classes(normal: &Normal) -> Vec<(&'static str, u64)> {
    let used = TokenClass::ALL
        .into_iter()
        .map(|class| (class.name(), normal.usage.get(class)));
    used.filter(|(_, tokens)| *tokens > 0).collect()
}

const CACHED: ReportedUsage = ReportedUsage {
    input: Some(1_000),
    output: Some(50),
    total: None,
    cache_read: Some(600),
    cache_write: Some(100),
    cache_write_1h: None,
    reasoning: None,
    audio_in: None,
    cache_read_audio: None,
    image_in: None,
    video_in: None,
    audio_out: None,
    image_out: None,
    counters: [0; 6],
};

#[test]
fn nothing_reported_is_no_usage() {
    assert_eq!(
        normalise(&ReportedUsage::default(), Accounting::Spec, None),
        None
    );
    let total = ReportedUsage {
        total: Some(7),
        ..ReportedUsage::default()
    };
    assert_eq!(normalise(&total, Accounting::Spec, None), None);
    let zero = ReportedUsage {
        input: Some(0),
        ..ReportedUsage::default()
    };
    assert!(normalise(&zero, Accounting::Spec, None).is_some());
    let searches = ReportedUsage {
        counters: [0, 0, 3, 0, 0, 0],
        ..ReportedUsage::default()
    };
    assert!(normalise(&searches, Accounting::Spec, None).is_some());
}

#[test]
fn the_conventions_count_parts_inside() {
    let normal = read(CACHED, Accounting::Spec, "openai");
    assert_eq!(
        classes(&normal),
        [
            ("input", 300),
            ("cache_read", 600),
            ("cache_write", 100),
            ("output", 50)
        ]
    );
    assert_eq!(
        (normal.accounting, normal.flags),
        (Accounting::Spec, Flags::default())
    );
}

#[test]
fn a_listed_emitter_counts_parts_beside() {
    let normal = read(CACHED, Accounting::EmitterExclusive, "anthropic");
    assert_eq!(normal.usage.total_input(), 1_700);
    assert_eq!(normal.usage.get(TokenClass::Input), 1_000);
    assert_eq!(normal.accounting, Accounting::EmitterExclusive);
}

#[test]
fn parts_above_the_input_prove_they_are_beside_it() {
    for hint in [Accounting::Spec, Accounting::EmitterInclusive] {
        let normal = read(
            ReportedUsage {
                input: Some(699),
                ..CACHED
            },
            hint,
            "anthropic",
        );
        assert_eq!(normal.usage.total_input(), 1_399);
        assert_eq!(normal.accounting, Accounting::ArithmeticExclusive);
        let equal = read(
            ReportedUsage {
                input: Some(700),
                ..CACHED
            },
            hint,
            "anthropic",
        );
        assert_eq!((equal.usage.total_input(), equal.accounting), (700, hint));
    }
}

#[test]
fn a_total_that_holds_the_parts_proves_they_are_beside_the_input() {
    let total = |total| ReportedUsage {
        total: Some(total),
        ..CACHED
    };
    assert_eq!(
        read(total(1_750), Accounting::Spec, "x").accounting,
        Accounting::ArithmeticExclusive
    );
    assert_eq!(
        read(total(1_050), Accounting::Spec, "x").accounting,
        Accounting::Spec
    );
    assert_eq!(
        read(total(1_750), Accounting::EmitterInclusive, "x").accounting,
        Accounting::EmitterInclusive
    );
    let also_reasoning = ReportedUsage {
        reasoning: Some(700),
        ..total(1_750)
    };
    assert_eq!(
        read(also_reasoning, Accounting::Spec, "x").accounting,
        Accounting::Spec
    );
}

#[test]
fn google_leaves_thoughts_out_of_the_output() {
    let reported = ReportedUsage {
        input: Some(100),
        output: Some(20),
        total: Some(150),
        ..ReportedUsage::default()
    };
    let normal = read(reported, Accounting::Spec, "gcp.gemini");
    assert_eq!(
        classes(&normal),
        [("input", 100), ("output", 20), ("reasoning", 30)]
    );
    assert!(normal.flags.contains(Flag::ReasoningAdded));
    let said = read(
        ReportedUsage {
            reasoning: Some(30),
            ..reported
        },
        Accounting::Spec,
        "vertex_ai",
    );
    assert_eq!(classes(&said), classes(&normal));
    let inside = read(
        ReportedUsage {
            output: Some(50),
            reasoning: Some(30),
            total: Some(160),
            ..reported
        },
        Accounting::Spec,
        "google",
    );
    assert_eq!(
        classes(&inside),
        [("input", 100), ("output", 20), ("reasoning", 30)]
    );
    let only_thoughts = read(
        ReportedUsage {
            output: None,
            ..reported
        },
        Accounting::Spec,
        "google",
    );
    assert_eq!(classes(&only_thoughts), [("input", 100), ("reasoning", 50)]);
    let other = read(reported, Accounting::Spec, "openai");
    assert_eq!(other.usage.total_output(), 20);
}

#[test]
fn reasoning_is_beside_the_output_when_the_total_says_so() {
    let reported = ReportedUsage {
        input: Some(100),
        output: Some(20),
        reasoning: Some(15),
        total: Some(135),
        ..ReportedUsage::default()
    };
    for provider in ["x_ai", "openrouter", "a gateway"] {
        let raw = read(reported, Accounting::Spec, provider);
        assert_eq!(
            classes(&raw),
            [("input", 100), ("output", 20), ("reasoning", 15)]
        );
    }
    let folded = read(
        ReportedUsage {
            total: Some(120),
            ..reported
        },
        Accounting::Spec,
        "xai",
    );
    assert_eq!(
        classes(&folded),
        [("input", 100), ("output", 5), ("reasoning", 15)]
    );
    assert_eq!(folded.flags, Flags::default());
}

#[test]
fn parts_are_cut_down_to_their_whole() {
    let reported = ReportedUsage {
        input: Some(100),
        output: Some(10),
        cache_read: Some(40),
        cache_write: Some(20),
        cache_write_1h: Some(30),
        audio_in: Some(90),
        cache_read_audio: Some(50),
        reasoning: Some(25),
        ..ReportedUsage::default()
    };
    let normal = read(reported, Accounting::Spec, "openai");
    assert_eq!(
        classes(&normal),
        [
            ("cache_write_1h", 20),
            ("audio_in", 40),
            ("cache_read_audio", 40),
            ("reasoning", 10)
        ]
    );
    assert!(normal.flags.contains(Flag::Clamped));
}

#[test]
fn disjoint_classes_stay_as_they_are() {
    let normal = read(
        ReportedUsage {
            cache_write_1h: Some(9),
            ..CACHED
        },
        Accounting::Disjoint,
        "anthropic",
    );
    assert_eq!(
        classes(&normal),
        [
            ("input", 1_000),
            ("cache_read", 600),
            ("cache_write", 100),
            ("cache_write_1h", 9),
            ("output", 50)
        ]
    );
    let only_1h = ReportedUsage {
        cache_write: None,
        cache_write_1h: Some(9),
        ..CACHED
    };
    assert_eq!(
        read(only_1h, Accounting::Disjoint, "anthropic")
            .usage
            .total_input(),
        1_609
    );
}

fn tokens() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        2 => Just(None),
        4 => (0_u64..2_000).prop_map(Some),
        1 => (0..=MAX_TOKENS).prop_map(Some),
        1 => any::<u64>().prop_map(Some),
    ]
}

fn reported() -> impl Strategy<Value = ReportedUsage> {
    proptest::array::uniform13(tokens()).prop_map(|n| ReportedUsage {
        input: n[0],
        output: n[1],
        total: n[2],
        cache_read: n[3],
        cache_write: n[4],
        cache_write_1h: n[5],
        reasoning: n[6],
        audio_in: n[7],
        cache_read_audio: n[8],
        image_in: n[9],
        video_in: n[10],
        audio_out: n[11],
        image_out: n[12],
        counters: [0; 6],
    })
}

fn hint() -> impl Strategy<Value = Accounting> {
    prop_oneof![
        Just(Accounting::Spec),
        Just(Accounting::EmitterInclusive),
        Just(Accounting::EmitterExclusive),
    ]
}

fn bounded(tokens: Option<u64>) -> u64 {
    tokens.unwrap_or(0).min(MAX_TOKENS)
}

proptest! {
    #[test]
    fn classes_add_up_to_the_totals(
        reported in reported(),
        hint in hint(),
        provider in prop_oneof![Just("openai"), Just("gcp.gemini"), Just("x_ai")],
    ) {
        let Some(normal) = normalise(&reported, hint, Some(provider)) else { return Ok(()) };
        let cached = bounded(reported.cache_read) + bounded(reported.cache_write.or(reported.cache_write_1h));
        let exclusive = matches!(normal.accounting, Accounting::EmitterExclusive | Accounting::ArithmeticExclusive);
        let input = bounded(reported.input) + if exclusive { cached } else { 0 };
        prop_assert_eq!(normal.usage.total_input(), input);

        let output = normal.usage.total_output();
        if normal.flags.contains(Flag::ReasoningAdded) {
            prop_assert_eq!(output + input, bounded(reported.total));
            prop_assert!(normal.usage.get(TokenClass::Reasoning) >= output - bounded(reported.output));
        } else if reported.output.is_some() {
            prop_assert_eq!(output, bounded(reported.output));
        }
    }

    #[test]
    fn unclamped_parts_are_kept(reported in reported(), hint in hint()) {
        let Some(normal) = normalise(&reported, hint, None) else { return Ok(()) };
        if normal.flags.contains(Flag::Clamped) {
            return Ok(());
        }
        let get = |class| normal.usage.get(class);
        prop_assert_eq!(get(TokenClass::CacheRead) + get(TokenClass::CacheReadAudio), bounded(reported.cache_read));
        prop_assert_eq!(get(TokenClass::Reasoning), bounded(reported.reasoning));
        prop_assert_eq!(get(TokenClass::ImageIn), bounded(reported.image_in));
    }

    #[test]
    fn disjoint_usage_is_the_sum_of_its_fields(reported in reported()) {
        let Some(normal) = normalise(&reported, Accounting::Disjoint, None) else { return Ok(()) };
        let fields = [
            reported.input, reported.output, reported.cache_read, reported.cache_write, reported.cache_write_1h,
            reported.reasoning, reported.audio_in, reported.cache_read_audio, reported.image_in,
            reported.video_in, reported.audio_out, reported.image_out,
        ];
        prop_assert_eq!(normal.usage.total(), fields.into_iter().map(bounded).sum::<u64>());
    }
}
