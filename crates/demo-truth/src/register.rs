//! The firm's files, in clear: the referee may know what Sekisho must not keep.

use crate::text::characters;

/// What a column holds, told by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mail,
    Id,
    Phone,
    Card,
    Secret,
    Name,
    /// Not looked for.
    Other,
}

/// A column.
pub(crate) struct Column {
    pub(crate) head: String,
    pub(crate) kind: Kind,
}

/// A register: columns, and each person's cells.
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Register {
    /// Splits lines at commas: the sample site's files have no quotes.
    pub(crate) fn parse(name: &str, csv: &str) -> Result<Register, String> {
        let mut lines = csv.lines();
        let heads = lines.next().ok_or_else(|| format!("the register `{name}` is empty"))?;
        let columns: Vec<Column> =
            heads.split(',').map(|head| Column { head: head.to_owned(), kind: kind(head) }).collect();
        let rows: Vec<Vec<String>> = lines.map(|line| line.split(',').map(str::to_owned).collect()).collect();
        match rows.iter().position(|row| row.len() != columns.len()) {
            Some(at) => Err(format!("line {} of the register `{name}` has another number of cells", at + 2)),
            None if columns.iter().all(|column| column.kind != Kind::Id) => {
                Err(format!("the register `{name}` has no column with the persons' numbers"))
            }
            None => Ok(Register { name: name.to_owned(), columns, rows }),
        }
    }

    /// The firm's own number of the person in a row.
    pub(crate) fn key(&self, row: usize) -> &str {
        let column = self.columns.iter().position(|column| column.kind == Kind::Id);
        column.map_or("", |column| &self.rows[row][column])
    }
}

fn kind(head: &str) -> Kind {
    match head {
        "email" => Kind::Mail,
        "account_id" | "applicant_id" => Kind::Id,
        "phone" => Kind::Phone,
        "card" => Kind::Card,
        "password_hash" => Kind::Secret,
        "name" | "kana" | "romaji" => Kind::Name,
        _ => Kind::Other,
    }
}

/// Surname and given name, or the two words of a Latin name, in the text's form.
pub(crate) fn name_parts(name: &str) -> Option<[Vec<char>; 2]> {
    let text = characters(&name.to_lowercase());
    let mut parts = text.split(|character| *character == ' ').map(<[char]>::to_vec);
    Some([parts.next()?, parts.next()?])
}
