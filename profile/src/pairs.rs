//! Emitters whose spans of one call lie in different traces, or side by side in one.
//!
//! The outer emitter does not make its span current while the inner one runs, so the two spans of
//! a call are not parent and child, and the outer one has no response id to join by.

/// One listed pair. Names are instrumentation scope names; an inner name that ends in `.` stands for all that begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Farther from the provider.
    pub outer: &'static str,
    /// Nearer to the provider.
    pub inner: &'static str,
    /// Microseconds that may lie between the two spans if they do not overlap.
    pub gap_us: i64,
    /// Where the pair was recorded: library, scenario, and what was seen there.
    pub seen: &'static str,
}

/// Spans of one process that overlap: room for clock adjustment only.
const OVERLAPS: i64 = 1_000_000;

/// The outer span is written after the stream has been read, first loading whatever it needs to
/// describe it: 0.41 s after the end of the inner one was recorded.
const AFTER_STREAM: i64 = 10_000_000;

/// All listed pairs.
///
/// No emitter is the inner one of a pair and the outer one of another.
pub const PAIRS: [Pair; 8] = [
    Pair {
        outer: "openinference.instrumentation.langchain",
        inner: "openinference.instrumentation.openai",
        gap_us: OVERLAPS,
        seen: "openinference-langchain/dup-openai-{agent,chain}: ChatCompletion in a trace of its own beside ChatOpenAI",
    },
    Pair {
        outer: "openinference.instrumentation.langchain",
        inner: "com.anthropic.sdk.",
        gap_us: OVERLAPS,
        seen: "openinference-langchain/anthropic: the SDK's span in a trace of its own beside ChatAnthropic",
    },
    Pair {
        outer: "openinference.instrumentation.anthropic",
        inner: "com.anthropic.sdk.",
        gap_us: AFTER_STREAM,
        seen: "openinference-anthropic/stream: messages.stream and the SDK's span in two traces; the outer has no response id",
    },
    Pair {
        outer: "logfire.anthropic",
        inner: "com.anthropic.sdk.",
        gap_us: AFTER_STREAM,
        seen: "logfire-anthropic/stream: `streaming response from` of no length, written after the SDK's span has ended",
    },
    Pair {
        outer: "langsmith",
        inner: "com.anthropic.sdk.",
        gap_us: AFTER_STREAM,
        seen: "langsmith-otel/anthropic: the SDK's span in a trace of its own beside ChatAnthropic",
    },
    Pair {
        outer: "opentelemetry.instrumentation.langchain",
        inner: "com.anthropic.sdk.",
        gap_us: OVERLAPS,
        seen: "traceloop-langchain/anthropic: the SDK's span in a trace of its own beside ChatAnthropic.chat",
    },
    Pair {
        outer: "opentelemetry.instrumentation.langchain",
        inner: "opentelemetry.instrumentation.openai.v1",
        gap_us: AFTER_STREAM,
        seen: "traceloop-langchain/stream: openai.response of the Responses API beside ChatOpenAI.chat",
    },
    Pair {
        outer: "opentelemetry.instrumentation.anthropic",
        inner: "com.anthropic.sdk.",
        gap_us: AFTER_STREAM,
        seen: "traceloop-anthropic/stream: without a parent the two spans of a call are two traces",
    },
];

/// The scope name of an emitter `name@version`.
pub(crate) fn scope_name(emitter: &str) -> &str {
    emitter.rsplit_once('@').map_or(emitter, |(name, _)| name)
}

impl Pair {
    pub(crate) fn is_outer(&self, scope: &str) -> bool {
        scope == self.outer
    }

    pub(crate) fn is_inner(&self, scope: &str) -> bool {
        scope == self.inner || (self.inner.ends_with('.') && scope.starts_with(self.inner))
    }
}

/// Whether some pair names this scope as its outer and as its inner one.
#[must_use]
pub fn sides(scope: &str) -> (bool, bool) {
    let any = |is: fn(&Pair, &str) -> bool| PAIRS.iter().any(|pair| is(pair, scope));
    (any(Pair::is_outer), any(Pair::is_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_emitter_is_on_both_sides() {
        for pair in &PAIRS {
            assert!(!sides(pair.outer).1, "{}", pair.seen);
        }
    }

    #[test]
    fn scopes_are_matched_whole_or_by_their_listed_beginning() {
        assert_ne!(
            sides(scope_name("com.anthropic.sdk.python.bedrock@2.12.0")),
            (false, false)
        );
        assert_ne!(sides(scope_name("logfire.anthropic@5.2.0")), (false, false));
        assert_eq!(
            sides(scope_name(
                "openinference.instrumentation.openai_agents@2.6.0"
            )),
            (false, false)
        );
        assert_eq!(
            sides(scope_name("com.anthropic.claude_code.tracing@1.0.0")),
            (false, false)
        );
        assert_eq!(sides(scope_name("")), (false, false));
        assert_eq!(
            scope_name("@arizeai/openinference-instrumentation-openai@4.2.7"),
            "@arizeai/openinference-instrumentation-openai"
        );
    }
}
