//! `/login/openid`: the way to an OpenID provider and back. Both are visited by the browser itself, so that what goes wrong is told by
//! the login page.

use axum::{
    extract::{RawQuery, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use costflame_access::{Login, OpenId, openid::OpenIdError};
use utoipa::IntoParams;

use crate::api::{
    door::Peer,
    error::{ApiError, ErrorBody},
    state::ApiState,
};

/// Where to begin.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is taken from the query string")]
pub(super) struct DepartParams {
    /// The page that the browser comes back for, from its first slash.
    to: Option<String>,
}

/// What a provider sends a browser back with.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is taken from the query string")]
pub(super) struct ArriveParams {
    /// What binds it to the browser.
    state: Option<String>,
    /// What is worth a login.
    code: Option<String>,
    /// The provider.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Sends the browser to the provider.
#[utoipa::path(get, path = "/login/openid", params(DepartParams), responses(
    (status = 303, description = "To the provider, or to the login page, which says what went wrong."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn depart(
    State(api): State<ApiState>,
    Peer(peer): Peer,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let (login, openid) = provider(&api)?;
    let query = query.unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let to = pairs.find(|(key, _)| key == "to");
    let to = to.map_or_else(|| "/".into(), |(_, to)| to);
    match openid.depart(login, &to, peer).await {
        Ok(departure) => redirect(&departure.location, &[departure.cookie]),
        Err(error) => in_vain(&error, Some(&to), &[]),
    }
}

/// Takes the browser that comes back from the provider: begins a session, whatever it showed before.
#[utoipa::path(get, path = "/login/openid/callback", params(ArriveParams), responses(
    (status = 303, description = "To the page that was wanted, or to the login page, which says what went wrong."),
    (status = "default", body = ErrorBody),
))]
pub(super) async fn arrive(
    State(api): State<ApiState>,
    Peer(peer): Peer,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (login, openid) = provider(&api)?;
    let query = query.unwrap_or_default();
    let over = openid.over();
    match openid.arrive(login, &query, &headers, peer).await {
        Ok(arrival) => redirect(&arrival.to, &[arrival.cookie, over]),
        Err(error) => in_vain(&error, openid.wanted(&headers).as_deref(), &[over]),
    }
}

fn provider(api: &ApiState) -> Result<(&Login, &OpenId), ApiError> {
    let missing = || ApiError::NotFound("There is no OpenID provider here.".to_owned());
    let login = api.login.as_deref().ok_or_else(missing)?;
    Ok((login, api.openid.as_deref().ok_or_else(missing)?))
}

/// To the login page. It follows no address but one of this place.
fn in_vain(
    error: &OpenIdError,
    to: Option<&str>,
    cookies: &[HeaderValue],
) -> Result<Response, ApiError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("error", error.code());
    if let Some(to) = to.filter(|to| *to != "/") {
        query.append_pair("to", to);
    }
    redirect(&format!("/login?{}", query.finish()), cookies)
}

fn redirect(to: &str, cookies: &[HeaderValue]) -> Result<Response, ApiError> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    let to = HeaderValue::try_from(to).map_err(|_| ApiError::Internal)?;
    headers.insert(LOCATION, to);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie.clone());
    }
    Ok(response)
}
