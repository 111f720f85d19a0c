//! The two keys. One makes codes from a case and a row key and stays with whoever writes the mailing; the other looks
//! codes up and lies on the machine with the page. Whoever steals that machine, key and store, cannot make codes.

use crate::Error;
use crate::code::{self, CaseCode};
use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a key.
pub const KEY_BYTES: usize = 16;

/// A keyed hash of a code: all that the store knows of one.
pub type CodeHash = [u8; 16];

/// Makes codes. AES-128 CMAC under a tag, over lengths and texts, so that no two subjects share a message.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CodeKey([u8; KEY_BYTES]);

/// Looks codes up, and seals the store that it looks them up in.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct LookupKey([u8; KEY_BYTES]);

/// What a hash is for: the first byte of its message. Codes and stores depend on these numbers.
#[derive(Clone, Copy)]
enum Use {
    Code = 1,
    Lookup = 2,
    Seal = 3,
    Mail = 4,
}

impl CodeKey {
    /// 32 hexadecimal digits.
    pub fn parse(text: &str) -> Result<CodeKey, Error> {
        bytes(text).map(CodeKey)
    }

    /// The code of one person in one case: always the same, so that a mailing can be written again.
    #[must_use]
    pub fn code(&self, case: &str, register: &str, row_key: &str) -> CaseCode {
        CaseCode::from_hash(&hash(&self.0, Use::Code, &[case.as_bytes(), register.as_bytes(), row_key.as_bytes()]))
    }
}

impl LookupKey {
    /// 32 hexadecimal digits.
    pub fn parse(text: &str) -> Result<LookupKey, Error> {
        bytes(text).map(LookupKey)
    }

    /// Under what a code is stored.
    #[must_use]
    pub fn hash(&self, code: &CaseCode) -> CodeHash {
        hash(&self.0, Use::Lookup, &[code.symbols()])
    }

    /// Under what a mail address is stored: without regard to width and, of ASCII letters, to case, as people type it.
    /// Other letters are as they are: the Kelvin sign is a small `k` in some tables, and another mailbox in mail.
    #[must_use]
    pub fn hash_mail(&self, address: &str) -> CodeHash {
        let narrow = address.trim().chars().map(code::narrow).collect::<String>();
        hash(&self.0, Use::Mail, &[narrow.to_ascii_lowercase().as_bytes()])
    }

    /// What proves that a store is whole and of this key.
    pub(crate) fn seal(&self, digest: &[u8]) -> CodeHash {
        hash(&self.0, Use::Seal, &[digest])
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey(…)")
    }
}

impl fmt::Debug for LookupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupKey(…)")
    }
}

fn bytes(text: &str) -> Result<[u8; KEY_BYTES], Error> {
    let decoded = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or(Error::Key)
}

fn hash(key: &[u8; KEY_BYTES], use_: Use, parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Cmac::<Aes128>::new(key.into());
    mac.update(&[use_ as u8]);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> CodeKey {
        CodeKey::parse(text).expect("a key")
    }

    #[test]
    fn a_person_has_one_code_in_a_case() {
        let keys = [key(&"11".repeat(16)), key(&"22".repeat(16))];
        let code = keys[0].code("hakone-2026-1", "customers", "10001");
        assert_eq!(code, keys[0].code("hakone-2026-1", "customers", "10001"));
        assert_ne!(code, keys[0].code("hakone-2026-2", "customers", "10001"));
        assert_ne!(code, keys[0].code("hakone-2026-1", "customers1", "0001"));
        assert_ne!(code, keys[1].code("hakone-2026-1", "customers", "10001"));
    }

    #[test]
    fn a_key_is_32_hexadecimal_digits() {
        assert!(LookupKey::parse(&format!("{}\n", "0a".repeat(16))).is_ok());
        for wrong in ["", "0a", &"0a".repeat(17), &"zz".repeat(16)] {
            assert!(LookupKey::parse(wrong).is_err(), "{wrong}");
        }
    }
}
