//! Files that only their owner may read, written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Makes a directory (and its parents) that only its owner may enter; an existing one is kept as it is.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a new file with mode 0600; an existing one is an error, and stays.
pub(crate) fn create_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(contents)?;
    file.sync_all()?;
    sync_parent(path)
}

/// Replaces a file with mode 0600: after a crash it is the old one or the new one.
pub(crate) fn replace_private(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = write_temporary(&temporary, write).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The error that counts is the first one; a leftover is overwritten never, and named by its process.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    sync_parent(path)
}

fn write_temporary(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut buffered = io::BufWriter::new(file);
    write(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// The path without links and `..`, also of what is not there yet: as far as it exists, by the system's own answer.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = resolved.pop(),
            part => resolved.push(part),
        }
        resolved = resolved.canonicalize().unwrap_or(resolved);
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_resolved_beyond_what_exists() {
        let directory = tempfile::tempdir().expect("a directory");
        let real = directory.path().canonicalize().expect("it exists").join("real");
        std::fs::create_dir(&real).expect("made");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        assert_eq!(resolved(&link.join("new/keys")), real.join("new/keys"));
        assert_eq!(resolved(&link.join("new/../keys")), real.join("keys"));
    }
}
