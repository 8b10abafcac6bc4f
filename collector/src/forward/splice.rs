//! Changes spans inside the bytes of an export request: attributes are added or spans left out, and every other byte
//! stays, unknown fields included. Only the lengths of the messages around a change are written anew.

use costflame_profile::{SpanId, TraceId};

use crate::decode::wire::{Reader, WireError};

/// Field numbers from the request down to its spans, and to its log records.
const PATH: [u32; 3] = [1, 2, 2];

/// The field of a span that holds its attributes.
pub(crate) const ATTRIBUTES: u32 = 9;

/// A span inside a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawSpan<'a> {
    /// `None` if it is missing or of another length.
    pub(crate) id: Option<(TraceId, SpanId)>,
    /// As sent, nanoseconds since 1970 UTC.
    pub(crate) start: u64,
    message: Reader<'a>,
}

/// What becomes of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It stays.
    Keep,
    /// Encoded fields are added at its end.
    Append(Vec<u8>),
    /// It is left out, and what is empty then.
    Drop,
}

/// What became of a message.
enum Change {
    Same,
    Content(Vec<u8>),
    Gone,
}

impl<'a> RawSpan<'a> {
    fn read(message: Reader<'a>) -> Result<Self, WireError> {
        let (mut trace, mut span, mut start) = (None, None, 0);
        let mut fields = message;
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => trace = field.bytes()?.try_into().ok(),
                2 => span = field.bytes()?.try_into().ok(),
                7 => start = field.fixed64()?,
                _ => {}
            }
        }
        let id = trace.map(TraceId).zip(span.map(SpanId));
        Ok(Self { id, start, message })
    }

    /// Whether it has an attribute of this name.
    pub(crate) fn has_attribute(&self, key: &str) -> bool {
        let mut fields = self.message;
        while let Ok(Some(field)) = fields.next_field() {
            if field.number == ATTRIBUTES && field.message().is_ok_and(|entry| has_key(entry, key))
            {
                return true;
            }
        }
        false
    }
}

fn has_key(mut entry: Reader<'_>, key: &str) -> bool {
    while let Ok(Some(field)) = entry.next_field() {
        if field.number == 1 {
            return field.bytes().is_ok_and(|name| name == key.as_bytes());
        }
    }
    false
}

/// Hands every span of an export request to `visit`.
///
/// # Errors
/// The bytes are not the protobuf of traces.
pub(crate) fn visit_spans<'a>(
    request: &'a [u8],
    mut visit: impl FnMut(&RawSpan<'a>),
) -> Result<(), WireError> {
    let mut visit = |message| {
        visit(&RawSpan::read(message)?);
        Ok(Edit::Keep)
    };
    descend(Reader::new(request), &PATH, &mut visit).map(drop)
}

/// The request with its spans edited; `None` when no span is left.
///
/// # Errors
/// The bytes are not the protobuf of traces.
pub(crate) fn edit_spans<'a>(
    request: &'a [u8],
    mut edit: impl FnMut(&RawSpan<'a>) -> Edit,
) -> Result<Option<Vec<u8>>, WireError> {
    edit_items(request, |message| Ok(edit(&RawSpan::read(message)?)))
}

/// The request with its spans, or its log records, edited; `None` when none is left.
///
/// # Errors
/// The bytes are not the protobuf of traces or logs, or `edit` cannot read one of them.
pub(crate) fn edit_items<'a>(
    request: &'a [u8],
    mut edit: impl FnMut(Reader<'a>) -> Result<Edit, WireError>,
) -> Result<Option<Vec<u8>>, WireError> {
    Ok(match descend(Reader::new(request), &PATH, &mut edit)? {
        Change::Same => Some(request.to_vec()),
        Change::Content(content) => Some(content),
        Change::Gone => None,
    })
}

fn descend<'a>(
    message: Reader<'a>,
    path: &[u32],
    edit: &mut impl FnMut(Reader<'a>) -> Result<Edit, WireError>,
) -> Result<Change, WireError> {
    let Some((&number, below)) = path.split_first() else {
        return Ok(match edit(message)? {
            Edit::Keep => Change::Same,
            Edit::Drop => Change::Gone,
            Edit::Append(fields) => Change::Content([message.bytes(), &fields].concat()),
        });
    };
    let bytes = message.bytes();
    let base = message.offset();
    let mut fields = message;
    let mut out = Vec::new();
    // How far `bytes` is in `out`, as it was or changed.
    let mut done = 0;
    let (mut kept, mut changed) = (false, false);
    while let Some(field) = fields.next_field()? {
        if field.number != number {
            continue;
        }
        let content = field.message()?;
        let (start, end) = (field.offset() - base, fields.offset() - base);
        let change = descend(content, below, edit)?;
        kept |= !matches!(change, Change::Gone);
        if matches!(change, Change::Same) {
            continue;
        }
        if !changed {
            out.reserve(bytes.len() + bytes.len() / 8);
            changed = true;
        }
        out.extend_from_slice(&bytes[done..start]);
        if let Change::Content(new) = change {
            let head = &bytes[start..end - content.bytes().len()];
            write_field(head, &new, &mut out);
        }
        done = end;
    }
    if !changed {
        return Ok(Change::Same);
    }
    if !kept {
        return Ok(Change::Gone);
    }
    out.extend_from_slice(&bytes[done..]);
    Ok(Change::Content(out))
}

/// Writes a field with new content behind its old tag; its length takes as many bytes as before, if it can.
fn write_field(head: &[u8], content: &[u8], out: &mut Vec<u8>) {
    let tag = 1 + head
        .iter()
        .position(|byte| *byte < 0x80)
        .expect("a field begins with a tag that ends");
    out.extend_from_slice(&head[..tag]);
    let mut width = head.len() - tag;
    let mut length = content.len();
    while length >= 0x80 || width > 1 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
        width = width.saturating_sub(1);
    }
    out.push(length as u8);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A field of a message as some emitter might write it.
    fn field(number: u32, wide: bool, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut out);
        let length = content.len();
        assert!(length < 1 << 21, "three bytes are enough for the tests");
        if wide {
            // Longer than needed, as writers that reserve room for a length do.
            out.extend([
                length as u8 | 0x80,
                (length >> 7) as u8 | 0x80,
                (length >> 14) as u8,
            ]);
        } else {
            prost::encoding::encode_varint(length as u64, &mut out);
        }
        out.extend(content);
        out
    }

    /// Fields that nobody knows: a group, numbers, bytes.
    fn unknown() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(Vec::new()),
            Just(vec![0xa3, 0x06, 0x08, 0x01, 0xa4, 0x06]),
            Just(vec![0xa0, 0x06, 0x96, 0x01]),
            Just(vec![0xa5, 0x06, 1, 2, 3, 4]),
            proptest::collection::vec(any::<u8>(), 0..200)
                .prop_map(|bytes| field(100, false, &bytes)),
        ]
    }

    prop_compose! {
        fn span()(id in any::<[u8; 8]>(), before in unknown(), after in unknown(),
                  text in proptest::collection::vec(any::<u8>(), 0..300), wide in any::<bool>()) -> Vec<u8> {
            let content = [
                before, field(1, false, &[7; 16]), field(5, wide, &text), field(2, false, &id), after,
            ].concat();
            field(2, wide, &content)
        }
    }

    fn message(
        number: u32,
        parts: impl Strategy<Value = Vec<u8>> + 'static,
    ) -> impl Strategy<Value = Vec<u8>> {
        let parts = proptest::collection::vec(
            prop_oneof![4 => parts.boxed(), 1 => unknown().boxed()],
            0..4,
        );
        (parts, any::<bool>()).prop_map(move |(parts, wide)| field(number, wide, &parts.concat()))
    }

    fn request() -> impl Strategy<Value = Vec<u8>> {
        let resources = message(1, message(2, span()));
        proptest::collection::vec(
            prop_oneof![4 => resources.boxed(), 1 => unknown().boxed()],
            0..3,
        )
        .prop_map(|parts| parts.concat())
    }

    /// The spans of a request, byte for byte.
    fn spans(request: &[u8]) -> Vec<Vec<u8>> {
        let mut spans = Vec::new();
        visit_spans(request, |span| spans.push(span.message.bytes().to_vec())).unwrap();
        spans
    }

    /// Cuts a suffix off every span that has it and writes the lengths anew.
    fn without(request: &[u8], path: &[u32], suffix: &[u8]) -> Vec<u8> {
        let Some((&number, below)) = path.split_first() else {
            return request.strip_suffix(suffix).unwrap_or(request).to_vec();
        };
        let mut reader = Reader::new(request);
        let (mut out, mut done) = (Vec::new(), 0);
        while let Some(field) = reader.next_field().unwrap() {
            if field.number == number {
                let content = field.bytes().unwrap();
                let new = without(content, below, suffix);
                out.extend(&request[done..field.offset()]);
                write_field(
                    &request[field.offset()..reader.offset() - content.len()],
                    &new,
                    &mut out,
                );
                done = reader.offset();
            }
        }
        out.extend(&request[done..]);
        out
    }

    proptest! {
        #[test]
        fn what_was_added_can_be_taken_away(request in request(), every in 1..4_usize, size in 0..400_usize) {
            let added = field(ATTRIBUTES, false, &vec![0xfe; size]);
            let mut number = 0;
            let edited = edit_spans(&request, |_| {
                number += 1;
                if number % every == 0 { Edit::Append(added.clone()) } else { Edit::Keep }
            }).unwrap().expect("nothing was dropped");
            for (index, (new, old)) in spans(&edited).iter().zip(spans(&request)).enumerate() {
                let expected = if (index + 1) % every == 0 { [&old[..], &added].concat() } else { old };
                prop_assert_eq!(new, &expected);
            }
            // Lengths that grew by a byte stay that long, so both are read, not compared, where they differ.
            let back = without(&edited, &PATH, &added);
            if back.len() == request.len() {
                prop_assert_eq!(back, request);
            } else {
                prop_assert_eq!(spans(&back), spans(&request));
            }
        }

        #[test]
        fn keeping_everything_changes_no_byte(request in request()) {
            prop_assert_eq!(edit_spans(&request, |_| Edit::Keep).unwrap(), Some(request));
        }

        #[test]
        fn dropped_spans_are_gone_and_the_others_stay(request in request(), every in 1..4_usize) {
            let mut number = 0;
            let edited = edit_spans(&request, |_| {
                number += 1;
                if number % every == 0 { Edit::Drop } else { Edit::Keep }
            }).unwrap();
            let left: Vec<_> = spans(&request).into_iter().enumerate()
                .filter(|(index, _)| (index + 1) % every != 0)
                .map(|(_, span)| span).collect();
            prop_assert_eq!(edited.map_or(Vec::new(), |edited| spans(&edited)), left);
        }
    }

    #[test]
    fn a_request_without_a_span_left_is_nothing() {
        let span = field(2, false, &field(5, false, b"name"));
        let request = field(1, false, &field(2, false, &span));
        assert_eq!(edit_spans(&request, |_| Edit::Drop).unwrap(), None);
    }

    #[test]
    fn ids_of_another_length_are_none() {
        let span = field(
            2,
            false,
            &[field(1, false, &[1; 15]), field(2, false, &[1; 8])].concat(),
        );
        let request = field(1, false, &field(2, false, &span));
        visit_spans(&request, |span| assert_eq!(span.id, None)).unwrap();
    }
}
