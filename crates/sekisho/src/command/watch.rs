//! `sekisho watch`: follows notices of any firm.

mod show;

use super::{Done, Usage};
use crate::output::{say, say_text, tell};
use crate::times;
use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sekisho_watch::entry::{About, Check, FirmLog};
use sekisho_watch::fetch::{Fetcher, Options};
use sekisho_watch::report::Report;
use sekisho_watch::round::{self, Schedule};
use sekisho_watch::sekisho_log::LogState;
use sekisho_watch::verdict::Verdict;
use sekisho_watch::{Resting, State, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The longest time that `run` sleeps before it looks whether a page was added.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Follow the notices of any firm: say when one is published, changed, replaced, removed or unreachable, and keep
/// dated copies as evidence.
///
/// Needs addresses only. Polite: asks robots.txt, looks at a page once an hour, and waits between two requests to one
/// host. With addresses alone it adds them and looks at once. Exit code 1 says that something happened to a notice.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Example:\n  sekisho watch https://hakone-fx.example/news/20261123.html\n  sekisho watch add --list urls.txt --case 2026-11\n  sekisho watch run --contact desk@example.com\n  sekisho watch report"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    add: Add,
    #[command(flatten)]
    manners: Manners,
}

#[derive(Subcommand)]
enum Command {
    Add(Add),
    Remove(Remove),
    Check(CheckNow),
    Run(Run),
    Report(ReportArguments),
    Diff(DiffArguments),
    Verify(VerifyArguments),
}

/// Where the archive, its log and its key lie.
#[derive(Args)]
struct Place {
    /// The directory of the archive and its log.
    #[arg(long, value_name = "DIR", default_value = "watch")]
    dir: PathBuf,
    /// The directory of the key that signs the log; made at the first use. Keep it elsewhere than the archive.
    #[arg(long, value_name = "DIR", default_value = "watch-keys")]
    keys: PathBuf,
    /// The time to write down instead of the clock's, for tests and demonstrations; the log says that it was given.
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    at: Option<String>,
}

/// Watch more pages.
#[derive(Args)]
#[command(
    after_help = "Example:\n  sekisho watch add https://hakone-fx.example/news/1.html --firm '箱根FX' --case 2026-11\n  sekisho watch add --list urls.txt"
)]
struct Add {
    /// The addresses of notices.
    #[arg(value_name = "URL", value_parser = address)]
    urls: Vec<String>,
    /// A file with one address a line.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Whose notices they are.
    #[arg(long, value_name = "NAME")]
    firm: Option<String>,
    /// The incident that they belong to.
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// For a firm with a public log: the log's verifier key (`name+id+base64`).
    #[arg(long, value_name = "VKEY")]
    log_key: Option<String>,
    /// Where that log's site begins; by default at the root of the address.
    #[arg(long, value_name = "URL", requires = "log_key")]
    log_url: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Stop watching pages. What was kept stays.
#[derive(Args)]
#[command(after_help = "Example:\n  sekisho watch remove https://hakone-fx.example/news/1.html")]
struct Remove {
    /// The addresses.
    #[arg(value_name = "URL", required = true, value_parser = address)]
    urls: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// How pages are asked for.
#[derive(Args)]
struct Manners {
    /// The time between two looks at a page.
    #[arg(long, value_name = "TIME", default_value = "60m", value_parser = length)]
    every: Duration,
    /// The time between two requests to one host; a longer Crawl-delay in its robots.txt counts.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = length)]
    host_gap: Duration,
    /// How long an answer may take, from the request to the last byte.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = length)]
    timeout: Duration,
    /// An address at which a firm can ask who is looking; sent with every request.
    #[arg(long, value_name = "TEXT", value_parser = contact)]
    contact: Option<String>,
    /// Ask private and loopback addresses too.
    #[arg(long)]
    allow_private: bool,
}

/// Look at the pages that are due, once: for cron. Exit code 1 says that something happened to a notice.
#[derive(Args)]
#[command(after_help = "Example:\n  sekisho watch check\n  sekisho watch check --now")]
struct CheckNow {
    /// Look at every page, due or not.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    manners: Manners,
    #[command(flatten)]
    place: Place,
}

/// Look at pages as they become due, until SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(after_help = "Example:\n  sekisho watch run --every 30m --contact desk@example.com")]
struct Run {
    #[command(flatten)]
    manners: Manners,
    #[command(flatten)]
    place: Place,
}

/// Tell what became of each page: its verdict, since when, how often it was reached, and its history.
#[derive(Args)]
#[command(after_help = "Example:\n  sekisho watch report\n  sekisho watch report --format json")]
struct ReportArguments {
    /// The form of the answer.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Show what was changed in a notice, from each archived text to the next.
#[derive(Args)]
#[command(after_help = "Example:\n  sekisho watch diff https://hakone-fx.example/news/1.html")]
struct DiffArguments {
    /// The address.
    #[arg(value_name = "URL", value_parser = address)]
    url: String,
    #[command(flatten)]
    place: Place,
}

/// Check the archive against its signed log, offline.
#[derive(Args)]
#[command(
    after_help = "Example:\n  sekisho watch verify\n  sekisho watch verify --dir copy/ --key watch.vkey --since checkpoint-of-last-month"
)]
struct VerifyArguments {
    /// The public key's file, from where it is kept safe; by default the one beside the signing key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A checkpoint of this log that was kept elsewhere: the log must have grown out of it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        match self.command {
            None => {
                let urls = self.add.run()?;
                let mut store = self.add.place.open()?;
                look(&mut store, &urls, &self.manners, &self.add.place)
            }
            Some(Command::Add(add)) => add.run().map(|_| Done::Yes),
            Some(Command::Remove(remove)) => remove.run(),
            Some(Command::Check(check)) => check.run(),
            Some(Command::Run(run)) => run.run(),
            Some(Command::Report(report)) => report.run(),
            Some(Command::Diff(diff)) => diff.run(),
            Some(Command::Verify(verify)) => verify.run(),
        }
    }
}

impl Place {
    fn open(&self) -> Result<Store> {
        let store = Store::open(&self.dir, &self.keys);
        let store = store.with_context(|| format!("cannot open the watch in `{}`", self.dir.display()))?;
        Ok(if self.at.is_some() { store.with_given_time() } else { store })
    }

    fn resume(&self, resting: Resting) -> Result<Store> {
        let store = resting.resume(&self.dir, &self.keys);
        store.with_context(|| format!("cannot open the watch in `{}` again", self.dir.display()))
    }

    fn read(&self) -> Result<State> {
        State::read(&self.dir, &self.keys).with_context(|| format!("cannot read the watch in `{}`", self.dir.display()))
    }

    /// The time as the operator or the clock says it.
    fn now(&self) -> Result<Timestamp> {
        let Some(at) = &self.at else { return Ok(Timestamp::now()) };
        let now = sekisho_model::Timestamp(Timestamp::now().as_microsecond());
        let at = times::parse(at, now, &TimeZone::system()).map_err(Usage::error)?;
        Ok(Timestamp::from_microsecond(at.0)?)
    }
}

impl Add {
    /// Adds the pages; their addresses as they are watched.
    fn run(&self) -> Result<Vec<String>> {
        let mut urls = self.urls.clone();
        if let Some(list) = &self.list {
            let text =
                std::fs::read_to_string(list).with_context(|| format!("cannot read the list `{}`", list.display()))?;
            urls.extend(sekisho_watch::parse_list(&text)?);
        }
        if urls.is_empty() {
            return Err(Usage::error("no address was given; `sekisho watch --help` has examples"));
        }
        let now = self.place.now()?;
        let mut store = self.place.open()?;
        let mut pages = Vec::new();
        for url in &urls {
            let known = store.state().watched.get(url).map(|page| page.about.clone()).unwrap_or_default();
            let about = About {
                firm: self.firm.clone().or(known.firm),
                case: self.case.clone().or(known.case),
                log: self.firm_log(url)?.or(known.log),
            };
            pages.push((url.clone(), about));
        }
        for url in store.add(now, pages)? {
            tell!("watching {url}");
        }
        Ok(urls)
    }

    fn firm_log(&self, url: &str) -> Result<Option<FirmLog>> {
        let Some(key) = &self.log_key else { return Ok(None) };
        sekisho_tlog::VerifyingKey::parse(key)?;
        let base = match &self.log_url {
            Some(base) => sekisho_watch::parse_url(base)?,
            None => url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"),
        };
        let base = if base.ends_with('/') { base } else { format!("{base}/") };
        Ok(Some(FirmLog { base, key: key.trim().to_owned() }))
    }
}

impl Remove {
    fn run(self) -> Result<Done> {
        let now = self.place.now()?;
        let mut store = self.place.open()?;
        for url in &self.urls {
            store.drop_page(now, url)?;
            say!("not watching {url} any more");
        }
        Ok(Done::Yes)
    }
}

impl CheckNow {
    fn run(self) -> Result<Done> {
        let now = self.place.now()?;
        let mut store = self.place.open()?;
        let schedule = Schedule { interval: self.manners.every };
        let urls = due(store.state(), schedule, (!self.now).then_some(now));
        if urls.is_empty() {
            say!("nothing is due");
            return Ok(Done::Yes);
        }
        look(&mut store, &urls, &self.manners, &self.place)
    }
}

impl Run {
    fn run(self) -> Result<Done> {
        let runtime = runtime()?;
        runtime.block_on(async {
            let fetcher = self.manners.fetcher()?;
            let listen = |kind| signal(kind).context("cannot listen for signals");
            let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
            let mut resting = None;
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Ok(Done::Yes),
                    _ = interrupt.recv() => return Ok(Done::Yes),
                    ended = self.round(&fetcher, &mut resting) => tokio::select! {
                        _ = terminate.recv() => return Ok(Done::Yes),
                        _ = interrupt.recv() => return Ok(Done::Yes),
                        () = tokio::time::sleep(ended?) => {}
                    },
                }
            }
        })
    }

    /// One round; how long to sleep after it. The directory is free for other commands in between.
    async fn round(&self, fetcher: &Arc<Fetcher>, resting: &mut Option<Resting>) -> Result<Duration> {
        let mut store = match resting.take() {
            Some(resting) => self.place.resume(resting)?,
            None => self.place.open()?,
        };
        let schedule = Schedule { interval: self.manners.every };
        let urls = due(store.state(), schedule, Some(self.place.now()?));
        round::check(&mut store, fetcher, &urls, Timestamp::now, told).await?;
        let now = Timestamp::now();
        let watched = store.state().watched.iter().filter(|(_, page)| page.is_watched);
        let next = watched.map(|(url, page)| schedule.due(url, page)).min();
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok()).unwrap_or(Duration::ZERO);
        *resting = Some(store.rest());
        Ok(if next.is_none() { SLEEP_MAX } else { wait.clamp(Duration::from_secs(1), SLEEP_MAX) })
    }
}

impl ReportArguments {
    fn run(self) -> Result<Done> {
        let report = Report::of(&self.place.read()?.watched);
        match self.format {
            Format::Json => say!("{}", serde_json::to_string_pretty(&report)?),
            Format::Table => say_text!("{}", show::report(&report)),
        }
        Ok(Done::Yes)
    }
}

impl DiffArguments {
    fn run(self) -> Result<Done> {
        let state = self.place.read()?;
        let not_watched = || sekisho_watch::Error::NotWatched { url: self.url.clone() };
        let page = state.watched.get(&self.url).ok_or_else(not_watched)?;
        say_text!("{}", show::versions(&state.versions(page)?, state.instead(page)?.as_ref()));
        Ok(Done::Yes)
    }
}

impl VerifyArguments {
    fn run(self) -> Result<Done> {
        let name = self.place.dir.display();
        let key = self.key.clone().unwrap_or_else(|| self.place.keys.join("watch.vkey"));
        let since = self.since.as_ref().map(|path| {
            std::fs::read(path).with_context(|| format!("cannot read the checkpoint `{}`", path.display()))
        });
        match sekisho_watch::verify(&self.place.dir, &key, since.transpose()?.as_deref()) {
            Ok(found) => {
                say!("{name} is whole");
                say!("  entries signed     {}", found.entries);
                say!("  records archived   {} in {} files", found.records, found.files);
                if found.unacknowledged_bytes > 0 {
                    say!("  not acknowledged   {} bytes (a writer runs, or was cut off)", found.unacknowledged_bytes);
                }
                Ok(Done::Yes)
            }
            Err(
                err @ sekisho_watch::Error::Log(
                    sekisho_anchor::Error::NotWhole { .. } | sekisho_anchor::Error::Log { .. },
                ),
            ) => {
                say!("{name} is NOT whole\n  {:#}", anyhow::Error::new(err));
                Ok(Done::No)
            }
            Err(err) => Err(err.into()),
        }
    }
}

impl Manners {
    fn fetcher(&self) -> Result<Arc<Fetcher>> {
        let options = Options {
            allow_private: self.allow_private,
            answer_max: self.timeout,
            host_gap: self.host_gap,
            contact: self.contact.clone(),
        };
        Ok(Arc::new(Fetcher::new(options)?))
    }
}

/// Pages that are due at a time; all that are watched without one.
fn due(state: &State, schedule: Schedule, now: Option<Timestamp>) -> Vec<String> {
    let watched = state.watched.iter().filter(|(_, page)| page.is_watched);
    let due = watched.filter(|(url, page)| now.is_none_or(|now| schedule.due(url, page) <= now));
    due.map(|(url, _)| url.to_owned()).collect()
}

/// Looks at pages and says what was found; "no" when something happened to a notice.
fn look(store: &mut Store, urls: &[String], manners: &Manners, place: &Place) -> Result<Done> {
    let fixed = place.at.as_ref().map(|_| place.now()).transpose()?;
    let clock = move || fixed.unwrap_or_else(Timestamp::now);
    let mut done = Done::Yes;
    let note = |url: &str, check: &Check| {
        told(url, check);
        let is_quiet = matches!(check.verdict, Verdict::Published | Verdict::Unchanged | Verdict::NotAllowed);
        if !is_quiet || check.firm_log.as_ref().is_some_and(|finding| finding.state != LogState::Match) {
            done = Done::No;
        }
    };
    runtime()?.block_on(async {
        round::check(store, &manners.fetcher()?, urls, clock, note).await.map_err(anyhow::Error::new)
    })?;
    Ok(done)
}

fn told(url: &str, check: &Check) {
    say_text!("{}", show::check(url, check));
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")
}

fn address(text: &str) -> Result<String, String> {
    sekisho_watch::parse_url(text).map_err(|err| err.to_string())
}

fn length(text: &str) -> Result<Duration, String> {
    crate::config::duration(text).ok_or_else(|| "a time such as \"500ms\", \"90s\", \"30m\" or \"2h\"".to_owned())
}

/// It becomes part of a header.
fn contact(text: &str) -> Result<String, String> {
    let is_good = !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.len() <= 200;
    if is_good { Ok(text.to_owned()) } else { Err("printable ASCII, at most 200 characters".to_owned()) }
}
