//! Bad configurations and what the operator reads: each names what, where and how to mend it.

use super::Depth;
use super::resolve::resolve;
use crate::report::{Shown, render};
use annotate_snippets::Renderer;
use sekisho_model::Severity;
use std::path::Path;

/// A directory with good keys and a register file.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    crate::keys::create(&directory.path().join("keys")).expect("keys");
    std::fs::write(directory.path().join("customers.csv"), "id,name,email\n1,山田太郎,a@example.jp\n").expect("a file");
    directory
}

const GOOD: &str = r#"[[listener]]
address = "127.0.0.1:8080"

[[upstream]]
name = "site"
url = "http://127.0.0.1:3000"

[[route]]
path = "/"
upstream = "site"
"#;

fn told_in(directory: &Path, text: &str) -> String {
    let (_, told) = resolve(text, "sekisho.toml", directory, Depth::Whole);
    let shown = Shown { file: "sekisho.toml", text };
    let rendered = told.iter().map(|told| render(told, shown, &Renderer::plain())).collect::<Vec<_>>().join("\n");
    rendered.replace(&directory.display().to_string(), "DIR")
}

/// What is told of a good configuration with this beside it.
fn told(more: &str) -> String {
    told_in(directory().path(), &format!("{GOOD}{more}"))
}

/// What is told of a good configuration with one part replaced.
fn told_with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` stands in the good configuration");
    told_in(directory().path(), &GOOD.replace(from, to))
}

#[test]
fn a_good_configuration_has_nothing_to_tell() {
    let directory = directory();
    let (config, told) = resolve(GOOD, "sekisho.toml", directory.path(), Depth::Whole);
    assert!(told.is_empty(), "{told:?}");
    let config = config.expect("a configuration");
    assert_eq!(config.gateway.routes[0].path_prefix, "/");
    assert_eq!(config.ledger.directory, directory.path().join("ledger"));
}

#[test]
fn warnings_leave_the_configuration_usable() {
    let directory = directory();
    let text = format!("{GOOD}inspect = false\n");
    let (config, told) = resolve(&text, "sekisho.toml", directory.path(), Depth::Whole);
    assert!(config.is_some());
    assert_eq!(told.iter().map(|told| told.severity).collect::<Vec<_>>(), [Severity::Warning]);
}

/// What is told of a register file with these rows.
fn told_of_rows(rows: &str) -> String {
    let directory = directory();
    std::fs::write(directory.path().join("customers.csv"), format!("id,name,email\n{rows}")).expect("a file");
    let column = "column = [{ name = \"email\", kind = \"email\" }]\n";
    told_in(directory.path(), &format!("{GOOD}{REGISTER}{column}"))
}

/// What is told of a certificate and a key that are text.
fn told_of_tls() -> String {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    for file in ["site.pem", "site.key"] {
        let path = directory.path().join(file);
        std::fs::write(&path, "no PEM\n").expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    told_in(directory.path(), &GOOD.replace("8080\"", "8080\"\ncertificate = \"site.pem\"\nkey = \"site.key\""))
}

macro_rules! golden {
    ($($name:ident: $told:expr;)*) => {
        $(#[test] fn $name() { insta::assert_snapshot!($told); })*
    };
}

const LOGIN: &str = "\n[[login]]\npath = \"/login\"\nfield = \"mail\"\n";
const REGISTER: &str = "\n[[register]]\nname = \"account_holders\"\nfile = \"customers.csv\"\nrow_key = \"id\"\n";

golden! {
    not_toml: told("[[route]\nx = \n");
    two_syntax_errors_at_once: told_with("address = \"127.0.0.1:8080\"", "address = 127.0.0.1\nx = = 1");
    unclosed_string: told_with("upstream = \"site\"", "upstream = \"site");
    empty: told_in(directory().path(), "");
    unknown_field: told_with("upstream = \"site\"", "upstream = \"site\"\ninspekt = true");
    unknown_table: told("\n[limit]\nx = 1\n");
    unknown_field_unlike_any: told("\n[admin]\naddress = \"127.0.0.1:9\"\nzzzzzz = 1\n");
    wrong_type: told_with("\"127.0.0.1:8080\"", "8080");
    wrong_type_of_table: told("\n[[admin]]\naddress = \"127.0.0.1:9\"\n");
    missing_field: told_with("name = \"site\"\n", "");
    bad_duration: told("\n[deadlines]\nconnect = \"5 parsecs\"\n");
    bad_size: told("\n[limits]\nheld_bytes_max = \"64 kib\"\n");
    bad_number: told("\n[limits]\nconnections_max = 0\n");
    bad_address: told_with("127.0.0.1:8080", "localhost");
    bad_url: told_with("http://127.0.0.1:3000", "ftp://127.0.0.1");
    url_with_path: told_with("http://127.0.0.1:3000", "http://127.0.0.1:3000/app");
    bad_network: told_with("[[listener]]", "trusted_peers = [\"10.0.0.0/33\"]\n[[listener]]");
    unknown_upstream: told_with("upstream = \"site\"", "upstream = \"sight\"");
    bad_host: told_with("path = \"/\"", "host = \"*.example.jp\"");
    bad_path: told_with("path = \"/\"", "path = \"members\"");
    listener_twice: told("\n[[listener]]\naddress = \"127.0.0.1:8080\"\n");
    admin_is_a_listener: told("\n[admin]\naddress = \"127.0.0.1:8080\"\n");
    proxy_protocol_without_peers: told_with("8080\"", "8080\"\nproxy_protocol = true");
    half_of_tls: told_with("8080\"", "8080\"\ncertificate = \"site.pem\"");
    tls_files_missing: told_with("8080\"", "8080\"\ncertificate = \"site.pem\"\nkey = \"site.key\"");
    upstream_twice: told("\n[[upstream]]\nname = \"site\"\nurl = \"http://127.0.0.1:3001\"\n");
    upstream_unused: told("\n[[upstream]]\nname = \"other\"\nurl = \"http://127.0.0.1:3001\"\n");
    route_twice: told("\n[[route]]\nupstream = \"site\"\n");
    route_not_inspected: told("inspect = false\n");
    register_without_columns: told(REGISTER);
    register_misses_a_column: told(&format!("{REGISTER}column = [{{ name = \"mail\", kind = \"email\" }}]\n"));
    register_misses_its_row_key: told(&format!("{}column = [{{ name = \"email\", kind = \"email\" }}]\n", REGISTER.replace("\"id\"", "\"kyaku\"")));
    register_file_missing: told(&format!("{}column = [{{ name = \"email\", kind = \"email\" }}]\n", REGISTER.replace(".csv", ".xlsx")));
    column_twice: told(&format!("{REGISTER}column = [{{ name = \"email\", kind = \"email\" }}, {{ name = \"email\", kind = \"text\" }}]\n"));
    unknown_kind: told(&format!("{REGISTER}column = [{{ name = \"name\", kind = \"nane\" }}]\n"));
    bad_pattern: told(&format!("{REGISTER}column = [{{ name = \"id\", kind = \"account_id\", pattern = \"[0-9\" }}]\n"));
    pattern_of_another_kind: told(&format!("{REGISTER}column = [{{ name = \"name\", kind = \"name\", pattern = \".*\" }}]\n"));
    bad_encoding: told(&format!("{REGISTER}encoding = \"euc\"\n"));
    ledger_deadline_without_unit: told("\n[ledger]\nsync_deadline = \"5\"\n");
    ledger_deadline_too_long: told("\n[ledger]\nsync_deadline = \"5m\"\n");
    ledger_seal_after_no_records: told("\n[ledger]\nseal_after_records = 0\n");
    emergency_on_the_same_device: told("\n[ledger]\nemergency_directory = \"emergency\"\n");
    emergency_is_the_ledger: told("\n[ledger]\ndirectory = \"l\"\nemergency_directory = \"l\"\n");
    keys_inside_the_ledger: told("\n[ledger]\ndirectory = \".\"\n");
    keys_missing: told("\n[keys]\ndirectory = \"nowhere\"\n");
    route_own_without_login: told("class = \"own\"\n");
    route_of_another_class: told("class = \"his\"\nforeign = \"drop\"\n");
    foreign_without_effect: told("foreign = \"block\"\n");
    login_of_nobody: told(&format!("{LOGIN}kind = \"name\"\nsuccess_location = \"/my\"\n"));
    login_success_unknown: told(&format!("{LOGIN}kind = \"email\"\n{REGISTER}column = [{{ name = \"email\", kind = \"email\" }}]\n"));
    login_failure_redirects_too: told(&format!("{LOGIN}kind = \"email\"\nsuccess_status = 303\n{REGISTER}column = [{{ name = \"email\", kind = \"email\" }}]\n"));
    login_good: told(&format!("class = \"own\"\nforeign = \"block\"\n{LOGIN}kind = \"email\"\nsuccess_location = \"/my\"\n{REGISTER}column = [{{ name = \"email\", kind = \"email\" }}]\n"));
    login_by_field_and_signature: told(&format!("{LOGIN}signed = {{ bearer = true, jwks = \"none.json\", claim = \"sub\", kind = \"account\" }}\n"));
    login_token_without_bearer: told("\n[session]\nbearer = false\n\n[[login]]\npath = \"/l\"\nfield = \"id\"\nkind = \"account\"\nsuccess_status = 200\ntoken_field = \"token\"\n");
    budgets_of_nobody: told("\n[staff]\nsubjects_per_hour_max = 200\nsubjects_per_day_max = 100\n\n[clients]\npersons_per_hour_max = 20\nnever = [\"10.0.0\"]\n");
    account_twice: told("\n[[account]]\nname = \"ito\"\n[[account]]\nname = \"ito\"\n");
    hours_of_no_place: told("\n[hours]\ntime_zone = \"Asia/Edo\"\nworking = \"9-18\"\n");
    case_in_two_places: told("case_header = \"x case\"\ncase_query = \"case\"\ncase_path = \"/cases\"\n");
    cases_asked_nowhere: told("\n[cases]\nopen = \"open.txt\"\n");
    upstream_twice_beside_a_bad_url: told_with("http://127.0.0.1:3000", "3000\"\n[[upstream]]\nname = \"site\"\nurl = \"3001");
    unknown_upstream_beside_a_bad_url: told_with("http://127.0.0.1:3000\"\n\n[[route]]\npath = \"/\"\nupstream = \"site", "3000\"\n[[route]]\nupstream = \"sitee");
    missing_column_beside_a_bad_kind: told(&format!("{REGISTER}column = [{{ name = \"meil\", kind = \"emale\" }}]\n"));
    register_with_the_same_key_twice: told_of_rows("1,a,a@example.jp\n1,b,b@example.jp\n");
    register_with_a_broken_row: told_of_rows("1,a,a@example.jp\n2,b\n");
    certificate_that_is_none: told_of_tls();
    many_errors_at_once: told_in(directory().path(), "worker = 2\n[[listener]]\nadress = \"x\"\n[[upstream]]\nname = 3\n[[route]]\nupstream = \"a\"\npath = \"b\"\n");
}

#[test]
fn prv_2_a_key_that_others_can_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let key = directory.path().join("keys/hash.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    insta::assert_snapshot!(told_in(directory.path(), GOOD));
}

/// What `init` proposes as thresholds is understood, and each of them is set.
#[test]
fn the_proposed_thresholds_are_understood() {
    let directory = directory();
    std::fs::write(directory.path().join("open-cases.txt"), "C-1\n").expect("a file");
    let written = include_str!("../command/sekisho.toml");
    let proposed = written.split("# [staff]").nth(1).and_then(|rest| rest.split("\n# ---").next()).expect("[staff]");
    let text = format!(
        "{GOOD}class = \"staff\"\n{LOGIN}kind = \"account\"\nsuccess_location = \"/staff\"\n[staff]{}",
        proposed.replace("\n# ", "\n")
    );
    let (config, told) = resolve(&text, "sekisho.toml", directory.path(), Depth::Whole);
    let codes: Vec<&str> = told.iter().map(|told| told.code).collect();
    assert_eq!(codes, ["SK072", "SK078", "SK076"], "warnings about what this configuration has not: {told:?}");
    let watch = config.expect("a configuration").gateway.watch;
    let (staff, partner) = (watch.staff.expect("[staff]"), watch.partner.expect("[partner]"));
    assert_eq!([staff.subjects_per_hour_max, staff.peers_floor], [Some(100), Some(30)]);
    assert_eq!([partner.subjects_per_day_max, partner.peers_floor], [Some(20_000), None]);
    assert_eq!(watch.accounts[0].budget.subjects_per_hour_max, Some(2_000));
    assert_eq!((watch.clients.persons_per_hour_max, watch.clients.never.len()), (Some(10), 1));
    assert_eq!(watch.hours, sekisho_gateway::inspect::watch::Hours::default());
}

/// What `init` writes as the ledger's defaults is understood, and is what holds without it.
#[test]
fn the_written_defaults_of_the_ledger_are_its_defaults() {
    let directory = directory();
    let written = include_str!("../command/sekisho.toml");
    let section = written.split("[ledger]").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("[ledger]");
    let uncommented = section.replace("# emergency_directory", "## ").replace("\n# ", "\n");
    let (config, told) =
        resolve(&format!("{GOOD}[ledger]{uncommented}"), "sekisho.toml", directory.path(), Depth::Whole);
    assert!(told.is_empty(), "{told:?}");
    let (default, _) = resolve(GOOD, "sekisho.toml", directory.path(), Depth::Whole);
    let [written, default] = [config, default].map(|config| {
        let keys = crate::keys::load(&directory.path().join("keys")).expect("keys");
        let options = config.expect("a configuration").ledger.options(keys.signing);
        let deadlines = [options.sync_deadline, options.retry_interval, options.close_deadline];
        let intervals = [options.seal_after, options.checkpoint_interval, options.heartbeat_interval];
        (options.dir, deadlines, intervals, options.seal_after_records)
    });
    assert_eq!(written, default);
}
