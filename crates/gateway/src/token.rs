//! Whom a signed token names: a JSON Web Token (RFC 7519), such as an OIDC ID token, that the client sends with each request
//! ([`Tokens`]), or that an upstream sends with its answer to a log-in ([`Signed`]).
//!
//! A key fixes its algorithms: `none`, and a public key used as an HMAC secret, are refused by that. Issuer, audience and
//! times are checked. What does not verify names nobody and is counted; the request goes on, for the upstream answers it.
//! What verified is remembered by the token's keyed hash until it expires, so that a request costs one hash and one look.

use crate::config::{Login, NamedBy, Names, Token, TokenKeys, TokenPlace};
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use sekisho_edm::HashKey;
use sekisho_model::{SessionKey, Timestamp};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a token; a longer one is not looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a file of keys.
const KEYS_BYTES_MAX: u64 = 1024 * 1024;
/// Verified tokens that one generation remembers; there are two.
const REMEMBERED_MAX: usize = 50_000;
/// Bytes of an HMAC secret, at least: as many as its hash has (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the keys `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// It is not what it should be.
    #[error("cannot use the keys `{path}`: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Whom a token names, and the session that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) names: Names,
    pub(crate) value: Arc<str>,
    /// The token's keyed hash: what is kept out when there is no session beside it.
    pub(crate) session: SessionKey,
}

/// What the requests' tokens say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// No token.
    Nothing,
    /// One that names somebody.
    Claim(Claim),
    /// One that does not verify: as good as none.
    Unverified,
    /// Two that verify and name different persons.
    Contradiction,
}

/// A kind of token with its keys read.
struct Source {
    token: Token,
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
    validation: Validation,
}

/// All kinds of tokens, ready to be read.
#[derive(Default)]
pub(crate) struct Tokens {
    sources: Vec<Source>,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    younger: HashMap<(usize, SessionKey), Verified>,
    older: HashMap<(usize, SessionKey), Verified>,
}

/// What upstreams sign of whom they log in, beside the log-ins that it belongs to.
#[derive(Default)]
pub(crate) struct Signed {
    tokens: Tokens,
    /// One for each of the tokens.
    logins: Vec<Arc<Login>>,
    headers: Vec<HeaderName>,
}

impl Signed {
    /// Reads every file of keys.
    pub(crate) fn read(logins: &[Arc<Login>]) -> Result<Signed, TokenError> {
        let signed = |login: &Arc<Login>| match &login.by {
            NamedBy::Signed(token) => Some((token.clone(), Arc::clone(login))),
            NamedBy::Field { .. } => None,
        };
        let (tokens, logins): (Vec<Token>, Vec<_>) = logins.iter().filter_map(signed).unzip();
        let header = |token: &Token| match &token.place {
            TokenPlace::Header(name) => Some(name.clone()),
            TokenPlace::Cookie(_) | TokenPlace::Bearer => None,
        };
        let headers = tokens.iter().filter_map(header).collect();
        Ok(Signed { tokens: Tokens::read(&tokens)?, logins, headers })
    }

    /// Takes such headers away: a client's would deceive the upstream, and the upstream's are no client's business.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        self.headers.iter().for_each(|name| drop(headers.remove(name)));
    }

    /// Whom the answer names: to this log-in, by its own token; elsewhere, by any. A cookie that does not verify counts as a
    /// log-in's only, for cookies end and are renewed with any answer.
    pub(crate) fn told(
        &self,
        login: Option<&Arc<Login>>,
        headers: &HeaderMap,
        key: &HashKey,
        now: impl Fn() -> Timestamp,
    ) -> Told {
        if self.logins.is_empty() {
            return Told::Nothing;
        }
        let is_mine = |at: usize| login.is_none_or(|login| Arc::ptr_eq(login, &self.logins[at]));
        let place = |at: usize, source: &Source| place_in_answer(headers, &source.token.place).filter(|_| is_mine(at));
        match self.tokens.told_by(place, key, now) {
            Told::Unverified if login.is_none() && !self.headers.iter().any(|name| headers.contains_key(name)) => {
                Told::Nothing
            }
            told => told,
        }
    }
}

/// The token in an answer.
fn place_in_answer<'h>(headers: &'h HeaderMap, place: &TokenPlace) -> Option<&'h [u8]> {
    match place {
        TokenPlace::Header(name) => alone(headers.get_all(name).iter().map(http::HeaderValue::as_bytes)),
        TokenPlace::Cookie(name) => {
            let lines = headers.get_all(SET_COOKIE).iter().map(http::HeaderValue::as_bytes);
            let pairs = lines.map(|line| line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii());
            alone(pairs.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")))
        }
        TokenPlace::Bearer => None,
    }
}

#[derive(Clone)]
struct Verified {
    value: Arc<str>,
    /// Seconds since 1970.
    expires: i64,
}

impl Tokens {
    /// Reads every file of keys.
    pub(crate) fn read(tokens: &[Token]) -> Result<Tokens, TokenError> {
        let source = |token: &Token| Ok(Source { keys: keys(token)?, token: token.clone() });
        let sources = tokens.iter().map(source).collect::<Result<_, TokenError>>()?;
        Ok(Tokens { sources, remembered: Mutex::default() })
    }

    /// Whom the request's tokens name.
    pub(crate) fn told(&self, headers: &HeaderMap, key: &HashKey, now: impl Fn() -> Timestamp) -> Told {
        self.told_by(|_, source| place(headers, &source.token.place), key, now)
    }

    fn told_by<'h>(
        &self,
        place: impl Fn(usize, &Source) -> Option<&'h [u8]>,
        key: &HashKey,
        now: impl Fn() -> Timestamp,
    ) -> Told {
        let mut told = Told::Nothing;
        for (at, source) in self.sources.iter().enumerate() {
            let Some(token) = place(at, source) else { continue };
            let claim = self.claim(at, token, key, now());
            told = match (told, claim) {
                (Told::Nothing, None) => Told::Unverified,
                (told, None) => told,
                (Told::Nothing | Told::Unverified, Some(claim)) => Told::Claim(claim),
                // The same person twice is no contradiction.
                (Told::Claim(one), Some(other)) if (one.names, &one.value) == (other.names, &other.value) => {
                    Told::Claim(one)
                }
                (Told::Claim(_) | Told::Contradiction, Some(_)) => Told::Contradiction,
            };
        }
        told
    }

    fn claim(&self, at: usize, token: &[u8], key: &HashKey, now: Timestamp) -> Option<Claim> {
        let source = &self.sources[at];
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let session = key.session(token);
        // Another kind may read another claim of the same token, or not verify it at all.
        let remembered_as = (at, session);
        let now_s = now.0.div_euclid(1_000_000);
        let verified = match self.recall(remembered_as, now_s) {
            Some(verified) => verified,
            None => {
                let verified = verify(source, std::str::from_utf8(token).ok()?, now_s)?;
                self.remember(remembered_as, verified.clone());
                verified
            }
        };
        Some(Claim { names: source.token.names, value: verified.value, session })
    }

    fn recall(&self, key: (usize, SessionKey), now_s: i64) -> Option<Verified> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let found = remembered.younger.get(&key).or_else(|| remembered.older.get(&key));
        found.filter(|verified| now_s < verified.expires).cloned()
    }

    fn remember(&self, key: (usize, SessionKey), verified: Verified) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.younger.len() >= REMEMBERED_MAX {
            remembered.older = std::mem::take(&mut remembered.younger);
        }
        remembered.younger.insert(key, verified);
    }
}

/// The token in its place. More than one header of the name is none: the upstream may read the other.
fn place<'h>(headers: &'h HeaderMap, place: &TokenPlace) -> Option<&'h [u8]> {
    match place {
        TokenPlace::Cookie(name) => cookie(headers, name),
        TokenPlace::Header(name) => alone(headers.get_all(name).iter().map(http::HeaderValue::as_bytes)),
        TokenPlace::Bearer => {
            let value = alone(headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes))?;
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
        }
    }
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let values = pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    alone(values)
}

fn alone<'h>(mut values: impl Iterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    let first = values.next()?;
    values.next().is_none().then_some(first).filter(|value| !value.is_empty())
}

fn verify(source: &Source, token: &str, now_s: i64) -> Option<Verified> {
    let header = decode_header(token).ok()?;
    let fits = |key: &&Key| match (&header.kid, &key.id) {
        (Some(wanted), Some(id)) => wanted == id,
        _ => true,
    };
    let verified = source.keys.iter().filter(fits).find_map(|key| {
        let decoded = decode::<Value>(token, &key.key, &key.validation);
        decoded.ok().map(|decoded| decoded.claims)
    })?;
    let value = source.token.claim.split('.').try_fold(&verified, |value, name| value.get(name))?;
    let value: Arc<str> = match value {
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => number.as_u64()?.to_string().into(),
        _ => return None,
    };
    let expires = verified.get("exp").and_then(Value::as_i64)?;
    (now_s < expires && !value.is_empty()).then_some(Verified { value, expires })
}

fn keys(token: &Token) -> Result<Vec<Key>, TokenError> {
    match &token.keys {
        TokenKeys::Secret(path) => {
            let secret = text(path)?;
            let secret = secret.trim_end_matches(['\r', '\n']);
            if secret.len() < SECRET_BYTES_MIN {
                let why = format!("a secret has at least {SECRET_BYTES_MIN} bytes");
                return Err(TokenError::Unusable { path: path.clone(), why });
            }
            let validation = validation(token, &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]);
            Ok(vec![Key { id: None, key: DecodingKey::from_secret(secret.as_bytes()), validation }])
        }
        TokenKeys::Jwks(path) => {
            let unusable = |why: String| TokenError::Unusable { path: path.clone(), why };
            let set: KeySet = serde_json::from_str(&text(path)?).map_err(|err| unusable(err.to_string()))?;
            let mut keys = Vec::new();
            // Providers publish keys for other purposes too, of kinds that may be unknown here.
            for jwk in set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()) {
                let is_for_encryption = jwk.common.public_key_use == Some(PublicKeyUse::Encryption);
                let Some(algorithms) = algorithms(&jwk.algorithm).filter(|_| !is_for_encryption) else { continue };
                let key = DecodingKey::from_jwk(&jwk).map_err(|err| unusable(err.to_string()))?;
                keys.push(Key { id: jwk.common.key_id.clone(), key, validation: validation(token, &algorithms) });
            }
            match keys.is_empty() {
                true => Err(unusable("it holds no public key for RSA, P-256, P-384 or Ed25519".to_owned())),
                false => Ok(keys),
            }
        }
    }
}

/// A set of keys (RFC 7517, 5), each read by itself.
#[derive(serde::Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// What a public key may be used for; `None` for other keys, secrets too.
fn algorithms(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => Some(vec![RS256, RS384, RS512, PS256, PS384, PS512]),
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => Some(vec![ES256]),
            EllipticCurve::P384 => Some(vec![ES384]),
            EllipticCurve::P521 | EllipticCurve::Ed25519 => None,
        },
        AlgorithmParameters::OctetKeyPair(_) => Some(vec![EdDSA]),
        AlgorithmParameters::OctetKey(_) => None,
    }
}

fn validation(token: &Token, algorithms: &[Algorithm]) -> Validation {
    let mut validation = Validation::new(algorithms[0]);
    validation.algorithms = algorithms.to_vec();
    validation.validate_nbf = true;
    // Expiry is exact here; the leeway is for a clock that is slow, at the token's begin.
    validation.set_required_spec_claims(&["exp"]);
    match &token.audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        None => validation.validate_aud = false,
    }
    if let Some(issuer) = &token.issuer {
        validation.set_issuer(&[issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    validation
}

fn text(path: &Path) -> Result<String, TokenError> {
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(std::fs::File::open(path)?, KEYS_BYTES_MAX), &mut text)?;
        Ok(text)
    };
    read().map_err(|err| TokenError::Read { path: path.to_owned(), err })
}

#[cfg(test)]
mod tests;
