//! The historical cases of `registry/` as the public register shows them: the text of each page stands in
//! `scenarios/<case>/expected/register-<language>.txt`, read by people. `SEKISHO_WRITE_EXPECTED=1 cargo test -p sekisho-watch
//! scenarios` writes it anew.

use super::site::build;
use sekisho_testkit::page;
use std::path::Path;

#[test]
fn every_historical_case_has_its_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let incidents = super::read(&root.join("registry")).expect("the register's entries");
    let site = build(&incidents, None, "https://register.example/").expect("a site");
    let cases = [
        ("yjfx-2016", "yjfx"),
        ("money-square-2017", "money-square"),
        ("fx-on-2017", "fx-on"),
        ("fx-prime-2015", "fx-prime"),
        ("seven-bank-2015", "seven-bank"),
        ("kabu-com-2017", "kabu-com"),
    ];
    assert_eq!(incidents.len(), cases.len(), "a case without a scenario");
    for (id, case) in cases {
        for language in ["ja", "en"] {
            let folder = if language == "ja" { "" } else { "en/" };
            let html = &site.files[&format!("{folder}incidents/{id}.html")];
            let text = page::text(&String::from_utf8_lossy(html));
            page::expect(&root.join(format!("scenarios/{case}/expected/register-{language}.txt")), &text);
        }
    }
}
