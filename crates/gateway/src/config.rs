//! What the gateway is told: typed and complete. The executable makes it from the operator's file, after
//! every check; nothing in here can be wrong by itself, save what only the machine can say (an address in use).

use crate::inspect::Policy;
use crate::inspect::watch::{CaseSource, WatchRules};
use ipnet::IpNet;
use sekisho_model::{FieldKind, WithheldReason};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The whole gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// Where `/metrics` and `/health` answer; never a client's address.
    pub admin: Option<SocketAddr>,
    /// The firm's servers.
    pub upstreams: Vec<Upstream>,
    /// The routes; the longest matching path prefix of the most specific host wins. A request without a route gets 404.
    pub routes: Vec<Route>,
    /// Peers whose `Forwarded` / `X-Forwarded-For` and PROXY headers are believed.
    pub trusted_peers: Vec<IpNet>,
    /// Where a request's session is read from.
    pub session: SessionSource,
    /// Where customers log in.
    pub logins: Vec<Arc<Login>>,
    /// Signed tokens that name whose a request is.
    pub tokens: Vec<Token>,
    /// Paths of requests that log out, whole.
    pub logout_paths: Vec<String>,
    /// Names of the registers of planted customers.
    pub canaries: Vec<String>,
    /// Who is kept out by itself.
    pub containment: ContainRules,
    /// Numbers that are too high.
    pub watch: WatchRules,
    /// The file of open cases.
    pub open_cases: Option<PathBuf>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// Limits.
    pub limits: Limits,
    /// Worker threads, each with its own accept loop and upstream pool.
    pub workers: usize,
    /// Whether each request is written to the JSON access log (standard output).
    pub access_log: bool,
}

/// An address where clients connect.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS with this certificate; `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// Whether every connection begins with a PROXY protocol v2 header (from trusted peers only).
    pub proxy_protocol: bool,
}

/// A certificate and its key, read again on reload.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key; must not be readable by others.
    pub key: PathBuf,
}

/// A server of the firm.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// Scheme `http` or `https`.
    pub scheme: http::uri::Scheme,
    /// Host and port.
    pub authority: http::uri::Authority,
    /// For `https`: also believe these PEM roots beside the system's.
    pub extra_roots: Option<PathBuf>,
}

/// Which requests go where, and how they are treated.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name in the ledger; `None` uses the path's shape (its first segment, when that cannot hold a person's data).
    pub name: Option<String>,
    /// Lower-case host without port; `None` is any.
    pub host: Option<String>,
    /// Path prefix, on segment boundaries; `/` is all.
    pub path_prefix: String,
    /// Index into [`Config::upstreams`].
    pub upstream: usize,
    /// Whether responses are inspected.
    pub inspect: bool,
    /// GW-1: passes when the ledger cannot be written, leaving a visible gap.
    pub continuity: bool,
    /// Compression to the client; off where subjects are expected (BREACH).
    pub compress: bool,
    /// Whether `101 Switching Protocols` to WebSocket is passed through (recorded as not inspected).
    pub websocket: bool,
    /// What responses may show to whom.
    pub rules: Policy,
    /// Where its requests name their case.
    pub case: Option<CaseSource>,
}

/// A log-in: binds the session that it gives out to the persons whom its field names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Lower-case host without port; `None` is any.
    pub host: Option<String>,
    /// The path of the request with the credentials, whole.
    pub path: String,
    /// What names the person.
    pub by: NamedBy,
    /// Statuses of a response that says yes.
    pub success_statuses: Vec<u16>,
    /// The path, or a prefix of it on a segment boundary, to which such a response redirects.
    pub success_location: Option<String>,
    /// The member of the response's JSON object that holds the session's bearer token; `a.b` is `b` inside `a`. `None`:
    /// the session is a cookie.
    pub token_field: Option<String>,
}

/// What of a log-in names the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// A field of the request's form or JSON object.
    Field {
        /// Its name.
        field: String,
        /// Whom it names.
        names: Names,
    },
    /// A token that the upstream signs, in a header or cookie of its response. The header is the gateway's alone: it goes to
    /// no client, and no client's goes to the upstream.
    Signed(Token),
}

impl NamedBy {
    /// Whom it names.
    #[must_use]
    pub fn names(&self) -> Names {
        match self {
            NamedBy::Field { names, .. } => *names,
            NamedBy::Signed(token) => token.names,
        }
    }
}

/// Whom a value of a log-in or a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Everybody in the registers who has this value in a column of this kind.
    Persons(FieldKind),
    /// An account of the firm's staff or of a partner.
    Account,
}

/// A JSON Web Token that a client sends with each request, or an upstream with its answer to a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it stands.
    pub place: TokenPlace,
    /// What it is verified with.
    pub keys: TokenKeys,
    /// Its `iss`.
    pub issuer: Option<String>,
    /// Its `aud`.
    pub audience: Option<String>,
    /// The claim that names somebody; `a.b` is `b` inside `a`.
    pub claim: String,
    /// Whom that claim names.
    pub names: Names,
}

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// In the cookie of this name.
    Cookie(String),
    /// In the header of this name, whole.
    Header(http::HeaderName),
    /// In `Authorization: Bearer`.
    Bearer,
}

/// What a token is verified with; read again on reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKeys {
    /// A file with a set of public keys (RFC 7517).
    Jwks(PathBuf),
    /// A file with an HMAC secret; must not be readable by others.
    Secret(PathBuf),
}

/// Who is kept out by itself, and for how long. By default nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainRules {
    /// After what.
    pub on: Vec<ContainCause>,
    /// How long a session is kept out.
    pub session_for: Duration,
    /// How long an address is, for requests without a session.
    pub client_for: Duration,
    /// Networks whose addresses never are.
    pub never: Vec<IpNet>,
}

impl Default for ContainRules {
    fn default() -> ContainRules {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        ContainRules { on: Vec::new(), session_for: minutes(30), client_for: minutes(5), never: Vec::new() }
    }
}

impl Config {
    /// The rules of containment. A trusted peer is never kept out: it brings everybody's requests.
    pub(crate) fn contain_rules(&self) -> ContainRules {
        let mut rules = self.containment.clone();
        rules.never.extend(&self.trusted_peers);
        rules
    }
}

/// After what somebody is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainCause {
    /// A response held what a rule forbids for this reason, whatever was done with it.
    Rule(WithheldReason),
    /// A number was too high.
    Alert,
}

/// Where a session is read from: the first cookie of these names, then a bearer token.
#[derive(Clone, Debug)]
pub struct SessionSource {
    /// Cookie names, most wanted first.
    pub cookies: Vec<String>,
    /// Whether `Authorization: Bearer` names a session.
    pub bearer: bool,
}

impl Default for SessionSource {
    /// The session cookies of common frameworks, and bearer tokens.
    fn default() -> SessionSource {
        let names = [
            "__Host-session",
            "session",
            "sessionid",
            "session_id",
            "sid",
            "connect.sid",
            "JSESSIONID",
            "PHPSESSID",
            "ASP.NET_SessionId",
            "laravel_session",
            "_session_id",
            "ds_actor",
        ];
        SessionSource { cookies: names.map(str::to_owned).to_vec(), bearer: true }
    }
}

/// How long the gateway waits for whom.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// TLS handshake and PROXY header.
    pub handshake: Duration,
    /// A request's whole head, from its first byte.
    pub request_head: Duration,
    /// Between two parts of a request's body.
    pub request_body_idle: Duration,
    /// A keep-alive connection without a request.
    pub keep_alive_idle: Duration,
    /// Connecting to the upstream.
    pub connect: Duration,
    /// The upstream's response head.
    pub first_byte: Duration,
    /// Between two parts of the upstream's body.
    pub response_body_idle: Duration,
    /// An inspected stream that falls idle is flushed after this long (`idle_flush`).
    pub idle_flush: Duration,
    /// A body that waits because `held_bytes_max` are held by others (`held_wait`): 503, or broken off once its head was sent.
    pub held_wait: Duration,
    /// Open requests at shutdown.
    pub shutdown: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        let seconds = Duration::from_secs;
        Deadlines {
            handshake: seconds(5),
            request_head: seconds(5),
            request_body_idle: seconds(30),
            keep_alive_idle: seconds(60),
            connect: seconds(5),
            first_byte: seconds(60),
            response_body_idle: seconds(60),
            idle_flush: seconds(1),
            held_wait: seconds(10),
            shutdown: seconds(30),
        }
    }
}

/// How much the gateway holds and accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Client connections over all workers; beyond, a new one is closed at once.
    pub connections_max: usize,
    /// Client connections of one address (/24 or /64); beyond, a new one is closed at once.
    pub connections_per_prefix_max: usize,
    /// Bytes of a request head; beyond, 431.
    pub request_head_bytes_max: usize,
    /// Header fields of a request; beyond, 431.
    pub request_headers_max: usize,
    /// Bytes of a request body; beyond, 413.
    pub request_body_bytes_max: u64,
    /// Bytes that a request body must bring for each second that is spent waiting for it, beyond the first
    /// `request_body_idle`; below, 408.
    pub request_body_bytes_per_second_min: u64,
    /// Bytes of a response head from the upstream; beyond, 502.
    pub response_head_bytes_max: usize,
    /// Bytes that one compressed body may decode to; beyond, the rest is not inspected and says so.
    pub decoded_body_bytes_max: u64,
    /// Body bytes held at once by all connections together; beyond, reading waits, at most `held_wait`.
    pub held_bytes_max: usize,
    /// Concurrent HTTP/2 streams of one connection.
    pub http2_streams_max: u32,
    /// Idle upstream connections kept by one worker for one upstream.
    pub upstream_idle_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 20_000,
            connections_per_prefix_max: 20_000,
            request_head_bytes_max: 64 * 1024,
            request_headers_max: 100,
            request_body_bytes_max: 64 * 1024 * 1024,
            request_body_bytes_per_second_min: 500,
            response_head_bytes_max: 64 * 1024,
            decoded_body_bytes_max: 64 * 1024 * 1024,
            held_bytes_max: 256 * 1024 * 1024,
            http2_streams_max: 100,
            upstream_idle_max: 256,
        }
    }
}
