//! Random texts.

/// So many random bytes in hexadecimal digits.
pub(crate) fn random_hex<const N: usize>() -> String {
    hex(&std::array::from_fn::<u8, N, _>(|_| rand::random()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is what [`random_hex`] writes.
pub(crate) fn is_hex(text: &str, bytes: usize) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 2 * bytes && text.as_bytes().iter().all(is_digit)
}
