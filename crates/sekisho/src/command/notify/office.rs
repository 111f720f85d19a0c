//! What the commands open: the journal with its campaign, held against the case log; the key, the configuration, the
//! registers as they are now.

use super::super::Done;
use super::super::case::Place;
use super::Sources;
use crate::output::tell;
use crate::report::{self, Shown};
use crate::{keys, register_file};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sekisho_edm::{Encoding, HashKey, IndexBuilder};
use sekisho_incident::{Body, CaseId, NoticeStep};
use sekisho_notify::config::{Config, Register};
use sekisho_notify::desk::Desk;
use sekisho_notify::register::{self, Recipients};
use sekisho_notify::{Campaign, Entry, Error, Event, Extent, Head, Journal, NoticeKey, PersonKey};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open journal and what it tells.
pub(super) struct Office<'a> {
    pub(super) id: &'a CaseId,
    pub(super) place: &'a Place,
    pub(super) zone: TimeZone,
    pub(super) journal: Journal,
    pub(super) campaign: Campaign,
    key_bytes: [u8; 16],
}

/// Whether a journal may be begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Yes,
    No,
}

impl<'a> Office<'a> {
    pub(super) fn open(id: &'a CaseId, place: &'a Place, begin: Begin) -> Result<Office<'a>> {
        let zone = zone(id, place)?;
        let path = journal_path(id, place);
        if begin == Begin::No && !path.exists() {
            bail!("no notices of `{id}` are planned yet; `sekisho notify plan {id} --scope FILE` does");
        }
        let key_bytes = keys::notice_key(&place.keys, begin == Begin::Yes && !path.exists())?;
        let heads = heads(id, place)?;
        let (journal, campaign, extent) = Campaign::open(&path, &heads.known())?;
        heads.check(&extent, &path)?;
        if extent.torn_bytes > 0 {
            let torn = extent.torn_bytes;
            tell!(
                "warning: {torn} bytes at the end of the journal were never acknowledged (a write was cut off) and are left out"
            );
        }
        Ok(Office { id, place, zone, journal, campaign, key_bytes })
    }

    pub(super) fn key(&self) -> NoticeKey {
        NoticeKey::new(self.key_bytes)
    }

    /// Appends events of an operator's decision: all, or none.
    pub(super) fn decide(&mut self, events: Vec<Event>) -> Result<()> {
        let (at, by) = (Timestamp::now(), Some(self.place.operator()));
        let entries: Vec<Entry> = events.into_iter().map(|event| Entry { at, by: by.clone(), event }).collect();
        // What the campaign refuses must not enter the journal: it could not be read again.
        entries.iter().try_for_each(|entry| self.campaign.apply(entry)).map_err(|err| match err {
            // It is the decision that is wrong, and no line of the journal.
            Error::Transition { what, .. } => {
                let id = self.id;
                Error::Refused(format!("{what}; nothing was recorded: `sekisho notify status {id}` tells who is where"))
            }
            other => other,
        })?;
        Ok(self.journal.append(&entries)?)
    }

    /// The same, told to the case log: a journal that is set back behind it is found. Without events there is nothing
    /// to tell.
    pub(super) fn decide_and_prove(&mut self, events: Vec<Event>, step: NoticeStep) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.decide(events)?;
        self.prove(step)
    }

    /// Whoever has the journal open knows that nobody is sending: attempts without an outcome are of unknown end.
    pub(super) fn settle(&mut self) -> Result<u64> {
        Ok(sekisho_notify::send::settle(&mut self.campaign, &mut self.journal, Timestamp::now())?)
    }

    /// Tells the case log what was done, and where the journal stands.
    pub(super) fn prove(&self, step: NoticeStep) -> Result<()> {
        prove(self.id, self.place, step, &self.campaign, self.journal.head())
    }

    /// The persons `wanted` asks for, from the register files as they are now.
    pub(super) fn recipients(&self, config: &Config, wanted: impl Fn(PersonKey) -> bool) -> Result<Recipients> {
        self.read_registers(config, wanted, |_, _| Ok(()))
    }

    /// The same, with each file's text given to `each`, one file at a time: the texts are as large as the registers.
    fn read_registers(
        &self,
        config: &Config,
        wanted: impl Fn(PersonKey) -> bool,
        mut each: impl FnMut(&Register, String) -> Result<()>,
    ) -> Result<Recipients> {
        let key = self.key();
        let mut recipients = Recipients::new();
        for (place, register) in config.registers.iter().enumerate() {
            let (text, _) = register_file::read(&register.file, Encoding::Auto)?;
            let person = register::person_of(&key, self.id.as_str(), register);
            register::read(&text, register, place, person, &wanted, &mut recipients)?;
            each(register, text)?;
        }
        Ok(recipients)
    }

    /// Everything that notices are written from.
    pub(super) fn desk(&self, from: &Sources) -> Result<Desk> {
        let config = config(from)?;
        let secrets = [config.relay.password_file.as_deref(), config.dkim.as_ref().map(|dkim| dkim.key_file.as_path())];
        if let Some(problem) = secrets.into_iter().flatten().find_map(keys::open_to_others) {
            bail!("{}; {}", problem.title, problem.help);
        }
        let now = sekisho_model::Timestamp(Timestamp::now().as_microsecond());
        // The registers as the scan reads them. They live as long as the command.
        let mut builder = IndexBuilder::new(Arc::new(HashKey::new(self.key().scan_key())), now);
        let is_told = |person| !self.campaign.notices(person).is_empty();
        let recipients =
            self.read_registers(&config, is_told, |register, text| index(&mut builder, register, &text))?;
        let index = builder.build();
        Ok(Desk::new(self.id.as_str(), self.zone.clone(), config, self.key(), recipients, Arc::new(index))?)
    }
}

/// The configuration, with the register file of the command line.
pub(super) fn config(from: &Sources) -> Result<Config> {
    let mut config = Config::load(&from.config)?;
    if let Some(file) = &from.register {
        let [register] = config.registers.as_mut_slice() else {
            bail!("--register is for a configuration with one register; `{}` has more", from.config.display());
        };
        register.file.clone_from(file);
    }
    Ok(config)
}

fn index(builder: &mut IndexBuilder, register: &Register, text: &str) -> Result<()> {
    let name = register.file.display().to_string();
    if let Err(errors) = builder.register(&register.config, text.as_bytes(), &name) {
        report::print(&errors, Shown { file: &name, text: "" });
        let what = "its rows cannot be scanned for; mend what is told above".to_owned();
        return Err(Error::Table { path: register.file.clone(), what }.into());
    }
    Ok(())
}

pub(super) fn journal_path(id: &CaseId, place: &Place) -> PathBuf {
    place.cases.join("notices").join(id.as_str()).join("journal.log")
}

pub(super) fn zone(id: &CaseId, place: &Place) -> Result<TimeZone> {
    let case = place.case(id)?;
    TimeZone::get(&case.zone).with_context(|| format!("the case's zone `{}` is not known", case.zone))
}

/// Where the case log saw the journal stand, and when.
pub(super) struct Heads(Vec<(Head, String)>);

pub(super) fn heads(id: &CaseId, place: &Place) -> Result<Heads> {
    let mut heads = Vec::new();
    for event in place.open()?.events {
        let Body::Notified { lines, head, .. } = &event.body else { continue };
        if event.case == *id {
            let chain = hex::decode(head).ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            heads.push((Head { lines: *lines, chain }, event.recorded_at.to_string()));
        }
    }
    Ok(Heads(heads))
}

impl Heads {
    pub(super) fn known(&self) -> Vec<Head> {
        self.0.iter().map(|(head, _)| *head).collect()
    }

    /// A journal that the case log told of must still be there: one that was set back, or begun anew, would tell everybody
    /// a second time.
    pub(super) fn check(&self, extent: &Extent, path: &Path) -> Result<()> {
        let Some(missing) = extent.missing else { return Ok(()) };
        let told = self.0.iter().find(|(head, _)| *head == missing).map_or("before", |(_, at)| at.as_str());
        let what = format!("is not what the case log has of {told}: the journal was set back or replaced");
        Err(Error::NotWhole { path: path.to_owned(), line: missing.lines, what }.into())
    }
}

pub(super) fn prove(id: &CaseId, place: &Place, step: NoticeStep, campaign: &Campaign, head: Head) -> Result<()> {
    let counts = campaign.counts(false);
    let notices = counts.by_state.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect();
    let Done::Yes = place
        .record(id, |_, _| Ok(Body::Notified { step, notices, lines: head.lines, head: hex::encode(head.chain) }))?
    else {
        bail!("the case log did not take the notices' counts");
    };
    Ok(())
}
