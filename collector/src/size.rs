//! Sizes as people write them.

/// Reads `65536`, `512KiB`, `64MiB` or `2GiB`.
///
/// # Errors
/// What was expected instead.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let expected = || "expected a size such as 65536, 512KiB or 64MiB".to_owned();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor: usize = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(expected()),
    };
    let number: usize = digits.parse().map_err(|_| expected())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "the size does not fit this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_name_what_they_expect() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1000"), Ok(1000));
        assert!(parse_size("64MB").unwrap_err().contains("64MiB"));
        assert!(parse_size("99999999999999GiB").is_err());
    }
}
