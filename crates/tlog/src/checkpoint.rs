//! Checkpoints after C2SP tlog-checkpoint, signed as C2SP signed notes with Ed25519.

use crate::{Error, Hash};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use signed_note::{Note, StandardSigner, StandardVerifier, Verifier as _, VerifierList};

/// Ed25519 in a signed-note key.
const ALGORITHM_ED25519: u8 = 1;

/// The state of a log: what is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The log's name, which is also its key's name.
    pub origin: String,
    /// Leaves in the log.
    pub size: u64,
    /// Its Merkle tree hash.
    pub root: Hash,
}

/// A private key in the form `PRIVATE+KEY+name+id+base64`. Never shown by `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    name: String,
    verifier: String,
    signer: StandardSigner,
}

/// A public key in the form `name+id+base64`.
#[derive(Clone)]
pub struct VerifyingKey {
    text: String,
    verifier: StandardVerifier,
}

impl Checkpoint {
    /// The signed note's bytes.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, Error> {
        let text = tlog_tiles::Checkpoint::new(&self.origin, self.size, self.root, "")
            .map_err(|_| Error::MalformedCheckpoint)?
            .to_bytes();
        let mut note = Note::new(&text, &[]).map_err(|_| Error::MalformedCheckpoint)?;
        note.add_sigs(&[&key.signer]).map_err(|err| Error::Signature { reason: err.to_string() })?;
        Ok(note.to_bytes())
    }

    /// Reads a note that `key` must have signed, for the log that bears the key's name.
    pub fn open(note: &[u8], key: &VerifyingKey) -> Result<Checkpoint, Error> {
        let parsed = Note::from_bytes(note).map_err(|_| Error::MalformedCheckpoint)?;
        let known = VerifierList::new(vec![Box::new(key.verifier.clone())]);
        parsed.verify(&known).map_err(|err| Error::Signature { reason: err.to_string() })?;
        // The parser accepts more than one spelling of some lines; the signature's bytes must be ours to the bit.
        let checkpoint = Checkpoint::parse(&parsed)?;
        if checkpoint.origin != key.name() {
            return Err(Error::Origin { expected: key.name().to_owned(), found: checkpoint.origin });
        }
        Ok(checkpoint)
    }

    /// Reads a note without checking who signed it.
    pub fn open_unverified(note: &[u8]) -> Result<Checkpoint, Error> {
        Checkpoint::parse(&Note::from_bytes(note).map_err(|_| Error::MalformedCheckpoint)?)
    }

    fn parse(note: &Note) -> Result<Checkpoint, Error> {
        let text = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|_| Error::MalformedCheckpoint)?;
        Ok(Checkpoint { origin: text.origin().to_owned(), size: text.size(), root: *text.hash() })
    }
}

impl SigningKey {
    /// The key of the log `name` from 32 random bytes. The name must not be empty or hold spaces or `+`.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<SigningKey, Error> {
        let verifying = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
        let public = [&[ALGORITHM_ED25519], verifying.as_bytes().as_slice()].concat();
        let id = signed_note::key_id(name, &public);
        let private = BASE64_STANDARD.encode([&[ALGORITHM_ED25519], seed.as_slice()].concat());
        SigningKey::parse(&format!("PRIVATE+KEY+{name}+{id:08x}+{private}"))
    }

    /// Reads a key's text.
    pub fn parse(text: &str) -> Result<SigningKey, Error> {
        let malformed = |reason: &str| Error::Key { which: "signing", reason: reason.to_owned() };
        let text = text.trim_end();
        let signer = StandardSigner::new(text).map_err(|err| malformed(&err.to_string()))?;
        let mut parts = text.splitn(5, '+').skip(2);
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("a part is missing"));
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| malformed("not base64"))?;
        let seed: &[u8; 32] = key.get(1..).and_then(|seed| seed.try_into().ok()).ok_or(malformed("not 32 bytes"))?;
        let verifying = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
        let public = BASE64_STANDARD.encode([&[ALGORITHM_ED25519], verifying.as_bytes().as_slice()].concat());
        Ok(SigningKey { name: name.to_owned(), verifier: format!("{name}+{id}+{public}"), signer })
    }

    /// The log's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key's text, to be handed to verifiers.
    #[must_use]
    pub fn verifier(&self) -> &str {
        &self.verifier
    }
}

/// The text of a new private key, to be stored in a file with mode 0600.
pub fn generate_signing_key(name: &str, seed: &[u8; 32]) -> Result<String, Error> {
    let key = SigningKey::from_seed(name, seed)?;
    let id = key.verifier.split('+').nth(1).expect("a verifier key has three parts").to_owned();
    let private = BASE64_STANDARD.encode([&[ALGORITHM_ED25519], seed.as_slice()].concat());
    Ok(format!("PRIVATE+KEY+{name}+{id}+{private}"))
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.name)
    }
}

impl VerifyingKey {
    /// Reads a key's text.
    pub fn parse(text: &str) -> Result<VerifyingKey, Error> {
        let text = text.trim_end();
        let verifier =
            StandardVerifier::new(text).map_err(|err| Error::Key { which: "verifier", reason: err.to_string() })?;
        Ok(VerifyingKey { text: text.to_owned(), verifier })
    }

    /// The log's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verifier.name()
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({})", self.text)
    }
}
