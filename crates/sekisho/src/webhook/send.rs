//! One attempt: an HTTP POST, signed. Any 2xx takes the event.

use super::event::{Event, Secret};
use crate::config;
use anyhow::{Context, Result, bail};
use sekisho_model::Timestamp;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// From the first byte to the answer's head.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);

/// Sends to one receiver.
pub(super) struct Sender {
    agent: Agent,
    url: String,
    secret: Secret,
}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// An answer that is about this event.
    Refused(u16),
    /// No answer, or one that is about the receiver: 429 and 5xx.
    Unreachable(String),
}

impl Sender {
    pub(super) fn new(webhook: &config::Webhook) -> Result<Sender> {
        let text = std::fs::read_to_string(&webhook.secret)
            .with_context(|| format!("cannot read `{}`", webhook.secret.display()))?;
        let secret = Secret::parse(&text).with_context(|| format!("cannot use `{}`", webhook.secret.display()))?;
        let roots = match &webhook.extra_roots {
            None => native_roots()?,
            Some(path) => {
                let mut roots = native_roots()?;
                roots.extend(pem_roots(path)?);
                roots
            }
        };
        let tls =
            TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(RootCerts::new_with_certs(&roots)).build();
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ATTEMPT_MAX))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("sekisho/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Sender { agent, url: webhook.url.clone(), secret })
    }

    pub(super) fn send(&self, event: &Event, now: Timestamp) -> Outcome {
        let sent_s = now.0.div_euclid(1_000_000);
        let answer = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", sent_s.to_string())
            .header("webhook-signature", event.signature(&self.secret, sent_s))
            .send(event.body.as_bytes());
        match answer.map(|answer| answer.status().as_u16()) {
            Ok(200..=299) => Outcome::Delivered,
            Ok(status @ (408 | 429 | 500..=599)) => Outcome::Unreachable(format!("it answers {status}")),
            Ok(status) => Outcome::Refused(status),
            Err(err) => Outcome::Unreachable(err.to_string()),
        }
    }
}

fn native_roots() -> Result<Vec<Certificate<'static>>> {
    let loaded = rustls_native_certs::load_native_certs();
    if loaded.certs.is_empty()
        && let Some(err) = loaded.errors.into_iter().next()
    {
        bail!("cannot read the system's root certificates: {err}");
    }
    Ok(loaded.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
}

fn pem_roots(path: &std::path::Path) -> Result<Vec<Certificate<'static>>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut roots = Vec::new();
    for item in ureq::tls::parse_pem(&text) {
        match item.with_context(|| format!("cannot read `{}`", path.display()))? {
            PemItem::Certificate(root) => roots.push(root),
            _ => bail!("`{}` holds something that is no certificate", path.display()),
        }
    }
    if roots.is_empty() {
        bail!("`{}` holds no certificate", path.display());
    }
    Ok(roots)
}
