//! OTLP in: two ports, one core.
//!
//! A request is read within its bounds ([`body`], [`budget`]) by the transport it came with
//! ([`http`], [`grpc`]); both hand bytes to the same [`Receiver`], which decodes, prices and commits
//! them ([`pipeline`]). What goes wrong is one [`Refusal`] that each transport puts in its own words.
//! Both ports speak both transports, since a wrong port is the commonest mistake of a setup.

mod body;
pub mod budget;
mod buffer;
pub mod config;
mod grpc;
mod http;
pub mod payload;
pub mod pipeline;
pub mod status;

pub use budget::{Budget, Reservation};
pub use config::{CommitConfig, ReceiverConfig};
pub(crate) use payload::{EXPORTS, Export};
pub use payload::{Format, Payload};
pub use pipeline::{Accepted, Receiver};
pub use status::Refusal;

use std::sync::Arc;

use axum::{Router, extract::Request, routing::any};
use costflame_access::Gate;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower_http::compression::CompressionLayer;

/// Every path of OTLP over both transports for whom `gate` lets in, and `grpc.health.v1` for everybody.
pub(crate) fn router(
    receiver: &Arc<Receiver>,
    gate: &Gate,
    health: HealthServer<impl Health>,
) -> Router {
    let gzip = CompressionLayer::new().no_br().no_deflate().no_zstd();
    let mut router = Router::new();
    for export in EXPORTS {
        let (over_http, over_grpc) = (receiver.clone(), receiver.clone());
        let (http_gate, grpc_gate) = (gate.clone(), gate.clone());
        router = router
            .route(
                export.http_path,
                any(move |request: Request| async move {
                    http::export(&over_http, &http_gate, export, request).await
                })
                .layer(gzip.clone()),
            )
            .route(
                export.grpc_path,
                any(move |request: Request| async move {
                    grpc::export(&over_grpc, &grpc_gate, export, request).await
                }),
            );
    }
    let other = receiver.clone();
    router
        .route_service("/grpc.health.v1.Health/{*method}", health)
        .fallback(move |request: Request| async move {
            if grpc::is_grpc(request.headers()) {
                return grpc::unknown_method();
            }
            http::not_found(&other, request).await
        })
}
