//! Signs mails (RFC 6376, relaxed/relaxed; RFC 8463 for Ed25519) over the very bytes that are sent.
//!
//! `ring` signs in constant time. Headers that a receiver shows are named once more than they stand in the mail, so that
//! nobody can add another From or Reply-To to a signed one.

use crate::Error;
use crate::config::Dkim;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Signed where they stand in the mail, and each as absent once more: those that the mail lacks too. A second Reply-To,
/// or a second Content-Type that shows another text, would otherwise leave the signature good.
const HEADERS: &[&str] = &[
    "from",
    "sender",
    "to",
    "cc",
    "subject",
    "date",
    "reply-to",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
];
/// Characters of the signature in a line.
const FOLD_CHARS: usize = 72;
/// Names of signed headers in a line.
const NAMES_IN_LINE: usize = 5;

/// Signs for one domain and selector.
pub struct Signer {
    domain: String,
    selector: String,
    key: Key,
    random: SystemRandom,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// Reads the key of a configuration.
    pub fn load(dkim: &Dkim) -> Result<Signer, Error> {
        let path = dkim.key_file.as_path();
        let pem = std::fs::read(path).map_err(|err| Error::Read { path: path.to_owned(), err })?;
        Signer::new(&dkim.domain, &dkim.selector, &pem, path)
    }

    /// A signer with a private key as PEM; `path` is its name in errors.
    pub fn new(domain: &str, selector: &str, pem: &[u8], path: &Path) -> Result<Signer, Error> {
        let wrong = |what: &str| Error::DkimKey { path: path.to_owned(), what: what.to_owned() };
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| wrong("it is no private key as PEM"))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(|key| Key::Rsa(Box::new(key)))
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = RsaKeyPair::from_pkcs8(der).ok().map(|key| Key::Rsa(Box::new(key)));
                rsa.or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Key::Ed25519))
            }
            _ => None,
        };
        let key = key.ok_or_else(|| wrong("it must be RSA of at least 2,048 bits, or Ed25519"))?;
        Ok(Signer { domain: domain.to_owned(), selector: selector.to_owned(), key, random: SystemRandom::new() })
    }

    /// The header to put in front of `mail`, with its line end. `at` is in seconds since 1970.
    pub fn sign(&self, mail: &[u8], at: i64) -> Result<String, Error> {
        let broken = |what: &str| Error::Compose(what.to_owned());
        let text = std::str::from_utf8(mail).map_err(|_| broken("its bytes are not UTF-8"))?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| broken("it has no empty line"))?;
        let body_hash = STANDARD.encode(Sha256::digest(relaxed_body(body)));
        let headers = unfolded(head);
        let mut names = Vec::new();
        let mut signed = String::new();
        for name in HEADERS {
            if let Some((_, value)) = headers.iter().find(|(known, _)| known == name) {
                names.push(*name);
                signed.push_str(&format!("{name}:{value}\r\n"));
            }
            // A name beyond the last header of it stands for nothing (RFC 6376, 5.4.2).
            names.push(name);
        }
        let algorithm = match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        };
        let (domain, selector, names) = (&self.domain, &self.selector, folded_names(&names));
        let tags = [
            format!("v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}; t={at};"),
            format!("h={names};"),
            format!("bh={body_hash};"),
            "b=".to_owned(),
        ];
        signed.push_str(&format!("dkim-signature:{}", tags.join(" ").replace("\r\n ", " ")));
        let signature = STANDARD.encode(self.signature(signed.as_bytes())?);
        // Folding is white space, which the relaxed form makes one space, and which does not count inside `b=`.
        let mut header = format!("DKIM-Signature: {}", tags.join("\r\n "));
        for (at, character) in signature.chars().enumerate() {
            if at > 0 && at % FOLD_CHARS == 0 {
                header.push_str("\r\n ");
            }
            header.push(character);
        }
        header.push_str("\r\n");
        Ok(header)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
                    .map_err(|_| Error::Compose("the DKIM key does not sign".to_owned()))?;
                Ok(signature)
            }
            // RFC 8463: what is signed is the hash.
            Key::Ed25519(key) => Ok(key.sign(&Sha256::digest(message)).as_ref().to_vec()),
        }
    }
}

/// Names with a fold behind each few: white space around their colons counts for nothing (RFC 6376, 3.5).
fn folded_names(names: &[&str]) -> String {
    names.chunks(NAMES_IN_LINE).map(|line| line.join(":")).collect::<Vec<_>>().join(":\r\n ")
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("domain", &self.domain).field("selector", &self.selector).finish_non_exhaustive()
    }
}

/// Names in lower case and values on one line with single spaces (RFC 6376, 3.4.2).
fn unfolded(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            (true, _, Some((_, value))) => value.push_str(line),
            (false, Some((name, value)), _) => headers.push((name.trim().to_ascii_lowercase(), value.to_owned())),
            _ => {}
        }
    }
    for (_, value) in &mut headers {
        *value = value.split([' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    }
    headers
}

/// No white space at the ends of lines, single spaces in them, no empty lines at the end (RFC 6376, 3.4.4).
fn relaxed_body(body: &str) -> String {
    let mut relaxed = String::with_capacity(body.len() + 2);
    for line in body.split("\r\n") {
        let mut was_space = false;
        for character in line.trim_end_matches([' ', '\t']).chars() {
            let is_space = matches!(character, ' ' | '\t');
            if !is_space {
                relaxed.push(character);
            } else if !was_space {
                relaxed.push(' ');
            }
            was_space = is_space;
        }
        relaxed.push_str("\r\n");
    }
    let end = relaxed.trim_end_matches("\r\n").len();
    relaxed.truncate(if end == 0 { 0 } else { end + 2 });
    relaxed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relaxed_form_is_that_of_rfc_6376() {
        // The example of section 3.4.5.
        assert_eq!(unfolded("A: X\r\nB : Y\t\r\n\tZ  "), [("a".into(), "X".into()), ("b".into(), "Y Z".into())]);
        assert_eq!(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
        assert_eq!(relaxed_body("no line end"), "no line end\r\n");
        assert_eq!(relaxed_body(""), "");
        assert_eq!(relaxed_body("\r\n\r\n"), "");
    }

    /// A PKCS#8 key of Ed25519 (RFC 8410, section 10.3): version 1, seed only.
    const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn no_header_that_a_receiver_shows_or_reads_the_text_by_can_be_added() {
        let signer = Signer::new("example.jp", "s1", KEY, Path::new("dkim.pem")).expect("a key");
        let mail = b"From: a@example.jp\r\nTo: b@example.jp\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\ny\r\n";
        let header = signer.sign(mail, 0).expect("signed");
        let names = header.split("h=").nth(1).and_then(|rest| rest.split(';').next()).expect("h=");
        let count = |name: &str| names.split(':').filter(|known| known.trim() == name).count();
        // One more than the mail has: those that it lacks once.
        assert_eq!(["from", "to", "subject", "content-type"].map(count), [2; 4], "{names}");
        assert_eq!(["reply-to", "cc", "sender", "date", "mime-version"].map(count), [1; 5], "{names}");
    }

    #[test]
    fn a_file_that_is_no_key_is_named() {
        let told =
            Signer::new("example.jp", "s1", b"-----BEGIN", Path::new("dkim.pem")).expect_err("no key").to_string();
        assert!(told.contains("`dkim.pem`") && told.contains("PEM"), "{told}");
    }
}
