//! The store: a case's notice, and keyed hashes of codes and of mail addresses, each with the fields that left. No
//! names, addresses, row keys or codes are in it. A hashed address is weaker than a hashed code: whoever has store and
//! key can try addresses. It is there only when `codes` was given a register.
//!
//! A text file: `sekisho-affected 1`, the notice as one line of JSON, the numbers of codes and of addresses,
//! a sorted line for each (`hash left`, hexadecimal), and a seal under the lookup key. Written whole, read whole into memory: 24 bytes a code.

use crate::Error;
use crate::keys::{CodeHash, LookupKey};
use crate::notice::{Left, Notice};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const VERSION_LINE: &str = "sekisho-affected 1";
/// Codes of one store; beyond, it is refused.
pub const CODES_MAX: usize = 20_000_000;
/// Different sets of fields in one case; beyond, the store is refused: each is a page kept in memory.
pub const SETS_MAX: usize = 1_024;

/// One case's codes, sorted by hash.
#[derive(Debug)]
pub struct Store {
    notice: Notice,
    entries: Vec<(CodeHash, Left)>,
    mails: Vec<(CodeHash, Left)>,
}

impl Store {
    /// Sorts the codes of one case. Two persons with the same code cannot be told apart, and are an error.
    /// An address that several persons share is one, with the fields of all of them.
    pub fn new(
        notice: Notice,
        mut entries: Vec<(CodeHash, Left)>,
        mut mails: Vec<(CodeHash, Left)>,
    ) -> Result<Store, Error> {
        entries.sort_unstable();
        mails.sort_unstable();
        mails.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.0 |= next.1.0;
            }
            same
        });
        let store = Store { notice, entries, mails };
        store.check()?;
        Ok(store)
    }

    /// The case's notice.
    #[must_use]
    pub fn notice(&self) -> &Notice {
        &self.notice
    }

    /// Codes and fields, sorted by hash.
    #[must_use]
    pub fn entries(&self) -> &[(CodeHash, Left)] {
        &self.entries
    }

    /// Hashed mail addresses and fields, sorted by hash.
    #[must_use]
    pub fn mails(&self) -> &[(CodeHash, Left)] {
        &self.mails
    }

    /// The different sets of fields, sorted.
    #[must_use]
    pub fn sets(&self) -> Vec<Left> {
        let sets: std::collections::BTreeSet<_> = self.all().map(|&(_, left)| left).collect();
        sets.into_iter().collect()
    }

    /// Writes the file.
    pub fn write(&self, key: &LookupKey, output: &mut dyn Write) -> io::Result<()> {
        let mut sealed = Sealing { digest: Sha256::new(), output };
        writeln!(sealed, "{VERSION_LINE}")?;
        writeln!(sealed, "{}", serde_json::to_string(&self.notice)?)?;
        writeln!(sealed, "{} {}", self.entries.len(), self.mails.len())?;
        for (hash, left) in self.all() {
            writeln!(sealed, "{} {:x}", hex::encode(hash), left.0)?;
        }
        let seal = key.seal(&sealed.digest.finalize());
        writeln!(sealed.output, "{}", hex::encode(seal))
    }

    /// Reads a file; one that is cut, changed or of another key is an error.
    pub fn read(key: &LookupKey, text: &str) -> Result<Store, Error> {
        let wrong = |problem: &str| Error::Store(problem.to_owned());
        if text.lines().next() != Some(VERSION_LINE) {
            return Err(Error::Store(format!(
                "its first line is not `{VERSION_LINE}`; make it again with this version"
            )));
        }
        let sealed_bytes = text.strip_suffix('\n').and_then(|text| text.rfind('\n')).map_or(0, |end| end + 1);
        let (sealed, seal) = text.split_at(sealed_bytes);
        if hex::encode(key.seal(&Sha256::digest(sealed))) != seal.trim_end() {
            return Err(wrong("it is cut, was changed, or belongs to another lookup key; make it again"));
        }
        let mut lines = sealed.lines().skip(1);
        let notice = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let counts = lines.next().and_then(|line| line.split_once(' '));
        let counts = counts.and_then(|(codes, mails)| Some((codes.parse().ok()?, mails.parse().ok()?)));
        let entries: Option<Vec<_>> = lines.map(entry).collect();
        let (Some(notice), Some((codes, mails)), Some(mut entries)) = (notice, counts, entries) else {
            return Err(wrong("a line of it cannot be read; make it again with this version"));
        };
        if entries.len().checked_sub(codes) != Some(mails) {
            return Err(wrong("it has another number of codes than it says"));
        }
        let mails = entries.split_off(codes);
        let store = Store { notice, entries, mails };
        store.check()?;
        Ok(store)
    }

    fn all(&self) -> impl Iterator<Item = &(CodeHash, Left)> {
        self.entries.iter().chain(&self.mails)
    }

    fn check(&self) -> Result<(), Error> {
        self.notice.check()?;
        if self.entries.len().max(self.mails.len()) > CODES_MAX {
            return Err(Error::Store(format!("it has more than {CODES_MAX} codes; split the case")));
        }
        let sorted = |entries: &[(CodeHash, Left)]| entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !sorted(&self.entries) || !sorted(&self.mails) {
            return Err(Error::Store("two rows have the same code, or the codes are not sorted".to_owned()));
        }
        let named = u64::MAX.checked_shr(64 - self.notice.fields.len() as u32).unwrap_or(0);
        if self.all().any(|(_, left)| left.0 & !named != 0) {
            return Err(Error::Store("a code names a field that the notice does not have".to_owned()));
        }
        let sets = self.sets().len();
        if sets > SETS_MAX {
            return Err(Error::Store(format!("it has {sets} different sets of fields; {SETS_MAX} are allowed")));
        }
        Ok(())
    }
}

fn entry(line: &str) -> Option<(CodeHash, Left)> {
    let (hash, left) = line.split_once(' ')?;
    let hash = hex::decode(hash).ok()?.try_into().ok()?;
    Some((hash, Left(u64::from_str_radix(left, 16).ok()?)))
}

/// Hashes what passes.
struct Sealing<'a> {
    digest: Sha256,
    output: &'a mut dyn Write,
}

impl Write for Sealing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::EXAMPLE;

    fn key(digits: &str) -> LookupKey {
        LookupKey::parse(&digits.repeat(16)).expect("a key")
    }

    fn store() -> Store {
        let notice = Notice::parse(EXAMPLE).expect("a notice");
        let codes = vec![([9; 16], Left(1)), ([3; 16], Left(3)), ([5; 16], Left(1))];
        Store::new(notice, codes, vec![([7; 16], Left(1)), ([7; 16], Left(2))]).expect("a store")
    }

    fn written() -> String {
        let mut bytes = Vec::new();
        store().write(&key("11"), &mut bytes).expect("a vector takes everything");
        String::from_utf8(bytes).expect("a text file")
    }

    #[test]
    fn a_store_is_read_as_it_was_written() {
        let store = Store::read(&key("11"), &written()).expect("it is whole");
        assert_eq!(store.entries(), [([3; 16], Left(3)), ([5; 16], Left(1)), ([9; 16], Left(1))]);
        assert_eq!(store.mails(), [([7; 16], Left(3))], "a shared address is one");
        assert_eq!(store.sets(), [Left(1), Left(3)]);
        assert_eq!(store.notice().case, "hakone-2026-1");
    }

    #[test]
    fn a_store_that_is_cut_changed_or_of_another_key_is_refused() {
        let text = written();
        for (key, text) in [
            (key("22"), text.clone()),
            (key("11"), text.replace("0505", "0506")),
            (key("11"), text.replace("\n3 1\n", "\n4 0\n")),
            (key("11"), text.lines().take(4).collect::<Vec<_>>().join("\n")),
            (key("11"), text.replace("affected 1", "affected 2")),
            (key("11"), String::new()),
        ] {
            assert!(Store::read(&key, &text).is_err(), "{text}");
        }
    }

    #[test]
    fn codes_that_cannot_be_told_apart_are_refused() {
        let notice = || Notice::parse(EXAMPLE).expect("a notice");
        assert!(Store::new(notice(), vec![([1; 16], Left(1)), ([1; 16], Left(3))], Vec::new()).is_err());
        assert!(Store::new(notice(), vec![([1; 16], Left(8))], Vec::new()).is_err());
    }
}
