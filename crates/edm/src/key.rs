//! The secret under which every value is hashed.
//!
//! AES-128 CMAC (NIST SP 800-38B) over one tag byte and the message, so that equal bytes in different uses never
//! have equal hashes. Value hashes are the first 8 bytes, which is what the index stores.
//!
//! Sessions and accounts are hashed under a key of their own, derived from the secret, with HMAC-SHA-256: the firm's own
//! system may hold that key, so that it recognises a session that it is told to end, and learns nothing of values by it.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use sekisho_model::{AccountKey, FieldKind, SessionKey, SubjectId};
use sha2::Sha256;
use std::net::IpAddr;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The secret under which every value is hashed: AES-128 CMAC, with a tag for each use. Wiped when dropped.
pub struct HashKey {
    cipher: Aes128,
    /// The two subkeys of CMAC: for a last block that is full, and for one that is not.
    subkeys: [[u8; BLOCK]; 2],
    /// Of sessions and accounts.
    identities: Hmac<Sha256>,
}

const BLOCK: usize = 16;
/// The longest message, tag included, that is hashed in one go.
const SHORT_BYTES_MAX: usize = 4 * BLOCK;

/// What a hash is for: the first byte of the message. Stored hashes depend on these numbers.
#[derive(Clone, Copy)]
enum Use {
    Identities = 1,
    Client = 2,
    RowKey = 3,
    Check = 4,
    NamePart = 5,
    NameFilter = 6,
    File = 7,
    SecretRun = 8,
    /// Plus the value kind's number.
    Value = 0x20,
}

/// The kinds of values that are looked up by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ValueKind {
    Email = 0,
    AccountId = 1,
    Pan = 2,
    Phone = 3,
    Secret = 4,
}

impl ValueKind {
    pub(crate) const ALL: [ValueKind; 5] =
        [ValueKind::Email, ValueKind::AccountId, ValueKind::Pan, ValueKind::Phone, ValueKind::Secret];

    pub(crate) fn of(kind: FieldKind) -> Option<ValueKind> {
        match kind {
            FieldKind::Email => Some(ValueKind::Email),
            FieldKind::AccountId => Some(ValueKind::AccountId),
            FieldKind::Pan => Some(ValueKind::Pan),
            FieldKind::Phone => Some(ValueKind::Phone),
            FieldKind::Secret => Some(ValueKind::Secret),
            FieldKind::Name
            | FieldKind::Kana
            | FieldKind::Romaji
            | FieldKind::BirthDate
            | FieldKind::Address
            | FieldKind::Text => None,
        }
    }
}

impl HashKey {
    /// The key of these 16 bytes.
    #[must_use]
    pub fn new(mut bytes: [u8; 16]) -> HashKey {
        let cipher = Aes128::new(&bytes.into());
        bytes.zeroize();
        let mut zero = [0; BLOCK].into();
        cipher.encrypt_block(&mut zero);
        let full = doubled(zero.into());
        let subkeys = [full, doubled(full)];
        let mut key = HashKey { cipher, subkeys, identities: identities(&[]) };
        key.identities = identities(&key.identity_key());
        key
    }

    /// The key of sessions and accounts, for whoever else must recognise them.
    #[must_use]
    pub fn identity_key(&self) -> [u8; 16] {
        self.mac(Use::Identities as u8, &[b"sekisho sessions and accounts"])
    }

    /// The keyed hash of a session cookie or token: the first 16 bytes of HMAC-SHA-256 over `session`, a zero byte and
    /// the token, under [`HashKey::identity_key`].
    #[must_use]
    pub fn session(&self, token: &[u8]) -> SessionKey {
        SessionKey(self.identity(b"session\0", token))
    }

    /// The keyed hash of an account of staff or a partner. Without regard to case and to spaces around it: sites differ in
    /// what they accept.
    #[must_use]
    pub fn account(&self, name: &str) -> AccountKey {
        AccountKey(self.identity(b"account\0", name.trim().to_lowercase().as_bytes()))
    }

    fn identity(&self, kind: &[u8], name: &[u8]) -> [u8; 16] {
        let full: [u8; 32] =
            self.identities.clone().chain_update(kind).chain_update(name).finalize().into_bytes().into();
        let (half, _) = full.as_chunks::<16>();
        half[0]
    }

    /// The keyed hash of a client address. An IPv4 address and its IPv6-mapped form are the same client.
    #[must_use]
    pub fn client(&self, address: IpAddr) -> [u8; 16] {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.mac(Use::Client as u8, &[&v4.octets()]),
            IpAddr::V6(v6) => self.mac(Use::Client as u8, &[&v6.octets()]),
        }
    }

    /// The hash of a row key of one register. The register's name is part of it, so that equal keys of two
    /// registers cannot be matched.
    pub(crate) fn row_key(&self, register: &str, row_key: &str) -> u64 {
        let name_len = u32::try_from(register.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.mac64(Use::RowKey as u8, &[&name_len, register.as_bytes(), row_key.as_bytes()])
    }

    /// The hash of a normalised value.
    pub(crate) fn value(&self, kind: ValueKind, normalised: &[u8]) -> u64 {
        self.mac64(Use::Value as u8 + kind as u8, &[normalised])
    }

    /// The hash of a secret's anchor run.
    pub(crate) fn secret_run(&self, run: &[u8]) -> u64 {
        self.mac64(Use::SecretRun as u8, &[run])
    }

    /// The hash of a name part of one subject: equal names of two persons have different hashes.
    pub(crate) fn name_part(&self, subject: SubjectId, part: &[u8]) -> u64 {
        self.mac64(Use::NamePart as u8, &[&subject.0.to_le_bytes(), part])
    }

    /// The multipliers by which first and last characters of one subject's names are filtered.
    pub(crate) fn name_filters(&self, subject: SubjectId) -> [u32; 2] {
        let bits = self.mac64(Use::NameFilter as u8, &[&subject.0.to_le_bytes()]);
        [bits as u32, (bits >> 32) as u32]
    }

    /// A constant under this key: tells whether a stored index belongs to it.
    pub(crate) fn check_value(&self) -> [u8; 16] {
        self.mac(Use::Check as u8, &[b"sekisho index"])
    }

    /// A running CMAC of a stored index.
    pub(crate) fn file_mac(&self) -> RunningMac<'_> {
        let mut mac = RunningMac::new(self);
        mac.update(&[Use::File as u8]);
        mac
    }

    fn mac64(&self, tag: u8, parts: &[&[u8]]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.mac(tag, parts);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn mac(&self, tag: u8, parts: &[&[u8]]) -> [u8; 16] {
        let len = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        if len <= SHORT_BYTES_MAX {
            return self.mac_of_short(tag, parts);
        }
        let mut mac = RunningMac::new(self);
        mac.update(&[tag]);
        parts.iter().for_each(|part| mac.update(part));
        mac.finish()
    }

    /// The same, in one go: nearly all values are short, and the copying between blocks costs more than they do.
    fn mac_of_short(&self, tag: u8, parts: &[&[u8]]) -> [u8; 16] {
        let mut message = [0; SHORT_BYTES_MAX];
        message[0] = tag;
        let mut len = 1;
        for part in parts {
            message[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        let (blocks, _) = message.as_chunks_mut::<BLOCK>();
        let last = (len - 1) / BLOCK;
        let [full, padded] = &self.subkeys;
        if len.is_multiple_of(BLOCK) {
            xor(&mut blocks[last], full);
        } else {
            blocks[last][len % BLOCK] = 0x80;
            xor(&mut blocks[last], padded);
        }
        let mut state = [0; BLOCK];
        for block in &blocks[..=last] {
            xor(&mut state, block);
            let mut encrypted = state.into();
            self.cipher.encrypt_block(&mut encrypted);
            state = encrypted.into();
        }
        state
    }
}

impl Drop for HashKey {
    /// The cipher wipes its own round keys.
    fn drop(&mut self) {
        self.subkeys.zeroize();
    }
}

/// A running CMAC. Borrows the round keys, which cloning and wiping them for each value would make ten times dearer.
#[derive(Clone)]
pub(crate) struct RunningMac<'a> {
    key: &'a HashKey,
    state: [u8; BLOCK],
    /// The last block, which is only encrypted when it is known whether more follows.
    block: [u8; BLOCK],
    len: usize,
}

impl<'a> RunningMac<'a> {
    fn new(key: &'a HashKey) -> RunningMac<'a> {
        RunningMac { key, state: [0; BLOCK], block: [0; BLOCK], len: 0 }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.len == BLOCK {
                self.encrypt();
                self.len = 0;
            }
            let count = bytes.len().min(BLOCK - self.len);
            self.block[self.len..self.len + count].copy_from_slice(&bytes[..count]);
            self.len += count;
            bytes = &bytes[count..];
        }
    }

    pub(crate) fn finish(mut self) -> [u8; 16] {
        let [full, padded] = &self.key.subkeys;
        if self.len == BLOCK {
            xor(&mut self.block, full);
        } else {
            self.block[self.len] = 0x80;
            self.block[self.len + 1..].fill(0);
            xor(&mut self.block, padded);
        }
        self.encrypt();
        self.state
    }

    fn encrypt(&mut self) {
        xor(&mut self.state, &self.block);
        let mut block = self.state.into();
        self.key.cipher.encrypt_block(&mut block);
        self.state = block.into();
    }
}

fn xor(block: &mut [u8; BLOCK], with: &[u8; BLOCK]) {
    block.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
}

fn identities(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Multiplication by x in the field of CMAC.
fn doubled(block: [u8; BLOCK]) -> [u8; BLOCK] {
    let value = u128::from_be_bytes(block);
    let carry = if value >> 127 == 1 { 0x87 } else { 0 };
    (value << 1 ^ carry).to_be_bytes()
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// The cipher's round keys are wiped by the `zeroize` feature of `aes`; this holds them to it.
const fn wiped_on_drop<T: ZeroizeOnDrop>() {}
const _: () = wiped_on_drop::<Aes128>();

#[cfg(test)]
mod tests {
    use super::*;
    use cmac::Cmac;

    #[test]
    fn the_mac_is_standard_cmac_with_a_leading_tag() {
        let key = HashKey::new([0x2B; 16]);
        for len in 0..70 {
            let message = vec![0xA5; len];
            let mut running = RunningMac::new(&key);
            running.update(&[Use::Client as u8]);
            running.update(&message);
            let mac = key.mac(Use::Client as u8, &[&message]);
            assert_eq!(mac, running.finish(), "{len} bytes");
            let mut standard = <Cmac<Aes128> as KeyInit>::new(&[0x2B; 16].into());
            standard.update(&[Use::Client as u8]);
            standard.update(&message);
            assert_eq!(mac, <[u8; 16]>::from(standard.finalize().into_bytes()), "{len} bytes");
        }
    }

    /// Computed with Python's `hmac` from the key's own identity key, as `docs/webhook.md` tells others to.
    #[test]
    fn sessions_and_accounts_are_hashed_as_others_can() {
        let key = HashKey::new([7; 16]);
        assert_eq!(hex(&key.identity_key()), "95af51bfeb4fdbde4fbaf06427851871");
        assert_eq!(hex(&key.session(b"abc123").0), "afff1414a1e14720794d858ed3b02b1d");
        assert_eq!(hex(&key.account(" Tanaka ").0), "1260fb3f77ec4149931b44cf4de8f930");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn equal_bytes_in_different_uses_have_different_hashes() {
        let key = HashKey::new([7; 16]);
        let hashes = [
            key.value(ValueKind::Email, b"12345678"),
            key.value(ValueKind::AccountId, b"12345678"),
            key.value(ValueKind::Phone, b"12345678"),
            key.secret_run(b"12345678"),
            key.row_key("", "12345678"),
        ];
        let distinct: std::collections::HashSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
        assert_ne!(key.row_key("ab", "c"), key.row_key("a", "bc"));
    }

    #[test]
    fn a_mapped_address_is_the_same_client() {
        let key = HashKey::new([7; 16]);
        let v4: IpAddr = "192.0.2.7".parse().expect("an address");
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
        assert_eq!(key.client(v4), key.client(mapped));
        assert_ne!(key.client(v4), HashKey::new([8; 16]).client(v4));
    }
}
