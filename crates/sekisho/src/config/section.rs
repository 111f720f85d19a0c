//! Reading one table of the operator's file: typed fields with their places, every error kept, unknown fields refused.
//!
//! A field that is missing or wrong yields `None` and a diagnostic; the caller goes on, so that all errors of a file
//! are told at once.

use super::Depth;
use sekisho_model::{Diagnostic, Severity};
use std::cell::RefCell;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The operator's file, and what is wrong with it so far.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    /// How much of the files that it names is read.
    pub(super) depth: Depth,
    told: RefCell<Vec<Diagnostic>>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A table of the file.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    /// As the operator would write it: `[[route]]`.
    name: &'a str,
    table: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, depth: Depth) -> Source<'a> {
        Source { file, depth, told: RefCell::new(Vec::new()) }
    }

    /// What was found in a file that the operator's names; its places are its own.
    pub(super) fn tell_of_another(&self, told: impl IntoIterator<Item = Diagnostic>) {
        self.told.borrow_mut().extend(told);
    }

    pub(super) fn tell(&self, diagnostic: Diagnostic, span: &Range<usize>) {
        self.told.borrow_mut().push(diagnostic.at(self.file, span.clone()));
    }

    pub(super) fn has_errors(&self) -> bool {
        self.told.borrow().iter().any(|told| told.severity == Severity::Error)
    }

    /// What was told, in the file's order; then what was found in others.
    pub(super) fn into_told(self) -> Vec<Diagnostic> {
        let mut told = self.told.into_inner();
        told.sort_by_key(|told| {
            told.spans.first().map_or((false, 0), |span| (span.file != self.file, span.bytes.start))
        });
        told
    }
}

impl<'a> Section<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        name: &'a str,
        table: &'a DeTable<'a>,
        span: Range<usize>,
    ) -> Section<'a> {
        Section { source, name, table, span, asked: RefCell::default() }
    }

    /// The field's value, whatever its type.
    fn value(&self, field: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(field);
        self.table.get(field)
    }

    pub(super) fn string(&self, field: &'static str) -> Option<At<String>> {
        let value = self.value(field)?;
        let Some(text) = value.get_ref().as_str() else { return self.wrong_type(field, value, "a string") };
        Some(At { value: text.to_owned(), span: value.span() })
    }

    /// A string that must be there.
    pub(super) fn required(&self, field: &'static str, example: &str) -> Option<At<String>> {
        if self.table.get(field).is_none() {
            self.asked.borrow_mut().push(field);
            let title = format!("`{}` has no `{field}`", self.name);
            self.source.tell(Diagnostic::error("SK004", title).help(format!("add {field} = {example}")), &self.span);
            return None;
        }
        self.string(field)
    }

    pub(super) fn boolean(&self, field: &'static str) -> Option<bool> {
        let value = self.value(field)?;
        value.get_ref().as_bool().or_else(|| self.wrong_type(field, value, "true or false"))
    }

    pub(super) fn strings(&self, field: &'static str) -> Option<Vec<At<String>>> {
        let value = self.value(field)?;
        let Some(array) = value.get_ref().as_array() else { return self.wrong_type(field, value, "a list of strings") };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(At { value: text.to_owned(), span: item.span() }),
                None => _ = self.wrong_type::<()>(field, item, "a string"),
            }
        }
        Some(texts)
    }

    /// A whole number of at least 1.
    pub(super) fn number(&self, field: &'static str) -> Option<At<u64>> {
        let value = self.value(field)?;
        let Some(number) = value.get_ref().as_integer() else { return self.wrong_type(field, value, "a whole number") };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number @ 1..) => Some(At { value: number, span: value.span() }),
            _ => {
                let title = format!("`{field}` must be 1 or more");
                self.source.tell(Diagnostic::error("SK007", title).help("leave it out for the default"), &value.span());
                None
            }
        }
    }

    /// A string that `parse` understands; what it does not is an error with that code and help.
    pub(super) fn parsed<T>(
        &self,
        field: &'static str,
        code: &'static str,
        wants: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<At<T>> {
        let text = self.string(field)?;
        self.parse(field, &text, code, wants, parse)
    }

    pub(super) fn parse<T>(
        &self,
        field: &str,
        text: &At<String>,
        code: &'static str,
        wants: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<At<T>> {
        let parsed = parse(&text.value);
        if parsed.is_none() {
            let title = format!("`{field}` cannot be read: `{}`", text.value);
            self.source.tell(Diagnostic::error(code, title).help(format!("write {wants}")), &text.span);
        }
        parsed.map(|value| At { value, span: text.span.clone() })
    }

    /// The sub-tables `[[name]]`, or the one table `[name]`.
    pub(super) fn tables(&self, field: &'static str, name: &'a str) -> Vec<Section<'a>> {
        let Some(value) = self.value(field) else { return Vec::new() };
        let section = |value: &'a Spanned<DeValue<'a>>| match value.get_ref().as_table() {
            Some(table) => Some(Section::new(self.source, name, table, value.span())),
            None => self.wrong_type(field, value, &format!("a table `{name}`")),
        };
        match value.get_ref().as_array() {
            Some(array) => array.iter().filter_map(section).collect(),
            None => section(value).into_iter().collect(),
        }
    }

    pub(super) fn table(&self, field: &'static str, name: &'a str) -> Option<Section<'a>> {
        let value = self.value(field)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section::new(self.source, name, table, value.span())),
            None => self.wrong_type(field, value, &format!("a table `{name}`")),
        }
    }

    /// Tells every field that nobody asked for.
    pub(super) fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            let title = format!("`{}` has no field `{name}`", self.name);
            let help = match nearest(name, &asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has: {}", asked.join(", ")),
            };
            self.source.tell(Diagnostic::error("SK002", title).help(help), &key.span());
        }
    }

    fn wrong_type<T>(&self, field: &str, value: &Spanned<DeValue<'_>>, wants: &str) -> Option<T> {
        let title = format!("`{field}` is {}, not {wants}", article(value.get_ref().type_str()));
        self.source.tell(Diagnostic::error("SK003", title), &value.span());
        None
    }
}

fn article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {word}", if vowel { "an" } else { "a" })
}

/// The known name that a misspelt one was probably meant to be.
pub(super) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let distances = known.iter().map(|candidate| (edits(name, candidate), *candidate));
    distances.filter(|(edits, candidate)| *edits <= candidate.chars().count().div_ceil(3)).min().map(|(_, near)| near)
}

/// Insertions, deletions and replacements between two words (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(row[column + 1] + 1);
        }
    }
    row[to.len()]
}
