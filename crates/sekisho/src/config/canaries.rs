//! A planted customer who is also an ordinary one would make every page of that customer an incident.

use super::Register;
use super::resolve::RegisterPlaces;
use super::section::Source;
use sekisho_model::{Diagnostic, FieldKind};
use std::collections::HashSet;

/// Looks each planted row's key and mails up in the ordinary registers. Reads files only where there is a planted one;
/// what cannot be read is told elsewhere. Rows are told by number, for what they hold is personal data.
pub(super) fn check(source: &Source<'_>, registers: &[Register], places: &[RegisterPlaces]) {
    for (planted, place) in registers.iter().zip(places).filter(|(register, _)| register.is_canary) {
        let mine = values(planted);
        if mine.is_empty() {
            continue;
        }
        let wanted: HashSet<&String> = mine.iter().map(|(_, value)| value).collect();
        for ordinary in registers.iter().filter(|register| !register.is_canary) {
            let theirs: HashSet<String> =
                values(ordinary).into_iter().map(|(_, value)| value).filter(|value| wanted.contains(value)).collect();
            let rows: HashSet<usize> =
                mine.iter().filter(|(_, value)| theirs.contains(value)).map(|(row, _)| *row).collect();
            if let Some(first) = rows.iter().min() {
                let (planted, ordinary, number) = (&planted.config.name, &ordinary.config.name, rows.len());
                let rows = if number == 1 { "row" } else { "rows" };
                let stand = if number == 1 { "stands" } else { "stand" };
                let title = format!("{number} planted {rows} of `{planted}` also {stand} in the register `{ordinary}`");
                let help = format!("remove them from one of the two files; the first is row {first} of `{planted}`");
                source.tell(Diagnostic::error("SK080", title).help(help), &place.file);
            }
        }
    }
}

/// Row number and value of every row key and mail; nothing when the file cannot be read.
fn values(register: &Register) -> Vec<(usize, String)> {
    let config = &register.config;
    let Ok((text, _)) = crate::register_file::read(&register.file, config.encoding) else { return Vec::new() };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let Ok(header) = reader.headers().cloned() else { return Vec::new() };
    let is_asked = |name: &str| {
        name == config.row_key
            || config.columns.iter().any(|column| column.name == name && column.kind == FieldKind::Email)
    };
    let columns: Vec<usize> =
        header.iter().enumerate().filter(|(_, name)| is_asked(name.trim())).map(|(at, _)| at).collect();
    let mut values = Vec::new();
    for (row, record) in (1..).zip(reader.records().map_while(Result::ok)) {
        let cells = columns.iter().filter_map(|at| record.get(*at)).map(|cell| cell.trim().to_lowercase());
        values.extend(cells.filter(|cell| !cell.is_empty()).map(|cell| (row, cell)));
    }
    values
}
