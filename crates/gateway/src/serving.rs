//! A configuration made ready: routes to search, upstreams to connect to, certificates read.
//! Immutable; a reload makes a new one or fails as a whole.

use crate::Error;
use crate::config::{Config, Deadlines, Limits, Listener};
use crate::inspect::watch::OpenCases;
use crate::route::RouteTable;
use crate::tls::ServerTls;
use crate::token::{Signed, Tokens};
use crate::upstream::Target;
use std::sync::Arc;
use std::time::SystemTime;

/// What the workers serve by.
pub(crate) struct Serving {
    pub(crate) config: Config,
    pub(crate) routes: RouteTable,
    pub(crate) targets: Vec<Arc<Target>>,
    /// One for each listener; `None` is plain HTTP.
    pub(crate) tls: Vec<Option<ServerTls>>,
    /// Whom requests' tokens name.
    pub(crate) tokens: Tokens,
    /// Whom upstreams' answers to log-ins name.
    pub(crate) signed: Signed,
    /// Where the configuration names a file.
    pub(crate) open_cases: Option<OpenCases>,
}

impl Serving {
    /// Reads every file that the configuration names.
    pub(crate) fn new(config: Config, now: SystemTime) -> Result<Serving, Error> {
        if config.listeners.is_empty() {
            return Err(Error::NoListener);
        }
        if let Some(route) = config.routes.iter().find(|route| route.upstream >= config.upstreams.len()) {
            return Err(Error::NoUpstream { path_prefix: route.path_prefix.clone() });
        }
        let target = |upstream| {
            Target::new(upstream, &config.limits)
                .map(Arc::new)
                .map_err(|err| Error::Upstream { name: upstream.name.clone(), err })
        };
        let targets = config.upstreams.iter().map(target).collect::<Result<_, _>>()?;
        let tls = |listener: &Listener| {
            let loaded = listener.tls.clone().map(|files| ServerTls::load(files, now)).transpose();
            loaded.map_err(|err| Error::Tls { address: listener.address, err })
        };
        let tls = config.listeners.iter().map(tls).collect::<Result<_, _>>()?;
        let open_cases = config.open_cases.clone().map(OpenCases::new);
        let tokens = Tokens::read(&config.tokens).map_err(Error::Token)?;
        let signed = Signed::read(&config.logins).map_err(Error::Token)?;
        Ok(Serving { open_cases, tokens, signed, tls, routes: RouteTable::new(config.routes.clone()), targets, config })
    }

    /// What of another configuration only a restart can put in force; `None` when nothing.
    pub(crate) fn needs_restart(&self, next: &Config) -> Option<&'static str> {
        let shape = |config: &Config| {
            let listeners = config.listeners.iter();
            listeners.map(|it| (it.address, it.tls.is_some(), it.proxy_protocol)).collect::<Vec<_>>()
        };
        if shape(&self.config) != shape(next) {
            return Some("the listeners");
        }
        if self.config.admin != next.admin {
            return Some("the admin address");
        }
        if self.config.workers != next.workers {
            return Some("the number of workers");
        }
        if self.config.access_log != next.access_log {
            return Some("the access log");
        }
        if self.config.limits.held_bytes_max != next.limits.held_bytes_max {
            return Some("the limit on held bytes");
        }
        None
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.config.limits
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.config.deadlines
    }
}
