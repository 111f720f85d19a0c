//! Where events of cases are kept: a file that only grows, a hash chain that names an edited line, and a signed
//! checkpoint over all of it (crate `tlog`). Verified on every read.
//!
//! Order of writing: the line, synced; then the checkpoint, synced and renamed into place; then the caller is told.
//! So what stands behind the checkpoint was never acknowledged: it is left out, said, and cut off by the next append.
//! A log and checkpoint that are both set back to an earlier state cannot be told here: keep a checkpoint elsewhere.

use crate::output::tell;
use crate::{files, keys};
use anyhow::{Context, Result, bail};
use sekisho_incident::Event;
use sekisho_tlog::{Checkpoint, SigningKey, Tree, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most bytes the file of events may have; a log beyond it is refused.
const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

const SIGNING_KEY: &str = "cases.skey";
const VERIFIER_KEY: &str = "cases.vkey";

/// Why a log is not believed. The answer is "no", not a failure of the environment.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the case log is NOT whole: line {line} of `{path}` {what}")]
    Line { line: usize, path: String, what: String },
    #[error("the case log is NOT whole: {0}")]
    Log(String),
}

/// An open log; it holds the lock until it is dropped.
pub(crate) struct CaseLog {
    dir: PathBuf,
    keys: PathBuf,
    /// All acknowledged events.
    pub(crate) events: Vec<Event>,
    tree: Tree,
    chain: [u8; 32],
    /// Bytes of the acknowledged lines.
    length: u64,
    _lock: File,
}

impl CaseLog {
    /// Opens a log, making it and its key when neither is there.
    pub(crate) fn create(dir: &Path, keys: &Path) -> Result<CaseLog> {
        files::private_directory(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        if !keys.join(SIGNING_KEY).exists() {
            if dir.join("checkpoint").exists() {
                bail!("there is a case log in `{}`, but not its key in `{}`", dir.display(), keys.display());
            }
            create_key(keys)?;
        }
        CaseLog::open(dir, keys)
    }

    /// Opens and verifies a log.
    pub(crate) fn open(dir: &Path, keys: &Path) -> Result<CaseLog> {
        let lock = dir.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let lock = open.with_context(|| format!("cannot open the case log `{}`", dir.display()))?;
        lock.lock().with_context(|| format!("cannot lock the case log `{}`", dir.display()))?;
        let mut log = CaseLog {
            dir: dir.to_owned(),
            keys: keys.to_owned(),
            events: Vec::new(),
            tree: Tree::new(),
            chain: [0; 32],
            length: 0,
            _lock: lock,
        };
        log.read()?;
        Ok(log)
    }

    fn read(&mut self) -> Result<()> {
        let path = self.events_path();
        let shown = path.display().to_string();
        if std::fs::metadata(&path).is_ok_and(|known| known.len() > LOG_BYTES_MAX) {
            bail!("`{shown}` has more than {LOG_BYTES_MAX} bytes");
        }
        let bytes = absent_is_empty(std::fs::read(&path)).with_context(|| format!("cannot read `{shown}`"))?;
        let note = self.dir.join("checkpoint");
        let note =
            absent_is_empty(std::fs::read(&note)).with_context(|| format!("cannot read `{}`", note.display()))?;
        let signed = if note.is_empty() {
            None
        } else {
            let key = read_key(&self.keys.join(VERIFIER_KEY))?;
            let opened = Checkpoint::open(&note, &VerifyingKey::parse(&key)?);
            Some(opened.map_err(|err| Refused::Log(err.to_string()))?)
        };
        let size = signed.as_ref().map_or(0, |signed| signed.size);
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            if self.tree.size() == size {
                break;
            }
            let refuse = |what: &str| Refused::Line { line: number, path: shown.clone(), what: what.to_owned() };
            let line_text = line.strip_suffix(b"\n").ok_or_else(|| refuse("was cut off after it was signed"))?;
            let (told, entry) = line_text.split_at_checked(65).ok_or_else(|| refuse("is too short"))?;
            let chain = next_chain(&self.chain, entry);
            if told[..64] != *hex::encode(chain).as_bytes() || told[64] != b' ' {
                return Err(refuse("was changed after it was written").into());
            }
            self.tree.append(entry)?;
            self.chain = chain;
            self.length += line.len() as u64;
            let event = serde_json::from_slice(entry).map_err(|err| refuse(&format!("holds no known event: {err}")))?;
            self.events.push(event);
        }
        if self.tree.size() != size {
            let reason = format!("{size} events were signed, `{shown}` holds {}", self.tree.size());
            return Err(Refused::Log(reason).into());
        }
        if signed.is_some_and(|signed| signed.root != self.tree.root()) {
            return Err(Refused::Log(format!("`{shown}` was rewritten: its root is not the signed one")).into());
        }
        let behind = bytes.len() as u64 - self.length;
        if behind > 0 {
            tell!(
                "warning: {behind} bytes at the end of `{shown}` were never acknowledged (a write was cut off) and are left out"
            );
        }
        Ok(())
    }

    /// Appends an event; when this returns it is durable and signed.
    pub(crate) fn append(&mut self, event: Event) -> Result<()> {
        let entry = serde_json::to_vec(&event)?;
        let mut tree = self.tree.clone();
        tree.append(&entry)?;
        let chain = next_chain(&self.chain, &entry);
        let line = [hex::encode(chain).as_bytes(), b" ", &entry, b"\n"].concat();
        let path = self.events_path();
        let cannot = || format!("cannot write `{}`", path.display());
        let is_new = !path.exists();
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).with_context(cannot)?;
        file.set_len(self.length).with_context(cannot)?;
        file.write_all(&line).with_context(cannot)?;
        file.sync_all().with_context(cannot)?;
        if is_new {
            File::open(&self.dir).and_then(|dir| dir.sync_all()).with_context(cannot)?;
        }
        let key_path = self.keys.join(SIGNING_KEY);
        if let Some(problem) = keys::open_to_others(&key_path) {
            bail!("{}; {}", problem.title, problem.help);
        }
        let key = SigningKey::parse(&read_key(&key_path)?)?;
        let state = Checkpoint { origin: key.name().to_owned(), size: tree.size(), root: tree.root() };
        let note = state.sign(&key)?;
        files::replace_private(&self.dir.join("checkpoint"), |out| out.write_all(&note)).with_context(cannot)?;
        self.tree = tree;
        self.chain = chain;
        self.length += line.len() as u64;
        self.events.push(event);
        Ok(())
    }

    /// Keeps the text of a submission under its hash, durably; says where, and whether it was not there before.
    pub(crate) fn keep_snapshot(&self, sha256: &str, text: &[u8]) -> Result<(PathBuf, bool)> {
        let dir = self.dir.join("snapshots");
        let path = dir.join(format!("{sha256}.md"));
        let is_new = !path.exists();
        let keep = || {
            files::private_directory(&dir)?;
            File::open(&self.dir)?.sync_all()?;
            files::replace_private(&path, |out| out.write_all(text))
        };
        keep().with_context(|| format!("cannot keep `{}`", path.display()))?;
        Ok((path, is_new))
    }

    fn events_path(&self) -> PathBuf {
        self.dir.join("events.log")
    }
}

fn next_chain(before: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(before).chain_update(entry).finalize().into()
}

fn absent_is_empty(read: std::io::Result<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    match read {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

fn read_key(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the key `{}`", path.display()))
}

fn create_key(keys: &Path) -> Result<()> {
    let mut random = [0; 36];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let (name, seed) = random.split_at(4);
    let name = format!("sekisho-cases-{}", hex::encode(name));
    let signing = sekisho_tlog::checkpoint::generate_signing_key(&name, seed.try_into()?)?;
    let verifier = SigningKey::parse(&signing)?.verifier().to_owned();
    let cannot = || format!("cannot make a key in `{}`", keys.display());
    files::private_directory(keys).with_context(cannot)?;
    files::create_private(&keys.join(VERIFIER_KEY), format!("{verifier}\n").as_bytes()).with_context(cannot)?;
    files::create_private(&keys.join(SIGNING_KEY), format!("{signing}\n").as_bytes()).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let json = format!(
            r#"{{"case":"a","recorded_at":"2026-01-01T00:00:00Z","operator":"sato","body":{{"kind":"note","text":"{text}"}}}}"#
        );
        serde_json::from_str(&json).expect("an event")
    }

    /// Three events, the file changed by `change`, and how opening ends.
    fn check(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let root = tempfile::tempdir().expect("a directory");
        let (dir, keys) = (root.path().join("cases"), root.path().join("keys"));
        let mut log = CaseLog::create(&dir, &keys).expect("a log");
        for text in ["one", "two", "three"] {
            log.append(event(text)).expect("appended");
        }
        drop(log);
        let path = dir.join("events.log");
        let mut bytes = std::fs::read(&path).expect("the file");
        change(&mut bytes);
        std::fs::write(&path, &bytes).expect("written");
        let told = match CaseLog::open(&dir, &keys) {
            Ok(mut log) => {
                log.append(event("four")).expect("appended");
                drop(log);
                format!("{} events", CaseLog::open(&dir, &keys).expect("whole").events.len())
            }
            Err(err) => err.to_string(),
        };
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn a_log_is_read_again() {
        check(|_| {}, "4 events");
    }

    #[test]
    fn a_torn_tail_is_left_out() {
        check(|bytes| bytes.extend_from_slice(b"0123 {\"case"), "4 events");
    }

    #[test]
    fn an_edited_line_is_named() {
        let edit = |bytes: &mut Vec<u8>| {
            let at = bytes.windows(3).position(|word| word == b"two").expect("the word");
            bytes[at] = b'T';
        };
        check(edit, "line 2");
    }

    #[test]
    fn signed_lines_may_not_be_missing() {
        check(|bytes| bytes.truncate(bytes.len() - 5), "line 3");
        check(Vec::clear, "3 events were signed");
    }

    #[test]
    fn a_rewritten_chain_is_not_the_signed_one() {
        let rewrite = |bytes: &mut Vec<u8>| {
            let mut chain = [0; 32];
            let mut out = Vec::new();
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let entry = String::from_utf8_lossy(&line[65..line.len() - 1]).replace("two", "TWO");
                chain = next_chain(&chain, entry.as_bytes());
                out.extend_from_slice(format!("{} {entry}\n", hex::encode(chain)).as_bytes());
            }
            *bytes = out;
        };
        check(rewrite, "was rewritten");
    }
}
