//! `sekisho observe`: stand in front of any site with no configuration, block nothing, and show whose data leaves.

use super::{Done, Usage};
use crate::config::{Register, default_workers, origin};
use crate::live::Live;
use crate::output::{show, tell};
use crate::running::Running;
use crate::signals::{Ending, Told};
use crate::{keys, learn, register_index, report};
use anyhow::{Context, Result};
use http::uri::{Authority, Scheme};
use sekisho_edm::Index;
use sekisho_gateway::config as gateway;
use sekisho_gateway::inspect::Policy;
use sekisho_gateway::inspect::live_events;
use sekisho_gateway::inspect::watch::WatchRules;
use sekisho_model::{Clock, SystemClock};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long the site may take to accept the connection that is tried at the start.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Stand in front of a site, block nothing, and show whose data leaves.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho observe --upstream http://127.0.0.1:3000 --register customers.csv")]
pub(crate) struct Arguments {
    /// The site, as scheme, host and port.
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: UpstreamUrl,
    /// A CSV file of customers; its columns are guessed. May be given more than once.
    #[arg(long, value_name = "FILE")]
    register: Vec<PathBuf>,
    /// A file of planted customers, as `sekisho register canaries` makes it: one in a response is an incident.
    #[arg(long, value_name = "FILE")]
    canaries: Vec<PathBuf>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to keep the ledger.
    #[arg(long, default_value = "ledger", value_name = "DIR")]
    ledger: PathBuf,
    /// Where to keep the keys; made when there are none.
    #[arg(long, default_value = "keys", value_name = "DIR")]
    keys: PathBuf,
    /// Where /metrics and /health answer.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

/// A site's scheme and authority.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamUrl {
    scheme: Scheme,
    authority: Authority,
    text: String,
}

impl UpstreamUrl {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Connects once, so that a wrong address is told before the first request meets it. Nothing depends on it: the
    /// site may come up later.
    async fn tell_unless_reachable(self) {
        let port = self.authority.port_u16().unwrap_or(if self.scheme == Scheme::HTTPS { 443 } else { 80 });
        // Brackets belong to an IPv6 address in a URL, not to its name.
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let why = match tokio::time::timeout(CONNECT_MAX, tokio::net::TcpStream::connect((host, port))).await {
            Ok(Ok(_)) => return,
            Ok(Err(err)) => report::io_text(&err),
            Err(_) => format!("no answer within {} s", CONNECT_MAX.as_secs()),
        };
        tell!("warning: cannot connect to {}: {why}; until it answers, requests get 502", self.text);
    }
}

/// Reads `http://127.0.0.1:3000`.
pub(crate) fn upstream(text: &str) -> Result<UpstreamUrl, String> {
    let wants = "write scheme, host and port without a path, such as http://127.0.0.1:3000";
    let (scheme, authority) = origin(text).ok_or(wants)?;
    Ok(UpstreamUrl { scheme, authority, text: text.trim_end_matches('/').to_owned() })
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        if keys::lie_inside(&self.keys, &self.ledger) {
            return Err(Usage::error(format!(
                "the keys `{}` would lie inside the ledger `{}` that they protect (SK032): name another directory with \
                 --keys, best on another device",
                self.keys.display(),
                self.ledger.display()
            )));
        }
        let keys = keys::load_or_create(&self.keys)?;
        let index = self.index(&keys.hash)?;
        let (sender, mut events) = live_events();
        let running = Running::start(self.gateway(), &self.ledger, &keys, index, Some(sender))?;
        self.welcome(&running);
        let mut live = Live::new(running.index());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        runtime.spawn(self.upstream.clone().tell_unless_reachable());
        runtime.block_on(live.show_until(&mut events, told_to_end()))?;
        // A name that is still being looked up keeps nobody waiting.
        runtime.shutdown_background();
        running.stop()?;
        live.summary();
        show!("\nAsk the ledger:\n  sekisho scope --ledger {}", self.ledger.display());
        Ok(Done::Yes)
    }

    /// The index of the registers given, told as they were understood.
    fn index(&self, key: &Arc<sekisho_edm::HashKey>) -> Result<Index> {
        let path = register_index::path(&self.ledger);
        if self.register.is_empty() && self.canaries.is_empty() {
            return Ok(register_index::read(&path, key)?.unwrap_or_else(|| Index::empty(Arc::clone(key))));
        }
        let mut registers: Vec<Register> = Vec::new();
        for file in self.register.iter().chain(&self.canaries) {
            let learnt = learn::learn(file)?;
            show!("{} is read as register `{}`:\n", file.display(), learnt.name);
            show!("{}", learnt.to_table());
            registers.push(learnt.register());
        }
        show!("Guessed wrong? `sekisho register learn FILE` writes it as TOML to be corrected.\n");
        register_index::build(&self.ledger, key, &registers, SystemClock::new().now())
    }

    /// One route for everything: inspected, never refused (`continuity`), nothing compressed.
    fn gateway(&self) -> gateway::Config {
        let UpstreamUrl { scheme, authority, .. } = self.upstream.clone();
        let name = "site".to_owned();
        gateway::Config {
            listeners: vec![gateway::Listener { address: self.listen, tls: None, proxy_protocol: false }],
            admin: self.admin,
            upstreams: vec![gateway::Upstream { name, scheme, authority, extra_roots: None }],
            routes: vec![gateway::Route {
                name: None,
                host: None,
                path_prefix: "/".to_owned(),
                upstream: 0,
                inspect: true,
                continuity: true,
                compress: false,
                websocket: true,
                rules: Policy::default(),
                case: None,
            }],
            trusted_peers: Vec::new(),
            session: gateway::SessionSource::default(),
            logins: Vec::new(),
            tokens: Vec::new(),
            logout_paths: Vec::new(),
            containment: gateway::ContainRules::default(),
            canaries: self
                .canaries
                .iter()
                .filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()))
                .collect(),
            watch: WatchRules::default(),
            open_cases: None,
            deadlines: gateway::Deadlines::default(),
            limits: gateway::Limits::default(),
            workers: default_workers(),
            access_log: false,
        }
    }

    fn welcome(&self, running: &Running) {
        let address = running.gateway.addresses().first().copied().unwrap_or(self.listen);
        show!("Sekisho observes {} and blocks nothing.\n", self.upstream.text());
        show!("  open     http://{address}/   instead of {}", self.upstream.text());
        show!("  ledger   {}", self.ledger.display());
        if let Some(admin) = running.gateway.admin_address() {
            show!("  metrics  http://{admin}/metrics");
        }
        let index = running.index();
        if index.registers().is_empty() {
            show!("  looks for mails, cards and My Numbers; for your customers too with --register FILE");
        }
        for register in index.registers() {
            show!("  looks for {} persons of `{}`", sekisho_scope::text::count(register.persons), register.name);
        }
        show!(
            "\nResponses that hold somebody's data are shown below. Ctrl-C or SIGTERM ends it; a\nterminal that closes does not.\n"
        );
    }
}

/// A terminal that closes takes its reader away, not the site: whoever wants an end says so with SIGTERM or Ctrl-C.
async fn told_to_end() -> Result<()> {
    let mut ending = Ending::listen()?;
    while ending.told().await == Told::Hangup {}
    Ok(())
}
