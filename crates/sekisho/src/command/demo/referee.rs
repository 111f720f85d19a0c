//! The referee: another program, which knows only the bytes that the thief received and the firm's files.

use crate::config::Register;
use crate::register_file;
use anyhow::{Context, Result, ensure};
use sekisho_edm::{Encoding, Index};
use sekisho_scope::{Answer, rows};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The fields that were seen of each person, by register and the firm's own number of the person.
pub(super) type Persons = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[derive(Deserialize)]
struct Verdict {
    registers: Vec<VerdictRegister>,
}

#[derive(Deserialize)]
struct VerdictRegister {
    name: String,
    persons: BTreeMap<String, BTreeSet<String>>,
}

/// A person of whom the scope and the referee tell different fields; none: the person was not seen.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    register: String,
    person: String,
    scope: BTreeSet<String>,
    referee: BTreeSet<String>,
}

/// Runs the referee as a process of its own.
pub(super) fn judge(capture: &Path, registers: &[Register]) -> Result<Persons> {
    let executable = std::env::current_exe().context("cannot find this executable")?;
    let files = registers.iter().map(|one| format!("{}={}", one.config.name, one.file.display()));
    let output = Command::new(executable)
        .arg("demo-referee")
        .arg(capture)
        .args(files)
        .output()
        .context("cannot run the referee")?;
    ensure!(output.status.success(), "the referee failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let verdict: Verdict = serde_json::from_slice(&output.stdout).context("cannot read the referee's verdict")?;
    Ok(verdict.registers.into_iter().map(|register| (register.name, register.persons)).collect())
}

/// The scope's persons in the referee's form, joined with the register files as `scope --format csv` joins them.
pub(super) fn persons(answer: &Answer, index: &Index, registers: &[Register]) -> Result<Persons> {
    registers.iter().map(|register| Ok((register.config.name.clone(), rows_of(answer, index, register)?))).collect()
}

fn rows_of(answer: &Answer, index: &Index, register: &Register) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let (text, _) = register_file::read(&register.file, Encoding::Auto)?;
    let keys = rows::row_keys(text.as_bytes(), &register.config.row_key)?;
    let mut csv = Vec::new();
    let joined = rows::write(answer, index, &register.config.name, keys, &mut csv)?;
    ensure!(joined.missing == 0, "{} persons of the scope are not in `{}`", joined.missing, register.file.display());
    let mut persons = BTreeMap::new();
    for row in csv::Reader::from_reader(&*csv).into_deserialize() {
        let row: Row = row.context("cannot read the scope's own CSV")?;
        persons.insert(row.row_key, row.fields.split(' ').map(str::to_owned).collect());
    }
    Ok(persons)
}

/// What is compared of a line of `scope --format csv`.
#[derive(Deserialize)]
struct Row {
    row_key: String,
    fields: String,
}

/// Where the two do not agree, person by person.
pub(super) fn differences(scope: &Persons, referee: &Persons) -> Vec<Difference> {
    let pairs = |persons: &Persons| {
        let pairs = persons.iter().flat_map(|(register, rows)| rows.keys().map(|key| (register.clone(), key.clone())));
        pairs.collect::<BTreeSet<_>>()
    };
    let fields = |persons: &Persons, register: &str, person: &str| {
        persons.get(register).and_then(|rows| rows.get(person)).cloned().unwrap_or_default()
    };
    let all = pairs(scope).into_iter().chain(pairs(referee)).collect::<BTreeSet<_>>();
    all.into_iter()
        .map(|(register, person)| {
            let (scope, referee) = (fields(scope, &register, &person), fields(referee, &register, &person));
            Difference { register, person, scope, referee }
        })
        .filter(|difference| difference.scope != difference.referee)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persons_of(rows: &[(&str, &str, &[&str])]) -> Persons {
        let mut persons = Persons::new();
        for (register, person, fields) in rows {
            let fields = fields.iter().map(|field| (*field).to_owned()).collect();
            persons.entry((*register).to_owned()).or_default().insert((*person).to_owned(), fields);
        }
        persons
    }

    #[test]
    fn the_same_persons_with_the_same_fields_have_no_difference() {
        let persons = persons_of(&[("a", "1", &["email"]), ("b", "1", &["email", "name"])]);
        assert_eq!(differences(&persons, &persons), []);
    }

    #[test]
    fn as_many_persons_but_others_are_told() {
        let scope = persons_of(&[("a", "1", &["email"])]);
        let referee = persons_of(&[("a", "2", &["email"])]);
        let told = differences(&scope, &referee);
        let told: Vec<_> = told.iter().map(|one| (&*one.person, one.scope.len(), one.referee.len())).collect();
        assert_eq!(told, [("1", 1, 0), ("2", 0, 1)]);
    }

    #[test]
    fn a_field_too_many_on_either_side_is_told() {
        let scope = persons_of(&[("a", "1", &["email"]), ("a", "2", &["email", "name"])]);
        let referee = persons_of(&[("a", "1", &["email", "name"]), ("a", "2", &["email"])]);
        assert_eq!(differences(&scope, &referee).len(), 2);
    }
}
