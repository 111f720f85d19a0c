//! What became of notices: status, delivery reports, letters that came back, publication.

use super::super::case::{Format, Place};
use super::super::{Done, Usage};
use super::office::{self, Begin, Office};
use super::{Sources, Whom};
use crate::keys;
use crate::output::{say, tell};
use anyhow::{Context, Result, bail};
use sekisho_incident::{CaseId, NoticeStep};
use sekisho_notify::dsn::{self, Action};
use sekisho_notify::register::Recipient;
use sekisho_notify::{Bounce, Campaign, Error, Event, Journal, NoticeKey, PersonKey, State};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The longest file of delivery reports.
const REPORTS_BYTES_MAX: u64 = 1 << 30;
/// The longest publication address.
const PUBLICATION_CHARS_MAX: usize = 500;

pub(super) fn status(id: &CaseId, state: Option<State>, format: Format, from: &Sources, place: &Place) -> Result<Done> {
    let path = office::journal_path(id, place);
    if !path.exists() {
        bail!("no notices of `{id}` are planned yet; `sekisho notify plan {id} --scope FILE` does");
    }
    let heads = office::heads(id, place)?;
    let (campaign, extent) = Campaign::read(&path, &heads.known())?;
    heads.check(&extent, &path)?;
    let is_running = Journal::is_in_use(&path);
    if let Some(state) = state {
        return list(id, &campaign, (state, is_running), from, place);
    }
    let counts = campaign.counts(is_running);
    match format {
        Format::Json => say!("{}", serde_json::to_string_pretty(&counts)?),
        Format::Table => {
            say!("{id}: {} persons, {} notices, {} of them updates", counts.persons, counts.notices, counts.updates);
            for state in State::ALL {
                if let Some(count) = counts.by_state.get(state.name()) {
                    say!("  {:<12} {count:>9}", state.name());
                }
            }
            let claims = campaign.claims();
            let open = claims.iter().filter(|claim| claim.decided.is_none()).count();
            say!("  claims       {:>9}, {open} not decided", claims.len());
            if is_running {
                say!("  a run is under way");
            }
        }
    }
    Ok(Done::Yes)
}

/// The persons in one state, by the firm's own keys; those whom the register lacks by their reference.
/// What was being sent when nobody is sending any more is listed as unknown, as it is counted.
fn list(
    id: &CaseId,
    campaign: &Campaign,
    (state, is_running): (State, bool),
    from: &Sources,
    place: &Place,
) -> Result<Done> {
    let config = office::config(from)?;
    let key = NoticeKey::new(keys::notice_key(&place.keys, false)?);
    let mut recipients = sekisho_notify::register::Recipients::new();
    for (at, register) in config.registers.iter().enumerate() {
        let (text, _) = crate::register_file::read(&register.file, sekisho_edm::Encoding::Auto)?;
        let person = sekisho_notify::register::person_of(&key, id.as_str(), register);
        let wanted = |person| !campaign.notices(person).is_empty();
        sekisho_notify::register::read(&text, register, at, person, wanted, &mut recipients)?;
    }
    for (person, notice, _) in campaign.all().filter(|(.., notice)| notice.state.shown(is_running) == state) {
        match recipients.get(&person) {
            Some(row) => say!("{}:{}\tnotice {notice}", config.registers[row.register()].name, row.row_key()),
            None => say!("{person}-{notice}\tnot in the register file"),
        }
    }
    Ok(Done::Yes)
}

pub(super) fn bounces(id: &CaseId, files: &[PathBuf], from: &Sources, place: &Place) -> Result<Done> {
    let mut office = Office::open(id, place, Begin::No)?;
    let config = office::config(from)?;
    let domain = config.from.email.domain();
    let key = office.key();
    let id_of = |person, notice| format!("<{}@{domain}>", key.message_id(id.as_str(), person, notice));
    let own: HashMap<String, (PersonKey, u16)> =
        office.campaign.all().map(|(person, notice, _)| (id_of(person, notice), (person, notice))).collect();
    let mut told = [0u64; 4];
    let mut events = HashMap::new();
    for mail in mails(files)? {
        let Some(report) = dsn::read(&mail) else {
            told[3] += 1;
            continue;
        };
        let Some((person, notice)) = report.message_ids.iter().find_map(|id| own.get(id)).copied() else {
            told[2] += 1;
            continue;
        };
        let state = office.campaign.notices(person).get(usize::from(notice) - 1).map(|notice| notice.state);
        match (report.action, state) {
            (Action::Failed, Some(State::Sent | State::Unknown | State::Sending)) => {
                let status = report.status.filter(|status| status.len() <= 16);
                let event = Event::Bounced { person, notice, how: Bounce::Returned, code: 0, status };
                events.insert((person, notice), event);
            }
            (Action::Delivered, Some(State::Unknown)) => {
                let sent = Event::Sent { person, notice, code: 0, queue_id: None };
                events.entry((person, notice)).or_insert(sent);
            }
            (Action::Delayed, _) => told[1] += 1,
            _ => told[0] += 1,
        }
    }
    let mut events: Vec<((PersonKey, u16), Event)> = events.into_iter().collect();
    events.sort_by_key(|(whose, _)| *whose);
    let changed = events.len();
    office.decide_and_prove(events.into_iter().map(|(_, event)| event).collect(), NoticeStep::Bounces)?;
    say!("{changed} notices changed their state; {} reports told nothing new, {} of delays", told[0], told[1]);
    say!("{} reports are of other mails, {} mails are no reports", told[2], told[3]);
    Ok(Done::Yes)
}

fn mails(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut mails = Vec::new();
    for path in files {
        let cannot = || format!("cannot read `{}`", path.display());
        if path.is_dir() {
            let mut inner: Vec<PathBuf> = std::fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
                .with_context(cannot)?;
            inner.sort();
            for file in inner.iter().filter(|path| path.is_file()) {
                mails.extend(read_mails(file)?);
            }
            continue;
        }
        mails.extend(read_mails(path)?);
    }
    Ok(mails)
}

fn read_mails(path: &Path) -> Result<Vec<String>> {
    let cannot = || format!("cannot read `{}`", path.display());
    if std::fs::metadata(path).with_context(cannot)?.len() > REPORTS_BYTES_MAX {
        bail!("`{}` has more than {REPORTS_BYTES_MAX} bytes; split it", path.display());
    }
    Ok(dsn::mails(&std::fs::read(path).with_context(cannot)?))
}

pub(super) fn postal(id: &CaseId, whom: &Whom, from: &Sources, place: &Place) -> Result<Done> {
    let mut office = Office::open(id, place, Begin::No)?;
    office.settle()?;
    let config = office::config(from)?;
    let chosen = chosen(&office, whom)?;
    let recipients = office.recipients(&config, |person| !office.campaign.notices(person).is_empty())?;
    // A letter without an address would be written for nobody.
    let has_address = |person: &PersonKey| recipients.get(person).is_some_and(Recipient::has_postal);
    let (with, without): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|(person, _)| has_address(person));
    let events = with.iter().map(|(person, notice)| Event::Postal { person: *person, notice: *notice }).collect();
    office.decide_and_prove(events, NoticeStep::Postal)?;
    say!("{} notices become letters; `sekisho notify letters {id}` writes them", with.len());
    if without.is_empty() {
        return Ok(Done::Yes);
    }
    tell!("warning: {} have no postal address in the register and stay as they are:", without.len());
    for (person, notice) in without.iter().take(20) {
        let row = recipients.get(person);
        let shown = row.map_or_else(
            || format!("{person}-{notice}"),
            |row| format!("{}:{}", config.registers[row.register()].name, row.row_key()),
        );
        tell!("  {shown}");
    }
    Ok(Done::No)
}

pub(super) fn returned(id: &CaseId, whom: &Whom, _from: &Sources, place: &Place) -> Result<Done> {
    let mut office = Office::open(id, place, Begin::No)?;
    let chosen = chosen(&office, whom)?;
    let count = chosen.len();
    let events = chosen.into_iter().map(|(person, notice)| Event::Returned { person, notice }).collect();
    office.decide_and_prove(events, NoticeStep::Returned)?;
    say!("{count} letters came back");
    Ok(Done::Yes)
}

pub(super) fn substitute(id: &CaseId, publication: &str, whom: &Whom, _from: &Sources, place: &Place) -> Result<Done> {
    if !publication.starts_with("https://") || publication.chars().count() > PUBLICATION_CHARS_MAX {
        return Err(Usage::error("--publication is the https address of the published notice"));
    }
    let mut office = Office::open(id, place, Begin::No)?;
    office.settle()?;
    let chosen = chosen(&office, whom)?;
    let count = chosen.len();
    let event = |(person, notice)| Event::Substituted { person, notice, publication: publication.to_owned() };
    office.decide_and_prove(chosen.into_iter().map(event).collect(), NoticeStep::Substituted)?;
    say!("{count} notices have the publication in their place");
    Ok(Done::Yes)
}

/// The notices that an operator means. A person's is the latest one.
fn chosen(office: &Office<'_>, whom: &Whom) -> Result<Vec<(PersonKey, u16)>> {
    let mut chosen = Vec::new();
    for state in &whom.state {
        chosen.extend(office.campaign.in_state((*state).into()).map(|(person, notice, _)| (person, notice)));
    }
    let mut names = whom.person.clone();
    if let Some(path) = &whom.list {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        names.extend(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
    }
    for name in &names {
        chosen.push(one(office, name)?);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// `REGISTER:ROWKEY`, or a letter's reference.
pub(super) fn one(office: &Office<'_>, name: &str) -> Result<(PersonKey, u16)> {
    let unknown = || {
        Error::Refused(format!(
            "`{name}` is nobody who is told in this case: write REGISTER:ROWKEY or a letter's reference"
        ))
    };
    if let Some((person, notice)) =
        name.split_once('-').and_then(|(person, notice)| Some((person.parse().ok()?, notice.parse().ok()?)))
    {
        let known = usize::from(notice) >= 1 && usize::from(notice) <= office.campaign.notices(person).len();
        return if known { Ok((person, notice)) } else { Err(unknown().into()) };
    }
    let (register, row_key) = name.split_once(':').ok_or_else(unknown)?;
    let person = office.key().person(office.id.as_str(), register, row_key);
    let count = u16::try_from(office.campaign.notices(person).len()).unwrap_or(u16::MAX);
    if count == 0 { Err(unknown().into()) } else { Ok((person, count)) }
}
