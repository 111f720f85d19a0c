//! The historical cases of `scenarios/`, from their facts to deadlines and drafts: what comes out stands in `expected/`, read by
//! people. `SEKISHO_WRITE_EXPECTED=1 cargo test -p sekisho-incident` writes it anew.

use crate::deadline::{Deadline, Due, compute};
use crate::regime::{Kind, built_in};
use crate::report::draft;
use crate::{Case, Event, Language};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name)
}

fn case(name: &str) -> Case {
    #[derive(serde::Deserialize)]
    struct File {
        event: Vec<toml::Table>,
    }
    let path = folder(name).join("events.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let file: File = toml::from_str(&text).expect("a scenario");
    let event = |mut table: toml::Table| -> Event {
        table.insert("case".to_owned(), name.into());
        table.insert("operator".to_owned(), "scenario".into());
        table.try_into().unwrap_or_else(|err| panic!("{name}: {err}"))
    };
    Case::fold(&file.event.into_iter().map(event).collect::<Vec<_>>()).expect("a case")
}

fn deadlines(case: &Case) -> Vec<Deadline> {
    compute(case, &built_in().expect("regimes")).expect("computed").deadlines
}

fn shown(deadlines: &[Deadline]) -> String {
    let mut text = String::new();
    for deadline in deadlines {
        let due = match &deadline.due {
            Due::Promptly => "速やかに".to_owned(),
            Due::At { at, .. } => at.to_string(),
            Due::On { day, guide_from: Some(from), .. } => format!("{from} から {day}"),
            Due::On { day, .. } => day.to_string(),
        };
        let intrusion = deadline.intrusion.as_ref().map_or_else(String::new, |name| format!("（{name}）"));
        let _ =
            writeln!(text, "{} {}{intrusion}: {due}\n    {}", deadline.obligation, deadline.label_ja, deadline.why_ja);
    }
    text
}

fn expect(name: &str, file: &str, found: &str) {
    let path = folder(name).join("expected").join(file);
    if std::env::var_os("SEKISHO_WRITE_EXPECTED").is_some() {
        std::fs::write(&path, found).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    assert_eq!(found, expected, "{}", path.display());
}

fn check(name: &str, report: Option<&str>) {
    let case = case(name);
    let deadlines = deadlines(&case);
    expect(name, "deadlines.txt", &shown(&deadlines));
    if let Some(obligation) = report {
        let draft = draft(&case, &built_in().expect("regimes"), obligation, Language::Ja).expect("a draft");
        expect(name, "report.md", &draft.markdown(&case, Language::Ja));
    }
    assert!(case.warnings.is_empty(), "the parts sum: {:?}", case.warnings);
}

#[test]
fn yjfx_both_figures_stay_and_the_parts_sum() {
    check("yjfx", Some("jp.appi.prelim"));
    let told: Vec<u64> =
        case("yjfx").counts.iter().filter(|count| count.set == "total").map(|count| count.value).collect();
    assert_eq!(told, [185_626, 185_637]);
}

#[test]
fn money_square_an_older_intrusion_has_deadlines_of_its_own() {
    check("money-square", Some("jp.appi.prelim"));
    let found = deadlines(&case("money-square"));
    for intrusion in ["web", "older"] {
        let own = |deadline: &&Deadline| {
            deadline.obligation == "jp.appi.final" && deadline.intrusion.as_deref() == Some(intrusion)
        };
        assert_eq!(found.iter().filter(own).count(), 1, "{intrusion}");
    }
}

#[test]
fn fx_on_cards_are_property_at_risk_and_persons_are_told() {
    check("fx-on", Some("jp.appi.final"));
    assert!(deadlines(&case("fx-on")).iter().any(|deadline| deadline.kind == Kind::Person));
}

#[test]
fn an_outage_without_a_leak_has_outage_obligations_and_tells_no_person() {
    for name in ["fx-prime", "seven-bank", "kabu-com"] {
        check(name, None);
        let found = deadlines(&case(name));
        assert!(found.iter().any(|deadline| deadline.obligation.starts_with("jp.fsa.outage")), "{name}");
        assert!(!found.iter().any(|deadline| deadline.kind == Kind::Person), "{name}");
        assert!(!found.iter().any(|deadline| deadline.obligation.starts_with("jp.appi")), "{name}");
    }
}
