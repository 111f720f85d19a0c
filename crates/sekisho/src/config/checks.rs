//! What only the whole file, or the machine, can say: names used twice, routes that nothing reaches, registers
//! without their columns, keys that others can read.

use super::canaries;
use super::resolve::{Places, RegisterPlaces};
use super::section::Source;
use super::{Config, Depth, Register, logins, watch};
use crate::files::resolved;
use crate::keys;
use sekisho_edm::{HashKey, IndexBuilder};
use sekisho_gateway::config::{Route, Tls};
use sekisho_gateway::tls::ServerTls;
use sekisho_model::{Diagnostic, Timestamp};
use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::io::BufReader;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// The largest register file whose rows `check` reads, since it holds their hashes; of a larger one it says so.
const ROWS_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(super) fn check(source: &Source<'_>, config: &Config, places: &Places) {
    something_to_serve(source, config, places);
    listeners(source, config, places);
    upstreams(source, config, places);
    routes(source, config, places);
    registers(source, config, places);
    logins::check(source, config, places);
    watch::check(source, config, &places.watch);
    directories(source, config, places);
}

fn something_to_serve(source: &Source<'_>, config: &Config, places: &Places) {
    let needs = [
        (
            config.gateway.listeners.is_empty() && places.listeners.is_empty(),
            "[[listener]]",
            "address = \"127.0.0.1:8080\"",
        ),
        (config.gateway.upstreams.is_empty(), "[[upstream]]", "name = \"site\"` and `url = \"http://127.0.0.1:3000\""),
        (config.gateway.routes.is_empty(), "[[route]]", "path = \"/\"` and `upstream = \"site\""),
    ];
    // A part that is there and wrong was told already.
    let errors = source.has_errors();
    for (missing, table, fields) in needs {
        if missing && !errors {
            let title = format!("the configuration has no `{table}`");
            source.tell(Diagnostic::error("SK004", title).help(format!("add `{table}` with `{fields}`")), &(0..0));
        }
    }
}

fn listeners(source: &Source<'_>, config: &Config, places: &Places) {
    let addresses: Vec<_> = config.gateway.listeners.iter().map(|listener| listener.address).collect();
    for at in twice(&addresses).filter(|at| addresses[*at].port() != 0) {
        let title = format!("two listeners have the address {}", addresses[at]);
        source.tell(Diagnostic::error("SK019", title).help("give one of them another port"), &places.listeners[at]);
    }
    if let Some(admin) = config.gateway.admin.filter(|admin| admin.port() != 0 && addresses.contains(admin)) {
        let title = format!("the admin address {admin} is also a listener's");
        let help = "clients must not reach /metrics: give it a port of its own";
        source.tell(Diagnostic::error("SK021", title).help(help), &places.admin);
    }
    let proxied = config.gateway.listeners.iter().position(|listener| listener.proxy_protocol);
    if let Some(at) = proxied.filter(|_| config.gateway.trusted_peers.is_empty()) {
        let title = "`proxy_protocol` without `trusted_peers` refuses every connection";
        let help = "name the load balancers in trusted_peers = [\"10.0.0.0/8\"]";
        source.tell(Diagnostic::warning("SK022", title).help(help), &places.listeners[at]);
    }
}

fn upstreams(source: &Source<'_>, config: &Config, places: &Places) {
    let names: Vec<_> = places.upstream_names.iter().map(|name| &name.value).collect();
    for at in twice(&names) {
        let title = format!("two upstreams have the name `{}`", names[at]);
        source.tell(Diagnostic::error("SK023", title).help("rename one of them"), &places.upstream_names[at].span);
    }
    for (at, name) in config.gateway.upstreams.iter().map(|upstream| &upstream.name).enumerate() {
        let used = config.gateway.routes.iter().any(|route| route.upstream == at);
        if !used && !source.has_errors() {
            let title = format!("no route leads to the upstream `{name}`");
            source.tell(Diagnostic::warning("SK024", title), &places.upstreams[at]);
        }
    }
}

fn routes(source: &Source<'_>, config: &Config, places: &Places) {
    let routes = &config.gateway.routes;
    let keys: Vec<_> = routes.iter().map(|route| (&route.host, route.path_prefix.trim_end_matches('/'))).collect();
    for at in twice(&keys) {
        let title = format!("another route has the same host and path `{}`", routes[at].path_prefix);
        let help = "this route is never reached: change its host or path, or remove it";
        source.tell(Diagnostic::warning("SK025", title).help(help), &places.routes[at]);
    }
    for (at, route) in routes.iter().enumerate() {
        if let Some(help) = unexamined(route) {
            let title = format!("responses of the route `{}` are not inspected", route.path_prefix);
            source.tell(Diagnostic::warning("SK026", title).help(help), &places.routes[at]);
        }
        if route.compress && route.inspect && !config.registers.is_empty() {
            let title = "compression beside reflected input can be measured by an attacker (BREACH)";
            let help = "leave `compress` to routes without personal data";
            source.tell(Diagnostic::warning("SK027", title).help(help), &places.routes[at]);
        }
    }
}

fn unexamined(route: &Route) -> Option<&'static str> {
    (!route.inspect).then_some("the scope will list them as `route_excluded`")
}

fn registers(source: &Source<'_>, config: &Config, places: &Places) {
    let names: Vec<_> = config.registers.iter().map(|register| &register.config.name).collect();
    for at in twice(&names) {
        let title = format!("two registers have the name `{}`", names[at]);
        source.tell(Diagnostic::error("SK028", title).help("rename one of them"), &places.registers[at].name);
    }
    for (register, place) in config.registers.iter().zip(&places.registers) {
        columns(source, register, place);
    }
    canaries::check(source, &config.registers, &places.registers);
}

fn columns(source: &Source<'_>, register: &Register, places: &RegisterPlaces) {
    let name = &register.config.name;
    if places.columns.is_empty() && !source.has_errors() {
        let help = format!("`sekisho register learn {}` proposes them", register.file.display());
        source.tell(Diagnostic::error("SK029", format!("register `{name}` has no columns")).help(help), &places.name);
    }
    let columns: Vec<_> = places.columns.iter().map(|column| &column.value).collect();
    // Columns that cannot be used are left out of the register: what is told of them is told already.
    let mut good = !columns.is_empty() && columns.len() == register.config.columns.len();
    for at in twice(&columns) {
        good = false;
        let title = format!("register `{name}` names the column `{}` twice", columns[at]);
        source.tell(Diagnostic::error("SK030", title).help("a column has one kind"), &places.columns[at].span);
    }
    let header = match crate::register_file::header(&register.file, register.config.encoding) {
        Ok(header) => header,
        Err(err) => {
            let title = format!("cannot read the file of register `{name}`: {}", crate::report::io_text(&err));
            let help = format!("looked for {}", register.file.display());
            return source.tell(Diagnostic::error("SK031", title).help(help), &places.file);
        }
    };
    let named = places.columns.iter().map(|column| (column.value.as_str(), &column.span));
    for (column, span) in named.chain([(register.config.row_key.as_str(), &places.row_key)]) {
        if !header.iter().any(|known| known == column) {
            good = false;
            let title = format!("register `{name}` has no column `{column}`");
            let help = format!("the file has: {}", header.join(", "));
            source.tell(Diagnostic::error("SK014", title).help(help), span);
        }
    }
    if good && source.depth == Depth::Whole {
        rows(source, register, places);
    }
}

/// What `register build` would say of the rows. The index that comes of it has a key of zeros and is thrown away.
fn rows(source: &Source<'_>, register: &Register, places: &RegisterPlaces) {
    let (name, file) = (&register.config.name, register.file.display().to_string());
    let opened = File::open(&register.file).and_then(|file| Ok((file.metadata()?.len(), file)));
    // One that cannot be opened was told already.
    let Ok((bytes, opened)) = opened else { return };
    if bytes > ROWS_BYTES_MAX {
        let title =
            format!("the rows of register `{name}` are not checked: the file has more than {ROWS_BYTES_MAX} bytes");
        let help = "`sekisho register build` reads them all";
        return source.tell(Diagnostic::warning("SK056", title).help(help), &places.file);
    }
    let mut builder = IndexBuilder::new(Arc::new(HashKey::new([0; 16])), Timestamp(0));
    let built = builder.register(&register.config, BufReader::new(opened), &file);
    source.tell_of_another(built.map_or_else(|errors| errors, |built| built.warnings));
}

fn directories(source: &Source<'_>, config: &Config, places: &Places) {
    if keys::lie_inside(&config.keys, &config.ledger.directory) {
        let title = "the keys lie inside the ledger that they protect";
        let help = "keep them elsewhere, best on another device or owned by another account";
        source.tell(Diagnostic::error("SK032", title).help(help), &places.keys);
    }
    for problem in keys::problems(&config.keys) {
        let diagnostic = Diagnostic::error(problem.code, problem.title).help(problem.help);
        source.tell(diagnostic, &places.keys);
    }
    emergency(source, config, places);
    if config.ledger.directory.is_file() {
        let title = format!("the ledger `{}` is a file, not a directory", config.ledger.directory.display());
        source.tell(Diagnostic::error("SK036", title), &places.ledger);
    }
}

/// An emergency log that fails with the ledger is none.
fn emergency(source: &Source<'_>, config: &Config, places: &Places) {
    let Some(directory) = &config.ledger.emergency_directory else { return };
    let (ledger, emergency) = (resolved(&config.ledger.directory), resolved(directory));
    if emergency == ledger || emergency == ledger.join("wal") {
        let title = "the emergency log cannot have the ledger's own directory";
        let help = "name another one, best on another device; left out, it is `emergency` inside the ledger";
        return source.tell(Diagnostic::error("SK039", title).help(help), &places.emergency);
    }
    if device(&ledger).is_some_and(|device_of_ledger| device(&emergency) == Some(device_of_ledger)) {
        let title = "the emergency log lies on the same device as the ledger: both fill and fail together";
        let help = "keep it on another device; then a full or hanging disk loses no record";
        source.tell(Diagnostic::warning("SK040", title).help(help), &places.emergency);
    }
}

/// The device that a directory lies on, or will lie on when it is made.
fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    path.ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.dev())
}

/// Whether the files of a TLS listener are there, the key is closed to others, and `serve` could use both.
pub(super) fn tls_files(source: &Source<'_>, tls: &Tls, certificate_span: &Range<usize>, key_span: &Range<usize>) {
    let mut good = true;
    for (path, span) in [(&tls.certificate, certificate_span), (&tls.key, key_span)] {
        if let Err(err) = std::fs::File::open(path) {
            let title = format!("cannot read `{}`: {}", path.display(), crate::report::io_text(&err));
            source.tell(Diagnostic::error("SK037", title), span);
            good = false;
        }
    }
    if let Some(problem) = keys::open_to_others(&tls.key) {
        good = false;
        source.tell(Diagnostic::error(problem.code, problem.title).help(problem.help), key_span);
    }
    if good
        && source.depth == Depth::Whole
        && let Err(err) = ServerTls::load(tls.clone(), SystemTime::now())
    {
        let title = format!("{:#}", anyhow::Error::new(err));
        let help = "`serve` would refuse it: put a certificate that is valid now, and its key";
        source.tell(Diagnostic::error("SK055", title).help(help), certificate_span);
    }
}

/// Places of what stands in the list a second time.
fn twice<T: Hash + Eq>(items: &[T]) -> impl Iterator<Item = usize> {
    let mut first = HashMap::new();
    items.iter().enumerate().filter_map(move |(at, item)| (*first.entry(item).or_insert(at) != at).then_some(at))
}
