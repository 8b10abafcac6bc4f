//! Packed columns: a call with its receipt, and attribution, as versioned postcard.

use std::sync::Arc;

use costflame_pricing::{Receipt, Usage, Usd, receipt::PACKED_BEFORE_ASKED};
use costflame_profile::{Attribution, Call, Span, Step, Text, Twin};
use serde::{Deserialize, Serialize};

use crate::{StoreError, call_row::OwnClaim};

/// First byte of every packed value. A new layout is a new number; old ones stay readable.
const VERSION: u8 = 2;

/// Receipts had two fields less, the last ones.
const BEFORE_ASKED: u8 = 1;

/// A call as stored: usage and cost are the receipt's, so they are written only without one.
#[derive(Serialize, Deserialize)]
struct Packed<Name, Priced> {
    operation: Option<Name>,
    provider: Option<Name>,
    request_model: Option<Name>,
    response_model: Option<Name>,
    response_id: Option<Name>,
    priced: Priced,
}

#[derive(Serialize)]
enum PricedRef<'a> {
    Receipt(&'a Receipt),
    Bare(&'a Usage, Option<Usd>),
}

#[derive(Deserialize)]
enum Priced {
    Receipt(Receipt),
    Bare(Usage, Option<Usd>),
}

/// Appends a call and its receipt.
pub(crate) fn write_call(call: &Call, receipt: Option<&Receipt>, out: &mut Vec<u8>) {
    let packed = Packed {
        operation: call.operation.as_deref(),
        provider: call.provider.as_deref(),
        request_model: call.request_model.as_deref(),
        response_model: call.response_model.as_deref(),
        response_id: call.response_id.as_deref(),
        priced: receipt.map_or(PricedRef::Bare(&call.usage, call.cost), PricedRef::Receipt),
    };
    write(&packed, out);
}

/// Reads what [`write_call`] wrote.
pub(crate) fn read_call(bytes: &[u8]) -> Result<(Call, Option<Receipt>), StoreError> {
    let packed: Packed<Text, Priced> = read("call", bytes)?;
    let (usage, cost, receipt) = match packed.priced {
        Priced::Receipt(receipt) => (receipt.usage, receipt.cost, Some(receipt)),
        Priced::Bare(usage, cost) => (usage, cost, None),
    };
    let call = Call {
        operation: packed.operation,
        provider: packed.provider,
        request_model: packed.request_model,
        response_model: packed.response_model,
        response_id: packed.response_id,
        usage,
        cost,
    };
    Ok((call, receipt))
}

/// Appends a receipt.
pub(crate) fn write_receipt(receipt: &Receipt, out: &mut Vec<u8>) {
    write(receipt, out);
}

/// Reads what [`write_receipt`] wrote.
pub(crate) fn read_receipt(bytes: &[u8]) -> Result<Receipt, StoreError> {
    read("receipt", bytes)
}

/// Appends the claims of a call.
pub(crate) fn write_claims(claims: &[OwnClaim], out: &mut Vec<u8>) {
    write(&claims, out);
}

/// Reads what [`write_claims`] wrote.
pub(crate) fn read_claims(bytes: &[u8]) -> Result<Vec<OwnClaim>, StoreError> {
    read("claims", bytes)
}

/// Appends changes of sums.
pub(crate) fn write_corrections(corrections: &impl Serialize, out: &mut Vec<u8>) {
    write(corrections, out);
}

/// Reads what [`write_corrections`] wrote.
pub(crate) fn read_corrections<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
) -> Result<T, StoreError> {
    read("corrections", bytes)
}

/// Appends what a claim by usage is compared by.
pub(crate) fn write_twin(twin: &Twin, out: &mut Vec<u8>) {
    write(twin, out);
}

/// Reads what [`write_twin`] wrote.
pub(crate) fn read_twin(bytes: &[u8]) -> Result<Twin, StoreError> {
    read("twin", bytes)
}

/// What `write` appends to an empty buffer.
pub(crate) fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    write(&mut out);
    out
}

/// Appends what a span says of itself and of what lies above it: `None` if nothing. The latter comes last and only where there is
/// something, so that the version before this one reads the rest.
pub(crate) fn write_said(span: &Span) -> Option<impl FnOnce(&mut Vec<u8>)> {
    let is_said = !(span.attribution.is_empty() && span.above.is_empty());
    is_said.then_some(move |out: &mut Vec<u8>| {
        write(&*span.attribution, out);
        if !span.above.is_empty() {
            append(&span.above, out);
        }
    })
}

/// Reads what [`write_said`] wrote.
pub(crate) fn read_said(bytes: &[u8]) -> Result<(Arc<Attribution>, Vec<Step>), StoreError> {
    let Some((&(VERSION | BEFORE_ASKED), said)) = bytes.split_first() else {
        return Err(StoreError::corrupt("attribution", "unknown version"));
    };
    let corrupt = |error| StoreError::corrupt("attribution", error);
    let (attribution, above) = postcard::take_from_bytes(said).map_err(corrupt)?;
    let above = if above.is_empty() {
        Vec::new()
    } else {
        postcard::from_bytes(above).map_err(corrupt)?
    };
    Ok((Arc::new(attribution), above))
}

fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    out.push(VERSION);
    append(value, out);
}

fn append(value: &impl Serialize, out: &mut Vec<u8>) {
    postcard::serialize_with_flavor(value, Sink(out))
        .expect("these types have no length that postcard cannot write");
}

fn read<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| StoreError::corrupt(what, error))
        }
        // Values without a receipt have not changed; what follows them is not read.
        Some((&BEFORE_ASKED, rest)) => {
            let bytes = [rest, &PACKED_BEFORE_ASKED].concat();
            postcard::from_bytes(&bytes).map_err(|error| StoreError::corrupt(what, error))
        }
        Some((version, _)) => Err(StoreError::corrupt(
            what,
            format_args!("unknown version {version}"),
        )),
        None => Err(StoreError::corrupt(what, "empty")),
    }
}

/// Appends to a buffer that the caller keeps.
struct Sink<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Sink<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_first_layout_are_read() {
        let call = Call {
            provider: Some("openai".into()),
            cost: Some(Usd(7)),
            ..Call::default()
        };
        let receipt = Receipt {
            cost: Some(Usd(7)),
            reported: Some(Usd(8)),
            ..Receipt::default()
        };
        let mut old = bytes(|out| write_call(&call, Some(&receipt), out));
        old[0] = BEFORE_ASKED;
        old.truncate(old.len() - PACKED_BEFORE_ASKED.len());
        assert_eq!(read_call(&old).unwrap(), (call.clone(), Some(receipt)));
        let mut bare = bytes(|out| write_call(&call, None, out));
        bare[0] = BEFORE_ASKED;
        assert_eq!(read_call(&bare).unwrap(), (call, None));
        assert!(read_call(&[9, 0]).is_err() && read_call(&[]).is_err());
    }

    #[test]
    fn what_lies_above_a_span_follows_what_older_versions_read() {
        let attribution = Attribution {
            user: Some("ann".into()),
            ..Attribution::default()
        };
        let mut bytes = bytes(|out| write(&attribution, out));
        for version in [VERSION, BEFORE_ASKED] {
            bytes[0] = version;
            let said = read_said(&bytes).unwrap();
            assert_eq!((&*said.0, said.1), (&attribution, Vec::new()));
        }
        let above = vec![Step {
            kind: costflame_profile::FrameKind::Agent,
            label: "planner".into(),
        }];
        append(&above, &mut bytes);
        assert_eq!(read_said(&bytes).unwrap().1, above);
        let older: Attribution = read("attribution", &bytes[..]).unwrap();
        assert_eq!(older, attribution);
        assert!(read_said(&[9, 0]).is_err() && read_said(&[]).is_err());
    }
}
