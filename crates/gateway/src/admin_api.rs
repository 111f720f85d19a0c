//! What an operator may do over the admin address: list who is kept out, keep somebody out, let them in again, cut an account
//! off. Every call shows the token of `keys/admin.token`; every change is in the ledger with the operator's name.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /containment` | – | `{"contained": [{"target", "since", "until", "reason", "by", "sequence"}], "dropped"}` |
//! | `POST /contain` | `{"target", "for_s", "by"}` | `{"changed"}` |
//! | `POST /cut-off` | `{"target", "by"}` | `{"changed"}` |
//! | `POST /release` | `{"target", "by"}` | `{"changed"}` |
//!
//! A target is `{"session": KEY}`, `{"account": KEY}`, both 32 hexadecimal digits, or `{"client": ADDRESS}`. Times are RFC 3339.

use crate::server::Shared;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use sekisho_model::{AccountKey, ContainReason, Contained, Released, SessionKey, Target, Timestamp};
use serde::Deserialize;
use std::net::IpAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Bytes of a call's body.
const BODY_BYTES_MAX: usize = 4096;
/// Characters of an operator's name.
const OPERATOR_CHARS_MAX: usize = 100;
/// The longest that somebody is kept out without being cut off.
const CONTAIN_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// A status and a body of JSON.
pub(crate) type Answer = (StatusCode, String);

/// Whether this path is one of these calls.
pub(crate) fn has(path: &str) -> bool {
    ["/containment", "/contain", "/cut-off", "/release"].contains(&path)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    target: Named,
    for_s: Option<u64>,
    by: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Session(String),
    Account(String),
    Client(IpAddr),
}

impl Named {
    fn target(&self) -> Option<Target> {
        let key = |text: &str| hex::decode(text).ok()?.try_into().ok();
        match self {
            Named::Session(text) => key(text).map(|key| Target::Session(SessionKey(key))),
            Named::Account(text) => key(text).map(|key| Target::Account(AccountKey(key))),
            Named::Client(address) => Some(Target::Client(address.to_canonical())),
        }
    }
}

/// Answers a call.
pub(crate) async fn answer<B>(shared: &Shared, request: Request<B>) -> Answer
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if !is_allowed(shared, &head.headers) {
        return wrong(StatusCode::UNAUTHORIZED, "show the token of keys/admin.token as `Authorization: Bearer`");
    }
    let path = head.uri.path();
    if path == "/containment" {
        return match head.method {
            Method::GET => list(shared),
            _ => wrong(StatusCode::METHOD_NOT_ALLOWED, "GET only"),
        };
    }
    if head.method != Method::POST {
        return wrong(StatusCode::METHOD_NOT_ALLOWED, "POST only");
    }
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return wrong(StatusCode::PAYLOAD_TOO_LARGE, "the body is broken or longer than 4096 bytes");
    };
    let order: Order = match serde_json::from_slice(&body.to_bytes()) {
        Ok(order) => order,
        Err(err) => return wrong(StatusCode::BAD_REQUEST, &format!("the body is not what is wanted: {err}")),
    };
    let Some(target) = order.target.target() else {
        return wrong(StatusCode::BAD_REQUEST, "a key has 32 hexadecimal digits");
    };
    if order.by.trim().is_empty() || order.by.chars().count() > OPERATOR_CHARS_MAX {
        return wrong(StatusCode::BAD_REQUEST, "`by` names the operator, in at most 100 characters");
    }
    carry_out(shared, path, &order, target).await
}

async fn carry_out(shared: &Shared, path: &str, order: &Order, target: Target) -> Answer {
    let inspector = &shared.inspector;
    let (at, by) = (inspector.now(), order.by.clone());
    let contain = |until| {
        let reason = ContainReason::Operator;
        inspector.contain(Contained { at, target, until, reason, by: by.clone(), sequence: None })
    };
    let length = order.for_s.map(Duration::from_secs);
    let changed = match (path, length) {
        ("/release", None) => inspector.release(Released { at, target, by: by.clone() }).await,
        ("/cut-off", None) => contain(None).await,
        ("/contain", Some(length)) if !length.is_zero() && length <= CONTAIN_MAX => {
            contain(Some(at.after(length))).await
        }
        ("/contain", _) => return wrong(StatusCode::BAD_REQUEST, "`for_s` is from 1 to 2592000 seconds, 30 days"),
        _ => return wrong(StatusCode::BAD_REQUEST, "`for_s` belongs to /contain"),
    };
    match changed {
        Ok(changed) => (StatusCode::OK, serde_json::json!({ "changed": changed }).to_string()),
        Err(err) => wrong(StatusCode::SERVICE_UNAVAILABLE, &format!("it is in force, but a restart forgets it: {err}")),
    }
}

fn list(shared: &Shared) -> Answer {
    let containment = shared.inspector.containment();
    let contained = containment.list(shared.inspector.now());
    let told = contained.iter().map(|contained| {
        let target = match contained.target {
            Target::Session(key) => serde_json::json!({ "session": key.to_string() }),
            Target::Account(key) => serde_json::json!({ "account": key.to_string() }),
            Target::Client(address) => serde_json::json!({ "client": address }),
        };
        serde_json::json!({
            "target": target,
            "since": time_text(contained.at),
            "until": contained.until.map(time_text),
            "reason": reason_text(contained.reason),
            "by": contained.by,
            "sequence": contained.sequence,
        })
    });
    let told: Vec<_> = told.collect();
    (StatusCode::OK, serde_json::json!({ "contained": told, "dropped": containment.dropped() }).to_string())
}

/// Constant-time in the token's value.
fn is_allowed(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = shared.parts.admin_token.as_deref().filter(|token| !token.is_empty()) else { return false };
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| shown.ct_eq(token.as_bytes()).into())
}

fn wrong(status: StatusCode, why: &str) -> Answer {
    (status, serde_json::json!({ "error": why }).to_string())
}

fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| format!("{} µs", at.0), |at| at.to_string())
}

fn reason_text(reason: ContainReason) -> String {
    match reason {
        ContainReason::Rule(reason) => {
            let word = serde_json::to_value(reason).ok();
            word.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        }
        ContainReason::Alert(kind) => kind.name().to_owned(),
        ContainReason::Operator => "operator".to_owned(),
    }
}
