//! What the firm's own system is told, and how it knows that it comes from here: signed as Standard Webhooks 1.0 has it
//! (`webhook-id`, `webhook-timestamp`, `webhook-signature`), so that libraries for it exist in most languages.

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sekisho_gateway::inspect::Decision;
use sekisho_model::{ContainReason, Target, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What a secret begins with, as Standard Webhooks has it.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret, at least.
const SECRET_BYTES_MIN: usize = 24;

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The same at every attempt, after a restart too: what was seen before can be left alone.
    pub(super) id: String,
    /// When it was decided.
    pub(super) at: Timestamp,
    /// About whom; `None` for a test.
    pub(super) target: Option<Target>,
    pub(super) body: String,
}

/// The secret that the firm's system shares.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Event {
    pub(super) fn of(decision: &Decision) -> Event {
        match decision {
            Decision::Contained(contained) => {
                let data = json!({
                    "target": target(contained.target),
                    "until": contained.until.map(time),
                    "reason": reason(contained.reason),
                    "by": contained.by,
                    "response": contained.sequence,
                });
                Event::new("contained", contained.at, Some(contained.target), &data)
            }
            Decision::Released(released) => {
                let data = json!({ "target": target(released.target), "by": released.by });
                Event::new("released", released.at, Some(released.target), &data)
            }
        }
    }

    /// Says that it works.
    pub(super) fn test(at: Timestamp) -> Event {
        Event::new("test", at, None, &json!({}))
    }

    fn new(kind: &str, at: Timestamp, target: Option<Target>, data: &Value) -> Event {
        let body = json!({ "type": kind, "timestamp": time(at), "data": data }).to_string();
        let id = format!("msg_{}", hex::encode(&Sha256::digest(&body)[..16]));
        Event { id, at, target, body }
    }

    /// The value of `webhook-signature` for an attempt at this time.
    pub(super) fn signature(&self, secret: &Secret, sent_s: i64) -> String {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret.0).expect("HMAC takes keys of any length");
        let mac = mac.chain_update(format!("{}.{sent_s}.", self.id)).chain_update(&self.body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl Secret {
    /// `whsec_` and at least 24 bytes in base64.
    pub(super) fn parse(text: &str) -> Result<Secret> {
        let Some(encoded) = text.trim().strip_prefix(SECRET_PREFIX) else { bail!("it does not begin with `whsec_`") };
        let bytes = STANDARD.decode(encoded).context("what follows `whsec_` is no base64")?;
        if bytes.len() < SECRET_BYTES_MIN {
            bail!("it has {} bytes; at least {SECRET_BYTES_MIN} are wanted", bytes.len());
        }
        Ok(Secret(Zeroizing::new(bytes)))
    }

    /// As it stands in its file.
    pub(super) fn text_of(bytes: &[u8]) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
    }
}

fn target(target: Target) -> Value {
    match target {
        Target::Session(key) => json!({ "session": key.to_string() }),
        Target::Account(key) => json!({ "account": key.to_string() }),
        Target::Client(address) => json!({ "client": address }),
    }
}

fn reason(reason: ContainReason) -> String {
    fn word(value: &impl Serialize) -> String {
        serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
    match reason {
        ContainReason::Rule(rule) => word(&rule),
        ContainReason::Alert(kind) => word(&kind),
        ContainReason::Operator => "operator".to_owned(),
    }
}

fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| format!("{} µs", at.0), |at| at.to_string())
}
