//! Under which names persons stand in the journal: keyed hashes, so that the journal holds no row key and no address.
//!
//! AES-128 CMAC under a key of the firm that is used for nothing else. Without the key nobody can tell from a journal
//! whether somebody was told; with it and the register file, the firm can.

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The secret of a firm's notices.
pub struct NoticeKey(Cmac<Aes128>);

/// A person of one register in one case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonKey([u8; 16]);

impl NoticeKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> NoticeKey {
        NoticeKey(Cmac::new(&bytes.into()))
    }

    /// The person whom a case knows by this row key of a register.
    #[must_use]
    pub fn person(&self, case: &str, register: &str, row_key: &str) -> PersonKey {
        PersonKey(self.mac("person", &[case.as_bytes(), register.as_bytes(), row_key.trim().as_bytes()]))
    }

    /// The left part of the Message-ID of a notice: the same for every attempt, so that a receiver can tell copies.
    #[must_use]
    pub fn message_id(&self, case: &str, person: PersonKey, notice: u16) -> String {
        hex::encode(self.mac("message", &[case.as_bytes(), &person.0, &notice.to_le_bytes()]))
    }

    /// The scan's index lives as long as a run; its key is derived, so that the notice key has one use only.
    #[must_use]
    pub fn scan_key(&self) -> [u8; 16] {
        self.mac("scan", &[])
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            // Each part is preceded by its length: no two lists of parts are the same message.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for NoticeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoticeKey(..)")
    }
}

impl PersonKey {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<PersonKey> for String {
    fn from(key: PersonKey) -> String {
        key.to_string()
    }
}

impl TryFrom<String> for PersonKey {
    type Error = String;
    fn try_from(text: String) -> Result<PersonKey, String> {
        text.parse()
    }
}

impl FromStr for PersonKey {
    type Err = String;
    fn from_str(text: &str) -> Result<PersonKey, String> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(PersonKey).ok_or_else(|| format!("`{text}` is not a person's keyed hash"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_another_in_each_case_and_register() {
        let key = NoticeKey::new([7; 16]);
        let person = key.person("hakone", "holders", "HK1");
        assert_eq!(person, key.person("hakone", "holders", " HK1 "));
        assert_ne!(person, key.person("hakone", "applicants", "HK1"));
        assert_ne!(key.person("a", "bc", "d"), key.person("ab", "c", "d"));
        assert_ne!(person, NoticeKey::new([8; 16]).person("hakone", "holders", "HK1"));
        assert_eq!(person.to_string().parse(), Ok(person));
    }
}
