//! Asks the ledger what each route showed, and puts the configuration beside it.

use super::table;
use crate::command::{Done, check};
use crate::config::Config;
use crate::times;
use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use sekisho_gateway::config::Route;
use sekisho_gateway::inspect::{Action, RouteClass};
use sekisho_ledger::{Reader, RealDisk, append_query};
use sekisho_model::{Clock, Query, SystemClock, Timestamp};
use sekisho_scope::policy::{self, Class, Effect, Report, RouteSeen, Suggestion};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// For each route: whose data it showed, what enforcement would have done, and the class that fits.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho policy report -c sekisho.toml --from -7d")]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// The ledger, when it is not the configuration's.
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// From this time on: 2026-11-23T09:00:00+09:00, 2026-11-23, -48h.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "-7d")]
    from: String,
    /// Before this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// How to answer.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Who asks; recorded in the ledger. Default: $SUDO_USER, else $USER.
    #[arg(long)]
    operator: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// One route of the ledger, ready to be told.
pub(super) struct Told<'r> {
    pub(super) name: &'r str,
    pub(super) seen: &'r RouteSeen,
    /// The configured route that covers it.
    pub(super) route: Option<&'r Route>,
    /// The name of its upstream.
    pub(super) upstream: &'r str,
    /// What the configured class would end, of all sessions, and of those that the ramp reaches.
    pub(super) configured: Option<(Class, Effect, Effect)>,
    pub(super) suggestion: Suggestion,
    /// What the suggested class would end.
    pub(super) suggested: Option<Effect>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(config) = check::load(&self.config)? else { return Ok(Done::No) };
        let clock = SystemClock::new();
        let (now, zone) = (clock.now(), TimeZone::system());
        let time = |text: &String| times::parse(text, now, &zone).map_err(|err| anyhow!(err));
        let (from, to) = (time(&self.from)?, self.to.as_ref().map(time).transpose()?);
        let ledger = self.ledger.as_deref().unwrap_or(&config.ledger.directory);
        let mut question = format!("policy report --from {}", self.from);
        if let Some(to) = &self.to {
            question.push_str(&format!(" --to {to}"));
        }
        let report = ask(ledger, &clock, from, to, self.operator.clone(), question)?;
        let told: Vec<Told<'_>> = report.routes.iter().map(|(name, seen)| tell(&config, name, seen)).collect();
        let output = match self.format {
            Format::Table => table::render(&told, &self.config, from, to.unwrap_or(now), &zone),
            Format::Json => format!("{:#}\n", json(&told)),
        };
        match std::io::stdout().write_all(output.as_bytes()) {
            Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err).context("cannot write the answer"),
            _ => Ok(Done::Yes),
        }
    }
}

/// The report of a period. LED-5: the question is in the ledger before its answer is shown.
pub(super) fn ask(
    ledger: &Path,
    clock: &SystemClock,
    from: Timestamp,
    to: Option<Timestamp>,
    operator: Option<String>,
    question: String,
) -> Result<Report> {
    let cannot_read = || format!("cannot read the ledger `{}`", ledger.display());
    let reader = Reader::open(ledger, Arc::new(RealDisk)).with_context(cannot_read)?;
    let report = policy::replay(&reader, Some(from), to).with_context(cannot_read)?;
    let account = || std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    let operator = operator.or_else(account).unwrap_or_else(|| "unknown".to_owned());
    append_query(ledger, &RealDisk, clock, Query { at: clock.now(), operator, question, persons: 0 })
        .context("cannot record the question (LED-5); no answer is given")?;
    Ok(report)
}

fn tell<'r>(config: &'r Config, name: &'r str, seen: &'r RouteSeen) -> Told<'r> {
    let route = covering(&config.gateway.routes, name);
    let configured = route.and_then(|route| Some((route, class(route.rules.class)?))).map(|(route, class)| {
        let ramp = route.rules.ramp;
        (class, seen.effect(class, |_| true), seen.effect(class, |key| ramp.reaches(key)))
    });
    let suggestion = seen.suggestion();
    let suggested = match suggestion {
        Suggestion::Class(class) => Some(seen.effect(class, |_| true)),
        Suggestion::None(_) => None,
    };
    let upstream = route.and_then(|route| config.gateway.upstreams.get(route.upstream));
    let upstream = upstream.map_or("", |upstream| &upstream.name);
    Told { name, seen, route, upstream, configured, suggestion, suggested }
}

/// The scope's word for a configured class; partners are judged like staff.
pub(super) fn class(class: RouteClass) -> Option<Class> {
    match class {
        RouteClass::Own => Some(Class::Own),
        RouteClass::Staff | RouteClass::Partner => Some(Class::Staff),
        RouteClass::Public => Some(Class::Public),
        RouteClass::Observed => None,
    }
}

/// The configured route that a route of the ledger belongs to: by its name, else by the longest path. A route without a
/// name stands in the ledger as the first segment of its paths.
pub(super) fn covering<'r>(routes: &'r [Route], name: &str) -> Option<&'r Route> {
    let named = routes.iter().find(|route| route.name.as_deref() == Some(name));
    let covers = |route: &&Route| route.name.is_none() && is_below(name, &route.path_prefix);
    named.or_else(|| routes.iter().filter(covers).max_by_key(|route| route.path_prefix.len()))
}

/// What a configured route showed, all its names in the ledger together.
pub(super) fn joined(report: &Report, routes: &[Route], route: &Route) -> RouteSeen {
    let first = first_segment(&route.path_prefix);
    let mut joined = RouteSeen::default();
    for (name, seen) in &report.routes {
        let is_shape = route.name.is_none() && *name == first;
        if is_shape || covering(routes, name).is_some_and(|it| it.path_prefix == route.path_prefix) {
            joined.join(seen);
        }
    }
    joined
}

fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn first_segment(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/').split('/').next().unwrap_or_default())
}

pub(super) fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Record => "record",
        Action::Mask => "mask",
        Action::Block => "block",
    }
}

fn json(told: &[Told<'_>]) -> serde_json::Value {
    let routes = told.iter().map(|told| {
        let configured = told.configured.map(|(class, all, reached)| {
            let action = told.route.map(|route| action_name(route.rules.foreign));
            serde_json::json!({ "class": class, "action": action, "would_forbid": all, "within_ramp": reached })
        });
        let (class, reason) = match &told.suggestion {
            Suggestion::Class(class) => (Some(*class), None),
            Suggestion::None(reason) => (None, Some(reason)),
        };
        serde_json::json!({
            "route": told.name,
            "path": told.route.map(|route| &route.path_prefix),
            "responses": told.seen.responses,
            "with_persons": told.seen.counts,
            "with_canaries": told.seen.canaries,
            "done": told.seen.done,
            "configured": configured,
            "suggestion": { "class": class, "reason": reason, "would_forbid": told.suggested },
        })
    });
    serde_json::json!({ "routes": routes.collect::<Vec<_>>() })
}
