//! Compressed bodies, honest and hostile.

use std::{borrow::Cow, io::Write};

use costflame_collector::decode::{Encoding, InflateError, inflate};
use flate2::{Compression, write::GzEncoder};

const LIMIT: usize = 1 << 20;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("a Vec grows");
    encoder.finish().expect("a Vec grows")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(body, 3).expect("a Vec grows")
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * index / 7) as u8).collect()
}

#[test]
fn encodings_are_read_from_headers() {
    for (header, encoding) in [
        ("", Some(Encoding::Identity)),
        ("identity", Some(Encoding::Identity)),
        ("gzip", Some(Encoding::Gzip)),
        ("X-GZIP", Some(Encoding::Gzip)),
        (" zstd ", Some(Encoding::Zstd)),
        ("br", None),
        ("gzip, gzip", None),
    ] {
        assert_eq!(Encoding::from_header(header), encoding, "{header}");
    }
}

#[test]
fn bodies_survive() {
    for length in [1, 100, 16 << 10, (16 << 10) + 1, LIMIT - 1, LIMIT] {
        let body = text(length);
        assert_eq!(inflate(Encoding::Gzip, &gzip(&body), LIMIT).unwrap(), body);
        assert_eq!(inflate(Encoding::Zstd, &zstd(&body), LIMIT).unwrap(), body);
        assert!(matches!(
            inflate(Encoding::Identity, &body, LIMIT).unwrap(),
            Cow::Borrowed(_)
        ));
    }
}

#[test]
fn several_members_are_one_body() {
    let members = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(
        inflate(Encoding::Gzip, &members, LIMIT).unwrap(),
        b"one two".as_slice()
    );
    let frames = [zstd(b"one "), zstd(b"two")].concat();
    assert_eq!(
        inflate(Encoding::Zstd, &frames, LIMIT).unwrap(),
        b"one two".as_slice()
    );
}

#[test]
fn empty_body_is_an_empty_request() {
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        assert_eq!(inflate(encoding, b"", LIMIT).unwrap(), b"".as_slice());
    }
    assert_eq!(
        inflate(Encoding::Gzip, &gzip(b""), LIMIT).unwrap(),
        b"".as_slice()
    );
}

#[test]
fn one_byte_above_the_bound_is_too_large() {
    let body = text(LIMIT + 1);
    for (encoding, bytes) in [
        (Encoding::Identity, body.clone()),
        (Encoding::Gzip, gzip(&body)),
        (Encoding::Zstd, zstd(&body)),
    ] {
        let error = inflate(encoding, &bytes, LIMIT).unwrap_err();
        assert!(error.is_too_large() && !error.is_retryable());
        assert_eq!(
            error.to_string(),
            "the request has more than 1048576 bytes when inflated"
        );
    }
}

#[test]
fn what_is_not_of_the_encoding_is_refused() {
    let (gzip, zstd) = (gzip(&text(1000)), zstd(&text(1000)));
    for (encoding, bytes) in [
        (Encoding::Gzip, b"not gzip at all".to_vec()),
        (Encoding::Gzip, gzip[..gzip.len() - 1].to_vec()),
        (Encoding::Gzip, gzip[..20].to_vec()),
        (Encoding::Gzip, [gzip.as_slice(), b"tail"].concat()),
        (Encoding::Zstd, b"not zstd at all".to_vec()),
        (Encoding::Zstd, zstd[..zstd.len() - 1].to_vec()),
        (Encoding::Zstd, [zstd.as_slice(), b"tail"].concat()),
    ] {
        let error = inflate(encoding, &bytes, LIMIT).unwrap_err();
        assert!(matches!(error, InflateError::Corrupt { .. }), "{error}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("the body is not valid {}: ", encoding.label())),
            "{error}"
        );
    }
}

#[test]
fn zstd_frame_that_asks_for_a_huge_window_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(b"small").unwrap();
    encoder.flush().unwrap();
    let error = inflate(Encoding::Zstd, &encoder.finish().unwrap(), LIMIT).unwrap_err();
    assert!(error.to_string().contains("too much memory"), "{error}");
}
