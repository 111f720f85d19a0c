use super::{ServerTls, TlsError, client_config};
use crate::config::Tls;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls_pki_types::ServerName;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const DAY: Duration = Duration::from_secs(86_400);

/// 2026-11-23T00:00:00Z, the day on which the tests take place.
fn today() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_392_000)
}

/// A folder with `cert.pem` and `key.pem`.
struct Files {
    folder: TempDir,
}

impl Files {
    /// A self-signed certificate for `fx.example`, valid between these days.
    fn new(from: (i32, u8, u8), to: (i32, u8, u8)) -> Files {
        let files = Files { folder: tempfile::tempdir().expect("a folder for the test") };
        files.write(from, to);
        files
    }

    fn valid() -> Files {
        Files::new((2000, 1, 1), (2100, 1, 1))
    }

    fn write(&self, from: (i32, u8, u8), to: (i32, u8, u8)) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["fx.example".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        let certificate = params.self_signed(&key).expect("a certificate");
        self.put("cert.pem", &certificate.pem(), 0o644);
        self.put("key.pem", &key.serialize_pem(), 0o600);
    }

    fn put(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file for the test");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions for the test");
    }

    fn tls(&self) -> Tls {
        Tls { certificate: self.folder.path().join("cert.pem"), key: self.folder.path().join("key.pem") }
    }

    fn load(&self) -> Result<ServerTls, TlsError> {
        ServerTls::load(self.tls(), today())
    }

    /// The error's text, with the folder's name taken out.
    fn load_error(&self) -> String {
        let text = self.load().expect_err("these files are bad").to_string();
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

/// Shakes hands; the protocol, the version, and the certificate that the client saw.
async fn handshake(
    server: &ServerTls,
    client: Arc<ClientConfig>,
) -> std::io::Result<(String, ProtocolVersion, Vec<u8>)> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let name = ServerName::try_from("fx.example").expect("a name");
    let connector = TlsConnector::from(client);
    let acceptor = TlsAcceptor::from(server.config());
    let (client, served) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    let (client, _served) = (client?, served?);
    let session = client.get_ref().1;
    let protocol = String::from_utf8_lossy(session.alpn_protocol().unwrap_or_default()).into_owned();
    let certificate = session.peer_certificates().expect("a certificate was shown")[0].to_vec();
    Ok((protocol, session.protocol_version().expect("the handshake is done"), certificate))
}

fn client_for(certificate: &Path, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&client_config(Some(certificate)).expect("a client"));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

#[tokio::test]
async fn protocols_are_negotiated() {
    let files = Files::valid();
    let server = files.load().expect("the files are good");
    for (offered, chosen) in
        [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1", "h2"], "h2"), (&["http/1.1"], "http/1.1"), (&[], "")]
    {
        let client = client_for(&files.tls().certificate, offered);
        let (protocol, version, _) = handshake(&server, client).await.expect("the handshake is good");
        assert_eq!((protocol.as_str(), version), (chosen, ProtocolVersion::TLSv1_3));
    }
}

#[tokio::test]
async fn an_upstream_with_an_unknown_certificate_is_refused() {
    let server = Files::valid().load().expect("the files are good");
    let other = Files::valid();
    let result = handshake(&server, client_for(&other.tls().certificate, &[])).await;
    assert!(result.is_err(), "{result:?}");
}

#[tokio::test]
async fn a_reload_changes_the_certificate_and_a_bad_one_does_not() {
    let files = Files::valid();
    let server = files.load().expect("the files are good");
    let shown = async || {
        let client = client_for(&files.tls().certificate, &[]);
        handshake(&server, client).await.map(|(_, _, certificate)| certificate)
    };
    let first = shown().await.expect("the handshake is good");

    files.write((2000, 1, 1), (2099, 1, 1));
    server.reload(today()).expect("the new files are good");
    let second = shown().await.expect("the handshake is good");
    assert_ne!(first, second);
    let end = server.not_after();

    let good = fs::read_to_string(files.tls().certificate).expect("the file is there");
    let other = Files::valid();
    fs::copy(other.tls().certificate, files.tls().certificate).expect("a copy");
    assert!(matches!(server.reload(today()), Err(TlsError::KeyMismatch { .. })));
    fs::write(files.tls().certificate, good).expect("a file for the test");
    assert_eq!(shown().await.expect("the handshake is good"), second);
    assert_eq!(server.not_after(), end);
}

#[test]
fn bad_files_are_named_with_the_remedy() {
    let files = Files::valid();
    files.put("key.pem", &fs::read_to_string(files.tls().key).expect("the file is there"), 0o640);
    let text = files.load_error();
    assert_eq!(text, "the key file `key.pem` has mode 0640, so others can read it: run `chmod 600 key.pem`");

    let files = Files::valid();
    files.put("key.pem", &KeyPair::generate().expect("a key").serialize_pem(), 0o600);
    assert_eq!(files.load_error(), "the key in `key.pem` does not belong to the first certificate in `cert.pem`");

    let files = Files::valid();
    files.put("cert.pem", "no PEM", 0o644);
    assert_eq!(files.load_error(), "`cert.pem` holds no PEM certificate (`-----BEGIN CERTIFICATE-----`)");
    files.put("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    assert_eq!(files.load_error(), "certificate 1 in `cert.pem` is malformed");

    let files = Files::valid();
    files.put("key.pem", "no PEM", 0o600);
    assert_eq!(files.load_error(), "`key.pem` holds no unencrypted PEM private key (`-----BEGIN PRIVATE KEY-----`)");
    fs::remove_file(files.tls().key).expect("the file is there");
    assert_eq!(files.load_error(), "cannot read `key.pem`");
}

#[test]
fn dates_are_judged() {
    let expired = Files::new((2020, 1, 1), (2026, 11, 22));
    assert_eq!(expired.load_error(), "certificate 1 in `cert.pem` expired at 2026-11-22T00:00:00Z");
    let early = Files::new((2026, 11, 24), (2030, 1, 1));
    let text = "certificate 1 in `cert.pem` is not valid before 2026-11-24T00:00:00Z: is the clock right?";
    assert_eq!(early.load_error(), text);
}

#[test]
fn every_certificate_of_the_chain_is_judged() {
    let files = Files::valid();
    let expired = Files::new((2020, 1, 1), (2021, 1, 1));
    let pem = |files: &Files| fs::read_to_string(files.tls().certificate).expect("the file is there");
    files.put("cert.pem", &(pem(&files) + &pem(&expired)), 0o644);
    assert_eq!(files.load_error(), "certificate 2 in `cert.pem` expired at 2021-01-01T00:00:00Z");
}

#[test]
fn an_end_within_fourteen_days_is_warned_of() {
    let server = Files::new((2020, 1, 1), (2026, 12, 8)).load().expect("the files are good");
    assert_eq!(server.expires_soon(today()), None);
    assert_eq!(server.expires_soon(today() + DAY), Some(14 * DAY));
    assert_eq!(server.expires_soon(today() + 15 * DAY), Some(Duration::ZERO));
    assert_eq!(server.expires_soon(today() + 20 * DAY), Some(Duration::ZERO));
}

#[test]
fn no_error_or_debug_text_holds_the_key() {
    let files = Files::valid();
    let key = fs::read_to_string(files.tls().key).expect("the file is there");
    let secret = key.lines().nth(1).expect("a line of the key");
    let server = files.load().expect("the files are good");
    assert!(!format!("{server:?}").contains(secret));
}
