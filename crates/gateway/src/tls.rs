//! TLS towards clients and upstreams: rustls with ring, TLS 1.2 and 1.3.
//!
//! A certificate is judged when it is loaded, so that an operator hears of an expired one, a wrong key or a
//! readable key file at start or reload and not from customers. A reload swaps the certificate for new handshakes
//! at once; when the new files are bad, the old certificate stays. Client certificates are not asked for.

#[cfg(test)]
mod tests;

use crate::config::Tls;
use arc_swap::ArcSwap;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore, ServerConfig};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// A certificate that expires within this time is warned of.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Bytes of a PEM file; beyond, it is refused: it is no certificate chain.
pub const PEM_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why TLS could not be set up. No variant holds key material.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// A file is larger than [`PEM_BYTES_MAX`].
    #[error("`{path}` is larger than {PEM_BYTES_MAX} bytes: is it a PEM file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// PRV-2: others may read the key.
    #[error("the key file `{path}` has mode {mode:04o}, so others can read it: run `chmod 600 {path}`")]
    KeyReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No certificate in the file.
    #[error("`{path}` holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// No usable key in the file.
    #[error("`{path}` holds no unencrypted PEM private key (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate's bytes are malformed.
    #[error("certificate {number} in `{path}` is malformed")]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        number: usize,
    },
    /// Past its end.
    #[error("certificate {number} in `{path}` expired at {not_after}")]
    Expired {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        number: usize,
        /// Its end, UTC.
        not_after: String,
    },
    /// Before its beginning.
    #[error("certificate {number} in `{path}` is not valid before {not_before}: is the clock right?")]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        number: usize,
        /// Its beginning, UTC.
        not_before: String,
    },
    /// The key belongs to another certificate.
    #[error("the key in `{key}` does not belong to the first certificate in `{certificate}`")]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// No root certificate to verify upstreams with.
    #[error("found no root certificates on this system: name some with `extra_roots`")]
    NoRoots,
    /// rustls refused something else.
    #[error("cannot set up TLS")]
    Rustls(#[source] Error),
}

/// TLS of one listener.
#[derive(Debug)]
pub struct ServerTls {
    files: Tls,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// The certificate that new handshakes get.
#[derive(Debug)]
struct Current(ArcSwap<Loaded>);

#[derive(Debug)]
struct Loaded {
    key: Arc<CertifiedKey>,
    not_after: SystemTime,
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

impl ServerTls {
    /// Loads and judges the certificate and key.
    ///
    /// # Errors
    /// As [`TlsError`] says; each names the file.
    pub fn load(files: Tls, now: SystemTime) -> Result<ServerTls, TlsError> {
        let current = Arc::new(Current(ArcSwap::from_pointee(load(&files, now)?)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Rustls)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // rustls rotates the ticket keys every six hours; a ticket is good for at most twelve.
        config.ticketer = ring::Ticketer::new().map_err(TlsError::Rustls)?;
        Ok(ServerTls { files, current, config: Arc::new(config) })
    }

    /// For `tokio_rustls::TlsAcceptor`. Stays valid over reloads.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Reads the files again. New handshakes get the new certificate; connections under way are not touched.
    ///
    /// # Errors
    /// As [`ServerTls::load`]; the old certificate then stays.
    pub fn reload(&self, now: SystemTime) -> Result<(), TlsError> {
        self.current.0.store(Arc::new(load(&self.files, now)?));
        Ok(())
    }

    /// When the first certificate of the chain to expire does so.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.current.0.load().not_after
    }

    /// The time left when that is at most [`EXPIRY_WARNING`]: zero when it is over.
    #[must_use]
    pub fn expires_soon(&self, now: SystemTime) -> Option<Duration> {
        let left = self.not_after().duration_since(now).unwrap_or_default();
        (left <= EXPIRY_WARNING).then_some(left)
    }
}

/// TLS towards `https` upstreams: the system's roots and those in this file are believed. HTTP/1.1 only.
///
/// # Errors
/// The file cannot be read or holds a malformed certificate, or there is no root at all.
pub fn client_config(extra_roots: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    // Some systems ship a few malformed roots; those are left out, as every TLS client does.
    let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_roots {
        for (index, root) in read_certificates(path)?.into_iter().enumerate() {
            let malformed = |_err| TlsError::BadCertificate { path: path.to_owned(), number: index + 1 };
            roots.add(root).map_err(malformed)?;
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn load(files: &Tls, now: SystemTime) -> Result<Loaded, TlsError> {
    let chain = read_certificates(&files.certificate)?;
    let not_after = check_validity(&files.certificate, &chain, now)?;
    let key = read_key(&files.key)?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|err| match err {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::KeyMismatch { certificate: files.certificate.clone(), key: files.key.clone() }
        }
        other => TlsError::Rustls(other),
    })?;
    Ok(Loaded { key: Arc::new(key), not_after })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (bytes, _mode) = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::NoCertificate { path: path.to_owned() }),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (bytes, mode) = read(path)?;
    if mode & 0o077 != 0 {
        return Err(TlsError::KeyReadableByOthers { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_err| TlsError::NoKey { path: path.to_owned() })
}

/// The file's bytes and permission bits, both of the same open file.
fn read(path: &Path) -> Result<(Vec<u8>, u32), TlsError> {
    let read = || -> io::Result<(Vec<u8>, u32)> {
        let file = File::open(path)?;
        let mode = permission_bits(&file.metadata()?);
        let mut bytes = Vec::new();
        file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok((bytes, mode))
    };
    let (bytes, mode) = read().map_err(|err| TlsError::Read { path: path.to_owned(), err })?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(TlsError::TooLarge { path: path.to_owned() });
    }
    Ok((bytes, mode))
}

#[cfg(unix)]
fn permission_bits(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

/// Elsewhere the system's own access lists decide.
#[cfg(not(unix))]
fn permission_bits(_metadata: &std::fs::Metadata) -> u32 {
    0
}

/// Judges the dates of every certificate in the chain; the earliest end.
fn check_validity(path: &Path, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<SystemTime, TlsError> {
    let mut earliest: Option<SystemTime> = None;
    for (index, der) in chain.iter().enumerate() {
        let number = index + 1;
        let path = || path.to_owned();
        let certificate =
            Certificate::from_der(der).map_err(|_err| TlsError::BadCertificate { path: path(), number })?;
        let validity = certificate.tbs_certificate.validity;
        let (not_before, not_after) = (validity.not_before, validity.not_after);
        let end = UNIX_EPOCH + not_after.to_unix_duration();
        if now < UNIX_EPOCH + not_before.to_unix_duration() {
            let not_before = not_before.to_date_time().to_string();
            return Err(TlsError::NotYetValid { path: path(), number, not_before });
        }
        if now > end {
            return Err(TlsError::Expired { path: path(), number, not_after: not_after.to_date_time().to_string() });
        }
        earliest = Some(earliest.map_or(end, |earliest| earliest.min(end)));
    }
    earliest.ok_or_else(|| TlsError::NoCertificate { path: path.to_owned() })
}
