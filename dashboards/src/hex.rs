//! Ids as hex digits.

/// Reads exactly `N` bytes, upper or lower case.
#[must_use]
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    read_vec(text)?.try_into().ok()
}

/// Reads any even number of digits.
#[must_use]
pub(crate) fn read_vec(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// Writes lower case digits.
#[must_use]
pub(crate) fn write(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let bytes: [u8; 256] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        assert_eq!(read(&write(&bytes)), Some(bytes));
        assert_eq!(read(&write(&bytes).to_uppercase()), Some(bytes));
        assert_eq!(read::<256>("00"), None);
        assert_eq!(read_vec("0"), None);
        assert_eq!(read_vec("0g"), None);
        assert_eq!(read_vec("€"), None);
    }
}
