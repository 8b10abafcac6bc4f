//! The protobuf wire format over a byte slice: no allocation, no recursion, no panic.
//!
//! Rules: <https://protobuf.dev/programming-guides/encoding/>.

use thiserror::Error;

/// Groups are deprecated and unknown to OTLP; they are skipped up to this nesting.
const GROUP_DEPTH: usize = 16;

/// The wire type that ends a group.
const END_GROUP: u8 = 4;

/// Bytes that are not protobuf, or not of the expected message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("byte {offset}: {fault}")]
pub struct WireError {
    /// Position in the request, from 0.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The message ends inside a number.
    #[error("the message ends inside a number")]
    Truncated,
    /// More than ten bytes, or more than 64 bits.
    #[error("a variable-length integer does not fit 64 bits")]
    VarintTooLong,
    /// A length runs past the end of its message.
    #[error("a length of {length} bytes where only {left} are left")]
    LengthBeyondEnd {
        /// What the length says.
        length: u64,
        /// What is there.
        left: usize,
    },
    /// Field number 0 or above 2^29 - 1.
    #[error("field number {0} is not valid")]
    FieldNumber(u64),
    /// Wire types 6 and 7 do not exist.
    #[error("wire type {0} does not exist")]
    WireType(u8),
    /// A group that is not closed, closed without being open, or nested too deeply.
    #[error("a group is unbalanced or nested too deeply")]
    Group,
    /// A known field with the wire type of another type.
    #[error("field {number} has the wrong wire type, {expected} was expected")]
    Mismatch {
        /// Field number.
        number: u32,
        /// The type this field has in OTLP.
        expected: &'static str,
    },
}

/// Reads the fields of one message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Where the message ends in the request.
    end: usize,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Field number, 1 to 2^29 - 1.
    pub number: u32,
    payload: Payload<'a>,
    offset: usize,
}

#[derive(Clone, Copy, Debug)]
enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Length(Reader<'a>),
    Fixed32(u32),
}

// Reading is inlined: returned through memory, a field costs twice the time.
impl<'a> Reader<'a> {
    /// Reads a whole message; offsets in errors count from its first byte.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        Self {
            rest: message,
            end: message.len(),
        }
    }

    /// What has not been read yet.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field, `None` at the end. Groups are checked and skipped.
    ///
    /// # Errors
    /// The bytes at this place are not protobuf.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        while !self.rest.is_empty() {
            let offset = self.offset();
            let (number, wire_type) = self.tag()?;
            let payload = match wire_type {
                0 => Payload::Varint(self.read_varint()?),
                1 => Payload::Fixed64(self.read_fixed64()?),
                2 => Payload::Length(self.length_delimited()?),
                3 => {
                    self.skip_group(number, offset)?;
                    continue;
                }
                5 => Payload::Fixed32(u32::from_le_bytes(self.array()?)),
                other => return Err(bad_wire_type(other, offset)),
            };
            return Ok(Some(Field {
                number,
                payload,
                offset,
            }));
        }
        Ok(None)
    }

    /// Where the unread rest begins in the request.
    pub(crate) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u8), WireError> {
        let offset = self.offset();
        let tag = self.read_varint()?;
        match u32::try_from(tag >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => Ok((number, (tag & 7) as u8)),
            _ => Err(WireError {
                offset,
                fault: Fault::FieldNumber(tag >> 3),
            }),
        }
    }

    #[inline(always)]
    pub(super) fn read_varint(&mut self) -> Result<u64, WireError> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.advance(index + 1);
                return Ok(value);
            }
        }
        let fault = if self.rest.len() < 10 {
            Fault::Truncated
        } else {
            Fault::VarintTooLong
        };
        Err(WireError {
            offset: self.offset(),
            fault,
        })
    }

    #[inline(always)]
    pub(super) fn read_fixed64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(WireError {
                offset: self.offset(),
                fault: Fault::Truncated,
            });
        };
        self.rest = rest;
        Ok(*array)
    }

    #[inline(always)]
    fn length_delimited(&mut self) -> Result<Self, WireError> {
        let offset = self.offset();
        let length = self.read_varint()?;
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let Some((content, rest)) = split else {
            return Err(WireError {
                offset,
                fault: Fault::LengthBeyondEnd {
                    length,
                    left: self.rest.len(),
                },
            });
        };
        self.rest = rest;
        Ok(Self {
            rest: content,
            end: self.offset(),
        })
    }

    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    #[cold]
    fn skip_group(&mut self, number: u32, offset: usize) -> Result<(), WireError> {
        let unbalanced = WireError {
            offset,
            fault: Fault::Group,
        };
        let mut open = [0; GROUP_DEPTH];
        let mut depth = 1;
        open[0] = number;
        while depth > 0 {
            if self.rest.is_empty() {
                return Err(unbalanced);
            }
            let at = self.offset();
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => {
                    self.read_varint()?;
                }
                1 => {
                    self.array::<8>()?;
                }
                2 => {
                    self.length_delimited()?;
                }
                3 => {
                    *open.get_mut(depth).ok_or(unbalanced)? = number;
                    depth += 1;
                }
                END_GROUP if open[depth - 1] == number => depth -= 1,
                5 => {
                    self.array::<4>()?;
                }
                other => return Err(bad_wire_type(other, at)),
            }
        }
        Ok(())
    }
}

#[cold]
fn bad_wire_type(wire_type: u8, offset: usize) -> WireError {
    let fault = if wire_type == END_GROUP {
        Fault::Group
    } else {
        Fault::WireType(wire_type)
    };
    WireError { offset, fault }
}

impl<'a> Field<'a> {
    /// Where its tag begins in the request.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Whether this is a message, string, bytes or packed field.
    #[must_use]
    pub fn is_length_delimited(&self) -> bool {
        matches!(self.payload, Payload::Length(_))
    }

    /// The content of a message, string or bytes field.
    ///
    /// # Errors
    /// The field is not length-delimited.
    #[inline]
    pub fn message(&self) -> Result<Reader<'a>, WireError> {
        match self.payload {
            Payload::Length(reader) => Ok(reader),
            _ => Err(self.mismatch("a message, string or bytes")),
        }
    }

    /// The bytes of a message, string or bytes field.
    ///
    /// # Errors
    /// The field is not length-delimited.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], WireError> {
        self.message().map(|reader| reader.rest)
    }

    /// An integer, bool or enum.
    ///
    /// # Errors
    /// The field is not a varint.
    #[inline]
    pub fn varint(&self) -> Result<u64, WireError> {
        match self.payload {
            Payload::Varint(value) => Ok(value),
            _ => Err(self.mismatch("a variable-length integer")),
        }
    }

    /// A fixed64, sfixed64 or the bits of a double.
    ///
    /// # Errors
    /// The field does not have eight bytes.
    #[inline]
    pub fn fixed64(&self) -> Result<u64, WireError> {
        match self.payload {
            Payload::Fixed64(value) => Ok(value),
            _ => Err(self.mismatch("eight bytes")),
        }
    }

    /// A fixed32.
    ///
    /// # Errors
    /// The field does not have four bytes.
    #[inline]
    pub fn fixed32(&self) -> Result<u32, WireError> {
        match self.payload {
            Payload::Fixed32(value) => Ok(value),
            _ => Err(self.mismatch("four bytes")),
        }
    }

    #[cold]
    fn mismatch(&self, expected: &'static str) -> WireError {
        WireError {
            offset: self.offset,
            fault: Fault::Mismatch {
                number: self.number,
                expected,
            },
        }
    }
}
