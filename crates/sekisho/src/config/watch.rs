//! What is too much: budgets of staff and partners, limits of clients, the firm's hours, and where requests name a case.

use super::Config;
use super::resolve::network;
use super::section::{At, Section, Source};
use http::HeaderName;
use jiff::tz::TimeZone;
use sekisho_gateway::config::Names;
use sekisho_gateway::inspect::RouteClass;
use sekisho_gateway::inspect::watch::{Budget, CaseSource, ClientLimits, Hours, NamedBudget, WatchRules};
use sekisho_model::Diagnostic;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// In an hour an account is shown up to this many persons before it is compared with its peers.
const PEERS_FLOOR: u64 = 30;

/// Where the tables stand.
#[derive(Default)]
pub(super) struct WatchPlaces {
    budgets: Vec<(RouteClass, Range<usize>)>,
    accounts: Vec<Range<usize>>,
    clients: Option<Range<usize>>,
    open_cases: Option<Range<usize>>,
}

/// All tables, and the file of open cases.
pub(super) fn read<'a>(
    root: &Section<'a>,
    source: &Source<'a>,
    directory: &Path,
) -> (WatchRules, Option<PathBuf>, WatchPlaces) {
    let mut places = WatchPlaces::default();
    let mut budget_of = |name: &'static str, table: &'static str, class: RouteClass| {
        let section = root.table(name, table)?;
        places.budgets.push((class, section.span.clone()));
        let read = budget(&section, source, Some(PEERS_FLOOR));
        section.refuse_unknown();
        Some(read)
    };
    let staff = budget_of("staff", "[staff]", RouteClass::Staff);
    let partner = budget_of("partner", "[partner]", RouteClass::Partner);
    let mut accounts = Vec::new();
    for section in root.tables("account", "[[account]]") {
        let name = section.required("name", "\"batch@partner.example\"");
        let budget = budget(&section, source, None);
        section.refuse_unknown();
        let Some(name) = name else { continue };
        // The place shown is the table: the name is a person's, and what is told here may stand in a log.
        places.accounts.push(section.span.clone());
        accounts.push(NamedBudget { name: name.value, budget });
    }
    let clients = clients(root, &mut places);
    let hours = hours(root);
    let open_cases = root.table("cases", "[cases]").and_then(|section| {
        let open = section.required("open", "\"open-cases.txt\"");
        section.refuse_unknown();
        let open = open?;
        places.open_cases = Some(open.span);
        Some(directory.join(open.value))
    });
    (WatchRules { staff, partner, accounts, clients, hours }, open_cases, places)
}

/// Where a `[[route]]`'s requests name their case.
pub(super) fn case_source(section: &Section<'_>, source: &Source<'_>) -> Option<CaseSource> {
    let header = |text: &str| HeaderName::from_bytes(text.as_bytes()).ok();
    let header = section.parsed("case_header", "SK074", "a header's name, such as \"X-Case-Id\"", header);
    let header = header.map(|name| (CaseSource::Header(name.value), name.span));
    let query = section.string("case_query").map(|name| (CaseSource::Query(name.value), name.span));
    let prefix = |text: &str| text.starts_with('/').then(|| text.to_owned());
    let path =
        section.parsed("case_path", "SK074", "what stands before the case in the path: \"/staff/cases\"", prefix);
    let path = path.map(|prefix| (CaseSource::Path(prefix.value), prefix.span));
    let mut sources = [header, query, path].into_iter().flatten();
    let first = sources.next()?;
    if let Some((_, span)) = sources.next() {
        let title = "a route's requests name their case in one place";
        source.tell(Diagnostic::error("SK075", title).help("keep one of case_header, case_query and case_path"), &span);
    }
    Some(first.0)
}

fn budget(section: &Section<'_>, source: &Source<'_>, floor: Option<u64>) -> Budget {
    let number = |field: &'static str| section.number(field);
    let hour = number("subjects_per_hour_max");
    let day = number("subjects_per_day_max");
    let month = number("subjects_per_30_days_max");
    let own_floor = number("peers_floor").map(|floor| floor.value);
    for (shorter, longer) in [(&hour, &day), (&day, &month)] {
        if let (Some(shorter), Some(longer)) = (shorter, longer)
            && shorter.value > longer.value
        {
            let title = "a shorter time has a larger budget than a longer one";
            let help = "the smaller number always comes first: correct one of them";
            source.tell(Diagnostic::warning("SK077", title).help(help), &shorter.span);
        }
    }
    let value = |read: Option<At<u64>>| read.map(|read| read.value);
    Budget {
        subjects_per_hour_max: value(hour),
        subjects_per_day_max: value(day),
        subjects_per_30_days_max: value(month),
        peers_floor: match floor {
            // An account of its own compares by its kind's floor, unless it has one.
            None => own_floor,
            Some(_) if !section.boolean("peers").unwrap_or(true) => None,
            Some(floor) => Some(own_floor.unwrap_or(floor)),
        },
    }
}

fn clients<'a>(root: &Section<'a>, places: &mut WatchPlaces) -> ClientLimits {
    let Some(section) = root.table("clients", "[clients]") else { return ClientLimits::default() };
    places.clients = Some(section.span.clone());
    let number = |field: &'static str| section.number(field).map(|number| number.value);
    let wants = "an address or a network, such as \"10.0.0.0/8\"";
    let never = section.strings("never").unwrap_or_default();
    let never = never.iter().filter_map(|text| section.parse("never", text, "SK010", wants, network));
    let limits = ClientLimits {
        sessions_per_hour_max: number("sessions_per_hour_max"),
        persons_per_hour_max: number("persons_per_hour_max"),
        subjects_per_hour_max: number("subjects_per_hour_max"),
        never: never.map(|network| network.value).collect(),
    };
    section.refuse_unknown();
    limits
}

fn hours(root: &Section<'_>) -> Hours {
    let Some(section) = root.table("hours", "[hours]") else { return Hours::default() };
    let zone = |name: &str| match name {
        // No summer time: known without the machine's list of zones.
        "Asia/Tokyo" => Some(Hours::default().zone),
        name => TimeZone::get(name).ok(),
    };
    let zone =
        section.parsed("time_zone", "SK070", "a time zone that this machine knows, such as \"Asia/Tokyo\"", zone);
    let working = section.parsed("working", "SK071", "full hours, such as \"08:00-18:00\"", working);
    section.refuse_unknown();
    let default = Hours::default();
    Hours {
        zone: zone.map_or(default.zone, |zone| zone.value),
        working: working.map_or(default.working, |working| working.value),
    }
}

fn working(text: &str) -> Option<Range<u8>> {
    let hour = |text: &str| text.trim().strip_suffix(":00")?.parse::<u8>().ok().filter(|hour| *hour <= 24);
    let (from, to) = text.split_once('-')?;
    let (from, to) = (hour(from)?, hour(to)?);
    (from < to).then_some(from..to)
}

/// A limit without anybody whom it could concern.
pub(super) fn check(source: &Source<'_>, config: &Config, places: &WatchPlaces) {
    let logins = &config.gateway.logins;
    let routes = &config.gateway.routes;
    let warn = |code, title: String, help: &str, place: &Range<usize>| {
        source.tell(Diagnostic::warning(code, title).help(help), place);
    };
    for (class, place) in &places.budgets {
        if !routes.iter().any(|route| route.rules.class == *class) {
            let name = if *class == RouteClass::Staff { "staff" } else { "partner" };
            let help = format!("give the routes that they use `class = \"{name}\"`");
            warn("SK072", format!("[{name}] concerns nobody: no route is of class `{name}`"), &help, place);
        }
    }
    let names: Vec<&String> = config.gateway.watch.accounts.iter().map(|account| &account.name).collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            let diagnostic = Diagnostic::error("SK073", "two [[account]] tables have one name");
            source.tell(diagnostic.help("an account has one budget: remove one of them"), &places.accounts[at]);
        }
    }
    if let Some(place) = &places.clients
        && (config.gateway.watch.clients.sessions_per_hour_max.is_some()
            || config.gateway.watch.clients.persons_per_hour_max.is_some())
        && !logins.iter().any(|login| matches!(login.by.names(), Names::Persons(_)))
    {
        let title =
            "sessions and persons of clients cannot be counted: no session is ever bound to a person".to_owned();
        warn("SK078", title, "declare where customers log in with [[login]]", place);
    }
    if let (Some(file), Some(place)) = (&config.gateway.open_cases, &places.open_cases) {
        if !routes.iter().any(|route| route.case.is_some()) {
            let help = "give a route `case_header`, `case_query` or `case_path`";
            warn("SK076", "no route says where its requests name a case".to_owned(), help, place);
        }
        if let Err(err) = std::fs::File::open(file) {
            let title = format!("cannot read the open cases: {}", crate::report::io_text(&err));
            warn("SK079", title, "until it can be read, every case counts as open", place);
        }
    }
}
