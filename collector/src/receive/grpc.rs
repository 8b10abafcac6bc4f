//! OTLP over gRPC.
//!
//! The three Export methods are unary: one length-prefixed message in, one out, status in the
//! trailers. They are read here rather than by tonic, which inflates a message before anything of
//! ours runs: the bound on decompressed bytes over all requests could not hold, and the walker
//! could not see the bytes as received. Status, details and health are tonic's.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header, request::Parts},
};
use bytes::{BufMut as _, Bytes, BytesMut};
use costflame_access::Gate;
use costflame_store::KeyScope;
use http_body_util::{BodyExt as _, Full};

use super::{
    Accepted, Export, Format, Payload, Receiver, Refusal,
    body::{self, Held, Promise},
    http,
};
use crate::decode::Encoding;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Compressed-flag and message length.
const PREFIX: usize = 5;

/// True for a request that wants a gRPC answer.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with("application/grpc"))
}

/// Answers one call.
pub(crate) async fn export(
    receiver: &Receiver,
    gate: &Gate,
    kind: Export,
    request: Request,
) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    if !is_grpc(&head.headers) {
        return http::refuse(
            receiver.body_limits(),
            &head,
            &mut body,
            &Refusal::UnsupportedType,
        )
        .await;
    }
    let answer = match gate.admit(&head.headers, KeyScope::Ingest) {
        Ok(pass) => accept(receiver, pass.project, kind, &head, &mut body).await,
        Err(denied) => Err(denied.into()),
    };
    let code = answer.as_ref().err().map_or(tonic::Code::Ok, Refusal::grpc);
    receiver
        .metrics()
        .answered("grpc", kind, format!("{code:?}"), answer.as_ref().err());
    match answer {
        Ok(accepted) => success(&accepted),
        Err(refusal) => refuse(&refusal),
    }
}

/// Answers a method that OTLP does not know.
pub(crate) fn unknown_method() -> Response<Body> {
    refuse(&Refusal::NotFound)
}

async fn accept(
    receiver: &Receiver,
    project: i32,
    kind: Export,
    head: &Parts,
    body: &mut Body,
) -> Result<Accepted, Refusal> {
    if head.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let declared = match head.headers.get(GRPC_ENCODING) {
        None => None,
        Some(value) => {
            let name = value.to_str().map_err(|_| Refusal::UnsupportedEncoding)?;
            Some(Encoding::from_header(name).ok_or(Refusal::UnsupportedEncoding)?)
        }
    };
    receiver.admit(project)?;
    let promise = Promise {
        frame: PREFIX,
        compressed: declared.is_some_and(|encoding| encoding != Encoding::Identity),
        length: framed_length,
    };
    let limits = receiver.body_limits();
    let Held { bytes, reservation } = body::read(body, promise, limits, receiver.budget()).await?;
    receiver.metrics().read_body("grpc", bytes.len());
    let (encoding, bytes) = unframe(bytes, declared)?;
    let held = Held { bytes, reservation };
    receiver
        .export(
            project,
            kind.signal,
            Payload {
                format: Format::Protobuf,
                encoding,
                held,
            },
        )
        .await
}

/// Bytes of the whole body, from the prefix of its message.
fn framed_length(first: &[u8]) -> Option<usize> {
    let [_, length @ ..] = *first.first_chunk::<PREFIX>()?;
    Some(PREFIX + u32::from_be_bytes(length) as usize)
}

/// The one message of a unary call.
fn unframe(body: Bytes, declared: Option<Encoding>) -> Result<(Encoding, Bytes), Refusal> {
    let invalid = |why: &str| Err(Refusal::invalid("malformed_grpc", why));
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX>() else {
        return invalid("the call carries no message");
    };
    let [flag, length @ ..] = *prefix;
    let encoding = match (flag, declared) {
        (0, _) => Encoding::Identity,
        (1, Some(encoding)) => encoding,
        (1, None) => return invalid("the message is compressed but grpc-encoding is missing"),
        _ => return invalid("the compressed-flag of the message is neither 0 nor 1"),
    };
    match rest.len().cmp(&(u32::from_be_bytes(length) as usize)) {
        std::cmp::Ordering::Less => invalid("the message is cut short"),
        std::cmp::Ordering::Greater => invalid("the call carries more than one message"),
        std::cmp::Ordering::Equal => Ok((encoding, body.slice(PREFIX..))),
    }
}

fn success(accepted: &Accepted) -> Response<Body> {
    let message = accepted.to_protobuf();
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("an answer is a bounded message"));
    framed.put_slice(&message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    with_encodings(response)
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    with_encodings(refusal.to_grpc().into_http())
}

fn with_encodings(mut response: Response<Body>) -> Response<Body> {
    let encodings = HeaderValue::from_static("identity,gzip,zstd");
    response
        .headers_mut()
        .insert(GRPC_ACCEPT_ENCODING, encodings);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_message_and_its_encoding() {
        let framed = Bytes::from_static(&[0, 0, 0, 0, 2, 7, 8]);
        let plain = unframe(framed.clone(), Some(Encoding::Gzip)).unwrap();
        assert_eq!(plain, (Encoding::Identity, Bytes::from_static(&[7, 8])));
        let packed = Bytes::from_static(&[1, 0, 0, 0, 1, 7]);
        assert_eq!(
            unframe(packed, Some(Encoding::Zstd)).unwrap().0,
            Encoding::Zstd
        );
        assert!(
            unframe(Bytes::from_static(&[0, 0, 0, 0, 0]), None)
                .unwrap()
                .1
                .is_empty()
        );
    }

    #[test]
    fn refuses_broken_framing() {
        let bodies: [&'static [u8]; 6] = [
            &[],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 2, 7],
            &[0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 0],
            &[1, 0, 0, 0, 0],
        ];
        for body in bodies {
            let refusal = unframe(Bytes::from_static(body), None).unwrap_err();
            assert!(
                matches!(refusal, Refusal::Invalid { .. }),
                "{body:?}: {refusal:?}"
            );
        }
    }
}
