//! Makes the codes of a mailing: rows of `sekisho scope --format csv` in, `row_key,code` out, and the store for the page.

use crate::Error;
use crate::keys::{CodeKey, LookupKey};
use crate::notice::Notice;
use crate::store::{CODES_MAX, Store};
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};

/// Makes a code for each row of the CSV (`register,row_key,fields`, other columns are ignored), writes
/// `register,row_key,code` in the same order, and returns the store. `mails` opens the page's second door: who shows that
/// an address is theirs gets a code by mail; without any, there is none.
pub fn make(
    notice: Notice,
    keys: (&CodeKey, &LookupKey),
    rows: impl Read,
    mails: &Mails,
    mailing: impl Write,
) -> Result<Store, Error> {
    let mut reader = csv::Reader::from_reader(rows);
    let unreadable = |err: csv::Error| Error::Rows(err.to_string());
    let header = reader.headers().map_err(unreadable)?.clone();
    let column = |name: &str| {
        let place = header.iter().position(|has| has.trim_start_matches('\u{feff}') == name);
        place.ok_or_else(|| Error::Rows(format!("there is no column `{name}`; use `sekisho scope --format csv`")))
    };
    let (register, row_key, fields) = (column("register")?, column("row_key")?, column("fields")?);
    let mut output = csv::Writer::from_writer(mailing);
    output.write_record(["register", "row_key", "code"]).map_err(Error::WriteCodes)?;
    let (mut entries, mut addresses) = (Vec::new(), Vec::new());
    let mut first: Option<String> = None;
    for row in reader.into_records() {
        let row = row.map_err(unreadable)?;
        if entries.len() == CODES_MAX {
            return Err(Error::Rows(format!("there are more than {CODES_MAX}; split the case")));
        }
        let of = first.get_or_insert_with(|| row[register].to_owned());
        // Two registers may number their rows alike: an address of the one would be a stranger's in the other.
        if !mails.is_empty() && *of != row[register] {
            let other = &row[register];
            return Err(Error::Rows(format!(
                "they are of `{of}` and `{other}`, and mail addresses are read from one register; make a store for each, \
                 or leave --register out"
            )));
        }
        let code = keys.0.code(&notice.case, &row[register], &row[row_key]);
        let left = notice.left(&row[fields])?;
        entries.push((keys.1.hash(&code), left));
        addresses.extend(mails.get(row[row_key].trim()).map(|mail| (keys.1.hash_mail(mail), left)));
        output.write_record([&row[register], &row[row_key], &code.printed()]).map_err(Error::WriteCodes)?;
    }
    output.flush().map_err(|err| Error::WriteCodes(err.into()))?;
    Store::new(notice, entries, addresses)
}

/// Mail addresses by row key, read from the firm's register at the moment of use.
pub type Mails = HashMap<String, String>;

/// Reads two columns of a register in UTF-8. Rows without an address have none.
pub fn mails(register: impl Read, row_key: &str, mail: &str) -> Result<Mails, Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(register);
    let unreadable = |err: csv::Error| Error::Rows(format!("the register: {err}"));
    let header = reader.headers().map_err(unreadable)?.clone();
    let column = |name: &str| {
        let place = header.iter().position(|has| has.trim().trim_start_matches('\u{feff}') == name);
        place.ok_or_else(|| Error::Rows(format!("the register has no column `{name}`")))
    };
    let (row_key, mail) = (column(row_key)?, column(mail)?);
    let mut mails = Mails::new();
    let mut seen = HashSet::new();
    for (number, row) in (2u64..).zip(reader.into_records()) {
        let row = row.map_err(unreadable)?;
        let Some(key) = row.get(row_key).map(str::trim).filter(|key| !key.is_empty()) else { continue };
        if !seen.insert(key.to_owned()) {
            return Err(Error::Rows(format!(
                "the register's row {number} has the row key of a row before it; whose address is meant is not known"
            )));
        }
        if let Some(address) = row.get(mail).map(str::trim).filter(|address| address.contains('@')) {
            mails.insert(key.to_owned(), address.to_owned());
        }
    }
    Ok(mails)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::CaseCode;
    use crate::notice::{EXAMPLE, Left};

    #[test]
    fn an_address_is_never_taken_from_a_row_that_may_be_another_persons() {
        let (code, lookup) =
            (CodeKey::parse(&"11".repeat(16)).expect("a key"), LookupKey::parse(&"22".repeat(16)).expect("a key"));
        let known = mails(REGISTER.as_bytes(), "id", "mail").expect("a register");
        // Two registers may number their rows alike.
        let rows = "register,row_key,fields\ncustomers,10001,email\napplicants,10001,email\n";
        let notice = Notice::parse(EXAMPLE).expect("a notice");
        let told =
            make(notice, (&code, &lookup), rows.as_bytes(), &known, Vec::new()).expect_err("refused").to_string();
        assert!(told.contains("`customers`") && told.contains("`applicants`"), "{told}");
        let twice = format!("{REGISTER}10001,hanako@example.jp\n");
        let told = mails(twice.as_bytes(), "id", "mail").expect_err("refused").to_string();
        assert!(told.contains("row 5") && !told.contains("10001"), "{told}");
    }

    const REGISTER: &str = "id,mail\n10001,Taro@example.jp\n10002,\n10003,jiro@example.jp\n";

    fn make_from(rows: &str) -> Result<(Store, String), Error> {
        let notice = Notice::parse(EXAMPLE).expect("a notice");
        let code = CodeKey::parse(&"11".repeat(16)).expect("a key");
        let lookup = LookupKey::parse(&"22".repeat(16)).expect("a key");
        let mut mailing = Vec::new();
        let store =
            make(notice, (&code, &lookup), rows.as_bytes(), &mails(REGISTER.as_bytes(), "id", "mail")?, &mut mailing)?;
        Ok((store, String::from_utf8(mailing).expect("a text file")))
    }

    #[test]
    fn each_row_gets_the_code_that_the_store_knows() {
        let rows =
            "register,row_key,fields,first,last,responses\ncustomers,10001,name email,,,3\ncustomers,10002,email,,,1\n";
        let (store, mailing) = make_from(rows).expect("codes");
        let lookup = LookupKey::parse(&"22".repeat(16)).expect("a key");
        let found = mailing.lines().skip(1).map(|line| {
            let code = CaseCode::parse(line.rsplit(',').next().expect("a column")).expect("a code");
            let hash = lookup.hash(&code);
            store.entries().iter().find(|(known, _)| *known == hash).map(|(_, left)| *left)
        });
        assert_eq!(found.collect::<Vec<_>>(), [Some(Left(3)), Some(Left(2))]);
        assert_eq!(
            store.mails(),
            [(lookup.hash_mail("taro@EXAMPLE.jp "), Left(3))],
            "of those who have one, in the rows"
        );
        assert!(!format!("{store:?}").contains("10001"), "the store knows no row keys");
    }

    #[test]
    fn rows_that_cannot_be_used_are_told() {
        for (rows, expected) in [
            ("row_key,fields\n1,email\n", "no column `register`"),
            ("register,row_key,fields\nc,1,phone\n", "`phone` is not in the notice"),
            ("register,row_key,fields\nc,1,email\nc,1,name\n", "two rows have the same code"),
        ] {
            let problem = make_from(rows).expect_err("refused").to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
