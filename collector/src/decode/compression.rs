//! Inflating a request, stopping at the bound: a bomb costs no more than an honest request.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

/// Window that a zstd frame may ask for, as a power of two: 32 MiB. The highest level of common emitters uses 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 25;

/// Least memory taken at once.
const FIRST_CHUNK: usize = 16 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// One or more gzip members.
    Gzip,
    /// One or more zstd frames.
    Zstd,
}

impl Encoding {
    /// Reads a `Content-Encoding` or `grpc-encoding`; `None` for one that is not supported.
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        let value = value.trim();
        let is = |name: &str| value.eq_ignore_ascii_case(name);
        if value.is_empty() || is("identity") {
            Some(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// The name in a header and as a metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Why a body cannot be inflated. None may be retried: the same bytes fail again.
#[derive(Debug, Error)]
pub enum InflateError {
    /// More bytes than the bound. HTTP 413, gRPC `RESOURCE_EXHAUSTED` without retry information.
    #[error("the request has more than {limit} bytes when inflated")]
    TooLarge {
        /// The bound in bytes.
        limit: usize,
    },
    /// Not of the encoding that was announced, or cut off. HTTP 400, gRPC `INVALID_ARGUMENT`.
    #[error("the body is not valid {encoding}: {source}")]
    Corrupt {
        /// What was announced.
        encoding: &'static str,
        /// What the decompressor says.
        source: io::Error,
    },
}

impl InflateError {
    /// Whether the client may send the same bytes again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// Whether the bound was hit rather than the format.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}

/// Inflates a body to at most `limit` bytes; one that is not compressed is borrowed.
///
/// # Errors
/// More bytes than the bound, or bytes that are not of this encoding.
pub fn inflate(
    encoding: Encoding,
    body: &[u8],
    limit: usize,
) -> Result<Cow<'_, [u8]>, InflateError> {
    let inflated = match encoding {
        Encoding::Identity if body.len() > limit => return Err(InflateError::TooLarge { limit }),
        Encoding::Identity => return Ok(Cow::Borrowed(body)),
        // An empty body is an empty request, whatever the header says.
        _ if body.is_empty() => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => read_at_most(MultiGzDecoder::new(body), limit),
        Encoding::Zstd => zstd_decoder(body).and_then(|decoder| read_at_most(decoder, limit)),
    };
    match inflated {
        Ok(Some(bytes)) => Ok(Cow::Owned(bytes)),
        Ok(None) => Err(InflateError::TooLarge { limit }),
        Err(source) => Err(InflateError::Corrupt {
            encoding: encoding.label(),
            source,
        }),
    }
}

fn zstd_decoder(body: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// Reads to the end, `None` if that is beyond the limit. The buffer doubles, but never beyond the limit and one byte.
fn read_at_most(mut source: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    let mut filled = 0;
    while filled <= limit {
        if filled == out.len() {
            let size = (2 * filled).clamp(FIRST_CHUNK, limit.saturating_add(1).max(FIRST_CHUNK));
            out.reserve_exact(size - filled);
            out.resize(size, 0);
        }
        let read = source.read(&mut out[filled..])?;
        if read == 0 {
            out.truncate(filled);
            return Ok(Some(out));
        }
        filled += read;
    }
    Ok(None)
}
