//! The keys: one that hashes every value and one that signs the ledger. Never in the store they protect, never
//! readable by others (PRV-2).

use crate::files;
use anyhow::{Context, Result, bail};
use sekisho_edm::HashKey;
use sekisho_tlog::SigningKey;
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// 16 random bytes in hexadecimal.
const HASH_KEY: &str = "hash.key";
/// A private key as a signed note's.
const SIGNING_KEY: &str = "ledger.skey";
/// The public key, to be handed to whoever verifies.
const VERIFIER_KEY: &str = "ledger.vkey";

/// 32 random bytes in hexadecimal: what a caller of the admin address shows.
const ADMIN_TOKEN: &str = "admin.token";

/// 16 random bytes in hexadecimal: names persons in the journals of notices.
const NOTICE_KEY: &str = "notify.key";

/// What was signed last, and behind it which ledger: no secret.
const LAST_SIGNED: &str = "last-signed";

/// The keys of one installation.
pub(crate) struct Keys {
    /// Hashes values, sessions and addresses.
    pub(crate) hash: Arc<HashKey>,
    /// Signs the ledger's checkpoints.
    pub(crate) signing: SigningKey,
    /// Lets operators change who is kept out.
    pub(crate) admin_token: Option<String>,
    /// Where they lie.
    directory: PathBuf,
}

impl Keys {
    /// Where a copy of what was signed last of this ledger is kept, beside the key that signed it: a ledger that was set back to an
    /// earlier copy of itself is then noticed. One for each ledger that the keys are used for.
    pub(crate) fn last_signed_copy(&self, ledger: &Path) -> PathBuf {
        let ledger = std::path::absolute(ledger).unwrap_or_else(|_| ledger.to_owned());
        let digest = Sha256::digest(ledger.as_os_str().as_encoded_bytes());
        self.directory.join(format!("{LAST_SIGNED}-{}", hex::encode(&digest[..4])))
    }
}

/// What is wrong with a key file, for a diagnostic.
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) title: String,
    pub(crate) help: String,
}

/// Loads the keys; when the directory has none yet, makes them.
pub(crate) fn load_or_create(directory: &Path) -> Result<Keys> {
    if !directory.join(HASH_KEY).exists() && !directory.join(SIGNING_KEY).exists() {
        create(directory)?;
    }
    load(directory)
}

/// Makes new keys. Existing ones are never overwritten: without them nothing recorded can be read again.
pub(crate) fn create(directory: &Path) -> Result<()> {
    let cannot = |path: PathBuf| move || format!("cannot make the key `{}`", path.display());
    files::private_directory(directory).with_context(cannot(directory.to_owned()))?;
    let hash = hex::encode(random::<16>()?);
    let name = format!("sekisho-{}", hex::encode(random::<4>()?));
    let signing = sekisho_tlog::checkpoint::generate_signing_key(&name, &random()?)?;
    let verifier = SigningKey::parse(&signing)?.verifier().to_owned();
    for (file, text) in [(HASH_KEY, &hash), (SIGNING_KEY, &signing), (VERIFIER_KEY, &verifier)] {
        let path = directory.join(file);
        files::create_private(&path, format!("{text}\n").as_bytes()).with_context(cannot(path.clone()))?;
    }
    Ok(())
}

/// Loads the keys; one that others can read is an error.
pub(crate) fn load(directory: &Path) -> Result<Keys> {
    if let Some(problem) = problems(directory).into_iter().next() {
        bail!("{}; {}", problem.title, problem.help);
    }
    let path = directory.join(SIGNING_KEY);
    let signing =
        SigningKey::parse(&read(&path)?).with_context(|| format!("cannot use the key `{}`", path.display()))?;
    Ok(Keys {
        hash: hash_key(directory)?,
        signing,
        admin_token: admin_token(directory)?,
        directory: directory.to_owned(),
    })
}

/// The token of the admin address; made when there is none yet.
pub(crate) fn make_admin_token(directory: &Path) -> Result<()> {
    let path = directory.join(ADMIN_TOKEN);
    if path.exists() {
        return Ok(());
    }
    let token = hex::encode(random::<32>()?);
    let cannot = || format!("cannot make the key `{}`", path.display());
    files::create_private(&path, format!("{token}\n").as_bytes()).with_context(cannot)
}

/// The token of the admin address, where it was made; one that others can read is an error.
pub(crate) fn admin_token(directory: &Path) -> Result<Option<String>> {
    let path = directory.join(ADMIN_TOKEN);
    if !path.exists() {
        return Ok(None);
    }
    if let Some(problem) = open_to_others(&path) {
        bail!("{}; {}", problem.title, problem.help);
    }
    let token = read(&path)?.trim().to_owned();
    if token.len() < 32 {
        bail!("`{}` does not hold a token; remove it, and `sekisho serve` makes another", path.display());
    }
    Ok(Some(token))
}

/// The hashing key alone: enough to ask questions.
pub(crate) fn hash_key(directory: &Path) -> Result<Arc<HashKey>> {
    let path = directory.join(HASH_KEY);
    if let Some(problem) = open_to_others(&path) {
        bail!("{}; {}", problem.title, problem.help);
    }
    let Some(bytes) = hash_bytes(&read(&path)?) else {
        bail!("`{}` does not hold 32 hexadecimal digits", path.display())
    };
    Ok(Arc::new(HashKey::new(bytes)))
}

/// The key under which notices name persons; made when there is none yet and `make` says so.
pub(crate) fn notice_key(directory: &Path, make: bool) -> Result<[u8; 16]> {
    let path = directory.join(NOTICE_KEY);
    if make && !path.exists() {
        let cannot = || format!("cannot make the key `{}`", path.display());
        files::private_directory(directory).with_context(cannot)?;
        files::create_private(&path, format!("{}\n", hex::encode(random::<16>()?)).as_bytes()).with_context(cannot)?;
    }
    if let Some(problem) = open_to_others(&path) {
        bail!("{}; {}", problem.title, problem.help);
    }
    let Some(bytes) = hash_bytes(&read(&path)?) else {
        bail!("`{}` does not hold 32 hexadecimal digits", path.display())
    };
    Ok(bytes)
}

/// Everything that keeps the keys of a directory from being used.
pub(crate) fn problems(directory: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in [HASH_KEY, SIGNING_KEY] {
        let path = directory.join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                problems.extend(open_to_others(&path));
                problems.extend(malformed(&path, file, &text));
            }
            Err(err) => problems.push(Problem {
                code: "SK033",
                title: format!("cannot read the key `{}`: {}", path.display(), crate::report::io_text(&err)),
                help: "`sekisho init` makes new keys; restore the old ones if this ledger has records".to_owned(),
            }),
        }
    }
    problems
}

/// PRV-2: whether the keys lie, or would lie, inside the store that they protect.
pub(crate) fn lie_inside(keys: &Path, store: &Path) -> bool {
    files::resolved(keys).starts_with(files::resolved(store))
}

/// PRV-2: a key that the group or the world can read.
pub(crate) fn open_to_others(path: &Path) -> Option<Problem> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| Problem {
        code: "SK034",
        title: format!("the key `{}` can be read by others (mode {mode:04o})", path.display()),
        help: format!("chmod 600 {}", path.display()),
    })
}

fn malformed(path: &Path, file: &str, text: &str) -> Option<Problem> {
    let good = if file == HASH_KEY { hash_bytes(text).is_some() } else { SigningKey::parse(text).is_ok() };
    (!good).then(|| Problem {
        code: "SK035",
        title: format!("`{}` is not a key", path.display()),
        help: "restore it from a backup; `sekisho init` in an empty directory makes new keys".to_owned(),
    })
}

fn hash_bytes(text: &str) -> Option<[u8; 16]> {
    hex::decode(text.trim()).ok()?.try_into().ok()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the key `{}`", path.display()))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}
