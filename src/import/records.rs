//! The OTLP requests in a file: JSON lines, or messages behind a four-byte big-endian length; the
//! whole file or single messages compressed.
//!
//! Formats: the Collector's file exporter, `format` and `compression` in its README.

use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;

use super::Signal;

/// Largest single request that is read, as the receiver would refuse a larger one.
const MAX_RECORD: u64 = 64 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// One OTLP request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its place in the file, from 1.
    pub(super) number: u64,
    /// Where it ends, in decompressed bytes of the file.
    pub(super) end: u64,
    pub(super) signal: Signal,
    pub(super) json: bool,
    pub(super) body: Vec<u8>,
}

/// Reads a file record by record.
pub(super) struct Records {
    input: Box<dyn BufRead + Send>,
    lines: bool,
    signal: Signal,
    number: u64,
    end: u64,
    failed: bool,
}

impl Records {
    /// Looks at the head of `file`; `signal` is what protobuf messages are.
    pub(super) fn open(file: impl Read + Send + 'static, signal: Signal) -> Result<Self> {
        let mut input = decompressed(file)?;
        let lines = matches!(input.fill_buf()?.first(), Some(b'{' | b'\n' | b'\r' | b' '));
        Ok(Self {
            input,
            lines,
            signal,
            number: 0,
            end: 0,
            failed: false,
        })
    }

    fn read(&mut self) -> Result<Option<Record>> {
        let body = if self.lines {
            self.line()?
        } else {
            self.message()?
        };
        let Some(body) = body else { return Ok(None) };
        self.number += 1;
        let json = body.first() == Some(&b'{');
        let signal = if json { signal_of(&body)? } else { self.signal };
        Ok(Some(Record {
            number: self.number,
            end: self.end,
            signal,
            json,
            body,
        }))
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            let read = self
                .input
                .by_ref()
                .take(MAX_RECORD)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(None);
            }
            self.end += read as u64;
            if read as u64 == MAX_RECORD && line.last() != Some(&b'\n') {
                bail!("record {} is longer than 64 MiB", self.number + 1);
            }
            let body = line.trim_ascii();
            if !body.is_empty() {
                return Ok(Some(body.to_vec()));
            }
        }
    }

    fn message(&mut self) -> Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        match self.input.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let length = u64::from(u32::from_be_bytes(length));
        if length > MAX_RECORD {
            bail!(
                "record {} claims {length} bytes: neither JSON lines nor length-prefixed messages of the file exporter",
                self.number + 1
            );
        }
        let mut body = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            bail!("the file ends within record {}", self.number + 1);
        }
        self.end += 4 + length;
        if body.starts_with(&ZSTD) {
            body = inflate(&body).with_context(|| format!("record {}", self.number + 1))?;
        }
        Ok(Some(body))
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let record = self.read().transpose();
        self.failed = matches!(record, Some(Err(_)));
        record
    }
}

fn decompressed(file: impl Read + Send + 'static) -> Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(1 << 18, file);
    let head = file.fill_buf()?;
    if head.starts_with(&GZIP) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(file))));
    }
    if head.starts_with(&ZSTD) {
        return Ok(Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?)));
    }
    Ok(Box::new(file))
}

fn inflate(body: &[u8]) -> Result<Vec<u8>> {
    let mut inflated = Vec::new();
    let limited = zstd::Decoder::new(Cursor::new(body))?
        .take(MAX_RECORD + 1)
        .read_to_end(&mut inflated)?;
    if limited as u64 > MAX_RECORD {
        bail!("it is larger than 64 MiB");
    }
    Ok(inflated)
}

/// Which signal a JSON request is: its first key says so.
fn signal_of(body: &[u8]) -> Result<Signal> {
    let head = String::from_utf8_lossy(&body[..body.len().min(256)]);
    let key = head.split('"').nth(1).unwrap_or_default();
    Ok(match key {
        "resourceSpans" | "resource_spans" => Signal::Traces,
        "resourceLogs" | "resource_logs" => Signal::Logs,
        "resourceMetrics" | "resource_metrics" => Signal::Metrics,
        other => bail!(
            "`{other}` is no OTLP request: expected resourceSpans, resourceLogs or resourceMetrics"
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TRACES: &str = r#"{"resourceSpans":[]}"#;
    const LOGS: &str = r#"{"resourceLogs":[]}"#;

    fn all(file: Vec<u8>) -> Vec<Record> {
        Records::open(Cursor::new(file), Signal::Traces)
            .expect("opens")
            .map(|record| record.expect("reads"))
            .collect()
    }

    fn framed(bodies: &[&[u8]]) -> Vec<u8> {
        let mut file = Vec::new();
        for body in bodies {
            file.extend(u32::try_from(body.len()).expect("small").to_be_bytes());
            file.extend(*body);
        }
        file
    }

    #[test]
    fn json_lines_name_their_signal_and_their_end() {
        let records = all(format!("{TRACES}\n\n{LOGS}").into_bytes());
        let seen: Vec<_> = records
            .iter()
            .map(|record| (record.signal, record.json, record.end))
            .collect();
        assert_eq!(seen, [(Signal::Traces, true, 21), (Signal::Logs, true, 41)]);
    }

    #[test]
    fn protobuf_messages_stand_behind_their_length() {
        let records = all(framed(&[&[10, 0], &[10, 0, 10, 0]]));
        assert_eq!(
            records
                .iter()
                .map(|record| record.body.len())
                .collect::<Vec<_>>(),
            [2, 4]
        );
        assert!(
            records
                .iter()
                .all(|record| !record.json && record.signal == Signal::Traces)
        );
        assert_eq!(records[1].end, 14);
    }

    #[test]
    fn whole_files_and_single_messages_may_be_compressed() {
        let plain = all(format!("{TRACES}\n{LOGS}\n").into_bytes());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(format!("{TRACES}\n{LOGS}\n").as_bytes())
            .expect("memory");
        assert_eq!(all(gzip.finish().expect("memory")), plain);
        let zstd = zstd::encode_all(format!("{TRACES}\n{LOGS}\n").as_bytes(), 1).expect("memory");
        assert_eq!(all(zstd), plain);
        let message = zstd::encode_all(TRACES.as_bytes(), 1).expect("memory");
        let records = all(framed(&[&message]));
        assert_eq!(records[0].body, TRACES.as_bytes());
        assert!(records[0].json);
    }

    #[test]
    fn anything_else_is_an_error_that_says_so() {
        let error = |file: Vec<u8>| {
            let mut records = Records::open(Cursor::new(file), Signal::Traces).expect("opens");
            let error = records.find_map(Result::err).expect("an error").to_string();
            assert!(records.next().is_none(), "nothing is read behind an error");
            error
        };
        assert!(error(b"hello, this is no telemetry".to_vec()).contains("neither JSON lines"));
        assert!(error(framed(&[&[1, 2, 3]])[..6].to_vec()).contains("ends within record 1"));
        assert!(error(br#"{"spans":[]}"#.to_vec()).contains("`spans`"));
    }
}
