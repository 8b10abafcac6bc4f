//! Is this span a model call, an aggregate that repeats the usage of others, or plain?
//!
//! A span's way through here: its attributes are sorted into [`slots`], the first [`Dialect`] of the list that knows
//! the emitter or one of the keys reads them ([`evidence`] holds what all dialects share, [`emitters`] who counts what
//! inside what, [`usage_object`] usage written as text), [`frame`] names the box of the flamegraph,
//! [`attribution`] finds user, session and tags, [`above`] what lies above a span whose parents may never come, [`sampling`] how many
//! spans it stands for, `sent` takes fingerprints of what calls sent, and [`land`] makes the row that is stored.
//!
//! The next library is a new file: a table of its keys, its scopes and telltale keys, one function, and a line in
//! [`DIALECTS`].

pub mod attribution;
pub mod emitters;
pub mod evidence;
pub mod frame;
pub mod interner;
pub mod land;
pub mod slots;
pub mod usage_object;

mod above;
mod claude_code;
mod codex;
mod gemini_cli;
mod generic;
mod genkit;
mod google_adk;
mod guess;
mod haystack;
mod langfuse;
mod langsmith;
mod litellm;
mod log;
mod logfire;
mod mlflow;
mod openinference;
mod openlit;
mod openllmetry;
mod otel;
mod pydantic_ai;
mod sampling;
mod scan;
mod sent;
mod strands;
pub mod sum;
mod vercel;

#[cfg(test)]
mod field;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use attribution::is_user_key;
pub use evidence::{Evidence, ModelCall, Recognised};
pub use land::{Lander, land};
pub use slots::{Key, Slot, Slots};

use costflame_pricing::{Flag, ReportedUsage};
use costflame_profile::Role;

use crate::decode::{Scope, Span, Status};

/// One library's habits.
pub struct Dialect {
    /// Name shown to users.
    pub name: &'static str,
    /// Instrumentation scopes it reads; a `*` at the end stands for any rest.
    pub scopes: &'static [&'static str],
    /// Keys that only this library writes.
    pub telltales: &'static [&'static str],
    /// What its keys say; of several spellings of one thing the first wins.
    pub keys: &'static [Key],
    /// Reads a span of this library.
    pub read: for<'a> fn(&Evidence<'_, 'a>) -> Recognised<'a>,
}

/// Every dialect. The first that claims a span reads it, so the particular come before the general.
pub static DIALECTS: &[Dialect] = &[
    claude_code::DIALECT,
    codex::DIALECT,
    gemini_cli::DIALECT,
    vercel::DIALECT,
    langfuse::DIALECT,
    mlflow::DIALECT,
    logfire::DIALECT,
    pydantic_ai::DIALECT,
    litellm::DIALECT,
    openlit::DIALECT,
    strands::DIALECT,
    google_adk::DIALECT,
    haystack::DIALECT,
    genkit::DIALECT,
    langsmith::DIALECT,
    openinference::DIALECT,
    openllmetry::DIALECT,
    otel::DIALECT,
    generic::DIALECT,
];

/// Decides what a span is. Does not allocate.
#[must_use]
pub fn recognise<'a>(scope: &Scope<'a>, span: &Span<'a>, slots: &Slots<'a>) -> Recognised<'a> {
    if !slots.genai {
        return Recognised::step();
    }
    let Some(dialect) = DIALECTS
        .iter()
        .enumerate()
        .find(|(index, dialect)| claims(dialect, *index, scope, slots))
    else {
        return Recognised::step();
    };
    let dialect = dialect.1;
    let mut recognised = (dialect.read)(&Evidence { scope, span, slots });
    recognised.dialect = dialect.name;
    settle(recognised, span, slots)
}

fn claims(dialect: &Dialect, index: usize, scope: &Scope<'_>, slots: &Slots<'_>) -> bool {
    slots.telltales & (1 << index) != 0
        || dialect
            .scopes
            .iter()
            .any(|pattern| emitters::matches(pattern, scope.name))
}

/// What holds for every dialect: zero usage is no usage, and without usage there is nothing to aggregate.
fn settle<'a>(
    mut recognised: Recognised<'a>,
    span: &Span<'a>,
    slots: &Slots<'a>,
) -> Recognised<'a> {
    let Some(call) = &mut recognised.call else {
        return recognised;
    };
    if says_zero(&call.reported) {
        call.reported = ReportedUsage::default();
    }
    let has_usage = call.reported != ReportedUsage::default();
    if has_usage && span.status == Status::Error {
        call.flags.insert(Flag::FailedWithUsage);
    }
    if slots.bad_number {
        call.flags.insert(Flag::BadNumber);
    }
    if slots.guessed {
        call.flags.insert(Flag::Generic);
    }
    if recognised.role == Role::Aggregate {
        call.flags.insert(Flag::Aggregate);
        if !has_usage {
            (recognised.role, recognised.call) = (Role::Plain, None);
        }
    }
    recognised
}

/// Emitters fill in zeros when a request failed or a response carried no usage. A total alone does not say what is priced.
fn says_zero(said: &ReportedUsage) -> bool {
    let numbers = [
        said.input,
        said.output,
        said.cache_read,
        said.cache_write,
        said.cache_write_1h,
        said.reasoning,
        said.audio_in,
        said.cache_read_audio,
        said.image_in,
        said.video_in,
        said.audio_out,
        said.image_out,
    ];
    numbers.iter().all(|number| number.unwrap_or(0) == 0)
        && said.counters.iter().all(|units| *units == 0)
}
