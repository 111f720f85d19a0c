//! Field by field from the operator's file to [`Config`]. What depends on more than one field is in `checks`.

use super::logins;
use super::section::{At, Section, Source, nearest};
use super::{Config, Depth, Register, checks, containment, incidents, ledger, rules, units, watch, webhook};
use http::uri::{Authority, Scheme, Uri};
use sekisho_edm::{ColumnConfig, Encoding, RegisterConfig};
use sekisho_gateway::config as gateway;
use sekisho_model::{Diagnostic, FieldKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// Where the parts of the configuration stand, for the checks of the whole.
#[derive(Default)]
pub(super) struct Places {
    pub(super) listeners: Vec<Range<usize>>,
    pub(super) admin: Range<usize>,
    pub(super) upstreams: Vec<Range<usize>>,
    /// The names of all upstreams, also of those that cannot be used.
    pub(super) upstream_names: Vec<At<String>>,
    /// Whether one has no name that can be read.
    pub(super) upstreams_unnamed: bool,
    pub(super) routes: Vec<Range<usize>>,
    pub(super) registers: Vec<RegisterPlaces>,
    pub(super) logins: Vec<logins::LoginPlaces>,
    pub(super) tokens: Vec<Range<usize>>,
    pub(super) ledger: Range<usize>,
    pub(super) emergency: Range<usize>,
    pub(super) keys: Range<usize>,
    pub(super) watch: watch::WatchPlaces,
}

#[derive(Default)]
pub(super) struct RegisterPlaces {
    pub(super) name: Range<usize>,
    pub(super) file: Range<usize>,
    pub(super) row_key: Range<usize>,
    /// The names of all columns, also of those that cannot be used.
    pub(super) columns: Vec<At<String>>,
}

/// The configuration, and everything that is wrong with it or strange.
pub(super) fn resolve(text: &str, file: &str, directory: &Path, depth: Depth) -> (Option<Config>, Vec<Diagnostic>) {
    let source = Source::new(file, depth);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = seen(text, error.span().unwrap_or(0..0));
        source.tell(Diagnostic::error("SK001", format!("not valid TOML: {}", error.message())), &span);
    }
    let mut config = None;
    if errors.is_empty() {
        let root = Section::new(&source, "sekisho.toml", table.get_ref(), 0..text.find('\n').unwrap_or(text.len()));
        let (read, places) = Reading { source: &source, directory }.all(&root);
        checks::check(&source, &read, &places);
        config = Some(read);
    }
    let usable = !source.has_errors();
    (config.filter(|_| usable), source.into_told())
}

/// A place that can be shown: where the parser means the end of a line or of the file, the character before it.
fn seen(text: &str, span: Range<usize>) -> Range<usize> {
    let start = (0..=span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let shown = |character: &char| !matches!(character, '\r' | '\n');
    if let Some(character) = text[start..].chars().next().filter(shown) {
        return start..span.end.max(start + character.len_utf8());
    }
    let before = text[..start].trim_end_matches(['\r', '\n']);
    let last = before.chars().next_back().map_or(0, char::len_utf8);
    before.len() - last..before.len()
}

pub(super) struct Reading<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) directory: &'a Path,
}

impl<'a> Reading<'a> {
    fn all(&self, root: &Section<'a>) -> (Config, Places) {
        let mut places = Places::default();
        let listeners = self.listeners(root, &mut places);
        let admin = self.admin(root, &mut places);
        let upstreams = self.upstreams(root, &mut places);
        let routes = self.routes(root, &upstreams, &mut places);
        let registers = self.registers(root, &mut places);
        let logins = self.logins(root, &mut places);
        let (tokens, token_places) = self.tokens(root).into_iter().unzip();
        places.tokens = token_places;
        let (session, logout_paths) = self.session(root);
        let trusted_peers = self.trusted_peers(root);
        let (watch, open_cases, watch_places) = watch::read(root, self.source, self.directory);
        places.watch = watch_places;
        let config = Config {
            gateway: gateway::Config {
                listeners,
                admin,
                upstreams,
                routes,
                trusted_peers,
                session,
                logins,
                tokens,
                logout_paths,
                canaries: registers.iter().filter(|it| it.is_canary).map(|it| it.config.name.clone()).collect(),
                containment: containment::read(root),
                watch,
                open_cases,
                deadlines: self.deadlines(root),
                limits: self.limits(root),
                workers: root.number("workers").map_or_else(default_workers, |workers| to_usize(workers.value)),
                access_log: root.boolean("access_log").unwrap_or(true),
            },
            registers,
            ledger: ledger::read(root, self.source, self.directory, &mut places),
            keys: self.keys(root, &mut places),
            webhook: webhook::read(root, self.source, self.directory),
            incidents: incidents::read(root, self.directory),
        };
        root.refuse_unknown();
        (config, places)
    }

    fn listeners(&self, root: &Section<'a>, places: &mut Places) -> Vec<gateway::Listener> {
        let mut listeners = Vec::new();
        for section in root.tables("listener", "[[listener]]") {
            let address = section.required("address", "\"127.0.0.1:8080\"");
            let address = address.and_then(|text| self.address(&section, "address", &text));
            let certificate = section.string("certificate");
            let key = section.string("key");
            let proxy_protocol = section.boolean("proxy_protocol").unwrap_or(false);
            section.refuse_unknown();
            let tls = match (certificate, key) {
                (Some(certificate), Some(key)) => {
                    let tls = gateway::Tls {
                        certificate: self.directory.join(&certificate.value),
                        key: self.directory.join(&key.value),
                    };
                    checks::tls_files(self.source, &tls, &certificate.span, &key.span);
                    Some(tls)
                }
                (None, None) => None,
                (Some(one), None) | (None, Some(one)) => {
                    let title = "TLS needs `certificate` and `key` together";
                    let help = "give both, or neither for plain HTTP";
                    self.source.tell(Diagnostic::error("SK020", title).help(help), &one.span);
                    None
                }
            };
            let Some(address) = address else { continue };
            places.listeners.push(address.span.clone());
            listeners.push(gateway::Listener { address: address.value, tls, proxy_protocol });
        }
        listeners
    }

    fn address(&self, section: &Section<'a>, field: &str, text: &At<String>) -> Option<At<SocketAddr>> {
        section
            .parse(field, text, "SK008", "an address and a port, such as \"127.0.0.1:8080\"", |text| text.parse().ok())
    }

    fn admin(&self, root: &Section<'a>, places: &mut Places) -> Option<SocketAddr> {
        let section = root.table("admin", "[admin]")?;
        let address = section.required("address", "\"127.0.0.1:9090\"");
        section.refuse_unknown();
        let address = self.address(&section, "address", &address?)?;
        places.admin = address.span;
        Some(address.value)
    }

    fn upstreams(&self, root: &Section<'a>, places: &mut Places) -> Vec<gateway::Upstream> {
        let mut upstreams = Vec::new();
        for section in root.tables("upstream", "[[upstream]]") {
            let name = section.required("name", "\"site\"");
            places.upstream_names.extend(name.clone());
            places.upstreams_unnamed |= name.is_none();
            let url = section.required("url", "\"http://127.0.0.1:3000\"");
            let extra_roots = section.string("extra_roots").map(|path| self.directory.join(path.value));
            section.refuse_unknown();
            let wants = "scheme, host and port without a path, such as \"http://127.0.0.1:3000\"";
            let url = url.and_then(|url| section.parse("url", &url, "SK009", wants, origin));
            let (Some(name), Some(url)) = (name, url) else { continue };
            places.upstreams.push(name.span.clone());
            let (scheme, authority) = url.value;
            upstreams.push(gateway::Upstream { name: name.value, scheme, authority, extra_roots });
        }
        upstreams
    }

    fn routes(&self, root: &Section<'a>, upstreams: &[gateway::Upstream], places: &mut Places) -> Vec<gateway::Route> {
        let mut routes = Vec::new();
        for section in root.tables("route", "[[route]]") {
            let name = section.string("name").map(|name| name.value);
            let host =
                section.parsed("host", "SK012", "a host without scheme, port or `*`, such as \"www.example.jp\"", host);
            let path =
                section.parsed("path", "SK013", "a prefix that begins with `/`, without `?` or `#`", path_prefix);
            let upstream =
                section.required("upstream", "\"site\"").and_then(|name| self.upstream(&name, upstreams, places));
            let route = gateway::Route {
                name,
                host: host.map(|host| host.value),
                path_prefix: path.map_or_else(|| "/".to_owned(), |path| path.value),
                upstream: upstream.unwrap_or(0),
                inspect: section.boolean("inspect").unwrap_or(true),
                continuity: section.boolean("continuity").unwrap_or(false),
                compress: section.boolean("compress").unwrap_or(false),
                websocket: section.boolean("websocket").unwrap_or(false),
                rules: rules::read(&section),
                case: watch::case_source(&section, self.source),
            };
            section.refuse_unknown();
            places.routes.push(section.span.clone());
            routes.push(route);
        }
        routes
    }

    fn upstream(&self, name: &At<String>, upstreams: &[gateway::Upstream], places: &Places) -> Option<usize> {
        let names: Vec<&str> = places.upstream_names.iter().map(|name| name.value.as_str()).collect();
        // An upstream without a name was told already, and may be the one.
        if !names.contains(&name.value.as_str()) && !places.upstreams_unnamed {
            let title = format!("there is no upstream `{}`", name.value);
            let help = match nearest(&name.value, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "declare it with [[upstream]]".to_owned(),
                None => format!("the file has: {}", names.join(", ")),
            };
            self.source.tell(Diagnostic::error("SK011", title).help(help), &name.span);
        }
        upstreams.iter().position(|upstream| upstream.name == name.value)
    }

    fn registers(&self, root: &Section<'a>, places: &mut Places) -> Vec<Register> {
        let mut registers = Vec::new();
        for section in root.tables("register", "[[register]]") {
            let name = section.required("name", "\"account_holders\"");
            let file = section.required("file", "\"customers.csv\"");
            let row_key = section.required("row_key", "\"id\"");
            let wants = "\"auto\", \"utf-8\" or \"shift_jis\"";
            let encoding = section.parsed("encoding", "SK018", wants, encoding);
            let is_canary = section.boolean("canary").unwrap_or(false);
            let mut names = Vec::new();
            let columns = section.tables("column", "[[register.column]]");
            let columns = columns.iter().filter_map(|column| self.column(column, &mut names)).collect();
            section.refuse_unknown();
            let (Some(name), Some(file), Some(row_key)) = (name, file, row_key) else { continue };
            places.registers.push(RegisterPlaces {
                name: name.span,
                file: file.span,
                row_key: row_key.span,
                columns: names,
            });
            let encoding = encoding.map_or(Encoding::Auto, |encoding| encoding.value);
            let config = RegisterConfig { name: name.value, row_key: row_key.value, columns, encoding };
            registers.push(Register { config, file: self.directory.join(file.value), is_canary });
        }
        registers
    }

    fn column(&self, section: &Section<'a>, names: &mut Vec<At<String>>) -> Option<ColumnConfig> {
        let name = section.required("name", "\"mail\"");
        names.extend(name.clone());
        let kind = section.required("kind", "\"email\"").and_then(|kind| self.kind(&kind));
        let pattern = section.string("pattern");
        section.refuse_unknown();
        if let (Some(pattern), Some(kind)) = (&pattern, kind) {
            if kind != FieldKind::AccountId {
                let title = format!("a column of kind `{}` has no pattern", kind.name());
                let help = "`pattern` belongs to kind `account_id`";
                self.source.tell(Diagnostic::error("SK017", title).help(help), &pattern.span);
            }
            if let Err(err) = regex::Regex::new(&pattern.value) {
                let why = err.to_string();
                let why = why.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                self.source
                    .tell(Diagnostic::error("SK016", format!("the pattern cannot be read: {why}")), &pattern.span);
                return None;
            }
        }
        let (name, kind) = (name?, kind?);
        Some(ColumnConfig { name: name.value, kind, pattern: pattern.map(|pattern| pattern.value) })
    }

    fn kind(&self, text: &At<String>) -> Option<FieldKind> {
        let kind = FieldKind::from_name(&text.value);
        if kind.is_none() {
            let names = FieldKind::ALL.map(FieldKind::name);
            let help = match nearest(&text.value, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("kinds are: {}", names.join(", ")),
            };
            let title = format!("there is no kind `{}`", text.value);
            self.source.tell(Diagnostic::error("SK015", title).help(help), &text.span);
        }
        kind
    }

    /// Whom a value names: persons by a kind of column, or an account.
    pub(super) fn names(&self, text: &At<String>) -> Option<gateway::Names> {
        match text.value.as_str() {
            "account" => Some(gateway::Names::Account),
            _ => self.kind(text).map(gateway::Names::Persons),
        }
    }

    fn trusted_peers(&self, root: &Section<'a>) -> Vec<ipnet::IpNet> {
        networks(root, "trusted_peers")
    }

    /// Where sessions are read from, and the paths that end them.
    fn session(&self, root: &Section<'a>) -> (gateway::SessionSource, Vec<String>) {
        let mut session = gateway::SessionSource::default();
        let Some(section) = root.table("session", "[session]") else { return (session, Vec::new()) };
        if let Some(cookies) = section.strings("cookies") {
            session.cookies = cookies.into_iter().map(|cookie| cookie.value).collect();
        }
        session.bearer = section.boolean("bearer").unwrap_or(session.bearer);
        let logout_paths = section.strings("logout").unwrap_or_default();
        section.refuse_unknown();
        (session, logout_paths.into_iter().map(|path| path.value).collect())
    }

    fn deadlines(&self, root: &Section<'a>) -> gateway::Deadlines {
        let mut deadlines = gateway::Deadlines::default();
        let Some(section) = root.table("deadlines", "[deadlines]") else { return deadlines };
        let set = |field: &'static str, place: &mut Duration| {
            let read = section.parsed(
                field,
                "SK005",
                "a duration such as \"250ms\", \"5s\", \"2m\" or \"1h\"",
                units::duration,
            );
            if let Some(read) = read {
                *place = read.value;
            }
        };
        set("handshake", &mut deadlines.handshake);
        set("request_head", &mut deadlines.request_head);
        set("request_body_idle", &mut deadlines.request_body_idle);
        set("keep_alive_idle", &mut deadlines.keep_alive_idle);
        set("connect", &mut deadlines.connect);
        set("first_byte", &mut deadlines.first_byte);
        set("response_body_idle", &mut deadlines.response_body_idle);
        set("idle_flush", &mut deadlines.idle_flush);
        set("held_wait", &mut deadlines.held_wait);
        set("shutdown", &mut deadlines.shutdown);
        section.refuse_unknown();
        deadlines
    }

    fn limits(&self, root: &Section<'a>) -> gateway::Limits {
        let mut limits = gateway::Limits::default();
        let Some(section) = root.table("limits", "[limits]") else { return limits };
        let size = |field: &'static str| {
            section
                .parsed(field, "SK006", "a size such as \"64KiB\", \"16MiB\" or \"2GiB\"", units::bytes)
                .map(|size| size.value)
        };
        let set = |place: &mut usize, read: Option<u64>| *place = read.map_or(*place, to_usize);
        let number = |field: &'static str| section.number(field).map(|number| number.value);
        set(&mut limits.connections_max, number("connections_max"));
        set(&mut limits.connections_per_prefix_max, number("connections_per_prefix_max"));
        set(&mut limits.request_head_bytes_max, size("request_head_bytes_max"));
        set(&mut limits.request_headers_max, number("request_headers_max"));
        limits.request_body_bytes_max = size("request_body_bytes_max").unwrap_or(limits.request_body_bytes_max);
        limits.request_body_bytes_per_second_min =
            number("request_body_bytes_per_second_min").unwrap_or(limits.request_body_bytes_per_second_min);
        set(&mut limits.response_head_bytes_max, size("response_head_bytes_max"));
        limits.decoded_body_bytes_max = size("decoded_body_bytes_max").unwrap_or(limits.decoded_body_bytes_max);
        set(&mut limits.held_bytes_max, size("held_bytes_max"));
        let streams = number("http2_streams_max").map(|streams| u32::try_from(streams).unwrap_or(u32::MAX));
        limits.http2_streams_max = streams.unwrap_or(limits.http2_streams_max);
        set(&mut limits.upstream_idle_max, number("upstream_idle_max"));
        section.refuse_unknown();
        limits
    }

    fn keys(&self, root: &Section<'a>, places: &mut Places) -> PathBuf {
        let default = || self.directory.join("keys");
        let Some(section) = root.table("keys", "[keys]") else { return default() };
        let path = section.string("directory");
        section.refuse_unknown();
        let Some(path) = path else { return default() };
        places.keys = path.span;
        self.directory.join(path.value)
    }
}

/// A network, or an address as one.
/// Addresses and networks in a list.
pub(super) fn networks(section: &Section<'_>, field: &'static str) -> Vec<ipnet::IpNet> {
    let wants = "an address or a network, such as \"10.0.0.0/8\"";
    let listed = section.strings(field).unwrap_or_default();
    let read = listed.iter().filter_map(|text| section.parse(field, text, "SK010", wants, network));
    read.map(|network| network.value).collect()
}

pub(super) fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
}

/// One worker a core, and at least one.
pub(crate) fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Scheme and authority of a URL that has nothing else.
pub(crate) fn origin(text: &str) -> Option<(Scheme, Authority)> {
    let parts = text.parse::<Uri>().ok()?.into_parts();
    let scheme = parts.scheme.filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)?;
    let bare = parts.path_and_query.is_none_or(|path| path == "/");
    let authority = parts.authority.filter(|authority| !authority.as_str().contains('@'))?;
    bare.then_some((scheme, authority))
}

pub(super) fn host(text: &str) -> Option<String> {
    let good = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '.';
    (!text.is_empty() && text.chars().all(good)).then(|| text.to_ascii_lowercase())
}

pub(super) fn path_prefix(text: &str) -> Option<String> {
    (text.starts_with('/') && !text.contains(['?', '#', ' '])).then(|| text.to_owned())
}

fn encoding(text: &str) -> Option<Encoding> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Some(Encoding::Auto),
        "utf-8" | "utf8" => Some(Encoding::Utf8),
        "shift_jis" | "shift-jis" | "sjis" | "cp932" => Some(Encoding::ShiftJis),
        _ => None,
    }
}

/// A limit beyond what the machine can address is as good as none.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
