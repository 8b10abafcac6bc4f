//! What no single value can show.

use anyhow::{Result, bail};
use costflame_store::FEWEST_CALL_DAYS;

use super::ServeConfig;

impl ServeConfig {
    /// Checks every value beside the others.
    pub(crate) fn validate(&self) -> Result<()> {
        if !self.database_url.starts_with("sqlite:")
            && !self.database_url.starts_with("postgres://")
            && !self.database_url.starts_with("postgresql://")
        {
            bail!(
                "database_url must begin with sqlite:// or postgres://, got `{}`",
                scheme_of(&self.database_url)
            );
        }
        self.validate_tls()?;
        self.validate_addresses()?;
        if self.max_in_flight_bytes < self.max_request_bytes {
            bail!(
                "max_in_flight_bytes must be at least max_request_bytes, or the largest request could never be received"
            );
        }
        if self
            .keep_call_days()
            .is_some_and(|days| days < FEWEST_CALL_DAYS)
        {
            bail!(
                "keep_calls must be at least {FEWEST_CALL_DAYS} days: until then traces may change"
            );
        }
        if self.session_idle.is_zero() || self.session_lifetime < self.session_idle {
            bail!("session_idle must be more than nothing and at most session_lifetime");
        }
        self.oidc.validate(self)?;
        if self.proxy_hops > 0 && !self.behind_proxy {
            bail!("proxy_hops is for behind_proxy: without a proxy anybody writes x-forwarded-for");
        }
        if self.max_spans_per_request == 0 {
            bail!("max_spans_per_request must be at least 1");
        }
        if self.max_connections == 0 {
            bail!("max_connections must be at least 1");
        }
        Ok(())
    }

    fn validate_tls(&self) -> Result<()> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) => bail!("tls_key is missing: tls_certificate is of no use without"),
            (None, Some(_)) => bail!("tls_certificate is missing: tls_key is of no use without"),
            (None, None) if self.tls_client_ca.is_some() => {
                bail!(
                    "tls_client_ca needs tls_certificate and tls_key: without TLS nobody shows a certificate"
                )
            }
            _ => Ok(()),
        }
    }

    /// Who can be reached from elsewhere encrypts and asks who it is, or says that something in front does.
    fn validate_addresses(&self) -> Result<()> {
        let asks_senders = self.auth_required || self.tls_client_ca.is_some();
        for (key, address, asks) in [
            ("otlp_grpc_addr", self.otlp_grpc_addr, asks_senders),
            ("otlp_http_addr", self.otlp_http_addr, asks_senders),
            ("http_addr", self.http_addr, self.auth_required),
        ] {
            if self.behind_proxy || address.ip().is_loopback() {
                continue;
            }
            if self.tls_certificate.is_none() {
                bail!(
                    "{key}: {address} can be reached from elsewhere, and nothing is encrypted there; set tls_certificate \
                     and tls_key, listen on 127.0.0.1, or set behind_proxy where something in front does both"
                );
            }
            if !asks {
                bail!(
                    "{key}: {address} can be reached from elsewhere, and nobody is asked who it is there; set auth_required, \
                     listen on 127.0.0.1, or set behind_proxy where something in front asks"
                );
            }
        }
        Ok(())
    }
}

/// The part of a URL that is safe to show.
fn scheme_of(url: &str) -> &str {
    url.split_once("://")
        .map_or("no scheme", |(scheme, _)| scheme)
}
