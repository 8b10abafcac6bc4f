//! From the stored bytes of a request to those that are sent.

use std::io::{self, Write as _};

use costflame_profile::Signal;

use super::{config::Compression, outgoing::ZSTD};
use crate::{
    decode::{Encoding, InflateError, inflate, protobuf_to_json, wire::WireError},
    receive::Format,
};

/// Why a stored request cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Inflate(#[from] InflateError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Compress(#[from] io::Error),
}

/// The request as received, of `raw_bytes` bytes.
pub(crate) fn unpack(codec: u8, stored: Vec<u8>, raw_bytes: usize) -> Result<Vec<u8>, BodyError> {
    if codec != ZSTD {
        return Ok(stored);
    }
    Ok(inflate(Encoding::Zstd, &stored, raw_bytes)?.into_owned())
}

/// The request as it is sent.
pub(crate) fn encode(
    signal: Signal,
    request: Vec<u8>,
    format: Format,
    compression: Compression,
) -> Result<Vec<u8>, BodyError> {
    let message = match format {
        Format::Protobuf => request,
        Format::Json => protobuf_to_json(signal, &request)?,
    };
    Ok(match compression {
        Compression::None => message,
        Compression::Zstd => zstd::bulk::compress(&message, zstd::DEFAULT_COMPRESSION_LEVEL)?,
        Compression::Gzip => {
            let fast = flate2::Compression::fast();
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::with_capacity(message.len() / 4), fast);
            encoder.write_all(&message)?;
            encoder.finish()?
        }
    })
}
