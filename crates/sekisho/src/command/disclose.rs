//! `sekisho disclose`: a firm's public record of an incident, from the draft to a site that can stand anywhere. What may
//! follow what is decided by the crate `disclosure`; this is the command line in front of it.

use super::Done;
use super::case::Place as Cases;
use crate::paper;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use jiff::Timestamp;
use sekisho_disclosure::entry::{Ground, Service, Step};
use sekisho_disclosure::notice::{Notice, Text};
use sekisho_disclosure::site::{self, Files, Source};
use sekisho_disclosure::{Error, Store, draft, verify};
use sekisho_incident::{Body, CaseId};
use sekisho_tlog::VerifyingKey;
use std::path::{Path, PathBuf};

/// Tell the public, in a record that cannot be quietly changed.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Write a firm.toml to fill in: who publishes, where, and whom to ask.
    #[command(after_help = "Example:\n  sekisho disclose init")]
    Init {
        #[command(flatten)]
        place: Place,
    },
    /// Begin a notice from a case; what left and what did not is computed, and what only a person can write is marked.
    #[command(
        after_help = "Example:\n  sekisho disclose draft hakone-2026-1 --scope scope.json --labels labels.toml > notice.toml"
    )]
    Draft {
        id: CaseId,
        /// An answer of `sekisho scope --format json`.
        #[arg(long, value_name = "FILE")]
        scope: Option<PathBuf>,
        /// What the public calls the columns: tables `[[field]]` with name, ja and en.
        #[arg(long, value_name = "FILE")]
        labels: Option<PathBuf>,
        /// Where cases are kept.
        #[arg(long, value_name = "DIR", default_value = "cases")]
        cases: PathBuf,
        #[arg(long, value_name = "DIR", default_value = "keys")]
        keys: PathBuf,
    },
    /// Say nothing yet: with a reason and an end, which are published with the first version.
    #[command(
        after_help = "Example:\n  sekisho disclose embargo --incident hakone-2026-1 --reason-ja '捜査機関の要請' --reason-en 'at the request of the police' --until 2026-11-30"
    )]
    Embargo {
        #[arg(long)]
        incident: String,
        #[command(flatten)]
        reason: Reason,
        #[arg(long, allow_hyphen_values = true)]
        until: String,
        #[command(flatten)]
        place: Place,
    },
    /// Publish the first version.
    #[command(
        after_help = "Example:\n  sekisho disclose publish notice.toml --incident hakone-2026-1 --case hakone-2026-1"
    )]
    Publish {
        notice: PathBuf,
        /// The name that the incident has in public.
        #[arg(long)]
        incident: String,
        #[command(flatten)]
        place: Place,
    },
    /// Publish another version; the ones before stay.
    #[command(
        after_help = "Example:\n  sekisho disclose update notice.toml --changed-ja '人数を訂正しました。' --changed-en 'The number was corrected.'"
    )]
    Update {
        notice: PathBuf,
        /// What changed, in Japanese.
        #[arg(long)]
        changed_ja: String,
        /// What changed, in English.
        #[arg(long)]
        changed_en: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take the notice back. What it said stays, below the statement of who asked for it and why.
    #[command(
        after_help = "Example:\n  sekisho disclose withdraw --requester-ja '当社取締役会' --requester-en 'the board' --reason-ja '誤報のため' --reason-en 'it was an error'"
    )]
    Withdraw {
        #[arg(long)]
        requester_ja: String,
        #[arg(long)]
        requester_en: String,
        #[command(flatten)]
        reason: Reason,
        #[command(flatten)]
        place: Place,
    },
    /// No longer show a part of a version: by a court's order or for privacy. The hash of what was published stays.
    #[command(
        after_help = "Example:\n  sekisho disclose redact 1 happened --ground court-order --reference-ja '令和8年（ヨ）第1号' --reference-en 'order 1 of 2026'"
    )]
    Redact {
        version: u32,
        /// title, happened, left, not_left, not_examined, to_do, measures or next_note.
        part: String,
        #[arg(long, value_enum)]
        ground: GroundArg,
        #[arg(long)]
        reference_ja: String,
        #[arg(long)]
        reference_en: String,
        #[command(flatten)]
        place: Place,
    },
    /// Say how a service is.
    #[command(
        after_help = "Example:\n  sekisho disclose status down --incident hakone-status --service-ja '取引サイト' --service-en 'Trading site' --text-ja '調査しています。' --text-en 'We are looking into it.'"
    )]
    Status {
        #[arg(value_enum)]
        state: ServiceArg,
        #[arg(long)]
        incident: String,
        #[arg(long)]
        service_ja: String,
        #[arg(long)]
        service_en: String,
        #[arg(long)]
        text_ja: String,
        #[arg(long)]
        text_en: String,
        /// Since when; now without it.
        #[arg(long, allow_hyphen_values = true)]
        since: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Make the site: pages, feeds, log and documents, to be put anywhere.
    #[command(after_help = "Example:\n  sekisho disclose build --out site")]
    Build {
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Verify a built site against its log, and name the first difference.
    #[command(after_help = "Example:\n  sekisho disclose verify site --key keys/disclosure.vkey")]
    Verify {
        site: PathBuf,
        /// The firm's key, from another place than the site.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct Place {
    /// Where the record is kept.
    #[arg(long, value_name = "DIR", default_value = "disclosure")]
    record: PathBuf,
    /// Where its key is kept.
    #[arg(long, value_name = "DIR", default_value = "keys")]
    keys: PathBuf,
    /// Note the step in this case, too.
    #[arg(long, value_name = "ID")]
    case: Option<CaseId>,
    /// Where cases are kept.
    #[arg(long, value_name = "DIR", default_value = "cases")]
    cases: PathBuf,
    /// Who does it, for the case; the account's name without it.
    #[arg(long)]
    operator: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Reason {
    #[arg(long)]
    reason_ja: String,
    #[arg(long)]
    reason_en: String,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum GroundArg {
    CourtOrder,
    Privacy,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ServiceArg {
    Down,
    Degraded,
    Recovered,
    Operational,
}

impl Reason {
    fn text(&self) -> Text {
        Text::new(&self.reason_ja, &self.reason_en)
    }
}

impl Command {
    /// What the record refuses is a "no", with its reason; all else is the environment's.
    pub(crate) fn run(self) -> Result<Done> {
        match self.answer() {
            Err(err) if is_no(&err) => {
                eprintln!("error: {err:#}");
                Ok(Done::No)
            }
            other => other,
        }
    }

    fn answer(self) -> Result<Done> {
        match self {
            Command::Init { place } => init(&place.record),
            Command::Draft { id, scope, labels, cases, keys } => {
                let cases = Cases { cases, keys, operator: None };
                begin(&id, scope.as_deref(), labels.as_deref(), &cases)
            }
            Command::Embargo { incident, reason, until, place } => {
                let until = instant(&until)?;
                place.step(|store, now| store.step(&incident, Step::Embargo { reason: reason.text(), until }, now))
            }
            Command::Publish { notice, incident, place } => {
                let notice = read_notice(&notice)?;
                place.step(|store, now| store.publish(&incident, notice, None, now))
            }
            Command::Update { notice, changed_ja, changed_en, place } => {
                let notice = read_notice(&notice)?;
                let changed = Text::new(&changed_ja, &changed_en);
                place.step(|store, now| {
                    let incident = store.record.incident.clone();
                    store.publish(&incident, notice, Some(changed), now)
                })
            }
            Command::Withdraw { requester_ja, requester_en, reason, place } => {
                let requester = Text::new(&requester_ja, &requester_en);
                place.step(|store, now| {
                    let incident = store.record.incident.clone();
                    store.step(&incident, Step::Withdrawn { requester, reason: reason.text() }, now)
                })
            }
            Command::Redact { version, part, ground, reference_ja, reference_en, place } => {
                let ground = match ground {
                    GroundArg::CourtOrder => Ground::CourtOrder,
                    GroundArg::Privacy => Ground::Privacy,
                };
                let reference = Text::new(&reference_ja, &reference_en);
                place.step(|store, now| store.redact(version, &part, (ground, reference), now))
            }
            Command::Status { state, incident, service_ja, service_en, text_ja, text_en, since, place } => {
                let (service, text) = (Text::new(&service_ja, &service_en), Text::new(&text_ja, &text_en));
                let since = since.map_or_else(|| Ok(Timestamp::now()), |text| instant(&text))?;
                let step = Step::Status { service, state: state.into(), text, since };
                place.step(|store, now| store.step(&incident, step, now))
            }
            Command::Build { out, place } => build(&out, &place),
            Command::Verify { site, key } => check(&site, &key),
        }
    }
}

impl From<ServiceArg> for Service {
    fn from(state: ServiceArg) -> Service {
        match state {
            ServiceArg::Down => Service::Down,
            ServiceArg::Degraded => Service::Degraded,
            ServiceArg::Recovered => Service::Recovered,
            ServiceArg::Operational => Service::Operational,
        }
    }
}

/// Whether an error is an answer: the record, a notice or a log is not as it should be.
fn is_no(err: &anyhow::Error) -> bool {
    match err.downcast_ref::<Error>() {
        Some(Error::Log(err)) => {
            matches!(err, sekisho_anchor::Error::NotWhole { .. } | sekisho_anchor::Error::Log { .. })
        }
        Some(err) => !matches!(err, Error::Disk { .. } | Error::Malformed { .. } | Error::Render { .. }),
        None => false,
    }
}

impl Place {
    fn store(&self) -> Result<Store> {
        if !self.record.join("firm.toml").exists() {
            let record = self.record.display();
            bail!("there is no `{record}/firm.toml`: `sekisho disclose init --record {record}` writes one to fill in");
        }
        Ok(Store::open(&self.record, &self.keys)?)
    }

    /// Adds a step, tells of it, and notes it in the case.
    fn step(&self, step: impl FnOnce(&mut Store, Timestamp) -> Result<(), Error>) -> Result<Done> {
        let mut store = self.store()?;
        step(&mut store, Timestamp::now())?;
        let leaf = store.record.entries.len() - 1;
        let entry = &store.record.entries[leaf];
        let kind = serde_json::to_value(&entry.step)?["kind"].as_str().unwrap_or_default().to_owned();
        let hash = entry.document().map_or_else(String::new, |document| format!(", document {}", document.sha256));
        println!("leaf {leaf}: {kind}{hash}");
        println!("next: sekisho disclose build --record {} --out site", self.record.display());
        if let Some(case) = &self.case {
            let cases = Cases { cases: self.cases.clone(), keys: self.keys.clone(), operator: self.operator.clone() };
            let text = format!("public record of `{}`: leaf {leaf}, {kind}{hash}", entry.incident);
            cases.record(case, |_, _| Ok(Body::Note { text }))?;
        }
        Ok(Done::Yes)
    }
}

fn init(record: &Path) -> Result<Done> {
    let path = record.join("firm.toml");
    if path.exists() {
        bail!("`{}` is there already", path.display());
    }
    crate::files::private_directory(record).with_context(|| format!("cannot make `{}`", record.display()))?;
    crate::files::create_private(&path, include_bytes!("firm.toml"))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    println!("wrote {}: fill it in", path.display());
    Ok(Done::Yes)
}

fn begin(id: &CaseId, scope: Option<&Path>, labels: Option<&Path>, cases: &Cases) -> Result<Done> {
    let case = cases.case(id)?;
    let scope = scope.map(|path| {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_str::<draft::Scope>(&text)
            .with_context(|| format!("`{}` is no answer of scope", path.display()))
    });
    let labels = labels.map(|path| {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        toml::from_str::<draft::Labels>(&text).with_context(|| format!("cannot read `{}`", path.display()))
    });
    let notice = draft::notice(&case, scope.transpose()?.as_ref(), &labels.transpose()?.unwrap_or_default());
    println!(
        "# A draft: replace every TODO, then `sekisho disclose publish`. Texts are in Japanese (ja) and English (en).\n"
    );
    print!("{}", toml::to_string_pretty(&notice).context("cannot write the draft")?);
    let left = notice.problems();
    eprintln!("still to be done: {}", left.len());
    for problem in left {
        eprintln!("  {problem}");
    }
    Ok(Done::Yes)
}

fn read_notice(path: &Path) -> Result<Notice> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let read = toml::from_str(&text);
    read.map_err(|err| Error::Malformed { path: path.to_owned(), reason: err.to_string() }.into())
}

fn build(out: &Path, place: &Place) -> Result<Done> {
    let store = place.store()?;
    let dir = store.dir().to_owned();
    let paper = set(&store)?;
    let source = Source {
        record: &store.record,
        firm: &store.firm,
        key: store.verifier(),
        log: &sekisho_anchor::tiles(&dir),
        document: &|document| store.document(document),
        paper: &paper,
    };
    let files = site::build(&source)?;
    site::write(&files, out)?;
    println!(
        "{}: {} files, {} versions, {} leaves",
        out.display(),
        files.len(),
        store.record.versions.len(),
        store.record.entries.len()
    );
    println!("key: {}", store.verifier());
    Ok(Done::Yes)
}

/// Every version as PDF, where the executable is there; without it the site is built without.
fn set(store: &Store) -> Result<Files> {
    let mut files = Files::new();
    for version in &store.record.versions {
        for (path, document) in site::paper::documents(&store.firm, version) {
            let Some(pdf) = paper::pdf(&serde_json::to_vec(&document)?)? else {
                eprintln!("warning: there is no `{}`, so the site has no PDF: {}", paper::PDF, paper::INSTALL);
                return Ok(Files::new());
            };
            files.insert(path, pdf);
        }
    }
    Ok(files)
}

fn check(dir: &Path, key: &Path) -> Result<Done> {
    let text = std::fs::read_to_string(key).with_context(|| format!("cannot read the key `{}`", key.display()))?;
    let key = VerifyingKey::parse(&text).with_context(|| format!("`{}` is no key", key.display()))?;
    match verify::site(dir, &key) {
        Ok(found) => {
            println!("{} is whole", dir.display());
            println!("  leaves     {}", found.entries);
            println!("  documents  {}", found.documents);
            println!("  files      {}", found.files);
            Ok(Done::Yes)
        }
        Err(err) => Err(err.into()),
    }
}

fn instant(text: &str) -> Result<Timestamp> {
    let zone = jiff::tz::TimeZone::system();
    let now = sekisho_model::Timestamp(Timestamp::now().as_microsecond());
    let at = crate::times::parse(text, now, &zone).map_err(anyhow::Error::msg)?;
    Ok(Timestamp::from_microsecond(at.0)?)
}
