//! Emitters whose spans of one call lie in different traces, or side by side in one.
//!
//! The outer emitter does not make its span current while the inner one runs, so the two spans of
//! a call are not parent and child, and the outer one has no response id to join by.

/// One listed pair. Names are instrumentation scope names, those of log records after `log:`; one that ends in `*` stands for
/// all that begin with what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Farther from the provider.
    pub outer: &'static str,
    /// Nearer to the provider.
    pub inner: &'static str,
    /// Microseconds that may lie between the two spans if they do not overlap.
    pub gap_us: i64,
    /// One is a log record written outside of any trace: the two are of one session instead of one process, the model
    /// may be missing from one of them, and so may parts of the usage.
    pub session: bool,
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
pub const PAIRS: [Pair; 11] = [
    Pair {
        outer: "openinference.instrumentation.langchain",
        inner: "openinference.instrumentation.openai",
        gap_us: OVERLAPS,
        session: false,
        seen: "openinference-langchain/dup-openai-{agent,chain}: ChatCompletion in a trace of its own beside ChatOpenAI",
    },
    Pair {
        outer: "openinference.instrumentation.langchain",
        inner: "com.anthropic.sdk.*",
        gap_us: OVERLAPS,
        session: false,
        seen: "openinference-langchain/anthropic: the SDK's span in a trace of its own beside ChatAnthropic",
    },
    Pair {
        outer: "openinference.instrumentation.anthropic",
        inner: "com.anthropic.sdk.*",
        gap_us: AFTER_STREAM,
        session: false,
        seen: "openinference-anthropic/stream: messages.stream and the SDK's span in two traces; the outer has no response id",
    },
    Pair {
        outer: "logfire.anthropic",
        inner: "com.anthropic.sdk.*",
        gap_us: AFTER_STREAM,
        session: false,
        seen: "logfire-anthropic/stream: `streaming response from` of no length, written after the SDK's span has ended",
    },
    Pair {
        outer: "langsmith",
        inner: "com.anthropic.sdk.*",
        gap_us: AFTER_STREAM,
        session: false,
        seen: "langsmith-otel/anthropic: the SDK's span in a trace of its own beside ChatAnthropic",
    },
    Pair {
        outer: "opentelemetry.instrumentation.langchain",
        inner: "com.anthropic.sdk.*",
        gap_us: OVERLAPS,
        session: false,
        seen: "traceloop-langchain/anthropic: the SDK's span in a trace of its own beside ChatAnthropic.chat",
    },
    Pair {
        outer: "opentelemetry.instrumentation.langchain",
        inner: "opentelemetry.instrumentation.openai.v1",
        gap_us: AFTER_STREAM,
        session: false,
        seen: "traceloop-langchain/stream: openai.response of the Responses API beside ChatOpenAI.chat",
    },
    Pair {
        outer: "opentelemetry.instrumentation.anthropic",
        inner: "com.anthropic.sdk.*",
        gap_us: AFTER_STREAM,
        session: false,
        seen: "traceloop-anthropic/stream: without a parent the two spans of a call are two traces",
    },
    Pair {
        outer: "gemini-cli",
        inner: "log:gemini-cli",
        gap_us: AFTER_STREAM,
        session: true,
        seen: "gemini-cli/errors: gemini_cli.api_response in no trace; llm_call without cached tokens and thoughts",
    },
    Pair {
        outer: "codex*",
        inner: "log:codex*",
        gap_us: AFTER_STREAM,
        session: true,
        seen: "codex/text: codex.sse_event in no trace; handle_responses without the model's name",
    },
    Pair {
        outer: "log:com.anthropic.claude_code*",
        inner: "com.anthropic.claude_code*",
        gap_us: AFTER_STREAM,
        session: true,
        seen: "claude-code/plain: api_request beside llm_request, in its trace unless logs go another way",
    },
];

/// The scope name of an emitter `name@version`.
pub(crate) fn scope_name(emitter: &str) -> &str {
    emitter.rsplit_once('@').map_or(emitter, |(name, _)| name)
}

impl Pair {
    pub(crate) fn is_outer(&self, scope: &str) -> bool {
        matches(self.outer, scope)
    }

    pub(crate) fn is_inner(&self, scope: &str) -> bool {
        matches(self.inner, scope)
    }
}

fn matches(pattern: &str, scope: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => scope.starts_with(start),
        None => scope == pattern,
    }
}

/// Before the scope name of a metric that sums the usage of calls.
pub(crate) const SUM: &str = "metric:";

/// Before the scope name of a call that such a sum may contain.
pub(crate) const TOLD: &str = "told:";

/// Coding agents that sum the usage of their sessions by metrics, too: where their scopes' names begin.
const SUMMED: [&str; 3] = ["com.anthropic.claude_code", "gemini-cli", "qwen-code"];

/// True for calls of a listed coding agent, `scope` as in [`Pair`].
pub(crate) fn is_summed(scope: &str) -> bool {
    let name = scope.strip_prefix("log:").unwrap_or(scope);
    SUMMED.iter().any(|agent| name.starts_with(agent))
}

/// True when the pairs of a scope are joined by session.
pub(crate) fn by_session(scope: &str) -> bool {
    PAIRS
        .iter()
        .any(|pair| pair.session && (pair.is_outer(scope) || pair.is_inner(scope)))
}

/// Whether some pair names this scope as its outer and as its inner one. Sums are outer, what they may contain inner.
#[must_use]
pub fn sides(scope: &str) -> (bool, bool) {
    let any = |is: fn(&Pair, &str) -> bool| PAIRS.iter().any(|pair| is(pair, scope));
    (
        scope.starts_with(SUM) || any(Pair::is_outer),
        scope.starts_with(TOLD) || any(Pair::is_inner),
    )
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
            (false, true)
        );
        assert_eq!(sides("log:codex_otel.log_only"), (false, true));
        assert_eq!(sides("codex_exec"), (true, false));
        assert_eq!(sides(scope_name("")), (false, false));
        assert_eq!(
            scope_name("@arizeai/openinference-instrumentation-openai@4.2.7"),
            "@arizeai/openinference-instrumentation-openai"
        );
    }
}
