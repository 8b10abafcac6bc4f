//! The provider: where it is, what its answers are worth.

use std::{
    error::Error,
    fmt::Debug,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AsyncHttpClient, AuthenticationFlow, AuthorizationCode,
    ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, DiscoveryError,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdToken, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse as _, UserInfoClaims,
    UserInfoError,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
        CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Fetch, FetchError, OpenIdConfig, OpenIdError,
    flow::{Answer, Flow},
    grants::{Person, says_enough},
};

/// How long what the provider says of itself holds: people log in rarely, and should hear at once that it is away.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The path that the provider sends browsers back to.
const CALLBACK: &str = "/api/v1/login/openid/callback";

/// Claims that the standard does not name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct OtherClaims(Map<String, Value>);

impl AdditionalClaims for OtherClaims {}

type Token = IdToken<
    OtherClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        OtherClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Client = openidconnect::Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// As the library wants it.
struct Asks(Fetch);

impl<'c> AsyncHttpClient<'c> for Asks {
    type Error = FetchError;
    type Future = BoxFuture<'c, Result<HttpResponse, FetchError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        (self.0)(request)
    }
}

/// A provider, found when it is needed.
pub(super) struct Provider {
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    config: OpenIdConfig,
    asks: Asks,
    found: Mutex<Option<(Instant, Client)>>,
}

impl Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.config.issuer)
    }
}

impl Provider {
    pub(super) fn new(config: OpenIdConfig, fetch: Fetch) -> Result<Self, String> {
        let issuer = IssuerUrl::new(config.issuer.clone());
        let redirect = RedirectUrl::new(format!("{}{CALLBACK}", config.public_url));
        Ok(Self {
            issuer: issuer.map_err(|_| "the issuer is no URL")?,
            redirect: redirect.map_err(|_| "the public URL is none")?,
            config,
            asks: Asks(fetch),
            found: Mutex::new(None),
        })
    }

    /// The address at which somebody logs in.
    pub(super) async fn authorize(&self, flow: &Flow) -> Result<String, OpenIdError> {
        let client = self.client().await?;
        let verifier = PkceCodeVerifier::new(flow.verifier());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (state, nonce) = (flow.state(), flow.nonce());
        let scopes = self.config.scopes.iter().cloned().map(Scope::new);
        let (url, _, _) = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        Ok(url.into())
    }

    /// Who somebody is, for a code. It is worth something once, for who began the flow.
    pub(super) async fn redeem(
        &self,
        flow: &Flow,
        answer: Answer,
        claim: &str,
    ) -> Result<Person, OpenIdError> {
        if answer
            .issuer
            .is_some_and(|issuer| issuer != self.config.issuer)
        {
            return Err(untrusted("the answer is from another issuer"));
        }
        let mut client = self.client().await?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(answer.code))
            .map_err(failed)?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier()))
            .request_async(&self.asks)
            .await
            .map_err(no_tokens)?;
        let token = tokens.id_token().ok_or_else(|| untrusted("no ID token"))?;
        let nonce = Nonce::new(flow.nonce());
        let mut verified = token.claims(&client.id_token_verifier(), &nonce);
        if let Err(ClaimsVerificationError::SignatureVerification(_)) = verified {
            // It may have changed its keys since.
            client = self.find().await?;
            verified = token.claims(&client.id_token_verifier(), &nonce);
        }
        let claims = verified.map_err(failed)?;
        belongs(&client, token, &tokens, claims.access_token_hash())?;
        let mut said = as_json(claims)?;
        // Many keep ID tokens small and tell the rest when asked.
        if !says_enough(&said, claim) && client.user_info_url().is_some() {
            let subject = Some(claims.subject().clone());
            let more: UserInfoClaims<OtherClaims, CoreGenderClaim> = client
                .user_info(tokens.access_token().clone(), subject)
                .map_err(failed)?
                .request_async(&self.asks)
                .await
                .map_err(no_user_info)?;
            add(&mut said, as_json(&more)?);
        }
        Ok(Person::of(&said, claim))
    }

    async fn client(&self) -> Result<Client, OpenIdError> {
        let known = self.lock().clone();
        match known {
            Some((since, client)) if since.elapsed() < REMEMBERED => Ok(client),
            _ => self.find().await,
        }
    }

    /// Asks the provider where its endpoints are, and for its keys.
    async fn find(&self) -> Result<Client, OpenIdError> {
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.asks).await;
        let metadata = metadata.map_err(|error| {
            tracing::warn!(error = chain(&error), "the OpenID provider cannot be found");
            match error {
                DiscoveryError::Request(_) | DiscoveryError::Response(..) => {
                    OpenIdError::Unreachable
                }
                _ => OpenIdError::Untrusted,
            }
        })?;
        let id = ClientId::new(self.config.client_id.clone());
        let secret = self.config.client_secret.clone();
        let secret = secret.map(|secret| ClientSecret::new(secret.0));
        let client = Client::from_provider_metadata(metadata, id, secret)
            .set_redirect_uri(self.redirect.clone());
        *self.lock() = Some((Instant::now(), client.clone()));
        Ok(client)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Client)>> {
        self.found
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Checks that the access token came with the ID token, if that says so.
fn belongs(
    client: &Client,
    token: &Token,
    tokens: &Tokens,
    expected: Option<&AccessTokenHash>,
) -> Result<(), OpenIdError> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let verifier = client.id_token_verifier();
    let key = token.signing_key(&verifier).map_err(failed)?;
    let algorithm = token.signing_alg().map_err(failed)?;
    let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
    if actual.map_err(failed)? != *expected {
        return Err(untrusted("the access token belongs to another ID token"));
    }
    Ok(())
}

fn as_json(claims: &impl Serialize) -> Result<Value, OpenIdError> {
    serde_json::to_value(claims).map_err(failed)
}

/// What the ID token says comes first: it is signed.
fn add(said: &mut Value, more: Value) {
    let (Value::Object(said), Value::Object(more)) = (said, more) else {
        return;
    };
    for (name, value) in more {
        said.entry(name).or_insert(value);
    }
}

fn no_tokens(
    error: RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>,
) -> OpenIdError {
    match error {
        RequestTokenError::Request(error) => unreachable(&error),
        // The rest of a parse error is a piece of the answer.
        RequestTokenError::Parse(..) => untrusted("the answer to a code is not understood"),
        error => failed(error),
    }
}

fn no_user_info(error: UserInfoError<FetchError>) -> OpenIdError {
    match error {
        UserInfoError::Request(error) => unreachable(&error),
        error => untrusted(&error.to_string().escape_debug().to_string()),
    }
}

fn unreachable(error: &FetchError) -> OpenIdError {
    tracing::warn!(error = chain(error), "the OpenID provider does not answer");
    OpenIdError::Unreachable
}

fn failed(error: impl Error) -> OpenIdError {
    untrusted(&chain(&error))
}

/// Why is for the log.
fn untrusted(why: &str) -> OpenIdError {
    tracing::warn!(error = why, "a login at the OpenID provider failed");
    OpenIdError::Untrusted
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.escape_debug().to_string()
}
