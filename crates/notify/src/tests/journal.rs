//! The journal at every cut, edited, set back, and written by many.

use super::*;

fn parse(bytes: &[u8], known: &[Head]) -> Result<(Vec<Entry>, Extent), Error> {
    let mut entries = Vec::new();
    let extent = read_lines(bytes, Path::new("journal.log"), known, |entry| {
        entries.push(entry);
        Ok(())
    })?;
    Ok((entries, extent))
}

#[test]
fn a_line_that_never_ends_is_an_error_and_pages_never_written_are_a_torn_tail() {
    let (bytes, _) = journal_bytes(2);
    let long = [bytes.as_slice(), &vec![b'x'; 3 << 20]].concat();
    let told = parse(&long, &[]).expect_err("refused").to_string();
    assert!(told.contains("line 3"), "{told}");
    let zeros = [bytes.as_slice(), &vec![0; 3 << 20]].concat();
    let (_, extent) = parse(&zeros, &[]).expect("torn");
    assert_eq!((extent.head.lines, extent.torn_bytes), (2, 3 << 20));
}

fn journal_bytes(count: u16) -> (Vec<u8>, Vec<Entry>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("journal.log");
    let (mut journal, _) = Journal::open(&path, &[], |_| Ok(())).expect("a journal");
    let planned = |notice| Event::Planned { person: person("x"), notice, fields: vec!["名".into()], way: Way::Mail };
    let entries: Vec<Entry> = (1..=count).map(|notice| entry(planned(notice))).collect();
    journal.append(&entries).expect("appended");
    drop(journal);
    (std::fs::read(&path).expect("the file"), entries)
}

#[test]
fn a_journal_cut_at_any_byte_holds_every_whole_line() {
    let (bytes, entries) = journal_bytes(3);
    for end in 0..=bytes.len() {
        let (read, extent) = parse(&bytes[..end], &[]).expect("a torn tail is no error");
        let whole = bytes[..end].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read, entries[..whole], "cut at {end}");
        assert_eq!((extent.head.lines, extent.whole_bytes + extent.torn_bytes), (whole as u64, end as u64));
    }
}

#[test]
fn a_cut_journal_goes_on_and_an_edited_one_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("journal.log");
    let (bytes, entries) = journal_bytes(3);
    std::fs::write(&path, &bytes[..bytes.len() - 7]).expect("written");
    let (mut journal, extent) = Journal::open(&path, &[], |_| Ok(())).expect("a journal");
    assert_eq!((extent.head.lines, extent.torn_bytes > 0), (2, true));
    assert!(matches!(Journal::open(&path, &[], |_| Ok(())), Err(Error::InUse(_))), "one writer at a time");
    assert!(Journal::is_in_use(&path));
    journal.append(&entries[2..]).expect("appended");
    let head = journal.head();
    drop(journal);
    assert_eq!(std::fs::read(&path).expect("the file"), bytes, "as if it had never been cut");
    assert_eq!(Journal::read(&path, &[head], |_| Ok(())).expect("whole").missing, None);
    let mut edited = bytes.clone();
    let at = edited.windows(4).position(|word| word == b"sato").expect("the operator");
    edited[at] = b'S';
    let told = parse(&edited, &[]).expect_err("refused").to_string();
    assert!(told.contains("line 1") && told.contains("changed"), "{told}");
    assert_eq!(parse(&bytes[..bytes.len() / 2], &[head]).expect("cut").1.missing, Some(head), "set back");
    let begin = Head { lines: 0, chain: [0; 32] };
    assert_eq!(parse(&bytes, &[head, begin]).expect("whole").1.missing, None, "in any order");
    let other = Head { lines: 2, chain: [9; 32] };
    assert_eq!(parse(&bytes, &[head, other]).expect("whole").1.missing, Some(other), "begun anew");
}

#[test]
fn writers_share_syncs_and_lose_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("journal.log");
    let (journal, _) = Journal::open(&path, &[], |_| Ok(())).expect("a journal");
    let writer = Writer::start(journal);
    let planned = |notice| Event::Planned { person: person("x"), notice, fields: Vec::new(), way: Way::Mail };
    let waits: Vec<_> = (1..=500).map(|notice| writer.append(entry(planned(notice)))).collect();
    waits.into_iter().for_each(|wait| wait.blocking_recv().expect("durable"));
    let journal = writer.finish().expect("the journal");
    assert_eq!(journal.head().lines, 500);
    assert_eq!(Journal::read(&path, &[], |_| Ok(())).expect("whole").head.lines, 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_behind_a_journal_are_an_error_or_are_cut(tail in proptest::collection::vec(any::<u8>(), 0..64)) {
        let (bytes, entries) = journal_bytes(2);
        let with_tail = [bytes.as_slice(), &tail].concat();
        if let Ok((read, _)) = parse(&with_tail, &[]) {
            prop_assert_eq!(read, entries);
        }
    }
}
