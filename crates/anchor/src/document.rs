//! A document whose parts can be withheld: what a log commits to when a text may have to go some day.
//!
//! Every part is hashed with a salt of its own, and the document's hash is over the parts' hashes. A part that is withheld
//! leaves its hash behind: the others are still shown to be what was logged, and the withheld text cannot be guessed.
//! The idea is that of SD-JWT (selective disclosure by salted hashes).
//!
//! ```text
//! part hash      SHA-256("sekisho-part/1\n" name "\n" salt "\n" value)      salt: 32 hexadecimal digits
//! document hash  SHA-256("sekisho-document/1\n" kind "\n" (name " " part hash "\n")*)
//! ```
//!
//! A value is hashed as JSON with sorted keys and without white space (RFC 8785); numbers are integers.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What documents call themselves.
pub const FORMAT: &str = "sekisho-document/1";
/// Bytes of a document.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Parts of a document.
pub const PARTS_MAX: usize = 64;
const PART_FORMAT: &str = "sekisho-part/1";
/// Characters of a part's name, or of a kind.
const NAME_CHARS_MAX: usize = 32;

/// A document, whole or with parts withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    format: String,
    kind: String,
    parts: Vec<Part>,
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    /// 16 random bytes in hexadecimal; not there when the part is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "present")]
    value: Option<Value>,
    /// The part's hash, when it is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withheld: Option<String>,
}

/// A value that is `null` is there, too.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Value>, to: S) -> Result<S::Ok, S::Error> {
        value.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(from).map(Some)
    }
}

/// Why bytes are no document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

fn malformed(why: impl Into<String>) -> Malformed {
    Malformed(why.into())
}

impl Document {
    /// A document with these parts; `salts` gives 16 random bytes for each, or none when the system has none.
    pub fn seal(
        kind: &str,
        parts: impl IntoIterator<Item = (String, Value)>,
        mut salts: impl FnMut() -> Option<[u8; 16]>,
    ) -> Result<Document, Malformed> {
        let part = |(name, value)| {
            let salt = salts().ok_or_else(|| malformed("the system gives no random bytes"))?;
            Ok(Part { name, salt: Some(hex::encode(salt)), value: Some(value), withheld: None })
        };
        let parts = parts.into_iter().map(part).collect::<Result<Vec<Part>, Malformed>>()?;
        let document = Document { format: FORMAT.to_owned(), kind: kind.to_owned(), parts };
        document.check()?;
        Ok(document)
    }

    /// Reads one, without asking whose hash it has.
    pub fn parse(bytes: &[u8]) -> Result<Document, Malformed> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(malformed(format!("it has more than {DOCUMENT_BYTES_MAX} bytes")));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|err| malformed(err.to_string()))?;
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), Malformed> {
        if self.format != FORMAT {
            return Err(malformed(format!("its format is not `{FORMAT}`")));
        }
        if self.parts.len() > PARTS_MAX {
            return Err(malformed(format!("it has more than {PARTS_MAX} parts")));
        }
        if !is_name(&self.kind) {
            return Err(malformed("its kind is no name"));
        }
        for (at, part) in self.parts.iter().enumerate() {
            let name = &part.name;
            if !is_name(name) || self.parts[..at].iter().any(|other| other.name == *name) {
                return Err(malformed(format!("part {} has no name of its own", at + 1)));
            }
            match (&part.salt, &part.value, &part.withheld) {
                (Some(salt), Some(value), None) if is_hex(salt, 32) && is_exact(value) => {}
                (None, None, Some(hash)) if is_hex(hash, 64) => {}
                _ => return Err(malformed(format!("the part `{name}` is neither shown nor withheld as it should be"))),
            }
        }
        Ok(())
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its hash, in hexadecimal; the same whichever parts are withheld.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new_with_prefix(format!("{FORMAT}\n{}\n", self.kind));
        for part in &self.parts {
            hasher.update(format!("{} {}\n", part.name, part.hash()));
        }
        hex::encode(hasher.finalize())
    }

    /// As it is kept and shown.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The parts that are shown.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.parts.iter().filter_map(|part| Some((part.name.as_str(), part.value.as_ref()?)))
    }

    /// The names of the parts that are withheld.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter(|part| part.withheld.is_some()).map(|part| part.name.as_str())
    }

    /// Whether there is such a part, shown or withheld.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    /// Puts a part's hash in its place. The hash of the document stays.
    pub fn withhold(&mut self, name: &str) {
        for part in self.parts.iter_mut().filter(|part| part.name == name) {
            *part = Part { name: name.to_owned(), salt: None, value: None, withheld: Some(part.hash()) };
        }
    }
}

impl Part {
    fn hash(&self) -> String {
        if let Some(hash) = &self.withheld {
            return hash.clone();
        }
        let (salt, value) = (self.salt.as_deref().unwrap_or_default(), self.value.as_ref().unwrap_or(&Value::Null));
        let mut hasher = Sha256::new_with_prefix(format!("{PART_FORMAT}\n{}\n{salt}\n", self.name));
        hasher.update(canonical(value));
        hex::encode(hasher.finalize())
    }
}

/// Names hold nothing that separates them from what follows.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Lower-case only, so that a document has one spelling.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// No number that programs could read in two ways.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        _ => true,
    }
}

/// RFC 8785, for values without fractions whose keys are ASCII.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let fields: BTreeMap<&String, &Value> = fields.iter().collect();
            let field =
                |(name, value): (&String, &Value)| format!("{}:{}", Value::String(name.clone()), canonical(value));
            format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Document {
        let mut next = 0;
        let salts = || {
            next += 1;
            Some([next; 16])
        };
        let parts =
            [("title", json!({"ja": "お知らせ", "en": "Notice"})), ("counts", json!([3, null])), ("note", json!(null))];
        Document::seal("notice", parts.map(|(name, value)| (name.to_owned(), value)), salts).expect("a document")
    }

    #[test]
    fn a_part_that_is_withheld_leaves_the_hash_and_the_other_parts() {
        let whole = document();
        let mut shown = Document::parse(&whole.bytes()).expect("read back");
        assert_eq!(shown, whole);
        shown.withhold("title");
        assert_eq!(shown.hash(), whole.hash());
        let text = String::from_utf8(shown.bytes()).expect("UTF-8");
        assert!(!text.contains("お知らせ") && !text.contains(&"01".repeat(16)), "neither text nor salt: {text}");
        let back = Document::parse(text.as_bytes()).expect("read back");
        assert_eq!(back.withheld().collect::<Vec<_>>(), ["title"]);
        assert_eq!(back.shown().map(|(name, _)| name).collect::<Vec<_>>(), ["counts", "note"]);
        assert_eq!(back.hash(), whole.hash());
    }

    /// Computed with Python's hashlib and json.dumps(sort_keys=True, separators=(",", ":"), ensure_ascii=False).
    #[test]
    fn the_hash_is_that_of_another_program() {
        assert_eq!(document().hash(), "67ab23587c2445cd6722147f27afb98e54d2a7119ebfdc5fb6ab4060d90ecf4a");
    }

    #[test]
    fn another_value_salt_name_order_or_kind_is_another_hash() {
        let whole = String::from_utf8(document().bytes()).expect("UTF-8");
        let hash = document().hash();
        for (from, to) in [
            ("お知らせ", "お知らせ。"),
            ("\"en\"", "\"fr\""),
            (&"01".repeat(16), &"a1".repeat(16)),
            ("\"title\"", "\"heading\""),
            ("\"kind\": \"notice\"", "\"kind\": \"status\""),
            ("null", "0"),
        ] {
            let changed = whole.replacen(from, to, 1);
            assert_ne!(changed, whole, "{from}");
            assert_ne!(Document::parse(changed.as_bytes()).expect("a document").hash(), hash, "{from}");
        }
    }

    #[test]
    fn a_document_has_its_limits_and_no_salt_is_no_document() {
        let parts = |count: usize| (0..count).map(|at| (format!("part_{at}"), json!(at)));
        assert!(Document::seal("notice", parts(PARTS_MAX), || Some([1; 16])).is_ok());
        assert!(Document::seal("notice", parts(PARTS_MAX + 1), || Some([1; 16])).is_err());
        assert!(Document::seal("notice", parts(1), || None).is_err());
        let mut bytes = document().bytes();
        bytes.resize(DOCUMENT_BYTES_MAX, b' ');
        assert!(Document::parse(&bytes).is_ok());
        bytes.push(b' ');
        assert!(Document::parse(&bytes).is_err());
        let name = |len: usize| Document::seal(&"n".repeat(len), parts(1), || Some([1; 16]));
        assert!(name(NAME_CHARS_MAX).is_ok() && name(NAME_CHARS_MAX + 1).is_err());
    }

    #[test]
    fn what_has_two_readings_is_no_document() {
        let whole = String::from_utf8(document().bytes()).expect("UTF-8");
        for (from, to) in [
            ("\"value\": null", "\"value\": 1.5"),
            ("\"value\": null", "\"withheld\": \"00\""),
            ("\"note\"", "\"title\""),
            ("\"note\"", "\"no te\""),
            (&"02".repeat(16), &"A2".repeat(16)),
            ("\"kind\"", "\"kind\": \"a\", \"kind\""),
            (FORMAT, "sekisho-document/2"),
        ] {
            let changed = whole.replacen(from, to, 1);
            assert_ne!(changed, whole, "{from}");
            assert!(Document::parse(changed.as_bytes()).is_err(), "{to}");
        }
    }
}
