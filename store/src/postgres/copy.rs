//! The binary format of `COPY … FROM STDIN`, written in one pass into one buffer.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.55.9.4>

use crate::clean::clean_str;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// A `COPY` stream under construction.
pub(super) struct CopyBuffer {
    bytes: Vec<u8>,
    columns: i16,
}

impl CopyBuffer {
    /// A stream of rows with `columns` fields; `capacity` in bytes.
    pub(super) fn new(columns: i16, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(SIGNATURE);
        bytes.extend_from_slice(&[0; 8]); // no flags, no header extension
        Self { bytes, columns }
    }

    /// A stream for `rows` rows of about `width` bytes; `None` if there are none.
    pub(super) fn of(rows: usize, columns: usize, width: usize) -> Option<Self> {
        (rows > 0).then(|| Self::new(columns as i16, rows * width))
    }

    /// Opens the next row; exactly `columns` fields must follow.
    pub(super) fn row(&mut self) {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
    }

    pub(super) fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.fixed(value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.fixed(value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.fixed(value.to_be_bytes());
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.fixed([u8::from(value)]);
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(clean_str(value).as_bytes());
    }

    pub(super) fn optional<T: ?Sized>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&mut Self, &T),
    ) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// `jsonb`, from JSON text without NUL.
    pub(super) fn jsonb(&mut self, json: &str) {
        self.packed(|bytes| {
            bytes.push(1); // version of the binary form
            bytes.extend_from_slice(json.as_bytes());
        });
    }

    /// A field whose length is known after it is written.
    pub(super) fn packed(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write(&mut self.bytes);
        let length = self.bytes.len() - start - 4;
        self.bytes[start..start + 4].copy_from_slice(&be_length(length));
    }

    /// A `numeric` without fraction: base 10,000 digits, most significant first.
    pub(super) fn numeric(&mut self, value: i128) {
        let mut digits = [0_i16; 10];
        let mut rest = value.unsigned_abs();
        let mut used = 0;
        while rest > 0 {
            digits[used] = (rest % 10_000) as i16;
            rest /= 10_000;
            used += 1;
        }
        let sign: i16 = if value < 0 { 0x4000 } else { 0 };
        let weight = if used == 0 { 0 } else { used as i16 - 1 };
        self.length(8 + 2 * used);
        for part in [used as i16, weight, sign, 0] {
            self.bytes.extend_from_slice(&part.to_be_bytes());
        }
        for digit in digits[..used].iter().rev() {
            self.bytes.extend_from_slice(&digit.to_be_bytes());
        }
    }

    /// The finished stream.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        self.bytes
    }

    fn fixed<const N: usize>(&mut self, value: [u8; N]) {
        self.length(N);
        self.bytes.extend_from_slice(&value);
    }

    fn length(&mut self, length: usize) {
        self.bytes.extend_from_slice(&be_length(length));
    }
}

fn be_length(length: usize) -> [u8; 4] {
    i32::try_from(length)
        .expect("a field is bounded far below 2 GiB by the receiver")
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(value: i128) -> Vec<u8> {
        let mut buffer = CopyBuffer::new(1, 0);
        let start = buffer.bytes.len();
        buffer.numeric(value);
        buffer.bytes[start..].to_vec()
    }

    #[test]
    fn writes_numeric_digits() {
        assert_eq!(numeric(0), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            numeric(-10_002),
            [0, 0, 0, 12, 0, 2, 0, 1, 0x40, 0, 0, 0, 0, 1, 0, 2]
        );
    }

    #[test]
    fn holds_the_largest_sums() {
        assert_eq!(numeric(i128::MIN).len(), 4 + 8 + 2 * 10);
    }
}
