//! The door of the API: who asks, for which project, in which role, and whether our own pages sent it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::request::Parts,
    middleware::Next,
    response::Response,
};
use costflame_access::{Denied, Hosts, Pass, now_us, origin, peer};
use costflame_store::{Act, Role};

use super::{error::ApiError, state::ApiState};

/// The query parameter that names a project.
pub(super) const PROJECT: &str = "project";

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or(ApiError::Internal)
    }
}

/// Refuses what is addressed to a name that is not ours.
pub(crate) async fn only_ours(
    State(hosts): State<Hosts>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !hosts.admit(request.uri(), request.headers()) {
        return Err(ApiError::Misdirected);
    }
    Ok(next.run(request).await)
}

/// Finds out who is at the other end.
pub(super) async fn look(
    State(api): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let socket: Option<&ConnectInfo<SocketAddr>> = request.extensions().get();
    let socket = socket.map_or(Ipv4Addr::LOCALHOST.into(), |socket| socket.0.ip());
    let peer = peer::client(socket, request.headers(), api.front.hops);
    request.extensions_mut().insert(Peer(peer));
    next.run(request).await
}

/// Lets in, or refuses, before anything else of the request is looked at.
pub(super) async fn admit(
    State(api): State<ApiState>,
    Peer(peer): Peer,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let pass = api.gate.admit_reader(request.headers(), peer).await?;
    if !pass.is_key() {
        check_origin(&api, &request)?;
    }
    let pass = match named_project(&request) {
        Some(name) => enter(&api, pass, &name).await?,
        None => pass,
    };
    request.extensions_mut().insert(pass);
    Ok(next.run(request).await)
}

/// For those who need not be let in.
pub(super) async fn own_pages(
    State(api): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    check_origin(&api, &request)?;
    Ok(next.run(request).await)
}

/// Keys need not prove it: no browser sends one by itself.
fn check_origin(api: &ApiState, request: &Request) -> Result<(), Denied> {
    let public = api.front.origin.as_deref();
    if request.method().is_safe() || origin::is_own(request.headers(), public) {
        return Ok(());
    }
    Err(Denied::ForeignOrigin)
}

fn named_project(request: &Request) -> Option<String> {
    let query = request.uri().query()?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, name) = pairs.find(|(key, value)| key == PROJECT && !value.is_empty())?;
    Some(name.into_owned())
}

/// A project that is not there and one they may not enter are the same to them.
async fn enter(api: &ApiState, pass: Pass, name: &str) -> Result<Pass, ApiError> {
    let projects = api.store.projects().await?;
    let found = projects.into_iter().find(|project| project.name == name);
    let pass = found.and_then(|project| pass.enter(project.id));
    pass.ok_or_else(|| ApiError::NotFound("There is no such project for you.".to_owned()))
}

/// Lets those in who may at least edit.
pub(super) async fn editors(request: Request, next: Next) -> Result<Response, ApiError> {
    in_role(Role::Editor, request, next).await
}

/// Lets admins in.
pub(super) async fn admins(request: Request, next: Next) -> Result<Response, ApiError> {
    in_role(Role::Admin, request, next).await
}

async fn in_role(role: Role, request: Request, next: Next) -> Result<Response, ApiError> {
    let pass: &Pass = request.extensions().get().ok_or(ApiError::Internal)?;
    pass.needs(role)?;
    Ok(next.run(request).await)
}

/// What somebody is about to do, for the audit log.
pub(super) fn act(
    pass: &Pass,
    Peer(peer): Peer,
    project: Option<i32>,
    act: &'static str,
    target: &str,
) -> Act {
    Act {
        at_us: now_us(),
        actor: pass.actor(),
        peer: peer.to_string(),
        project,
        act,
        target: target.to_owned(),
    }
}
