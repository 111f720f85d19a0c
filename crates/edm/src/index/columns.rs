//! What a build says of columns: why one is not examined (SCO-1), and what of its values cannot be found.

use super::Register;
use super::table::SHARED_IDS_MAX;
use crate::register::ColumnConfig;
use sekisho_model::{Diagnostic, Field, FieldIndex, FieldKind};

/// Why a register's names are not looked for at all.
const NAME_NEEDS: &str = "names are looked for only near a mail, account number, card or phone of the same person, and the \
                          register has none";

/// The columns of an earlier build, as those that are there no longer.
pub(super) fn former_fields(former: &[Field]) -> Vec<Field> {
    let not_examined = Some(Field::FORMER.to_owned());
    former
        .iter()
        .map(|field| Field { not_examined: not_examined.clone(), values_not_indexed: 0, ..field.clone() })
        .collect()
}

/// SCO-1: what is not looked for says why.
pub(super) fn tell_not_examined(fields: &mut [Field], register: &Register) {
    let values: Vec<(FieldIndex, u64)> = register.values_of(|_| true).collect();
    let count =
        |at: usize| values.iter().find(|(field, _)| usize::from(field.0) == at).map_or(0, |(_, values)| *values);
    let has_anchor = register.values.iter().any(|column| !column.table.hashes().is_empty());
    for (at, field) in fields.iter_mut().enumerate().filter(|(_, field)| !field.is_former()) {
        field.not_examined = match field.kind {
            kind @ (FieldKind::BirthDate | FieldKind::Address | FieldKind::Text) => {
                Some(format!("no detector for `{}` yet", kind.name()))
            }
            _ if count(at) == 0 && field.values_not_indexed == 0 => {
                Some("the register holds no value of it".to_owned())
            }
            FieldKind::Name | FieldKind::Kana | FieldKind::Romaji if !has_anchor => Some(NAME_NEEDS.to_owned()),
            _ => None,
        };
    }
}

pub(super) fn warn_shared(column: &ColumnConfig, cells: usize) -> Diagnostic {
    let title =
        format!("{cells} cells of column `{}` hold a value that more than {SHARED_IDS_MAX} persons share", column.name);
    Diagnostic::warning("SK148", title).help("such a value identifies nobody and is not looked for")
}

pub(super) fn warn_not_indexed(column: &ColumnConfig, values: u64) -> Diagnostic {
    let wanted = match column.kind {
        FieldKind::Email => "a mail address such as `name@example.jp`",
        FieldKind::AccountId => "letters and digits with four digits in a row, and the pattern if one is set",
        FieldKind::Pan => "13 to 19 digits with a right check digit",
        FieldKind::Phone => "10 or 11 digits that begin with 0, or a number that begins with +81",
        FieldKind::Secret => "at most 256 ASCII characters with 12 letters or digits in a row",
        FieldKind::Name | FieldKind::Kana | FieldKind::Romaji => {
            "a surname and a given name with a space between them, or at least two characters"
        }
        FieldKind::BirthDate | FieldKind::Address | FieldKind::Text => "any text",
    };
    let title = format!("{values} values of column `{}` cannot be indexed and are never found", column.name);
    Diagnostic::warning("SK149", title).help(format!("{} is {wanted}", column.kind.name()))
}

pub(super) fn warn_forgotten(field: &Field, values: u64) -> Diagnostic {
    let title = format!(
        "column `{}` of kind `{}` is gone, and with it {values} values of persons who are no longer in the file",
        field.name,
        field.kind.name()
    );
    let help = "they are not looked for any more; name the column as before and give it its kind to keep them";
    Diagnostic::warning("SK153", title).help(help)
}
