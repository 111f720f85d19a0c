//! Changes a route's rules in the operator's file: comments and order stay, the result is checked before it is written,
//! and the file is replaced whole.

use super::report::{self, ask, class, joined};
use super::table::effect;
use crate::command::{Done, check};
use crate::config::{self, Config};
use crate::output::{say, say_text};
use crate::report::{Shown, print as print_told};
use crate::times;
use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use sekisho_gateway::config::Route;
use sekisho_model::{Clock, SystemClock};
use sekisho_scope::policy::{Class, Report, RouteSeen, Suggestion};
use std::io::Write;
use std::path::{Path, PathBuf};
use toml_edit::{ArrayOfTables, DocumentMut, Table, value};

/// Give a route a class and an action, for a share of the sessions.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sekisho policy enforce -c sekisho.toml --route /my --class own --action block --ramp 1%"
)]
pub(crate) struct Enforce {
    #[command(flatten)]
    target: Target,
    /// Whom the route serves.
    #[arg(long, value_enum, conflicts_with = "all")]
    class: Option<ClassName>,
    /// What is done with somebody else's data.
    #[arg(long, value_enum, default_value = "block")]
    action: ActionName,
    /// The share of the sessions.
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "1%")]
    ramp: String,
}

/// Change the share of the sessions for which a route's rules are enforced.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho policy ramp -c sekisho.toml --route /my 5%")]
pub(crate) struct RampTo {
    #[command(flatten)]
    target: Target,
    /// The share: 0% to 100%.
    #[arg(value_name = "PERCENT", value_parser = percent)]
    ramp: String,
}

#[derive(clap::Args)]
struct Target {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "sekisho.toml")]
    config: PathBuf,
    /// The route, by its path or name.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    route: Option<String>,
    /// Every route: `enforce` takes the suggested class, `ramp` those that have one.
    #[arg(long)]
    all: bool,
    /// Even when the report says that ordinary customers would be refused.
    #[arg(long)]
    force: bool,
    /// Reload this process when the file is written.
    #[arg(long)]
    pid: Option<u32>,
    /// The report's period begins here.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "-7d")]
    from: String,
    /// Who asks; recorded in the ledger. Default: $SUDO_USER, else $USER.
    #[arg(long)]
    operator: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClassName {
    Own,
    Staff,
    Partner,
    Public,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ActionName {
    Record,
    Mask,
    Block,
}

/// One route's new rules; what is `None` stays.
struct Change {
    path: String,
    class: Option<String>,
    action: Option<String>,
    ramp: String,
}

impl Enforce {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(config) = check::load(&self.target.config)? else { return Ok(Done::No) };
        let report = self.target.report(&config)?;
        let action = word(&self.action);
        let change = |path: &str, class: String| Change {
            path: path.to_owned(),
            class: Some(class),
            action: Some(action.clone()),
            ramp: self.ramp.clone(),
        };
        let mut changes = Vec::new();
        if self.target.all {
            for route in &config.gateway.routes {
                match joined(&report, &config.gateway.routes, route).suggestion() {
                    Suggestion::Class(class) => changes.push(change(key(route), class.name().to_owned())),
                    Suggestion::None(reason) => say!("{}: left as it is: {reason}", key(route)),
                }
            }
        } else if let Some(path) = &self.target.route {
            let known = find(&config, path);
            let class_known = known.and_then(|route| class(route.rules.class));
            let class = self.class.as_ref().map(word).or_else(|| class_known.map(|class| class.name().to_owned()));
            changes
                .push(change(path, class.context("say whom the route serves: --class own, staff, partner or public")?));
        }
        let enforces = self.action != ActionName::Record && self.ramp != "0%";
        self.target.apply(&config, &report, &changes, enforces)
    }
}

impl RampTo {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(config) = check::load(&self.target.config)? else { return Ok(Done::No) };
        let report = self.target.report(&config)?;
        let routes = config.gateway.routes.iter();
        let asked = |route: &&Route| match &self.target.route {
            Some(path) => key(route) == path || route.path_prefix == *path,
            None => class(route.rules.class).is_some(),
        };
        let change =
            |route: &Route| Change { path: key(route).to_owned(), class: None, action: None, ramp: self.ramp.clone() };
        let changes: Vec<Change> = routes.filter(asked).map(change).collect();
        if let (Some(path), true) = (&self.target.route, changes.is_empty()) {
            bail!("there is no route `{path}` in `{}`", self.target.config.display());
        }
        self.target.apply(&config, &report, &changes, self.ramp != "0%")
    }
}

impl Target {
    fn report(&self, config: &Config) -> Result<Report> {
        let clock = SystemClock::new();
        let from = times::parse(&self.from, clock.now(), &TimeZone::system()).map_err(|err| anyhow!(err))?;
        let question = format!("policy report --from {} (before a change)", self.from);
        ask(&config.ledger.directory, &clock, from, None, self.operator.clone(), question)
    }

    fn apply(&self, config: &Config, report: &Report, changes: &[Change], enforces: bool) -> Result<Done> {
        if changes.is_empty() {
            say!("nothing to change");
            return Ok(Done::No);
        }
        for change in changes.iter().filter(|_| enforces) {
            if let Some(why) = refusal(config, report, change) {
                say!("{}: {why}", change.path);
                if !self.force {
                    say!("Not changed. `sekisho policy report` says more; --force changes it all the same.");
                    return Ok(Done::No);
                }
            }
        }
        let old = std::fs::read_to_string(&self.config)
            .with_context(|| format!("cannot read `{}`", self.config.display()))?;
        let new = edited(&old, &config.gateway.routes, changes)?;
        say_text!("{}", difference(&old, &new));
        if old == new {
            say!("nothing to change");
            return Ok(Done::Yes);
        }
        if !replace(&self.config, &new)? {
            return Ok(Done::No);
        }
        match self.pid {
            Some(pid) => {
                let sent = std::process::Command::new("kill").args(["-HUP", &pid.to_string()]).status();
                if !sent.context("cannot run `kill`")?.success() {
                    bail!("`{}` is written; process {pid} could not be told", self.config.display());
                }
                say!("Written; process {pid} was told to reload.");
            }
            None => say!("Written. In force after:  kill -HUP $(pidof sekisho)"),
        }
        Ok(Done::Yes)
    }
}

/// Why enforcing would refuse ordinary customers, as far as the report says; `None` when it would not.
fn refusal(config: &Config, report: &Report, change: &Change) -> Option<String> {
    let known = find(config, &change.path);
    let class = match change.class.as_deref() {
        Some("own") => Class::Own,
        Some("staff" | "partner") => Class::Staff,
        Some(_) => Class::Public,
        // Without a class no session is refused for whose it is.
        None => class(known?.rules.class)?,
    };
    let seen: RouteSeen = match known {
        Some(route) => joined(report, &config.gateway.routes, route),
        None => {
            let mut seen = RouteSeen::default();
            let below = |name: &str| name == change.path || name.starts_with(&format!("{}/", change.path));
            report.routes.iter().filter(|(name, _)| below(name)).for_each(|(_, it)| seen.join(it));
            seen
        }
    };
    if seen.fits(class) {
        return None;
    }
    let all = if class == Class::Public { seen.responses } else { seen.counts.all() };
    let of = seen.effect(class, |_| true);
    Some(match of.responses {
        0 => format!("{all} responses were seen, too few to say that ordinary customers are not refused"),
        _ => format!(
            "`{}` would have ended {} ({})",
            class.name(),
            effect(of, all),
            seen.contradicting(class).join(", ")
        ),
    })
}

/// A route as it is named on the command line.
fn key(route: &Route) -> &str {
    route.name.as_deref().unwrap_or(&route.path_prefix)
}

fn find<'c>(config: &'c Config, path: &str) -> Option<&'c Route> {
    config.gateway.routes.iter().find(|route| key(route) == path || route.path_prefix == path)
}

/// The file with the changes in it, everything else as it was.
fn edited(text: &str, known: &[Route], changes: &[Change]) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("cannot read the configuration")?;
    let routes = document.get_mut("route").and_then(|item| item.as_array_of_tables_mut());
    let routes = routes.context("the routes are not written as [[route]]")?;
    for change in changes {
        let table = route_table(routes, known, &change.path)?;
        for (field, new) in
            [("class", &change.class), ("foreign", &change.action), ("enforced", &Some(change.ramp.clone()))]
        {
            let Some(new) = new else { continue };
            match table.get_mut(field).and_then(|item| item.as_value_mut()) {
                // The comment behind the value stays.
                Some(old) => {
                    let decor = old.decor().clone();
                    *old = new.as_str().into();
                    *old.decor_mut() = decor;
                }
                None => _ = table.insert(field, value(new)),
            }
        }
    }
    Ok(document.to_string())
}

/// The route's table; a path that has none gets one like the route that covers it.
fn route_table<'t>(routes: &'t mut ArrayOfTables, known: &[Route], path: &str) -> Result<&'t mut Table> {
    let text = |table: &Table, field: &str| table.get(field).and_then(|item| item.as_str()).map(str::to_owned);
    let is_it = |table: &Table| {
        text(table, "name").as_deref() == Some(path) || text(table, "path").unwrap_or_else(|| "/".to_owned()) == path
    };
    let there = routes.iter().position(is_it);
    if let Some(at) = there {
        return routes.get_mut(at).context("the route was found");
    }
    if !path.starts_with('/') {
        bail!("there is no route `{path}`; a new one is named by its path, which begins with `/`");
    }
    let covering = report::covering(known, path).context("no route covers this path")?;
    let at = known.iter().position(|route| std::ptr::eq(route, covering)).unwrap_or(0);
    let like = routes.get(at).context("the covering route was found")?;
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table.insert("path", value(path));
    for field in ["upstream", "host", "continuity", "compress", "websocket"] {
        if let Some(kept) = like.get(field).and_then(|item| item.as_value()) {
            let mut kept = kept.clone();
            kept.decor_mut().clear();
            table.insert(field, value(kept));
        }
    }
    routes.push(table);
    let last = routes.len() - 1;
    routes.get_mut(last).context("it was added")
}

/// The changed lines, with what stands before them removed and added.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // Longest common subsequence; files of this kind have some hundred lines.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for (at, line) in old.iter().enumerate().rev() {
        for (to, other) in new.iter().enumerate().rev() {
            common[at][to] = match line == other {
                true => common[at + 1][to + 1] + 1,
                false => common[at + 1][to].max(common[at][to + 1]),
            };
        }
    }
    let (mut at, mut to, mut text) = (0, 0, String::new());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            (at, to) = (at + 1, to + 1);
        } else if at < old.len() && (to == new.len() || common[at + 1][to] >= common[at][to + 1]) {
            text.push_str(&format!("-{:>4}  {}\n", at + 1, old[at]));
            at += 1;
        } else {
            text.push_str(&format!("+{:>4}  {}\n", to + 1, new[to]));
            to += 1;
        }
    }
    text
}

/// Checks the new text beside the old file, where its relative paths mean the same, then puts it in the old one's place.
fn replace(path: &Path, text: &str) -> Result<bool> {
    let temporary = path.with_extension(format!("toml.new-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.set_permissions(std::fs::metadata(path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let checked = write().and_then(|()| config::load(&temporary, config::Depth::Surface));
    let replaced = match checked {
        Ok(loaded) if loaded.config.is_none() => {
            print_told(&loaded.told, Shown { file: &temporary.display().to_string(), text: &loaded.text });
            say!("Not changed: the result would not be a good configuration.");
            Ok(false)
        }
        Ok(_) => std::fs::rename(&temporary, path).map(|()| true),
        Err(err) => Err(err),
    };
    if !matches!(replaced, Ok(true)) {
        // What counts was told; a leftover is named by its process.
        let _ = std::fs::remove_file(&temporary);
    }
    replaced.with_context(|| format!("cannot replace `{}`", path.display()))
}

fn word(name: &impl ValueEnum) -> String {
    name.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn percent(text: &str) -> Result<String, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<u8>().ok().filter(|number| *number <= 100);
    number.map(|number| format!("{number}%")).ok_or_else(|| "write a share from 0% to 100%, such as 5%".to_owned())
}

#[cfg(test)]
mod tests;
