//! Logs and metrics: checked and counted.

use costflame_profile::Signal;

use super::{
    check::{check, count_records as count},
    limits::Limits,
    outcome::DecodeError,
    schema::{LOGS, METRICS, Message, TRACES},
    wire::Reader,
};

/// The request message of a signal.
pub(super) fn request_of(signal: Signal) -> &'static Message {
    match signal {
        Signal::Span => &TRACES,
        Signal::Log => &LOGS,
        Signal::Metric => &METRICS,
    }
}

/// Checks an export request of any signal to its leaves and counts its spans, log records or metric data points.
/// Takes no memory.
///
/// # Errors
/// The body is not the protobuf of this signal, or has more bytes than a request may have.
pub fn count_records(signal: Signal, body: &[u8], limits: &Limits) -> Result<usize, DecodeError> {
    limits.check_size(body.len())?;
    let request = request_of(signal);
    let records = count(request, body, usize::MAX)?;
    check(request, Reader::new(body), limits.depth())?;
    Ok(records)
}
