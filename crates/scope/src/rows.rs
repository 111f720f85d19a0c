//! The answer as CSV of the firm's own row keys, joined from its register file by keyed hash: the ledger itself does
//! not know them.

use crate::{Answer, Error, time_text};
use sekisho_edm::Index;
use sekisho_model::SubjectId;
use std::io::{Read, Write};

/// What became of the join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Persons written.
    pub written: u64,
    /// Persons of the answer who are not in the file: removed since, or another file.
    pub missing: u64,
}

/// Writes `register,row_key,fields,first,last,responses`, one line a person of the register, in the file's order.
/// `row_keys` are the file's keys; `index` knows their numbers.
pub fn write(
    answer: &Answer,
    index: &Index,
    register: &str,
    row_keys: impl Iterator<Item = String>,
    output: impl Write,
) -> Result<Joined, Error> {
    let mut csv = csv::Writer::from_writer(output);
    csv.write_record(["register", "row_key", "fields", "first", "last", "responses"]).map_err(Error::Write)?;
    let mut written: std::collections::HashSet<SubjectId> = std::collections::HashSet::new();
    for row_key in row_keys {
        let Some(id) = index.subject(register, &row_key) else { continue };
        let Some(person) = answer.person(register, id) else { continue };
        if !written.insert(id) {
            continue;
        }
        let fields = answer.field_names(register, person.fields).join(" ");
        let (first, last, responses) = (time_text(person.first), time_text(person.last), person.responses.to_string());
        csv.write_record([register, &row_key, &fields, &first, &last, &responses]).map_err(Error::Write)?;
    }
    csv.flush().map_err(|err| Error::Write(err.into()))?;
    let persons = answer.registers.iter().find(|known| known.name == register).map_or(0, |known| known.persons);
    let written = written.len() as u64;
    Ok(Joined { written, missing: persons.saturating_sub(written) })
}

/// The row keys of a register file that was decoded to UTF-8.
pub fn row_keys(file: impl Read, column: &str) -> Result<impl Iterator<Item = String>, Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.headers().map_err(Error::ReadRegister)?.clone();
    let place = header.iter().position(|name| name.trim().trim_start_matches('\u{feff}') == column);
    let Some(place) = place else {
        let has = header.iter().collect::<Vec<_>>().join(", ");
        return Err(Error::NoRowKey { column: column.to_owned(), has });
    };
    let mut keys = Vec::new();
    for row in reader.into_records() {
        let row = row.map_err(Error::ReadRegister)?;
        keys.extend(row.get(place).map(|key| key.trim().to_owned()));
    }
    Ok(keys.into_iter())
}
