//! The courier's socket: mode 0600, and only the courier's own user may speak on it.

use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

/// The rest behind an `accept` that failed: most often there are no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that is listened on; its file is removed with it.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// The user whom the socket's file belongs to.
    user: u32,
}

/// Listens at `path`. A socket file that nobody listens on any more is replaced; one in use, and any other file, is an
/// error, and stays.
pub fn listen(path: &Path) -> io::Result<Listening> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Two that start at once must not replace each other's socket.
    let lock = File::open(folder)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use()),
        Err(TryLockError::Error(err)) => return Err(err),
    }
    check_free(path)?;
    // It gets its name when nobody else can open it any more.
    let fresh = path.with_extension("new");
    if std::fs::symlink_metadata(&fresh).is_ok_and(|known| known.file_type().is_socket()) {
        std::fs::remove_file(&fresh)?;
    }
    let listener = UnixListener::bind(&fresh)?;
    let named = std::fs::set_permissions(&fresh, Permissions::from_mode(0o600))
        .and_then(|()| std::fs::metadata(&fresh))
        .and_then(|known| std::fs::rename(&fresh, path).map(|()| known.uid()));
    if named.is_err() {
        // The error that counts is the first one.
        let _ = std::fs::remove_file(&fresh);
    }
    Ok(Listening { listener, path: path.to_owned(), user: named? })
}

fn check_free(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(err),
        Ok(known) if !known.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket has this name"));
        }
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(err) if err.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(err) => Err(err),
        Ok(_) => Err(in_use()),
    }
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "another courier listens there; end it first")
}

impl Listening {
    /// The next connection of the courier's own user; none where another one knocked, or there was an error.
    pub(super) async fn accept(&self) -> Option<UnixStream> {
        let stream = match self.listener.accept().await {
            Ok((stream, _)) => stream,
            Err(err) => {
                tracing::warn!("cannot take a connection: {err}");
                sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == self.user => Some(stream),
            Ok(peer) => {
                tracing::warn!("the user {} may not speak to the courier: run both as one user", peer.uid());
                None
            }
            Err(err) => {
                tracing::warn!("who connected is not known: {err}");
                None
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // One that stays is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}
