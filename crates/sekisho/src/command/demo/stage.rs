//! The stage: the sample site, its registers, and a gateway with a ledger in front of it, in a directory of their own.

use super::scenario::{self, Scenario};
use crate::config::Register;
use crate::running::Running;
use crate::{files, keys, register_index};
use anyhow::{Context, Result, bail};
use sekisho_demo::site::{Site, SiteOptions};
use sekisho_edm::{ColumnConfig, Encoding, Index, RegisterConfig};
use sekisho_gateway::config as gateway;
use sekisho_gateway::inspect::watch::WatchRules;
use sekisho_gateway::inspect::{LiveEvents, Policy, live_events};
use sekisho_ledger::{Filter, Reader, RealDisk, ResponseRow, Told};
use sekisho_model::{Clock, FieldKind, SystemClock};
use sekisho_testkit::people::{ACCOUNT_HOLDERS, Column, FileEncoding, Person, SEMINAR_APPLICANTS, people, write_csv};
use std::fs::File;
use std::io::BufWriter;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the last responses' records may take to reach the disk.
const SETTLE_MAX: Duration = Duration::from_secs(10);

pub(super) struct Stage {
    directory: Directory,
    pub(super) capture: PathBuf,
    pub(super) ledger: PathBuf,
    pub(super) accounts: Vec<Person>,
    site: Option<Site>,
    site_address: SocketAddr,
    running: Option<Running>,
    gateway_address: SocketAddr,
    persons: Vec<(String, u64)>,
    /// The firm's files, as the referee gets them.
    pub(super) registers: [Register; 2],
}

impl Stage {
    /// Sets everything up on free ports of the loopback interface.
    pub(super) async fn set(scenario: &Scenario, seed: u64) -> Result<(Stage, LiveEvents)> {
        let directory = Directory(std::env::temp_dir().join(format!("sekisho-demo-{}-{seed}", std::process::id())));
        let capture = directory.0.join("capture");
        files::private_directory(&capture).with_context(|| format!("cannot make `{}`", capture.display()))?;
        let mut persons = people(seed);
        let accounts: Vec<Person> = persons.by_ref().take(scenario.site.accounts).collect();
        let applicants = applicants(&scenario.site, &accounts, persons);
        let registers = [
            write_register(&directory.0, "account_holders", &accounts, &ACCOUNT_HOLDERS, FileEncoding::Utf8)?,
            write_register(
                &directory.0,
                "seminar_applicants",
                &applicants,
                &SEMINAR_APPLICANTS,
                FileEncoding::ShiftJis,
            )?,
        ];
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = SiteOptions { address: free, accounts: accounts.clone(), applicants };
        let site = Site::start(options).await.context("cannot start the sample site")?;
        let ledger = directory.0.join("ledger");
        let keys = keys::load_or_create(&directory.0.join("keys"))?;
        let now = SystemClock::new().now();
        let index = register_index::build(&ledger, &keys.hash, &registers, now)?;
        let persons = index.registers().iter().map(|one| (one.name.clone(), one.persons)).collect();
        let (sender, events) = live_events();
        let running = Running::start(front(free, site.address())?, &ledger, &keys, index, Some(sender))?;
        let gateway_address = running.gateway.addresses().first().copied().context("the gateway has no address")?;
        let site_address = site.address();
        let (site, running) = (Some(site), Some(running));
        let stage = Stage {
            directory,
            capture,
            ledger,
            accounts,
            site,
            site_address,
            running,
            gateway_address,
            persons,
            registers,
        };
        Ok((stage, events))
    }

    pub(super) fn site(&self) -> SocketAddr {
        self.site_address
    }

    pub(super) fn gateway(&self) -> SocketAddr {
        self.gateway_address
    }

    /// Each register's name and persons.
    pub(super) fn persons(&self) -> impl Iterator<Item = (&str, u64)> {
        self.persons.iter().map(|(name, persons)| (name.as_str(), *persons))
    }

    /// The registers' index, as a question reads it.
    pub(super) fn index(&self) -> Result<Index> {
        let keys = keys::load_or_create(&self.directory.0.join("keys"))?;
        let index = register_index::read(&register_index::path(&self.ledger), &keys.hash)?;
        index.context("the index of the sample registers is gone")
    }

    /// Waits until each captured exchange has its end in the ledger: the last `Closed` is written behind the response.
    pub(super) fn settled(&self, filter: &Filter) -> Result<()> {
        let captured = std::fs::read_dir(&self.capture).context("cannot read the capture")?.count() / 2;
        let deadline = Instant::now() + SETTLE_MAX;
        loop {
            let reader = Reader::open(&self.ledger, Arc::new(RealDisk)).context("cannot read the ledger")?;
            let mut closed = 0;
            let each = |row: ResponseRow| closed += usize::from(matches!(row.told, Told::Ended { .. }));
            reader.responses(filter, Duration::ZERO, each).context("cannot read the ledger")?;
            if closed >= captured {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the ledger has {closed} of {captured} responses after {} s", SETTLE_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops everything and removes the directory.
    pub(super) async fn clear(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            running.stop()?;
        }
        if let Some(site) = self.site.take() {
            site.stop().await.context("the sample site did not stop well")?;
        }
        Ok(())
    }
}

/// The demo's own directory, with invented data only.
struct Directory(PathBuf);

impl Drop for Directory {
    /// One that cannot be removed is left to the system's own cleaning.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Stage {
    /// Whoever writes there has ended before the directory goes.
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.stop();
        }
    }
}

/// Applicants, those with an account spread among them, and over the accounts: some are of families that share a mail.
fn applicants(site: &scenario::Site, accounts: &[Person], mut others: impl Iterator<Item = Person>) -> Vec<Person> {
    let with_account = site.applicants_with_account;
    let mut holders = (0..with_account).map(|number| {
        let gap = accounts.len() / with_account;
        accounts[number * gap + number % gap].clone()
    });
    let every = site.applicants.checked_div(with_account).unwrap_or(usize::MAX);
    (0..site.applicants)
        .filter_map(|position| {
            let holder = position.is_multiple_of(every).then(|| holders.next()).flatten();
            holder.or_else(|| others.next())
        })
        .collect()
}

fn write_register(
    directory: &Path,
    name: &str,
    persons: &[Person],
    columns: &[Column],
    encoding: FileEncoding,
) -> Result<Register> {
    let file = directory.join(format!("{name}.csv"));
    let cannot = || format!("cannot write `{}`", file.display());
    let mut output = BufWriter::new(File::create(&file).with_context(cannot)?);
    write_csv(persons, columns, encoding, &mut output).with_context(cannot)?;
    output.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(cannot)?;
    let column = |column: &Column| ColumnConfig { name: column.head().to_owned(), kind: kind(*column), pattern: None };
    let config = RegisterConfig {
        name: name.to_owned(),
        row_key: columns[0].head().to_owned(),
        columns: columns.iter().map(column).collect(),
        encoding: Encoding::Auto,
    };
    Ok(Register { config, file, is_canary: false })
}

fn kind(column: Column) -> FieldKind {
    match column {
        Column::AccountId | Column::ApplicantId => FieldKind::AccountId,
        Column::Name => FieldKind::Name,
        Column::Kana => FieldKind::Kana,
        Column::Romaji => FieldKind::Romaji,
        Column::Email => FieldKind::Email,
        Column::Phone => FieldKind::Phone,
        Column::Card => FieldKind::Pan,
        Column::PasswordHash => FieldKind::Secret,
        Column::BirthDate => FieldKind::BirthDate,
        Column::Address => FieldKind::Address,
    }
}

/// One route for everything, as `observe` has it.
fn front(listen: SocketAddr, site: SocketAddr) -> Result<gateway::Config> {
    let upstream = gateway::Upstream {
        name: "site".to_owned(),
        scheme: http::uri::Scheme::HTTP,
        authority: site.to_string().parse().context("the site's address is no authority")?,
        extra_roots: None,
    };
    let route = gateway::Route {
        name: None,
        host: None,
        path_prefix: "/".to_owned(),
        upstream: 0,
        inspect: true,
        continuity: true,
        compress: false,
        websocket: false,
        rules: Policy::default(),
        case: None,
    };
    Ok(gateway::Config {
        listeners: vec![gateway::Listener { address: listen, tls: None, proxy_protocol: false }],
        admin: None,
        upstreams: vec![upstream],
        routes: vec![route],
        trusted_peers: Vec::new(),
        session: gateway::SessionSource::default(),
        logins: Vec::new(),
        tokens: Vec::new(),
        logout_paths: Vec::new(),
        canaries: Vec::new(),
        containment: sekisho_gateway::config::ContainRules::default(),
        watch: WatchRules::default(),
        open_cases: None,
        deadlines: gateway::Deadlines::default(),
        limits: gateway::Limits::default(),
        workers: 1,
        access_log: false,
    })
}
