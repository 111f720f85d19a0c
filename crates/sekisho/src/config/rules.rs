//! A route's rules: whom it serves, and what is done with what it may not show.

use super::section::{Section, Source};
use sekisho_gateway::config::{Names, Route};
use sekisho_gateway::inspect::{Action, Policy, Ramp, RouteClass};
use sekisho_model::Diagnostic;
use std::num::NonZeroU32;
use std::ops::Range;

const CLASSES: &str = "\"own\", \"staff\", \"partner\" or \"public\"";
const ACTIONS: &str = "\"record\", \"mask\" or \"block\"";
const CANARY_ACTIONS: &str = "\"allow\", \"record\", \"mask\" or \"block\"";

/// The rules of a `[[route]]`.
pub(super) fn read(section: &Section<'_>) -> Policy {
    let class = section.parsed("class", "SK041", CLASSES, class);
    let action =
        |field: &'static str| section.parsed(field, "SK042", ACTIONS, action).map_or(Action::Record, |read| read.value);
    let ramp =
        section.parsed("enforced", "SK047", "a share of the sessions from \"0%\" to \"100%\", such as \"5%\"", ramp);
    let subjects = section.number("subjects_per_minute_max");
    Policy {
        class: class.map_or(RouteClass::Observed, |class| class.value),
        foreign: action("foreign"),
        canary: section.parsed("canary", "SK042", CANARY_ACTIONS, canary_action).map_or(Action::Record, |it| it.value),
        card: action("card"),
        my_number: action("my_number"),
        secret: action("secret"),
        crowd: action("crowd"),
        subjects_per_minute_max: subjects.and_then(|number| NonZeroU32::new(u32::try_from(number.value).ok()?)),
        ramp: ramp.map_or_else(Ramp::default, |ramp| ramp.value),
    }
}

fn class(text: &str) -> Option<RouteClass> {
    match text {
        "own" => Some(RouteClass::Own),
        "staff" => Some(RouteClass::Staff),
        "partner" => Some(RouteClass::Partner),
        "public" => Some(RouteClass::Public),
        _ => None,
    }
}

fn action(text: &str) -> Option<Action> {
    match text {
        "record" => Some(Action::Record),
        "mask" => Some(Action::Mask),
        "block" => Some(Action::Block),
        _ => None,
    }
}

fn canary_action(text: &str) -> Option<Action> {
    match text {
        "allow" => Some(Action::Allow),
        other => action(other),
    }
}

fn ramp(text: &str) -> Option<Ramp> {
    Ramp::percent(text.strip_suffix('%')?.trim_end().parse().ok()?)
}

/// A route that needs to know whose a session is, needs a log-in or a token that says so; a rule needs what it is about.
pub(super) fn check(source: &Source<'_>, route: &Route, named: &[Names], place: &Range<usize>) {
    let Route { rules, path_prefix, .. } = route;
    let tell = |code, title: String, help: &str| source.tell(Diagnostic::error(code, title).help(help), place);
    let needs = match rules.class {
        RouteClass::Own => {
            Some(("a person", "declare where customers log in with [[login]], or their tokens with [[token]]"))
        }
        RouteClass::Staff | RouteClass::Partner => Some((
            "an account",
            "declare where it logs in with [[login]], or its tokens with [[token]], and `kind = \"account\"`",
        )),
        RouteClass::Observed | RouteClass::Public => None,
    };
    let is_enough = |names: &Names| (*names == Names::Account) == rules.class.needs_account();
    if let Some((whom, help)) = needs
        && !named.iter().any(is_enough)
        && !source.has_errors()
    {
        let title = format!("no session can ever be bound to {whom} on the route `{path_prefix}`");
        tell("SK045", title, help);
    }
    if *rules != Policy::default() && !route.inspect {
        let title = format!("rules have no effect on the route `{path_prefix}`: it is not inspected");
        tell("SK046", title, "remove `inspect = false`");
    }
    if rules.class == RouteClass::Observed && rules.foreign != Action::Record {
        let title = format!("`foreign` has no effect on the route `{path_prefix}`: nothing says whom it serves");
        tell("SK046", title, "add `class = \"own\"`, \"staff\", \"partner\" or \"public\"");
    }
    if rules.subjects_per_minute_max.is_none() && rules.crowd != Action::Record {
        let title = format!("`crowd` has no effect on the route `{path_prefix}`: no number is too many");
        tell("SK046", title, "add `subjects_per_minute_max`");
    }
}
