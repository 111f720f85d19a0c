//! `sekisho case`: an incident's events, its deadlines and its reports. How they are kept is in `case_log`, what they
//! mean in the crate `incident`; this is the command line in front of them.

mod event;
mod show;
mod submit;
mod take;

use super::{Done, Usage};
use crate::case_log::{CaseLog, Refused};
use crate::output::{say, tell};
use crate::times;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sekisho_incident::regime::{self, Regime};
use sekisho_incident::{Body, Case, CaseId, Certainty, Event, Language, Measure, Origin, Role};
use sekisho_incident::{deadline, ics, report};
use std::path::PathBuf;

/// Record an incident; compute its deadlines; draft and keep its reports.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Open a case.
    #[command(
        after_help = "Example:\n  sekisho case open hakone-2026-1 --title '会員情報の漏えいの疑い' --origin gateway"
    )]
    Open {
        id: CaseId,
        /// What it is called.
        #[arg(long)]
        title: String,
        #[arg(long, value_enum, default_value = "hand")]
        origin: OriginArg,
        /// The firm's time zone.
        #[arg(long, default_value = "Asia/Tokyo")]
        zone: String,
        #[command(flatten)]
        place: Place,
    },
    /// Add an event: an instant from which deadlines run, an intrusion, or a note.
    #[command(
        after_help = "Examples:\n  sekisho case event hakone-2026-1 aware --at 2026-11-20T15:00:00+09:00 --actor CSIRT --evidence 'ledger, 20 Nov'\n  sekisho case event hakone-2026-1 aware --at 2026-11-19T21:00:00+09:00 --actor CSIRT --evidence 'mail 12' --corrects 2\n  sekisho case event hakone-2026-1 intrusion --name older --from 2026-03-01 --text 'found in the ledger'\n  sekisho case event hakone-2026-1 note --text 'police informed'"
    )]
    Event(Box<event::Arguments>),
    /// Record what is known of a question, and how certainly.
    #[command(after_help = "Example:\n  sekisho case fact hakone-2026-1 wrongful_purpose yes --state suspected")]
    Fact {
        id: CaseId,
        key: String,
        /// The answer; `no` says that it is not so.
        value: String,
        #[arg(long, value_enum, default_value = "suspected")]
        state: StateArg,
        #[arg(long, allow_hyphen_values = true)]
        at: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Record how many records, persons, accounts or cards; earlier figures stay.
    #[command(after_help = "Example:\n  sekisho case count hakone-2026-1 persons 2455 --state confirmed")]
    Count {
        id: CaseId,
        #[arg(value_enum)]
        of: MeasureArg,
        value: u64,
        /// Which set.
        #[arg(long, default_value = "total")]
        set: String,
        /// The set of which it is a part.
        #[arg(long)]
        part_of: Option<String>,
        #[arg(long, value_enum, default_value = "suspected")]
        state: StateArg,
        #[arg(long, allow_hyphen_values = true)]
        at: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Show a case: counts, facts, timeline.
    #[command(after_help = "Example:\n  sekisho case show hakone-2026-1")]
    Show {
        id: CaseId,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        place: Place,
    },
    /// When what is due, and why.
    #[command(after_help = "Example:\n  sekisho case deadlines hakone-2026-1 --lang ja")]
    Deadlines {
        id: CaseId,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[arg(long, value_enum, default_value = "en")]
        lang: Lang,
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        place: Place,
    },
    /// The open deadlines as a calendar feed, with reminders.
    #[command(after_help = "Example:\n  sekisho case ics hakone-2026-1 > deadlines.ics")]
    Ics {
        id: CaseId,
        #[arg(long, value_enum, default_value = "ja")]
        lang: Lang,
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        place: Place,
    },
    /// Draft a report from what is known; it says what is missing.
    #[command(after_help = "Example:\n  sekisho case report hakone-2026-1 jp.appi.prelim --lang ja")]
    Report {
        id: CaseId,
        obligation: String,
        #[arg(long, value_enum, default_value = "ja")]
        lang: Lang,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        place: Place,
    },
    /// Record that a report was sent, with its text and hash.
    #[command(
        after_help = "Example:\n  sekisho case submit hakone-2026-1 jp.appi.prelim --file sent.md --receipt R-17"
    )]
    Submit(Box<submit::Arguments>),
    /// Take an answer of `sekisho scope` or `sekisho edm scan` into a case: counts, what left, what did not, what was
    /// not examined. Opens the case where there is none.
    #[command(
        after_help = "Examples:\n  sekisho scope --format json --from -48h > scope.json\n  sekisho case take hakone-2026-1 scope.json --title '会員情報の漏えいの疑い' --intrusion web --aware"
    )]
    Take {
        id: CaseId,
        /// The answer.
        file: PathBuf,
        /// What a case is called that is opened by this.
        #[arg(long)]
        title: Option<String>,
        /// What such a case comes from; the answer tells it otherwise.
        #[arg(long, value_enum)]
        origin: Option<OriginArg>,
        /// The firm's time zone.
        #[arg(long, default_value = "Asia/Tokyo")]
        zone: String,
        /// Record an intrusion of this name, from the first exposure to the last.
        #[arg(long)]
        intrusion: Option<String>,
        /// The firm knows from now on: deadlines run.
        #[arg(long)]
        aware: bool,
        #[command(flatten)]
        place: Place,
    },
    /// All cases.
    #[command(after_help = "Example:\n  sekisho case list --format json")]
    List {
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, clap::Args)]
pub(crate) struct Place {
    /// Where cases are kept.
    #[arg(long, value_name = "DIR", default_value = "cases")]
    pub(super) cases: PathBuf,
    /// Where the key that signs them is kept.
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(super) keys: PathBuf,
    /// Who records this; the account's name without it.
    #[arg(long)]
    pub(super) operator: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Rules {
    /// The firm's own regimes, besides those that come with Sekisho.
    #[arg(long = "regimes", value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

macro_rules! arguments {
    ($name:ident => $target:ident { $($variant:ident),* }) => {
        #[derive(Clone, Copy, ValueEnum)]
        pub(crate) enum $name { $($variant),* }
        impl From<$name> for $target {
            fn from(value: $name) -> $target {
                match value { $($name::$variant => $target::$variant),* }
            }
        }
    };
}
arguments!(OriginArg => Origin { Gateway, Hand, FoundFile, Availability });
arguments!(RoleArg => Role { Firm, Vendor, Wrongdoer });
arguments!(StateArg => Certainty { Unknown, Suspected, Confirmed });
arguments!(MeasureArg => Measure { Records, Persons, Accounts, Cards });
arguments!(Lang => Language { Ja, En });

impl Command {
    /// What the log or the case refuses is a "no", with its reason; all else is the environment's.
    pub(crate) fn run(self) -> Result<Done> {
        match self.answer() {
            Err(err) if err.is::<Refused>() || err.is::<sekisho_incident::Error>() => {
                tell!("error: {err:#}");
                Ok(Done::No)
            }
            other => other,
        }
    }

    fn answer(self) -> Result<Done> {
        match self {
            Command::Open { id, title, origin, zone, place } => {
                place.record(&id, |_, _| Ok(Body::Opened { origin: origin.into(), title, zone }))
            }
            Command::Event(told) => told.run(),
            Command::Fact { id, key, value, state, at, place } => place.record(&id, |case, now| {
                let at = at.map_or(Ok(now), |text| instant(&text, now, zone_of(case)))?;
                Ok(Body::Fact { key, state: state.into(), value, at })
            }),
            Command::Count { id, of, value, set, part_of, state, at, place } => place.record(&id, |case, now| {
                let at = at.map_or(Ok(now), |text| instant(&text, now, zone_of(case)))?;
                Ok(Body::Count { of: of.into(), set, part_of, value, state: state.into(), at })
            }),
            Command::Show { id, format, place } => show::case(&place.case(&id)?, format),
            Command::Deadlines { id, format, lang, rules, place } => {
                let case = place.case(&id)?;
                let found = deadline::compute(&case, &rules.read()?)?;
                show::deadlines(&case, &found, format, lang.into(), Timestamp::now())
            }
            Command::Ics { id, lang, rules, place } => {
                let case = place.case(&id)?;
                let found = deadline::compute(&case, &rules.read()?)?;
                show::print(&ics::calendar(&case, &found.deadlines, lang.into())?)
            }
            Command::Report { id, obligation, lang, format, rules, place } => {
                let case = place.case(&id)?;
                let draft = report::draft(&case, &rules.read()?, &obligation, lang.into())?;
                match format {
                    Format::Table => show::print(&draft.markdown(&case, lang.into())),
                    Format::Json => show::json(&draft),
                }
            }
            Command::Submit(told) => told.run(),
            Command::Take { id, file, title, origin, zone, intrusion, aware, place } => {
                take::take(take::Take { id, file, title, origin, intrusion, aware, zone }, &place)
            }
            Command::List { format, place } => show::list(&place.all()?, format),
        }
    }
}

impl Place {
    pub(super) fn open(&self) -> Result<CaseLog> {
        if !self.cases.is_dir() {
            bail!("there are no cases in `{}`; `sekisho case open` begins one", self.cases.display());
        }
        CaseLog::open(&self.cases, &self.keys)
    }

    pub(super) fn case(&self, id: &CaseId) -> Result<Case> {
        let events: Vec<Event> = self.open()?.events.into_iter().filter(|event| event.case == *id).collect();
        if events.is_empty() {
            bail!("there is no case `{id}` in `{}`; `sekisho case list` shows all", self.cases.display());
        }
        Ok(Case::fold(&events)?)
    }

    fn has(&self, id: &CaseId) -> Result<bool> {
        Ok(self.cases.is_dir() && self.open()?.events.iter().any(|event| event.case == *id))
    }

    fn all(&self) -> Result<Vec<Case>> {
        let events = self.open()?.events;
        let mut ids: Vec<&CaseId> = events.iter().map(|event| &event.case).collect();
        ids.sort();
        ids.dedup();
        let fold = |id: &CaseId| {
            let own: Vec<Event> = events.iter().filter(|event| event.case == *id).cloned().collect();
            Ok(Case::fold(&own)?)
        };
        ids.into_iter().map(fold).collect()
    }

    /// Appends one event when the case with it can be folded; one that cannot never enters the log.
    pub(super) fn record(
        &self,
        id: &CaseId,
        body: impl FnOnce(Option<&Case>, Timestamp) -> Result<Body>,
    ) -> Result<Done> {
        let mut log = CaseLog::create(&self.cases, &self.keys)?;
        let mut events: Vec<Event> = log.events.iter().filter(|event| event.case == *id).cloned().collect();
        let before = if events.is_empty() { None } else { Some(Case::fold(&events)?) };
        let now = Timestamp::now();
        let body = body(before.as_ref(), now)?;
        if before.is_none() && !matches!(body, Body::Opened { .. }) {
            bail!("there is no case `{id}` in `{}`; open it first", self.cases.display());
        }
        events.push(Event { case: id.clone(), recorded_at: now, operator: self.operator(), body });
        let case = Case::fold(&events)?;
        events[events.len() - 1].check_new(events.len())?;
        log.append(events.swap_remove(events.len() - 1))?;
        if let Some(entry) = case.timeline.last() {
            say!("{id}: event {}: {}", entry.event, entry.text);
        }
        for warning in &case.warnings {
            tell!("warning: {warning}");
        }
        Ok(Done::Yes)
    }

    pub(super) fn operator(&self) -> String {
        operator(self.operator.as_deref())
    }
}

/// Who does it, when nobody says.
pub(super) const UNKNOWN: &str = "unknown";

/// Who does it: whoever is named, else the account's name.
pub(super) fn operator(named: Option<&str>) -> String {
    let account = || std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    named.map(str::to_owned).or_else(account).unwrap_or_else(|| UNKNOWN.to_owned())
}

impl Rules {
    fn read(&self) -> Result<Vec<Regime>> {
        let mut regimes = regime::built_in()?;
        for file in &self.files {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{name}`"))?;
            regimes.extend(regime::parse(&name, &text)?);
        }
        Ok(regimes)
    }
}

fn zone_of(case: Option<&Case>) -> &str {
    case.map_or("Asia/Tokyo", |case| &case.zone)
}

fn instant(text: &str, now: Timestamp, zone: &str) -> Result<Timestamp> {
    let zone = TimeZone::get(zone).map_err(|_| sekisho_incident::Error::Zone(zone.to_owned()))?;
    let at = times::parse(text, sekisho_model::Timestamp(now.as_microsecond()), &zone).map_err(Usage::error)?;
    Ok(Timestamp::from_microsecond(at.0)?)
}
