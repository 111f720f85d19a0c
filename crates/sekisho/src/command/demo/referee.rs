//! The referee: another program, which knows only the bytes that the thief received and the firm's files.

use anyhow::{Context, Result, ensure};
use sekisho_scope::Answer;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Persons by register and by the exact set of their fields.
pub(super) type Persons = BTreeMap<String, BTreeMap<BTreeSet<String>, u64>>;

#[derive(Deserialize)]
struct Verdict {
    registers: Vec<VerdictRegister>,
}

#[derive(Deserialize)]
struct VerdictRegister {
    name: String,
    combinations: Vec<VerdictCombination>,
}

#[derive(Deserialize)]
struct VerdictCombination {
    fields: BTreeSet<String>,
    persons: u64,
}

/// A combination of which the scope and the referee count different numbers of persons.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    register: String,
    fields: BTreeSet<String>,
    scope: u64,
    referee: u64,
}

/// Runs the referee as a process of its own.
pub(super) fn judge(capture: &Path, registers: &[(&str, PathBuf)]) -> Result<Persons> {
    let executable = std::env::current_exe().context("cannot find this executable")?;
    let files = registers.iter().map(|(name, file)| format!("{name}={}", file.display()));
    let output = Command::new(executable)
        .arg("demo-referee")
        .arg(capture)
        .args(files)
        .output()
        .context("cannot run the referee")?;
    ensure!(output.status.success(), "the referee failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let verdict: Verdict = serde_json::from_slice(&output.stdout).context("cannot read the referee's verdict")?;
    Ok(verdict
        .registers
        .into_iter()
        .map(|register| {
            let combinations = register.combinations.into_iter();
            (register.name, combinations.map(|combination| (combination.fields, combination.persons)).collect())
        })
        .collect())
}

/// The scope's persons in the referee's form.
pub(super) fn persons(answer: &Answer) -> Persons {
    let combinations = |register: &sekisho_scope::RegisterAnswer| {
        register.combinations.iter().map(|one| (one.fields.iter().cloned().collect(), one.persons)).collect()
    };
    answer.registers.iter().map(|register| (register.name.clone(), combinations(register))).collect()
}

/// Where the two do not agree.
pub(super) fn differences(scope: &Persons, referee: &Persons) -> Vec<Difference> {
    let keys = |persons: &Persons| {
        let pairs = persons.iter().flat_map(|(register, combinations)| {
            combinations.keys().map(move |fields| (register.clone(), fields.clone()))
        });
        pairs.collect::<BTreeSet<_>>()
    };
    let count = |persons: &Persons, register: &str, fields: &BTreeSet<String>| {
        persons.get(register).and_then(|combinations| combinations.get(fields)).copied().unwrap_or(0)
    };
    let all = keys(scope).into_iter().chain(keys(referee)).collect::<BTreeSet<_>>();
    all.into_iter()
        .map(|(register, fields)| {
            let (scope, referee) = (count(scope, &register, &fields), count(referee, &register, &fields));
            Difference { register, fields, scope, referee }
        })
        .filter(|difference| difference.scope != difference.referee)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persons_of(counts: &[(&str, &[&str], u64)]) -> Persons {
        let mut persons = Persons::new();
        for (register, fields, count) in counts {
            let fields = fields.iter().map(|field| (*field).to_owned()).collect();
            persons.entry((*register).to_owned()).or_default().insert(fields, *count);
        }
        persons
    }

    #[test]
    fn equal_counts_have_no_difference() {
        let persons = persons_of(&[("a", &["email"], 2), ("b", &["email", "name"], 1)]);
        assert_eq!(differences(&persons, &persons), []);
    }

    #[test]
    fn a_person_too_many_on_either_side_is_told() {
        let scope = persons_of(&[("a", &["email"], 2)]);
        let referee = persons_of(&[("a", &["email", "name"], 2)]);
        let told = differences(&scope, &referee);
        assert_eq!(told.iter().map(|one| (one.scope, one.referee)).collect::<Vec<_>>(), [(2, 0), (0, 2)]);
    }
}
