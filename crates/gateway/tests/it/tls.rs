//! TLS, HTTP/2 and the PROXY header.

use crate::harness::{PATIENCE, Site, Then, connect, ok, start};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use sekisho_gateway::Gateway;
use sekisho_gateway::config::{Config, Tls};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate for `localhost` in a directory of its own.
pub(crate) struct Certificate {
    dir: tempfile::TempDir,
    der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Certificate {
        let dir = tempfile::tempdir().unwrap();
        let der = Certificate::write(dir.path());
        Certificate { dir, der }
    }

    fn write(dir: &Path) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(dir.join("certificate.pem"), made.cert.pem()).unwrap();
        let _absent = std::fs::remove_file(dir.join("key.pem"));
        let mut key =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join("key.pem")).unwrap();
        key.write_all(made.signing_key.serialize_pem().as_bytes()).unwrap();
        made.cert.der().clone()
    }

    fn files(&self) -> Tls {
        Tls { certificate: self.dir.path().join("certificate.pem"), key: self.dir.path().join("key.pem") }
    }

    pub(crate) fn serve(&self, config: &mut Config) {
        config.listeners[0].tls = Some(self.files());
    }

    fn connector(&self, protocol: &[u8]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

pub(crate) fn on_a_runtime<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await.expect("in time") })
}

pub(crate) async fn http2(gateway: &Gateway, certificate: &Certificate) -> SendRequest<Full<Bytes>> {
    http2_with_window(gateway, certificate, 1 << 20).await
}

/// A connection on which the test speaks HTTP/2 itself.
pub(crate) async fn http2_wire(gateway: &Gateway, certificate: &Certificate) -> TlsStream<tokio::net::TcpStream> {
    let tcp = tokio::net::TcpStream::connect(gateway.addresses()[0]).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    certificate.connector(b"h2").connect(name, tcp).await.unwrap()
}

/// A client that takes so many bytes of each response before it has read any.
pub(crate) async fn http2_with_window(
    gateway: &Gateway,
    certificate: &Certificate,
    window_bytes: u32,
) -> SendRequest<Full<Bytes>> {
    let tls = http2_wire(gateway, certificate).await;
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window_bytes);
    let (sender, connection) = builder.handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn request(target: &str) -> http::Request<Full<Bytes>> {
    http::Request::get(format!("https://localhost{target}")).body(Full::default()).unwrap()
}

#[test]
fn many_http2_streams_share_one_connection() {
    let site = Site::new(|request, wire| ok(wire, request.target()));
    let certificate = Certificate::new();
    let gateway = start(&site, |config| certificate.serve(config));
    on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        let answers: Vec<_> = (0..30).map(|n| sender.send_request(request(&format!("/{n}")))).collect();
        for (n, answer) in answers.into_iter().enumerate() {
            let response = answer.await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), format!("/{n}"));
        }
    });
    let seen = site.seen();
    assert_eq!(seen.len(), 30);
    assert_eq!(seen[0].header("host"), Some("localhost"));
    assert_eq!(seen[0].header("x-forwarded-proto"), Some("https"));
}

#[test]
fn http2_requests_have_the_same_limits() {
    let site = Site::new(|request, wire| ok(wire, request.text()));
    let certificate = Certificate::new();
    let gateway = start(&site, |config| {
        certificate.serve(config);
        config.limits.request_body_bytes_max = 5;
        config.limits.request_headers_max = 3;
    });
    on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        for (body, status) in [("12345", 200), ("123456", 413)] {
            let request = http::Request::post("https://localhost/").body(Full::from(body)).unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), status);
        }
        for (fields, status) in [(3, 200), (4, 431)] {
            let mut request = request("/");
            for n in 0..fields {
                let name: http::HeaderName = format!("x-{n}").parse().unwrap();
                request.headers_mut().insert(name, http::HeaderValue::from_static("1"));
            }
            assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{fields} fields");
        }
    });
}

/// A name and a value.
type Field = (&'static str, &'static str);

#[test]
fn http2_heads_are_held_to_the_rules_of_the_head_gate() {
    let site = Site::saying("ok");
    let certificate = Certificate::new();
    let gateway = start(&site, |config| certificate.serve(config));
    let good = "https://localhost/";
    on_a_runtime(async {
        let cases: [(&str, &[Field], u16); 18] = [
            (good, &[], 200),
            (good, &[("content-length", "5"), ("x_trace", "1")], 200),
            ("https://localhost/a?b=%E7%AE%B1", &[], 200),
            ("https://a,for=6.6.6.6/", &[], 400),
            ("https://a;for=6.6.6.6/", &[], 400),
            ("https://a'b(c)*+!/", &[], 400),
            ("https://a%41/", &[], 400),
            ("https://a:99999999/", &[], 400),
            ("https://u@a/", &[], 400),
            ("https://localhost/箱根", &[], 400),
            ("https://localhost/?q=箱根", &[], 400),
            (good, &[("content-length", "")], 400),
            (good, &[("content-length", "+5")], 400),
            (good, &[("content-length", "5"), ("content-length", "7")], 400),
            (good, &[("content-length", "5"), ("content-length", "5")], 400),
            (good, &[("content_length", "3")], 400),
            (good, &[("transfer_encoding", "chunked")], 400),
            (good, &[("x_forwarded_for", "9.9.9.9")], 400),
        ];
        for (target, fields, status) in cases {
            let Ok(builder) = http::Uri::try_from(target).map(http::Request::post) else { continue };
            let request = fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
            let request = request.body(Full::from("hello")).unwrap();
            // What cannot even be framed is refused by the protocol itself.
            let answer = http2(&gateway, &certificate).await.send_request(request).await;
            assert_eq!(answer.map_or(400, |answer| answer.status().as_u16()), status, "{target} {fields:?}");
        }
    });
    assert_eq!(site.seen().len(), 3, "nothing of the others reached the site");
}

#[test]
fn http2_carries_no_fields_of_one_connection() {
    let site = Site::new(|_, wire| {
        wire.send("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok");
        Then::Keep
    });
    let certificate = Certificate::new();
    let gateway = start(&site, |config| certificate.serve(config));
    on_a_runtime(async {
        let response = http2(&gateway, &certificate).await.send_request(request("/")).await.unwrap();
        assert!(!response.headers().contains_key("connection") && !response.headers().contains_key("keep-alive"));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    });
}

#[test]
fn an_upstream_that_dies_in_mid_body_resets_the_stream() {
    let site = Site::new(|_, wire| {
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
        Then::Close
    });
    let certificate = Certificate::new();
    let gateway = start(&site, |config| certificate.serve(config));
    on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        match sender.send_request(request("/")).await {
            Ok(response) => assert!(response.into_body().collect().await.is_err(), "the body looks whole"),
            Err(err) => assert!(err.to_string().contains("http2"), "{err}"),
        }
        sender.ready().await.expect("the connection lives on");
    });
}

#[test]
fn shutdown_lets_an_http2_stream_end() {
    let (arrived, has_arrived) = channel();
    let (go, may_go) = channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let site = Site::new(move |_, wire| {
        arrived.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        ok(wire, "done")
    });
    let certificate = Certificate::new();
    let gateway = start(&site, |config| certificate.serve(config));
    let address = gateway.addresses()[0];
    on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        let answer = tokio::spawn(sender.send_request(request("/")));
        tokio::task::spawn_blocking(move || has_arrived.recv().unwrap()).await.unwrap();
        let stopping = std::thread::spawn(move || gateway.shutdown());
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        let response = answer.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "done");
        assert!(sender.send_request(request("/later")).await.is_err(), "no request after the GOAWAY");
        tokio::task::spawn_blocking(move || stopping.join().unwrap()).await.unwrap();
    });
}

#[test]
fn an_idle_http2_connection_is_told_to_go() {
    let site = Site::saying("ok");
    let certificate = Certificate::new();
    let gateway = start(&site, |config| {
        certificate.serve(config);
        config.deadlines.keep_alive_idle = std::time::Duration::from_millis(50);
    });
    on_a_runtime(async {
        let mut sender = http2(&gateway, &certificate).await;
        let response = sender.send_request(request("/")).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
        while !sender.is_closed() {
            tokio::task::yield_now().await;
        }
    });
}

/// The certificate that a new connection is shown.
fn shown(address: SocketAddr, trusted: &Certificate) -> Option<CertificateDer<'static>> {
    on_a_runtime(async {
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let tls = trusted.connector(b"http/1.1").connect(ServerName::try_from("localhost").unwrap(), tcp).await.ok()?;
        Some(tls.get_ref().1.peer_certificates()?[0].clone().into_owned())
    })
}

#[test]
fn a_reload_shows_the_new_certificate_and_a_bad_file_keeps_the_old_one() {
    let site = Site::saying("ok");
    let mut certificate = Certificate::new();
    let gateway = start(&site, |config| certificate.serve(config));
    let mut config = crate::harness::config(site.address);
    certificate.serve(&mut config);
    let address = gateway.addresses()[0];
    assert!(shown(address, &certificate).is_some());

    let renewed = Certificate::write(certificate.dir.path());
    gateway.reload(config.clone()).unwrap();
    certificate.der = renewed.clone();
    assert_eq!(shown(address, &certificate), Some(renewed.clone()));

    std::fs::write(&certificate.files().certificate, "no certificate").unwrap();
    let refused = gateway.reload(config).unwrap_err();
    assert_eq!(refused.to_string(), "cannot set up TLS for 127.0.0.1:0");
    assert_eq!(shown(address, &certificate), Some(renewed));
}

#[test]
fn a_handshake_that_stands_still_is_cut() {
    let site = Site::saying("ok");
    let certificate = Certificate::new();
    let gateway = start(&site, |config| {
        certificate.serve(config);
        config.deadlines.handshake = std::time::Duration::from_millis(50);
    });
    assert!(connect(&gateway).rest().is_empty());
}

#[test]
fn an_https_upstream_is_believed_by_its_root_only() {
    let certificate = Certificate::new();
    let site = tls_site(&certificate);
    let with_roots = |roots: Option<std::path::PathBuf>| {
        let plain = Site::saying("unused");
        let gateway = start(&plain, |config| {
            config.upstreams[0].scheme = "https".parse().unwrap();
            config.upstreams[0].authority = site.to_string().parse().unwrap();
            config.upstreams[0].extra_roots = roots;
        });
        let response = crate::harness::get(&gateway, "/");
        (response.status(), response.text().to_owned())
    };
    assert_eq!(with_roots(Some(certificate.files().certificate)), (200, "secret".to_owned()));
    assert_eq!(with_roots(Some(Certificate::new().files().certificate)), (502, "502 Bad Gateway\n".to_owned()));
}

/// A TLS server that answers every connection's first bytes.
fn tls_site(certificate: &Certificate) -> SocketAddr {
    let chain = vec![certificate.der.clone()];
    let key = PrivatePkcs8KeyDer::from_pem_file(certificate.files().key).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().map_while(Result::ok) {
            let mut session = tokio_rustls::rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = tokio_rustls::rustls::Stream::new(&mut session, &mut tcp);
            let mut head = [0; 4096];
            if matches!(std::io::Read::read(&mut tls, &mut head), Ok(1..)) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret";
                let _client_left = tls.write_all(answer);
            }
        }
    });
    address
}

#[test]
fn a_proxy_header_names_the_client_and_is_required() {
    let site = Site::saying("ok");
    let gateway = start(&site, |config| {
        config.listeners[0].proxy_protocol = true;
        config.trusted_peers = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let mut wire = connect(&gateway);
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    header.extend_from_slice(&[203, 0, 113, 9, 127, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb]);
    wire.try_send(&header).unwrap();
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(wire.response().text(), "ok");
    assert_eq!(site.seen()[0].header("x-forwarded-for"), Some("203.0.113.9"));

    let mut bare = connect(&gateway);
    bare.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(bare.rest().is_empty());
}

#[test]
fn what_an_untrusted_client_says_of_itself_is_replaced() {
    let site = Site::saying("ok");
    let gateway = start(&site, |_| {});
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 192.0.2.9\r\nforwarded: for=192.0.2.9\r\n\r\n");
    assert_eq!(wire.response().status(), 200);
    let seen = &site.seen()[0];
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert!(!format!("{seen:?}").contains("192.0.2.9"));
}
