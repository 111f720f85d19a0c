//! Joins a scope with the registers: who is to be told what, beyond what was planned before.
//!
//! Pure. A scope only ever adds: new persons get a first notice, persons of whom more is known than they were told get an
//! update, nobody gets anything twice. Persons whom the register lacks are planned too, and wait for a decision.

use crate::config::Register;
use crate::register::{Recipient, Recipients};
use crate::{Campaign, Error, Event, NoticeKey, PersonKey, State, Way};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Complaints about one scope that are told in full.
const ERRORS_MAX: usize = 20;

/// A scope: per person the fields that left.
#[derive(Debug, Default)]
pub struct Scope {
    /// By keyed hash.
    pub persons: BTreeMap<PersonKey, Exposed>,
    /// Sets of fields, each once: there are few, and many persons.
    sets: HashSet<Arc<BTreeSet<String>>>,
}

/// What left of a person.
#[derive(Clone, Debug)]
pub struct Exposed {
    /// The register's place in the configuration.
    pub register: usize,
    /// The firm's key of the row.
    pub row_key: Box<str>,
    /// Columns, by name.
    pub fields: Arc<BTreeSet<String>>,
}

/// What a plan adds.
#[derive(Debug, Default)]
pub struct Plan {
    /// To be appended.
    pub events: Vec<Event>,
    /// Persons who get a first notice.
    pub new: u64,
    /// Persons who get an update.
    pub updates: u64,
    /// Notices that had not begun, and were planned anew.
    pub replanned: u64,
    /// Persons who were told all this before.
    pub unchanged: u64,
    /// Of those planned now, the ones who get a letter.
    pub letters: u64,
    /// Row keys that the register file lacks.
    pub missing: Vec<(usize, String)>,
    /// Row keys without any address that can be used.
    pub without_address: Vec<(usize, String)>,
}

impl Scope {
    /// Reads `register,row_key,fields,…`, as `sekisho scope --format csv` writes it.
    pub fn read(text: &str, path: &Path, registers: &[Register], key: &NoticeKey, case: &str) -> Result<Scope, Error> {
        let wrong = |what: String| Error::Table { path: path.to_owned(), what };
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let header = reader.headers().map_err(|err| wrong(err.to_string()))?.clone();
        let place = |name: &str| {
            let at = header.iter().position(|known| known.trim_start_matches('\u{feff}') == name);
            at.ok_or_else(|| wrong(format!("it has no column `{name}`: write it with `sekisho scope --format csv`")))
        };
        let (register_at, key_at, fields_at) = (place("register")?, place("row_key")?, place("fields")?);
        let mut scope = Scope::default();
        let mut errors = Vec::new();
        for (line, row) in (2u64..).zip(reader.records()) {
            let row = match row {
                Ok(row) => row,
                Err(err) => {
                    errors.push(err.to_string());
                    break;
                }
            };
            let cell = |at: usize| row.get(at).unwrap_or("").trim();
            if let Err(what) = scope.row(cell(register_at), cell(key_at), cell(fields_at), registers, key, case) {
                errors.push(format!("line {line}: {what}"));
            }
        }
        if errors.is_empty() {
            return Ok(scope);
        }
        let more = errors.len().saturating_sub(ERRORS_MAX);
        errors.truncate(ERRORS_MAX);
        if more > 0 {
            errors.push(format!("and {more} more"));
        }
        Err(wrong(format!("\n  {}", errors.join("\n  "))))
    }

    fn row(
        &mut self,
        register: &str,
        row_key: &str,
        fields: &str,
        registers: &[Register],
        key: &NoticeKey,
        case: &str,
    ) -> Result<(), String> {
        let place = registers.iter().position(|known| known.name == register);
        let place = place.ok_or_else(|| format!("notify.toml has no [[register]] `{register}`"))?;
        if row_key.is_empty() {
            return Err("it has no row key".to_owned());
        }
        let columns = &registers[place].config.columns;
        let known = |field: &&str| columns.iter().any(|column| column.name == **field);
        let words: Vec<&str> = fields.split(' ').filter(|word| !word.is_empty()).collect();
        if let Some(unknown) = words.iter().find(|word| !known(word)) {
            return Err(format!("register `{register}` has no column `{unknown}` in notify.toml"));
        }
        if words.is_empty() {
            return Err("it names no field that left".to_owned());
        }
        let person = key.person(case, register, row_key);
        // A person may have several rows: each adds what it names.
        let before = self.persons.get(&person).map(|exposed| Arc::clone(&exposed.fields)).unwrap_or_default();
        let fields = before.iter().cloned().chain(words.into_iter().map(str::to_owned)).collect();
        let fields = self.interned(fields);
        let exposed = self.persons.entry(person).or_insert_with(|| Exposed {
            register: place,
            row_key: row_key.into(),
            fields: Arc::default(),
        });
        exposed.fields = fields;
        Ok(())
    }

    fn interned(&mut self, fields: BTreeSet<String>) -> Arc<BTreeSet<String>> {
        if let Some(set) = self.sets.get(&fields) {
            return Arc::clone(set);
        }
        let set = Arc::new(fields);
        self.sets.insert(Arc::clone(&set));
        set
    }
}

/// What a scope adds to a campaign.
#[must_use]
pub fn plan(campaign: &Campaign, scope: &Scope, recipients: &Recipients) -> Plan {
    let mut plan = Plan::default();
    for (person, exposed) in &scope.persons {
        let way = recipients.get(person).map_or(Way::NotInRegister, Recipient::way);
        let notices = campaign.notices(*person);
        let told: BTreeSet<String> = notices.iter().flat_map(|notice| notice.fields.iter().cloned()).collect();
        let fields: Vec<String> = exposed.fields.union(&told).cloned().collect();
        let number = match notices.last() {
            None => {
                plan.new += 1;
                1
            }
            Some(last) => {
                let has_more = !exposed.fields.is_subset(&told);
                // Somebody who had no address, when it was planned or when it was to be sent, has one now.
                let is_reachable = last.state == State::NoAddress && matches!(way, Way::Mail | Way::Letter);
                if !has_more && !is_reachable {
                    plan.unchanged += 1;
                    if matches!(last.state, State::NoAddress) {
                        plan.tell(way, exposed);
                    }
                    continue;
                }
                let count = u16::try_from(notices.len()).unwrap_or(u16::MAX - 1);
                if last.may_be_replanned() {
                    plan.replanned += 1;
                    count
                } else {
                    plan.updates += 1;
                    count + 1
                }
            }
        };
        plan.tell(way, exposed);
        plan.letters += u64::from(way == Way::Letter);
        plan.events.push(Event::Planned { person: *person, notice: number, fields, way });
    }
    plan
}

impl Plan {
    fn tell(&mut self, way: Way, exposed: &Exposed) {
        match way {
            Way::NotInRegister => self.missing.push((exposed.register, exposed.row_key.to_string())),
            Way::NoAddress => self.without_address.push((exposed.register, exposed.row_key.to_string())),
            Way::Mail | Way::Letter => {}
        }
    }
}
