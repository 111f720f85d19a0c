//! `sekisho disclose`: a firm's public record of an incident, from the draft to a site that can stand anywhere. What may
//! follow what is decided by the crate `disclosure`; this is the command line in front of it.

mod public;

use super::case::Place as Cases;
use super::{Done, Usage};
use crate::output::{say, say_text, tell};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use jiff::Timestamp;
use sekisho_disclosure::entry::{Basis, Ground, Service, Step, Target};
use sekisho_disclosure::notice::{Notice, Text};
use sekisho_disclosure::site::Edited;
use sekisho_disclosure::{Act, Error, Store, draft};
use sekisho_incident::{Body, CaseId};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::str::FromStr;

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
        after_help = "Example:\n  sekisho disclose publish notice.toml --incident hakone-2026-1 --case hakone-2026-1 --scope scope.json --labels labels.toml"
    )]
    Publish {
        notice: PathBuf,
        /// The name that the incident has in public.
        #[arg(long)]
        incident: String,
        #[command(flatten)]
        lists: Lists,
        #[command(flatten)]
        place: Place,
    },
    /// Publish another version; the ones before stay.
    #[command(
        after_help = "Example:\n  sekisho disclose update notice.toml --scope scope.json --changed-ja '人数を訂正しました。' --changed-en 'The number was corrected.'"
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
        lists: Lists,
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
    /// No longer show a part of what was told: by a court's order (the firm keeps it) or for privacy (it is erased). The hash of
    /// what was published stays, and that nothing else was changed can be checked.
    #[command(
        after_help = "Example:\n  sekisho disclose redact 1 happened --ground court-order --reference-ja '令和8年（ヨ）第1号' --reference-en 'order 1 of 2026'"
    )]
    Redact {
        /// The version's number; another step's as `leaf:4`, see `sekisho disclose log`.
        what: Told,
        /// title, happened, left, not_left, not_examined, to_do, measures or next_note; changed, reason, requester or text.
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
        /// Also when somebody else changed or added files there: they go away.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the steps, with who did them: for the firm and its auditors.
    #[command(after_help = "Example:\n  sekisho disclose log")]
    Log {
        #[command(flatten)]
        place: Place,
    },
    /// Verify a built site: the log against the firm's key, every page made anew from it, and the first difference named.
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
    /// Who does it; the account's name without it. Kept with the step, not published.
    #[arg(long)]
    operator: Option<String>,
}

/// Where the lists of what left, what did not and what was not examined come from.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Lists {
    /// The answer of `sekisho scope --format json` that they were computed from; a list that is not as it says is refused.
    #[arg(long, value_name = "FILE", conflicts_with = "stated")]
    scope: Option<PathBuf>,
    /// The names that columns have in public, as for the draft.
    #[arg(long, value_name = "FILE", requires = "scope")]
    labels: Option<PathBuf>,
    /// They were not computed: a person states them, and the page says so.
    #[arg(long)]
    stated: bool,
}

/// A step that told something.
#[derive(Clone, Copy)]
pub(crate) enum Told {
    Version(u32),
    Leaf(u64),
}

impl FromStr for Told {
    type Err = String;
    fn from_str(text: &str) -> Result<Told, String> {
        let told = match text.strip_prefix("leaf:") {
            Some(leaf) => leaf.parse().map(Told::Leaf),
            None => text.parse().map(Told::Version),
        };
        told.map_err(|_| "write a version's number such as `1`, or a step's as `leaf:4`".to_owned())
    }
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
                tell!("error: {err:#}");
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
                let step = Step::Embargo { reason: reason.text(), until };
                place.step(|store, act| store.step(&incident, step, act))
            }
            Command::Publish { notice, incident, lists, place } => {
                let notice = read_notice(&notice)?;
                let basis = lists.basis(&notice, &place)?;
                place.step(|store, act| store.publish(&incident, notice, (basis, None), act))
            }
            Command::Update { notice, changed_ja, changed_en, lists, place } => {
                let notice = read_notice(&notice)?;
                let basis = lists.basis(&notice, &place)?;
                let changed = Text::new(&changed_ja, &changed_en);
                place.step_of_same(|store, incident, act| store.publish(incident, notice, (basis, Some(changed)), act))
            }
            Command::Withdraw { requester_ja, requester_en, reason, place } => {
                let requester = Text::new(&requester_ja, &requester_en);
                let step = Step::Withdrawn { requester, reason: reason.text() };
                place.step_of_same(|store, incident, act| store.step(incident, step, act))
            }
            Command::Redact { what, part, ground, reference_ja, reference_en, place } => {
                let ground = match ground {
                    GroundArg::CourtOrder => Ground::CourtOrder,
                    GroundArg::Privacy => Ground::Privacy,
                };
                let reference = Text::new(&reference_ja, &reference_en);
                place.step(|store, act| {
                    let leaf = leaf_of(store, what)?;
                    store.redact(Target { leaf, part }, (ground, reference), act)
                })
            }
            Command::Status { state, incident, service_ja, service_en, text_ja, text_en, since, place } => {
                let (service, text) = (Text::new(&service_ja, &service_en), Text::new(&text_ja, &text_en));
                let since = since.map_or_else(|| Ok(Timestamp::now()), |text| instant(&text))?;
                let step = Step::Status { service, state: state.into(), text, since };
                place.step(|store, act| store.step(&incident, step, act))
            }
            Command::Build { out, replace, place } => {
                public::build(&out, if replace { Edited::Replace } else { Edited::Keep }, &place)
            }
            Command::Log { place } => public::list(&place),
            Command::Verify { site, key } => public::check(&site, &key),
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
    fn step(&self, step: impl FnOnce(&mut Store, Act<'_>) -> Result<(), Error>) -> Result<Done> {
        let mut store = self.store()?;
        let operator = super::case::operator(self.operator.as_deref());
        if operator == super::case::UNKNOWN {
            return Err(Usage::error("who does this is not known: give `--operator NAME`"));
        }
        step(&mut store, Act { operator: &operator, at: Timestamp::now() })?;
        let leaf = store.record.entries.len() - 1;
        let entry = &store.record.entries[leaf];
        let told = format!("leaf {leaf}: {}, document {}", entry.kind.name(), entry.document);
        say!("{told}");
        if let Some(version) = store.record.current().filter(|version| version.leaf == leaf as u64) {
            version.notice.warnings().iter().for_each(|warning| tell!("warning: {warning}"));
        }
        say!("next: sekisho disclose build --record {} --out site", self.record.display());
        if let Some(case) = &self.case {
            let cases = Cases { cases: self.cases.clone(), keys: self.keys.clone(), operator: self.operator.clone() };
            let text = format!("public record of `{}`: {told}", entry.incident);
            cases.record(case, |_, _| Ok(Body::Note { text }))?;
        }
        Ok(Done::Yes)
    }

    /// The same, for the incident that the record is of.
    fn step_of_same(&self, step: impl FnOnce(&mut Store, &str, Act<'_>) -> Result<(), Error>) -> Result<Done> {
        self.step(|store, act| {
            let incident = store.record.incident.clone();
            if incident.is_empty() {
                return Err(Error::Refused("nothing is published yet: use `publish`".to_owned()));
            }
            step(store, &incident, act)
        })
    }
}

impl Lists {
    /// The basis of a notice, when its computed parts are as computed.
    fn basis(&self, notice: &Notice, place: &Place) -> Result<Basis> {
        let Some(path) = &self.scope else { return Ok(Basis::Stated) };
        let (scope, sha256) = read_scope(path)?;
        let mut told = draft::deviations(notice, &scope, &read_labels(self.labels.as_deref())?);
        if let Some(id) = &place.case {
            let cases = Cases { cases: place.cases.clone(), keys: place.keys.clone(), operator: None };
            told.extend(draft::deviations_from_case(notice, &cases.case(id)?));
        }
        if told.is_empty() {
            return Ok(Basis::Scope { sha256 });
        }
        let remedy = "begin it anew with `sekisho disclose draft`, or publish it as `--stated`";
        let remedy = format!("what was computed is not edited: {remedy}, and the page will say so");
        Err(Error::NotReady(told.into_iter().chain([remedy]).collect()).into())
    }
}

fn leaf_of(store: &Store, what: Told) -> Result<u64, Error> {
    match what {
        Told::Leaf(leaf) => Ok(leaf),
        Told::Version(number) => {
            let versions = &store.record.versions;
            let version = versions.iter().find(|version| version.number == number);
            let none = || Error::Refused(format!("there is no version {number}; there are {}", versions.len()));
            version.map(|version| version.leaf).ok_or_else(none)
        }
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
    say!("wrote {}: fill it in", path.display());
    Ok(Done::Yes)
}

fn begin(id: &CaseId, scope: Option<&Path>, labels: Option<&Path>, cases: &Cases) -> Result<Done> {
    let case = cases.case(id)?;
    let scope = scope.map(read_scope).transpose()?.map(|(scope, _)| scope);
    let notice = draft::notice(&case, scope.as_ref(), &read_labels(labels)?);
    say!(
        "# A draft: replace every TODO, then `sekisho disclose publish`. Texts are in Japanese (ja) and English (en).\n"
    );
    say_text!("{}", toml::to_string_pretty(&notice).context("cannot write the draft")?);
    let left = notice.problems();
    tell!("still to be done: {}", left.len());
    for problem in left {
        tell!("  {problem}");
    }
    Ok(Done::Yes)
}

/// An answer of `scope`, and the hash of its bytes.
fn read_scope(path: &Path) -> Result<(draft::Scope, String)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let scope =
        serde_json::from_slice(&bytes).with_context(|| format!("`{}` is no answer of scope", path.display()))?;
    Ok((scope, hex::encode(Sha256::digest(&bytes))))
}

fn read_labels(path: Option<&Path>) -> Result<draft::Labels> {
    let Some(path) = path else { return Ok(draft::Labels::default()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))
}

fn read_notice(path: &Path) -> Result<Notice> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let read = toml::from_str(&text);
    read.map_err(|err| Error::Malformed { path: path.to_owned(), reason: err.to_string() }.into())
}

fn instant(text: &str) -> Result<Timestamp> {
    let zone = jiff::tz::TimeZone::system();
    let now = sekisho_model::Timestamp(Timestamp::now().as_microsecond());
    let at = crate::times::parse(text, now, &zone).map_err(Usage::error)?;
    Ok(Timestamp::from_microsecond(at.0)?)
}
