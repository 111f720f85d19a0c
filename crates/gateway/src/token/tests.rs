use super::*;
use crate::config::TokenKeys;
use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use sekisho_model::FieldKind;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn now_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()).expect("in range")
}

fn told_at(token: &str, seconds: i64) -> Told {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{SECRET}\n")).expect("written");
    let source = Token {
        place: TokenPlace::Cookie("id".to_owned()),
        keys: TokenKeys::Secret(path),
        issuer: Some("https://idp.example".to_owned()),
        audience: Some("site".to_owned()),
        claim: "customer.number".to_owned(),
        names: Names::Persons(FieldKind::AccountId),
    };
    let tokens = Tokens::read(&[source]).expect("a good secret");
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, format!("a=b; id={token}").parse().expect("a header"));
    let key = HashKey::new([7; 16]);
    let now = Timestamp((now_s() + seconds) * 1_000_000);
    let first = tokens.told(&headers, &key, || now);
    assert_eq!(tokens.told(&headers, &key, || now), first, "what is remembered says the same");
    first
}

fn good() -> Value {
    json!({ "iss": "https://idp.example", "aud": "site", "exp": now_s() + 600, "customer": { "number": "HK10000001" } })
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).expect("encoded")
}

fn value(told: Told) -> Option<String> {
    match told {
        Told::Claim(claim) => Some(claim.value.to_string()),
        Told::Nothing | Told::Unverified | Told::Contradiction => None,
    }
}

#[test]
fn a_token_names_its_claim_until_it_expires() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let token = signed(algorithm, SECRET, &good());
        assert_eq!(value(told_at(&token, 0)).as_deref(), Some("HK10000001"));
        assert_eq!(told_at(&token, 600), Told::Unverified, "no leeway at the end");
    }
    assert_eq!(told_at("", 0), Told::Nothing);
}

#[test]
fn what_is_wrong_with_a_token_makes_it_nobodys() {
    let changed = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let wrong = [
        changed("iss", "https://other.example".into()),
        changed("aud", "other".into()),
        changed("exp", (now_s() - 3600).into()),
        changed("nbf", (now_s() + 3600).into()),
        changed("customer", "HK10000001".into()),
        changed("customer", json!({ "number": ["HK10000001"] })),
        changed("customer", json!({ "number": "" })),
        without("iss"),
        without("aud"),
        without("exp"),
        without("customer"),
    ];
    for claims in wrong {
        assert_eq!(told_at(&signed(Algorithm::HS256, SECRET, &claims), 0), Told::Unverified, "{claims}");
    }
    let other_secret = signed(Algorithm::HS256, "another secret of thirty-two bytes!", &good());
    assert_eq!(told_at(&other_secret, 0), Told::Unverified);
}

#[test]
fn no_algorithm_and_a_changed_token_are_refused() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    for algorithm in ["none", "None", "HS256"] {
        let header = encode(&format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#));
        assert_eq!(told_at(&format!("{header}.{}.", encode(&good().to_string())), 0), Told::Unverified, "{algorithm}");
    }
    let token = signed(Algorithm::HS256, SECRET, &good());
    let (rest, _) = token.rsplit_once('.').expect("three parts");
    assert_eq!(told_at(rest, 0), Told::Unverified);
    let payload = token.split('.').nth(1).expect("three parts");
    let forged = encode(&good().to_string().replace("HK10000001", "HK10000002"));
    assert_eq!(told_at(&token.replace(payload, &forged), 0), Told::Unverified);
    assert_eq!(told_at(&"a".repeat(TOKEN_BYTES_MAX + 1), 0), Told::Unverified);
}

#[test]
fn a_token_that_stands_there_twice_is_none() {
    let headers = |lines: &[&str]| {
        let line = |text: &&str| (COOKIE, text.parse().expect("a header"));
        lines.iter().map(line).collect::<HeaderMap>()
    };
    let cookie = TokenPlace::Cookie("id".to_owned());
    assert_eq!(place(&headers(&["id=a; x=b"]), &cookie), Some(&b"a"[..]));
    assert_eq!(place(&headers(&["id=a; id=b"]), &cookie), None);
    assert_eq!(place(&headers(&["id=a", "id=a"]), &cookie), None);
    assert_eq!(place(&headers(&["xid=a"]), &cookie), None);
}

/// The public key of RFC 8037, appendix A.2, and its signature of appendix A.4 is over a text that is no token of ours.
#[test]
fn a_set_of_public_keys_is_read_and_what_is_none_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jwks.json");
    let read = |text: &str| {
        std::fs::write(&path, text).expect("written");
        let keys = TokenKeys::Jwks(path.clone());
        let (issuer, audience, claim) = (None, None, "sub".to_owned());
        let token = Token { place: TokenPlace::Bearer, keys, issuer, audience, claim, names: Names::Account };
        Tokens::read(&[token]).map(|tokens| tokens.sources[0].keys.len()).map_err(|err| err.to_string())
    };
    let ed25519 =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    assert_eq!(read(ed25519), Ok(1));
    let with_others = ed25519.replace(
        "[{",
        r#"[{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"},{"kty":"new","kid":"9"},{"#,
    );
    assert_eq!(read(&with_others), Ok(1), "keys of other kinds are passed over");
    let secret = r#"{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMko"}]}"#;
    assert!(read(secret).unwrap_err().contains("no public key"));
    assert!(read("{").unwrap_err().contains("jwks.json"));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(token in "[ -:<-~]{0,200}") {
        prop_assert_ne!(std::mem::discriminant(&told_at(&token, 0)), std::mem::discriminant(&Told::Claim(Claim {
            names: Names::Account, value: "".into(), session: SessionKey([0; 16]),
        })));
    }
}
