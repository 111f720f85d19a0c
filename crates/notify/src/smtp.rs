//! One connection to the relay, and exactly how far a mail came on it.
//!
//! The line that counts is the end of the data. Before the relay was given all of it, the mail was certainly not taken;
//! behind it, only an answer tells. `lettre` speaks the protocol, step by step; [`Wire`] sits under it (and under TLS) and
//! sees whether the writing failed or the reading. Replies must have exactly the code that their step has, and [`turns`]
//! lets one reply through to each thing that is said: a relay that says more than it was asked cannot pass one mail's
//! answer off as another's. STARTTLS is spoken here, so that nothing that was said in clear counts behind it.

mod turns;

use crate::config::{Relay, Tls};
use crate::{Doubt, Error};
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use turns::{Duplex, Turns};

/// Mails that one connection takes; then another is made.
const MAILS_MAX: u32 = 200;
/// How much longer the answer to the data may take than others (RFC 5321, 4.5.3.2.6: 10 minutes).
const DATA_TIMEOUT_FACTOR: u32 = 10;

/// How to reach the relay, with its secrets read.
#[derive(Clone)]
pub(crate) struct Door {
    relay: Relay,
    hello: ClientId,
    timeout: Duration,
    credentials: Option<Credentials>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// A connection that is ready for a mail.
pub(crate) struct Connection {
    smtp: AsyncSmtpConnection,
    wire: Arc<Wire>,
    timeout: Duration,
    mails: u32,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct Closed {
    /// For the operator.
    pub(crate) why: String,
    /// Whether asking again is of no use: the password is wrong.
    pub(crate) is_final: bool,
}

impl From<String> for Closed {
    fn from(why: String) -> Closed {
        Closed { why, is_final: false }
    }
}

/// How a mail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The relay took it.
    Taken {
        /// The relay's number of it.
        queue_id: Option<String>,
    },
    /// Not taken, for now. 0: the connection was lost before the data were whole, or the relay was out of step.
    NotNow {
        /// The reply's code.
        code: u16,
    },
    /// Not taken, for good.
    Never {
        /// The reply's code.
        code: u16,
        /// The enhanced status.
        status: Option<String>,
        /// Whether the recipient was refused, or the mail and its sender.
        whom: Whom,
    },
    /// Nobody knows.
    Unknown(Doubt),
}

/// Whom a relay refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// This recipient.
    Recipient,
    /// What was sent.
    Data,
    /// The sender: it would refuse every mail.
    Sender,
}

/// What is told of a step that failed.
enum Failed {
    Reply(Response),
    /// The connection's or the relay's fault.
    Broken,
    TimedOut,
}

impl Door {
    /// Reads the password and the certificates.
    pub(crate) fn new(relay: &Relay) -> Result<Door, Error> {
        let wrong = |what: String| Error::Relay { relay: format!("{}:{}", relay.host, relay.port), what };
        let read =
            |path: &std::path::Path| std::fs::read(path).map_err(|err| Error::Read { path: path.to_owned(), err });
        let credentials = match (&relay.user, &relay.password_file) {
            (Some(user), Some(file)) => {
                let password =
                    String::from_utf8(read(file)?).map_err(|_| wrong("its password is not UTF-8".to_owned()))?;
                Some(Credentials::new(user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()))
            }
            _ => None,
        };
        let tls = match relay.tls {
            Tls::None => None,
            _ => {
                let own = relay.ca_file.as_deref().map(read).transpose()?;
                Some(tls(own.as_deref()).map_err(wrong)?)
            }
        };
        let hello = relay.hello.clone().map_or_else(ClientId::default, ClientId::Domain);
        let timeout = Duration::try_from(relay.timeout).unwrap_or(Duration::from_secs(60));
        Ok(Door { relay: relay.clone(), hello, timeout, credentials, tls })
    }

    /// Connects, secures and signs in.
    pub(crate) async fn open(&self) -> Result<Connection, Closed> {
        let opened = tokio::time::timeout(self.timeout * 2, self.open_now()).await;
        opened.map_err(|_| Closed::from("it does not answer in time".to_owned()))?
    }

    async fn open_now(&self) -> Result<Connection, Closed> {
        let tcp = TcpStream::connect((self.relay.host.as_str(), self.relay.port)).await;
        let tcp = tcp.map_err(|err| format!("it cannot be reached ({err})"))?;
        // The end of the data is a write of its own: it must not wait for the answer to the packet before it.
        let _ = tcp.set_nodelay(true);
        let wire = Arc::new(Wire::default());
        let peer = tcp.peer_addr().map_err(|err| format!("it cannot be reached ({err})"))?;
        let mut watched = Watched { stream: tcp, wire: Arc::clone(&wire) };
        let greeting = match self.relay.tls {
            Tls::Starttls => turns::starttls(&mut watched, &self.hello).await?,
            Tls::Implicit | Tls::None => Vec::new(),
        };
        let stream: Box<dyn Duplex> = match &self.tls {
            Some(config) => {
                let name = rustls_pki_types::ServerName::try_from(self.relay.host.clone());
                let name = name.map_err(|_| "its name is not one that a certificate can have".to_owned())?;
                let secured = TlsConnector::from(Arc::clone(config)).connect(name, watched).await;
                Box::new(secured.map_err(|err| format!("TLS failed ({err})"))?)
            }
            None => Box::new(watched),
        };
        let stream = Box::new(Turns::new(stream, peer, greeting, Arc::clone(&wire)));
        let failed = |step: &str, err: lettre::transport::smtp::Error| format!("{step} failed ({})", told(&err));
        let connected = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
        let mut smtp = connected.map_err(|err| failed("the greeting", err))?;
        if let Some(credentials) = &self.credentials {
            let signed_in = smtp.auth(DEFAULT_MECHANISMS, credentials).await;
            let is_final = signed_in.as_ref().is_err_and(lettre::transport::smtp::Error::is_permanent);
            signed_in.map_err(|err| Closed { is_final, why: failed("signing in", err) })?;
        }
        Ok(Connection { smtp, wire, timeout: self.timeout, mails: 0 })
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("host", &self.relay.host).field("port", &self.relay.port).finish_non_exhaustive()
    }
}

/// A reply's code and class; never its text, which may hold an address.
fn told(err: &lettre::transport::smtp::Error) -> String {
    match err.status() {
        Some(code) => format!("reply {code}"),
        None if err.is_client() => err.to_string(),
        None => "the connection was lost or the reply garbled".to_owned(),
    }
}

impl Connection {
    /// Hands one mail over. `durable` must resolve to `true` before any of its data are sent; `None` when it did not.
    /// The connection is given back when another mail may follow.
    pub(crate) async fn send(
        mut self,
        from: &Address,
        to: &Address,
        mail: &[u8],
        durable: impl Future<Output = bool>,
    ) -> (Option<Outcome>, Option<Connection>) {
        self.mails += 1;
        let steps = async {
            let mail_from = self.command(Mail::new(Some(from.clone()), Vec::new()), &[250]).await;
            mail_from.map_err(|failed| outcome(failed, Whom::Sender))?;
            let rcpt = self.command(Rcpt::new(to.clone(), Vec::new()), &[250, 251]).await;
            rcpt.map_err(|failed| outcome(failed, Whom::Recipient))
        };
        // The attempt is being written down while the relay hears of the recipient.
        let (before, is_durable) = tokio::join!(steps, durable);
        if !is_durable {
            return (None, None);
        }
        let ended = match before {
            Ok(()) => match self.command(Data, &[354]).await {
                Ok(()) => self.data(mail).await,
                Err(failed) => outcome(failed, Whom::Data),
            },
            Err(ended) => ended,
        };
        let may_go_on = match &ended {
            Outcome::Taken { .. } => true,
            Outcome::NotNow { code: 1.. } | Outcome::Never { .. } => self.command(Rset, &[250]).await.is_ok(),
            _ => false,
        };
        let goes_on = may_go_on && self.mails < MAILS_MAX;
        if goes_on {
            return (Some(ended), Some(self));
        }
        self.close().await;
        (Some(ended), None)
    }

    /// Says goodbye; nothing depends on it.
    pub(crate) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.smtp.abort()).await;
    }

    async fn command(&mut self, command: impl std::fmt::Display, codes: &[u16]) -> Result<(), Failed> {
        match tokio::time::timeout(self.timeout, self.smtp.command(command)).await {
            Ok(Ok(response)) if codes.contains(&code(&response)) => Ok(()),
            // A positive reply of another step: the relay is out of step, and nothing that it says can be believed.
            Ok(Ok(_)) => Err(Failed::Broken),
            Ok(Err(err)) => Err(failed(&err)),
            Err(_) => Err(Failed::TimedOut),
        }
    }

    /// The data and their answer.
    async fn data(&mut self, mail: &[u8]) -> Outcome {
        self.wire.begin_writing();
        let answer = tokio::time::timeout(self.timeout * DATA_TIMEOUT_FACTOR, self.smtp.message(mail)).await;
        match answer {
            Ok(Ok(response)) if code(&response) == 250 => Outcome::Taken { queue_id: queue_id(&response) },
            Ok(Ok(_)) => Outcome::Unknown(Doubt::Garbled),
            Ok(Err(err)) => match failed(&err) {
                Failed::Reply(response) => outcome(Failed::Reply(response), Whom::Data),
                // The relay never had the end of the data.
                _ if self.wire.writing_failed() => Outcome::NotNow { code: 0 },
                _ if err.is_response() && !is_cut_off(&err) => Outcome::Unknown(Doubt::Garbled),
                _ => Outcome::Unknown(Doubt::ConnectionLost),
            },
            Err(_) => Outcome::Unknown(Doubt::TimedOut),
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("mails", &self.mails).finish_non_exhaustive()
    }
}

fn failed(err: &lettre::transport::smtp::Error) -> Failed {
    match err.status() {
        Some(code) => {
            // The text is kept for its enhanced status only.
            let text = std::error::Error::source(err).map(ToString::to_string).unwrap_or_default();
            Failed::Reply(Response::new(code, vec![text]))
        }
        None => Failed::Broken,
    }
}

/// Whether a reply ended before its line did: the connection was closed.
fn is_cut_off(err: &lettre::transport::smtp::Error) -> bool {
    std::error::Error::source(err).is_some_and(|source| source.to_string().contains("incomplete response"))
}

/// How a mail ends when the step before its data, or the answer to them, failed.
fn outcome(failed: Failed, whom: Whom) -> Outcome {
    match failed {
        Failed::Reply(response) => match code(&response) {
            code @ 500..=599 => Outcome::Never { code, status: enhanced_status(&response), whom },
            code => Outcome::NotNow { code },
        },
        Failed::Broken | Failed::TimedOut => Outcome::NotNow { code: 0 },
    }
}

fn code(response: &Response) -> u16 {
    response.code().into()
}

fn enhanced_status(response: &Response) -> Option<String> {
    let first = response.message().next()?.split_whitespace().next()?;
    crate::dsn::is_enhanced_status(first).then(|| first.to_owned())
}

/// The relay's number of a mail, as Postfix and Exim say it. Nothing else of a reply is kept: it may hold an address.
fn queue_id(response: &Response) -> Option<String> {
    let text = response.message().collect::<Vec<_>>().join(" ");
    let after = ["queued as ", "id="].iter().find_map(|mark| text.split_once(mark).map(|(_, rest)| rest))?;
    let id: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    let next = after[id.len()..].chars().next();
    (!id.is_empty() && next != Some('@') && next != Some('.')).then_some(id)
}

fn tls(own: Option<&[u8]>) -> Result<Arc<rustls::ClientConfig>, String> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = own {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "its certificates (relay.ca_file) are not PEM".to_owned())?;
            roots.add(certificate).map_err(|err| err.to_string())?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| err.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What a stream saw since the data began.
#[derive(Debug, Default)]
struct Wire {
    is_reading: AtomicBool,
    writing_failed: AtomicBool,
}

impl Wire {
    fn begin_writing(&self) {
        self.is_reading.store(false, Ordering::Relaxed);
        self.writing_failed.store(false, Ordering::Relaxed);
    }

    fn writing_failed(&self) -> bool {
        self.writing_failed.load(Ordering::Relaxed)
    }

    /// A write that was not begun: nothing of it left.
    fn refuse_writing(&self) {
        self.writing_failed.store(true, Ordering::Relaxed);
    }

    /// A write that fails while an answer is awaited (TLS answers alerts) is none of the data's.
    fn wrote<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(poll, Poll::Ready(Err(_))) && !self.is_reading.load(Ordering::Relaxed) {
            self.writing_failed.store(true, Ordering::Relaxed);
        }
        poll
    }
}

/// A TCP stream under watch.
#[derive(Debug)]
struct Watched {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.wire.is_reading.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wire.wrote(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.wire.wrote(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
