//! A log of one's own in a directory: entries in a Merkle tree with a signed checkpoint (C2SP tlog-tiles), so that what it said
//! on a day can be shown later to somebody who does not trust this disk. The watcher of notices and the public record of a
//! disclosure keep theirs with it; the ledger, with its thousand records a second, keeps its own.
//!
//! Order of writing: tiles, then the checkpoint. So what stands behind the checkpoint was never acknowledged, and is
//! written over. A log and checkpoint that are both set back to an earlier state cannot be told here: hand a checkpoint
//! to somebody else from time to time, and compare it.

pub mod document;
pub mod durable;
mod error;

pub use error::Error;

use sekisho_tlog::{Checkpoint, SigningKey, TilePath, Tree, VerifyingKey, tree};
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How often a reader begins anew when a writer fills a tile under its hands.
const ATTEMPTS_MAX: usize = 3;

/// The log as its only writer has it; the lock is held until it is dropped.
#[derive(Debug)]
pub struct Anchor {
    dir: PathBuf,
    key: SigningKey,
    tree: Tree,
    _lock: File,
}

impl Anchor {
    /// Opens the log for writing, making it and its key `<name>.skey` when neither is there; gives the entries so far.
    /// `origin` is what a new key is called, before a hyphen and eight random digits.
    pub fn open(dir: &Path, keys: &Path, (name, origin): (&str, &str)) -> Result<(Anchor, Vec<Vec<u8>>), Error> {
        let log = dir.join("log");
        durable::create_directory(&log).map_err(Error::disk("make", &log))?;
        let lock = lock(dir)?;
        let signing = keys.join(format!("{name}.skey"));
        if !signing.exists() {
            if dir.join("log/checkpoint").exists() {
                let reason = "there is a log, but not its key; restore it from a backup".to_owned();
                return Err(Error::Key { path: signing, reason });
            }
            create_key(keys, name, origin)?;
        }
        let key = signing_key(&signing)?;
        let (checkpoint, entries) = match read(dir, &read_verifier(keys, name)?)? {
            Some(signed) => (Some(signed.checkpoint), signed.entries),
            None => (None, Vec::new()),
        };
        let failed = |err| Error::Log { dir: dir.to_owned(), err };
        let size = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let tree = Tree::load(size, &tiles(dir)).map_err(failed)?;
        if checkpoint.is_some_and(|checkpoint| checkpoint.root != tree.root()) {
            return Err(not_whole(dir, "its tiles do not give the root that was signed"));
        }
        Ok((Anchor { dir: dir.to_owned(), key, tree, _lock: lock }, entries))
    }

    /// What the log is called: its key's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    /// The key that verifies it, as text.
    #[must_use]
    pub fn verifier(&self) -> &str {
        self.key.verifier()
    }

    /// Entries so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Adds entries under one signature; when this returns they are durable and signed.
    pub fn append(&mut self, entries: &[Vec<u8>]) -> Result<(), Error> {
        let failed = |err| Error::Log { dir: self.dir.clone(), err };
        let mut tree = self.tree.clone();
        for entry in entries {
            tree.append(entry).map_err(failed)?;
        }
        let mut filled = Vec::new();
        for tile in tree.take_changed() {
            let path = self.dir.join("log").join(tile.path.to_string());
            let parent = path.parent().unwrap_or(&self.dir);
            durable::create_directory(parent).map_err(Error::disk("make", parent))?;
            durable::replace(&path, &tile.bytes).map_err(Error::disk("write", &path))?;
            if tile.path.is_full() {
                filled.push(path);
            }
        }
        let state = Checkpoint { origin: self.key.name().to_owned(), size: tree.size(), root: tree.root() };
        let note = state.sign(&self.key).map_err(failed)?;
        let path = self.dir.join("log/checkpoint");
        durable::replace(&path, &note).map_err(Error::disk("write", &path))?;
        self.tree = tree;
        for path in filled {
            // The parts of a full tile are not needed any more; one that stays does no harm.
            let mut parts = path.into_os_string();
            parts.push(".p");
            let _ = std::fs::remove_dir_all(parts);
        }
        Ok(())
    }
}

/// A log whose lock was given back. Its owner can go on without reading it again, when nobody else has written since.
#[derive(Debug)]
pub struct Resting {
    dir: PathBuf,
    key: SigningKey,
    tree: Tree,
}

impl Anchor {
    /// Gives the lock back.
    #[must_use]
    pub fn rest(self) -> Resting {
        Resting { dir: self.dir, key: self.key, tree: self.tree }
    }
}

impl Resting {
    /// Takes the lock again; `None` when the log is another one than it was, and must be opened anew.
    pub fn resume(self) -> Result<Option<Anchor>, Error> {
        let lock = lock(&self.dir)?;
        let failed = |err| Error::Log { dir: self.dir.clone(), err };
        let path = self.dir.join("log/checkpoint");
        let is_same = match std::fs::read(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => self.tree.size() == 0,
            other => {
                let note = other.map_err(Error::disk("read", &path))?;
                let key = VerifyingKey::parse(self.key.verifier()).map_err(failed)?;
                let signed = Checkpoint::open(&note, &key).map_err(failed)?;
                (signed.size, signed.root) == (self.tree.size(), self.tree.root())
            }
        };
        Ok(is_same.then_some(Anchor { dir: self.dir, key: self.key, tree: self.tree, _lock: lock }))
    }
}

/// A checkpoint and the entries that it covers.
#[derive(Debug)]
pub struct Signed {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// All of them, in order.
    pub entries: Vec<Vec<u8>>,
}

/// The log as it was signed last; `None` when nothing was ever signed.
pub fn read(dir: &Path, key: &VerifyingKey) -> Result<Option<Signed>, Error> {
    let failed = |err| Error::Log { dir: dir.to_owned(), err };
    let path = dir.join("log/checkpoint");
    let mut attempt = 1;
    loop {
        let note = match std::fs::read(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::disk("read", &path))?,
        };
        let checkpoint = Checkpoint::open(&note, key).map_err(failed)?;
        match read_entries(dir, checkpoint.size) {
            Ok(entries) => return Ok(Some(Signed { checkpoint, entries })),
            Err(sekisho_tlog::Error::ReadTile { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
            Err(err) => return Err(failed(err)),
        }
    }
}

/// The verifier's key beside the signing one: `<name>.vkey`.
pub fn read_verifier(keys: &Path, name: &str) -> Result<VerifyingKey, Error> {
    verifier(&keys.join(format!("{name}.vkey")))
}

/// A verifier's key from a file.
pub fn verifier(path: &Path) -> Result<VerifyingKey, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::disk("read", path))?;
    VerifyingKey::parse(&text).map_err(|err| Error::Key { path: path.to_owned(), reason: err.to_string() })
}

/// Reads tiles below a state directory.
pub fn tiles(dir: &Path) -> impl Fn(&str) -> io::Result<Vec<u8>> + '_ {
    move |path| std::fs::read(dir.join("log").join(path))
}

/// Says that a log cannot be used.
#[must_use]
pub fn unusable(dir: &Path, err: sekisho_tlog::Error) -> Error {
    Error::Log { dir: dir.to_owned(), err }
}

/// Says that a log is not what was signed.
#[must_use]
pub fn not_whole(dir: &Path, reason: &str) -> Error {
    Error::NotWhole { dir: dir.to_owned(), reason: reason.to_owned() }
}

/// Waits until nobody else writes.
fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let lock = File::create(&path).map_err(Error::disk("open", &path))?;
    if lock.try_lock().is_err() {
        tracing::warn!("another process is writing to `{}`: waiting for it", dir.display());
        lock.lock().map_err(Error::disk("lock", &path))?;
    }
    Ok(lock)
}

fn read_entries(dir: &Path, size: u64) -> Result<Vec<Vec<u8>>, sekisho_tlog::Error> {
    let mut entries = Vec::new();
    for number in 0.. {
        let Some(tile) = TilePath::in_log(None, number, size) else { break };
        let path = tile.to_string();
        let bytes = tiles(dir)(&path).map_err(|err| sekisho_tlog::Error::ReadTile { path, err })?;
        entries.extend(tree::parse_bundle(&tile, &bytes)?.into_iter().map(<[u8]>::to_vec));
    }
    Ok(entries)
}

fn signing_key(path: &Path) -> Result<SigningKey, Error> {
    let mode = std::fs::metadata(path).map_err(Error::disk("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let reason = format!("others can read it (mode {mode:04o}); run `chmod 600 {}`", path.display());
        return Err(Error::Key { path: path.to_owned(), reason });
    }
    let text = std::fs::read_to_string(path).map_err(Error::disk("read", path))?;
    SigningKey::parse(&text).map_err(|err| Error::Key { path: path.to_owned(), reason: err.to_string() })
}

fn create_key(keys: &Path, name: &str, origin: &str) -> Result<(), Error> {
    let mut random = [0; 36];
    getrandom::fill(&mut random).map_err(|_| Error::Random)?;
    let (suffix, seed) = random.split_at(4);
    let origin = format!("{origin}-{}", hex::encode(suffix));
    let (signing_path, verifier_path) = (keys.join(format!("{name}.skey")), keys.join(format!("{name}.vkey")));
    let failed = |err: sekisho_tlog::Error| Error::Key { path: signing_path.clone(), reason: err.to_string() };
    let seed = seed.try_into().expect("36 bytes less 4 are 32");
    let signing = sekisho_tlog::checkpoint::generate_signing_key(&origin, seed).map_err(failed)?;
    let verifier = SigningKey::parse(&signing).map_err(failed)?.verifier().to_owned();
    durable::create_directory(keys).map_err(Error::disk("make", keys))?;
    for (path, text) in [(&verifier_path, verifier), (&signing_path, signing)] {
        durable::create(path, format!("{text}\n").as_bytes()).map_err(Error::disk("make", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
