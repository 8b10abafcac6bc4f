//! Structured logs on standard error.

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write},
};

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. `directives` is a level or a list such as `info,sqlx=warn`.
pub(crate) fn start(directives: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(directives).with_context(|| {
        format!("log must be a level or directives such as `info,sqlx=warn`, got `{directives}`")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(|| OneLine);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}

/// Standard error, where every event stays one line: what a peer says cannot look like an event of ours. Other control characters
/// are written out by the formatter.
struct OneLine;

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(&one_line(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// An event without line ends inside.
fn one_line(event: &[u8]) -> Cow<'_, [u8]> {
    let line = event.strip_suffix(b"\n").unwrap_or(event);
    if !line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Cow::Borrowed(event);
    }
    let mut out = Vec::with_capacity(event.len() + 8);
    for byte in line {
        match byte {
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            other => out.push(*other),
        }
    }
    out.push(b'\n');
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn an_event_is_a_line() {
        assert_eq!(&*one_line(b"plain\n"), b"plain\n");
        assert_eq!(
            &*one_line(b"a\r\nERROR forged\n\n"),
            b"a\\r\\nERROR forged\\n\n"
        );
    }
}
