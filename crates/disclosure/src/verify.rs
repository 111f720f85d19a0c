//! Whether a built site is what its log says: every file against the manifest, every document against its leaf, the log
//! against its signature. Nothing but the site and the firm's key is needed.

use crate::Error;
use crate::entry::DocumentRef;
use crate::record::opened;
use crate::site::{FORMAT, MANIFEST, Manifest};
use crate::store::entries;
use sekisho_anchor::Signed;
use sekisho_tlog::VerifyingKey;
use sekisho_tlog::tree::tiles_of;
use std::collections::BTreeSet;
use std::path::Path;

/// What was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Leaves of the log.
    pub entries: u64,
    /// Documents that stand in it.
    pub documents: usize,
    /// Files of the site.
    pub files: usize,
}

/// Verifies a built site; names the first difference.
pub fn site(dir: &Path, key: &VerifyingKey) -> Result<Verified, Error> {
    let manifest = std::fs::read(dir.join(MANIFEST)).map_err(Error::disk("read", dir.join(MANIFEST)))?;
    let not_whole = |reason: String| Error::NotWhole(reason);
    let manifest: Manifest =
        serde_json::from_slice(&manifest).map_err(|err| not_whole(format!("`{MANIFEST}` cannot be read: {err}")))?;
    if manifest.format != FORMAT {
        return Err(not_whole(format!("`{MANIFEST}` has the format `{}`, not `{FORMAT}`", manifest.format)));
    }
    files(dir, &manifest)?;
    let signed = sekisho_anchor::read(dir, key)?;
    let Signed { checkpoint, entries: leaves } = signed.ok_or_else(|| not_whole("it has no log".to_owned()))?;
    let (root, tiles) = tiles_of(leaves.iter().map(Vec::as_slice))
        .map_err(|err| not_whole(format!("its log cannot be read: {err}")))?;
    if root != checkpoint.root {
        return Err(not_whole("its leaves do not give the root that was signed".to_owned()));
    }
    for (path, bytes) in &tiles {
        if sekisho_anchor::tiles(dir)(path).ok().as_ref() != Some(bytes) {
            return Err(not_whole(format!("the tile `log/{path}` is missing or was changed")));
        }
    }
    let steps = entries(&leaves)?;
    for document in &manifest.documents {
        let step = usize::try_from(document.leaf).ok().and_then(|leaf| steps.get(leaf));
        let named = step.and_then(crate::Entry::document).map(|named| named.sha256.as_str());
        if named != Some(document.sha256.as_str()) {
            return Err(not_whole(format!("leaf {} does not name `{}`", document.leaf, document.path)));
        }
        let path = dir.join(&document.path);
        let bytes = std::fs::read(&path).map_err(Error::disk("read", &path))?;
        opened(&DocumentRef { sha256: document.sha256.clone() }, &bytes)?;
    }
    let (documents, files) = (manifest.documents.len(), manifest.files.len());
    Ok(Verified { entries: checkpoint.size, documents, files })
}

fn files(dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    let mut known: BTreeSet<String> = BTreeSet::from([MANIFEST.to_owned()]);
    for file in &manifest.files {
        let path = dir.join(&file.path);
        let found = match std::fs::read(&path) {
            Ok(bytes) => DocumentRef::of(&bytes).sha256,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotWhole(format!("the file `{}` is missing", file.path)));
            }
            Err(err) => return Err(Error::disk("read", &path)(err)),
        };
        if found != file.sha256 {
            return Err(Error::NotWhole(format!("the file `{}` was changed after it was built", file.path)));
        }
        known.insert(file.path.clone());
    }
    for path in listed(dir)? {
        if !known.contains(&path) {
            return Err(Error::NotWhole(format!("the file `{path}` is none of the site's")));
        }
    }
    Ok(())
}

/// Every file below a directory, by its path from there.
fn listed(dir: &Path) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::disk("read", &folder))? {
            let path = entry.map_err(Error::disk("read", &folder))?.path();
            match path.is_dir() {
                true => waiting.push(path),
                false => files.extend(path.strip_prefix(dir).ok().map(|path| path.display().to_string())),
            }
        }
    }
    files.sort();
    Ok(files)
}
