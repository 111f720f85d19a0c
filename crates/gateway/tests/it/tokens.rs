//! Whose a request is by its signed token, over real sockets, against a site that shows any account to anybody.

use crate::harness::{Message, Running, Site, Wire, connect, start_with};
use crate::policy::{configure, customers, log_in, site};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use sekisho_gateway::config::{ContainCause, ContainRules, Names, Token, TokenKeys, TokenPlace};
use sekisho_gateway::inspect::Action;
use sekisho_model::{FieldKind, WithheldReason};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

pub(crate) fn token(account: &str, secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = serde_json::json!({ "iss": "idp", "aud": "site", "exp": now + 600, "sub": account });
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("encoded")
}

fn start(containment: ContainRules) -> (Site, tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let site = site();
    let gateway = start_with(customers(), &site, |config| {
        configure(config, Action::Block);
        config.admin = Some(([127, 0, 0, 1], 0).into());
        config.tokens = vec![Token {
            place: TokenPlace::Cookie("id".to_owned()),
            keys: TokenKeys::Secret(path),
            issuer: Some("idp".to_owned()),
            audience: Some("site".to_owned()),
            claim: "sub".to_owned(),
            names: Names::Persons(FieldKind::AccountId),
        }];
        config.containment = containment;
    });
    (site, folder, gateway)
}

fn get(wire: &mut Wire, target: &str, cookies: &str) -> Message {
    wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\ncookie: {cookies}\r\n\r\n"));
    wire.response()
}

#[test]
fn a_token_shows_its_own_person_and_a_forged_one_nobody() {
    let (_site, _folder, gateway) = start(ContainRules::default());
    let mut wire = connect(&gateway);
    let taro = format!("id={}", token("HK10000001", SECRET));
    assert_eq!(get(&mut wire, "/my/1", &taro).text(), "HK10000001");
    assert_eq!(get(&mut wire, "/my/2", &taro).status(), 403);
    let forged = format!("id={}", token("HK10000002", "another secret of thirty-two bytes!"));
    assert_eq!(get(&mut wire, "/my/2", &forged).status(), 403);
    let unknown = format!("id={}", token("HK99999999", SECRET));
    assert_eq!(get(&mut wire, "/my/1", &unknown).status(), 403);
    let twice = format!("{taro}; id={}", token("HK10000002", SECRET));
    assert_eq!(get(&mut wire, "/my/2", &twice).status(), 403);
}

#[test]
fn a_session_and_a_token_of_different_persons_are_nobodys() {
    let (_site, _folder, gateway) = start(ContainRules::default());
    let mut wire = connect(&gateway);
    log_in(&mut wire, "HK10000001", "right");
    let both = |account| format!("session=of-taro; id={}", token(account, SECRET));
    assert_eq!(get(&mut wire, "/my/1", &both("HK10000001")).status(), 200);
    assert_eq!(get(&mut wire, "/my/1", &both("HK10000002")).status(), 403);
    assert_eq!(get(&mut wire, "/my/2", &both("HK10000002")).status(), 403);
    assert_eq!(get(&mut wire, "/my/1", &both("HK99999999")).status(), 403, "a good token of a stranger");
    assert_eq!(get(&mut wire, "/my/1", "session=of-taro; id=rubbish").status(), 200, "as good as none");
    assert_eq!(get(&mut wire, "/my/2", "session=of-taro; id=rubbish").status(), 403);
    let metrics = crate::admin::admin(&gateway, "/metrics").text().to_owned();
    assert!(metrics.contains("sekisho_identities_disagree_total 3\n"), "{metrics}");
}

#[test]
fn a_token_is_kept_out_as_a_session_is() {
    let on = vec![ContainCause::Rule(WithheldReason::ForeignSubject)];
    let (_site, _folder, gateway) = start(ContainRules { on, ..ContainRules::default() });
    let mut wire = connect(&gateway);
    let taro = format!("id={}", token("HK10000001", SECRET));
    assert_eq!(get(&mut wire, "/my/2", &taro).status(), 403);
    assert_eq!(get(&mut wire, "/my/1", &taro).status(), 403);
    let hanako = format!("id={}", token("HK10000002", SECRET));
    assert_eq!(get(&mut wire, "/my/2", &hanako).status(), 200);
}
