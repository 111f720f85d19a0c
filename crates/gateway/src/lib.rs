//! The HTTP gateway: it stands in front of the firm's servers, inspects what leaves and records it first.
//!
//! One process holds worker threads, each with its own accept loop, runtime and upstream pools. Read in the order
//! of a request: [`config`], `server` (workers), `connection` (TLS, protocol, deadlines), [`head_gate`], `service` (one
//! request), `route`, `dispatch`, `upstream`, [`inspect`] (inspection, ledger, release), `reply`. Beside the way:
//! `admin`, `access_log`, `metrics`. It asks no questions of the ledger and blocks nothing but what the ledger cannot record.

mod access_log;
mod account;
mod activity;
mod admin;
mod admin_api;
mod admission;
mod compress;
pub mod config;
mod connection;
pub mod containment;
mod dispatch;
mod download;
pub mod forwarded;
pub mod head_gate;
mod headers;
pub mod inspect;
mod metrics;
pub mod proxy_protocol;
mod refusal;
mod reply;
mod route;
mod server;
mod service;
mod serving;
mod session;
mod stream;
pub mod tls;
mod token;
mod upgrade;
mod upload;
mod upstream;

pub use download::{DownloadError, UpstreamBody};
pub use route::fuzz_route;
pub use upstream::TargetError;

use crate::access_log::AccessLog;
use crate::config::Config;
use crate::inspect::{Inspector, InspectorParts, LiveEventSender};
use crate::metrics::Metrics;
use crate::server::Shared;
use crate::serving::Serving;
pub use crate::token::TokenError;
use arc_swap::ArcSwap;
use sekisho_edm::{HashKey, Index};
use sekisho_ledger::Ledger;
use sekisho_model::{Bound, Clock, Contained};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What the gateway works with besides its configuration.
pub struct Parts {
    /// The registers to scan for; swapped from outside when they are rebuilt.
    pub index: Arc<ArcSwap<Index>>,
    /// Where exposures are recorded. It stays open after [`Gateway::shutdown`]: closing it is the caller's part.
    pub ledger: Ledger,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The key of sessions and client addresses.
    pub key: Arc<HashKey>,
    /// Where a terminal listens; see [`inspect::live_events`]. Events that do not fit are dropped and counted.
    pub events: Option<LiveEventSender>,
    /// Whose sessions were before a restart, oldest first, over [`inspect::REMEMBERED`].
    pub bound: Vec<Bound>,
    /// Who was kept out before a restart.
    pub contained: Vec<Contained>,
    /// Whoever tells the firm's own systems who is kept out; see [`inspect::decisions`].
    pub decisions: Option<inspect::DecisionSender>,
    /// What a caller of the admin address must show to change anything; `None`: nobody may.
    pub admin_token: Option<String>,
    /// What accounts were shown before this process began, by the configuration's rules; `None` begins with nothing.
    pub past: Option<inspect::watch::Watch>,
}

/// Why the gateway could not start or reload.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has no listener.
    #[error("the configuration has no listener")]
    NoListener,
    /// A route's upstream does not exist.
    #[error("the route `{path_prefix}` has no upstream")]
    NoUpstream {
        /// The route.
        path_prefix: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// An upstream cannot be used.
    #[error("cannot use the upstream `{name}`")]
    Upstream {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        err: TargetError,
    },
    /// A listener's certificate or key cannot be used.
    #[error("cannot set up TLS for {address}")]
    Tls {
        /// The listener.
        address: SocketAddr,
        /// Why.
        #[source]
        err: tls::TlsError,
    },
    /// The keys of a token cannot be used.
    #[error("cannot verify tokens")]
    Token(#[source] token::TokenError),
    /// A thread or runtime cannot be made.
    #[error("cannot start a worker")]
    Runtime(#[source] io::Error),
    /// A reload would change what only a restart can change.
    #[error("{what} cannot change without a restart")]
    NeedsRestart {
        /// The part of the configuration.
        what: &'static str,
    },
}

/// A running gateway.
pub struct Gateway {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    admin_address: Option<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Gateway {
    /// Reads what the configuration names, binds every address, and starts the workers. When it returns, clients
    /// can connect.
    pub fn start(config: Config, mut parts: Parts) -> Result<Gateway, Error> {
        let serving = Arc::new(Serving::new(config, system_time(&*parts.clock))?);
        let config = &serving.config;
        let sockets = server::bind(config)?;
        let admin = config.admin.map(server::bind_admin).transpose()?;
        let local = |socket: &std::net::TcpListener| socket.local_addr().map_err(Error::Runtime);
        let addresses = sockets[0].iter().map(local).collect::<Result<_, _>>()?;
        let admin_address = admin.as_ref().map(local).transpose()?;
        let log = match config.access_log {
            true => Some(AccessLog::start(io::stdout()).map_err(Error::Runtime)?),
            false => None,
        };
        let inspector = Inspector::new(InspectorParts {
            ledger: parts.ledger.clone(),
            index: Arc::clone(&parts.index),
            clock: Arc::clone(&parts.clock),
            key: Arc::clone(&parts.key),
            limits: config.limits,
            deadlines: config.deadlines,
            events: parts.events.clone(),
            canaries: config.canaries.clone(),
            contain: config.contain_rules(),
            contained: std::mem::take(&mut parts.contained),
            decisions: parts.decisions.clone(),
            watch: parts
                .past
                .take()
                .unwrap_or_else(|| inspect::watch::Watch::new(config.watch.clone(), |name| parts.key.account(name))),
        });
        inspector.restore(&parts.bound);
        let shared = Arc::new(Shared {
            serving: ArcSwap::new(Arc::clone(&serving)),
            parts,
            inspector,
            metrics: Arc::new(Metrics::new()),
            refusals: Arc::default(),
            admission: Arc::default(),
            shapes: route::RouteShapes::default(),
            log,
        });
        let (stop, stopped) = watch::channel(false);
        let mut gateway = Gateway { shared, addresses, admin_address, threads: Vec::new(), stop };
        for (number, sockets) in sockets.into_iter().enumerate() {
            let worker = server::spawn(number, Arc::clone(&gateway.shared), sockets, stopped.clone())?;
            gateway.threads.push(worker);
        }
        if let Some(socket) = admin {
            let thread = admin::spawn(Arc::clone(&gateway.shared), socket, stopped)?;
            gateway.threads.push(thread);
        }
        Ok(gateway)
    }

    /// Where clients connect, in the order of the configuration's listeners.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where `/metrics` and `/health` answer.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Puts another configuration in force for the connections and requests that follow. Every file it names is read
    /// again, certificates too. On any error the old configuration stays as a whole.
    ///
    /// # Errors
    /// What [`Gateway::start`] refuses, and what only a restart can change: listeners, the admin address, workers.
    pub fn reload(&self, config: Config) -> Result<(), Error> {
        if let Some(what) = self.shared.serving.load().needs_restart(&config) {
            return Err(Error::NeedsRestart { what });
        }
        let serving = Serving::new(config, system_time(&*self.shared.parts.clock))?;
        self.shared.inspector.reload(&serving.config);
        self.shared.serving.store(Arc::new(serving));
        Ok(())
    }

    /// Stops accepting, lets the requests in service end within their deadline, and waits for that: HTTP/2
    /// connections get a GOAWAY, keep-alive ones are closed, WebSockets are cut. Blocks the calling thread.
    pub fn shutdown(mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the gateway panicked");
            }
        }
    }
}

impl Drop for Gateway {
    /// Without [`Gateway::shutdown`] the workers are told to end and not waited for.
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// The clock's time as certificates count it.
pub(crate) fn system_time(clock: &dyn Clock) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(clock.now().0).unwrap_or(0))
}
