//! A server that speaks OTLP over HTTP and gRPC, does as it is told and remembers what it took.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, header},
};
use costflame_collector::decode::{Encoding, inflate};
use http_body_util::{BodyExt as _, Full};
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Mood {
    /// Taken.
    Take,
    /// An HTTP status, perhaps with a delay.
    Say(u16, Option<&'static str>),
    /// A gRPC status, perhaps with a delay.
    SayGrpc(Code, Option<Duration>),
    /// Taken, with this body.
    Answer(Vec<u8>),
    /// Sent elsewhere.
    Redirect(String),
    /// Never.
    Hang,
}

/// A request that was taken, decompressed.
#[derive(Clone, Debug)]
pub struct Taken {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Inner {
    /// What the next requests meet; then `always`.
    next: VecDeque<Mood>,
    always: Option<Mood>,
    taken: Vec<Taken>,
    asked: usize,
}

/// Cloning shares it.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

impl Backend {
    pub async fn start() -> Self {
        Self::serve_at(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn serve_at(listener: TcpListener) -> Self {
        let backend = Self {
            inner: Arc::default(),
            address: listener.local_addr().unwrap(),
        };
        let router = backend.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        backend
    }

    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the next requests meet.
    pub fn next(&self, moods: impl IntoIterator<Item = Mood>) {
        self.inner.lock().unwrap().next.extend(moods);
    }

    /// What all others meet.
    pub fn always(&self, mood: Mood) {
        self.inner.lock().unwrap().always = Some(mood);
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.inner.lock().unwrap().taken.clone()
    }

    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.taken().into_iter().map(|taken| taken.body).collect()
    }

    /// Requests it has seen, taken or not.
    pub fn asked(&self) -> usize {
        self.inner.lock().unwrap().asked
    }

    pub async fn has(&self, count: usize) -> Vec<Taken> {
        crate::common::until(|| self.taken().len() >= count).await;
        self.taken()
    }
}

async fn answer(State(backend): State<Backend>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let is_grpc = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let mood = {
        let mut inner = backend.inner.lock().unwrap();
        inner.asked += 1;
        let always = inner.always.clone().unwrap_or(Mood::Take);
        inner.next.pop_front().unwrap_or(always)
    };
    let message = match mood {
        Mood::Hang => std::future::pending().await,
        Mood::Say(status, delay) => {
            let mut response = Response::builder().status(status);
            if let Some(delay) = delay {
                response = response.header(header::RETRY_AFTER, delay);
            }
            return response.body(Body::from("not now")).unwrap();
        }
        Mood::SayGrpc(code, delay) => {
            let mut details = ErrorDetails::new();
            if delay.is_some() {
                details.set_retry_info(delay);
            }
            return Status::with_error_details(code, "not now", details).into_http();
        }
        Mood::Redirect(url) => {
            let response = Response::builder()
                .status(307)
                .header(header::LOCATION, url);
            return response.body(Body::empty()).unwrap();
        }
        Mood::Take => Vec::new(),
        Mood::Answer(body) => body,
    };
    let (name, packed) = match is_grpc {
        true => ("grpc-encoding", &body[5..]),
        false => ("content-encoding", &body[..]),
    };
    let encoding = head
        .headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap());
    let encoding = match is_grpc && body[0] == 0 {
        true => Encoding::Identity,
        false => Encoding::from_header(encoding).unwrap(),
    };
    let inflated = inflate(encoding, packed, usize::MAX / 2)
        .unwrap()
        .into_owned();
    backend.inner.lock().unwrap().taken.push(Taken {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: inflated,
    });
    if is_grpc {
        let framed = [&[0], &(message.len() as u32).to_be_bytes()[..], &message].concat();
        let trailers = HeaderMap::from_iter([(
            header::HeaderName::from_static("grpc-status"),
            header::HeaderValue::from_static("0"),
        )]);
        let body = Full::from(framed).with_trailers(std::future::ready(Some(Ok(trailers))));
        let response = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
        return response.body(Body::new(body)).unwrap();
    }
    Response::new(Body::from(message))
}
