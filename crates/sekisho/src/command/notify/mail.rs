//! Plan, dry run, approval, sending.

use super::super::case::Place;
use super::super::{Done, Usage};
use super::Sources;
use super::office::{self, Begin, Office};
use crate::files;
use crate::output::{say, tell};
use anyhow::{Context, Result};
use jiff::Timestamp;
use sekisho_incident::{CaseId, NoticeStep};
use sekisho_notify::desk::{Desk, Task, Written, approval_hash};
use sekisho_notify::plan::{Scope, plan as join};
use sekisho_notify::register::Recipient;
use sekisho_notify::send::{self, Run};
use sekisho_notify::template::Templates;
use sekisho_notify::{APPROVERS_MIN, Campaign, Error, Event, State};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// Examples of a dry run.
const EXAMPLES: usize = 3;
/// Persons that are named in an answer; the rest is counted.
const NAMED_MAX: usize = 20;

/// What an operator orders beyond the queue.
#[derive(Clone, Copy)]
pub(super) struct Again {
    /// Notices in these states are queued again, where wanted.
    pub(super) order: [(bool, State); 3],
    pub(super) clock_is_right: bool,
}

pub(super) fn plan(id: &CaseId, scope: &Path, from: &Sources, place: &Place) -> Result<Done> {
    let config = office::config(from)?;
    Templates::load(&config)?;
    let text = std::fs::read_to_string(scope).with_context(|| format!("cannot read `{}`", scope.display()))?;
    let mut office = Office::open(id, place, Begin::Yes)?;
    let scope = Scope::read(&text, scope, &config.registers, &office.key(), id.as_str())?;
    let recipients = office.recipients(&config, |person| scope.persons.contains_key(&person))?;
    let plan = join(&office.campaign, &scope, &recipients);
    let is_changed = !plan.events.is_empty();
    office.decide(plan.events)?;
    if is_changed {
        office.prove(NoticeStep::Planned)?;
    }
    let (new, updates, unchanged) = (plan.new, plan.updates, plan.unchanged);
    say!("{} persons in the scope: {new} new, {updates} updates, {unchanged} told before", scope.persons.len());
    if plan.replanned > 0 {
        say!("{} notices that had not begun were planned anew", plan.replanned);
    }
    if plan.letters > 0 {
        say!("{} have no mail address and get a letter", plan.letters);
    }
    let register = |at: usize| config.registers[at].name.as_str();
    for (persons, what) in [
        (&plan.missing, "are not in the register file"),
        (&plan.without_address, "have neither a mail address nor a postal one that can be used"),
    ] {
        if persons.is_empty() {
            continue;
        }
        tell!("warning: {} persons {what}; decide with `sekisho notify postal` or `substitute`:", persons.len());
        for (at, row_key) in persons.iter().take(NAMED_MAX) {
            tell!("  {}:{row_key}", register(*at));
        }
        if persons.len() > NAMED_MAX {
            tell!("  and {} more: `sekisho notify status {id} --state no_address`", persons.len() - NAMED_MAX);
        }
    }
    Ok(Done::Yes)
}

pub(super) fn dry_run(id: &CaseId, out: &Path, all: bool, from: &Sources, place: &Place) -> Result<Done> {
    let office = Office::open(id, place, Begin::No)?;
    let desk = office.desk(from)?;
    let tasks: Vec<Task> = office
        .campaign
        .in_state(State::Queued)
        .filter_map(|(person, notice, _)| office.campaign.task(person, notice))
        .collect();
    if tasks.is_empty() {
        say!("no mail is queued");
        return Ok(Done::Yes);
    }
    files::private_directory(out).with_context(|| format!("cannot make `{}`", out.display()))?;
    let examples = examples(&desk, &tasks);
    let now = Timestamp::now();
    let mut held = 0;
    for (number, task) in (1..).zip(&examples) {
        held += usize::from(!example(&desk, task, now, &out.join(format!("example-{number}.eml")))?);
    }
    if all {
        held = write_all(&desk, &tasks, now)?;
    }
    let hash = desk.approval_hash(&office.campaign);
    say!("approvals will stand for {}…", &hash[..16]);
    Ok(if held == 0 { Done::Yes } else { Done::No })
}

/// Examples that differ: in language, in kind, in fields; then any.
fn examples<'t>(desk: &Desk, tasks: &'t [Task]) -> Vec<&'t Task> {
    let mut seen = Vec::new();
    let mut chosen: Vec<&Task> = Vec::new();
    for task in tasks {
        let language = desk.recipient(task.person).and_then(Recipient::language);
        let sort = (language, task.notice > 1, &task.fields);
        if chosen.len() < EXAMPLES && !seen.contains(&sort) {
            seen.push(sort);
            chosen.push(task);
        }
    }
    let more = tasks.iter().filter(|task| !chosen.iter().any(|known| std::ptr::eq(*known, *task)));
    let more: Vec<&Task> = more.take(EXAMPLES - chosen.len()).collect();
    chosen.into_iter().chain(more).collect()
}

/// Writes one example; `false` when it would not go.
fn example(desk: &Desk, task: &Task, now: Timestamp, path: &Path) -> Result<bool> {
    match desk.mail(task, now)? {
        Written::Mail { bytes, .. } => {
            let text = desk.readable(task, now);
            let cannot = || format!("cannot write `{}`", path.display());
            files::replace_private(path, |file| file.write_all(&bytes)).with_context(cannot)?;
            let shown = path.with_extension("txt");
            files::replace_private(&shown, |file| file.write_all(text.as_bytes())).with_context(cannot)?;
            say!("{} and {}", path.display(), shown.display());
            Ok(true)
        }
        Written::Held(why) => {
            tell!("warning: the scan would stop the mail to {}: {why}", named(desk, task.person));
            Ok(false)
        }
        Written::NoAddress(_) => {
            tell!("warning: {} has no address any more", named(desk, task.person));
            Ok(false)
        }
    }
}

/// Writes, signs and scans every mail on all cores; how many would not go.
fn write_all(desk: &Desk, tasks: &[Task], now: Timestamp) -> Result<usize> {
    let begin = Instant::now();
    let next = AtomicUsize::new(0);
    let (held, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, NonZero::get) {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match desk.mail(task, now) {
                        Ok(Written::Mail { .. }) => {}
                        Ok(Written::Held(why)) => push(&held, (task.person, why)),
                        Ok(Written::NoAddress(_)) => {
                            push(&held, (task.person, "it has no address any more".to_owned()));
                        }
                        Err(err) => {
                            *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(err);
                            next.store(tasks.len(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    if let Some(err) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(err.into());
    }
    let held = held.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = begin.elapsed().as_secs_f64();
    say!("{} mails written, signed and scanned in {seconds:.1} s; {} would not go", tasks.len(), held.len());
    tell_held(desk, &held);
    Ok(held.len())
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(item);
}

fn tell_held(desk: &Desk, held: &[(sekisho_notify::PersonKey, String)]) {
    for (person, why) in held.iter().take(NAMED_MAX) {
        tell!("warning: the mail to {} was stopped: {why}", named(desk, *person));
    }
    if held.len() > NAMED_MAX {
        tell!("warning: and {} more", held.len() - NAMED_MAX);
    }
}

fn named(desk: &Desk, person: sekisho_notify::PersonKey) -> String {
    let row = desk.recipient(person);
    row.map_or_else(
        || person.to_string(),
        |row| format!("{}:{}", desk.config().registers[row.register()].name, row.row_key()),
    )
}

pub(super) fn approve(id: &CaseId, from: &Sources, place: &Place) -> Result<Done> {
    let operator = operator(place)?;
    let config = office::config(from)?;
    let templates = Templates::load(&config)?;
    let mut office = Office::open(id, place, Begin::No)?;
    let of = approval_hash(&office.campaign, &templates, &config);
    office.decide(vec![Event::Approved { of: of.clone() }])?;
    office.prove(NoticeStep::Approved)?;
    let approvers = approvers(&office.campaign, &of);
    say!(
        "{operator} approved {}…; approved by {} of {APPROVERS_MIN}: {}",
        &of[..16],
        approvers.len(),
        approvers.join(", ")
    );
    Ok(Done::Yes)
}

/// An approval is somebody's: an account that many share says nothing.
fn operator(place: &Place) -> Result<String> {
    let operator = place.operator().trim().to_owned();
    if matches!(folded(&operator).as_str(), "" | "unknown" | "root") {
        return Err(Usage::error("say who approves: --operator NAME"));
    }
    Ok(operator)
}

fn approvers(campaign: &Campaign, of: &str) -> Vec<String> {
    let names = campaign.approvers(of).into_iter().map(folded);
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Names that differ in case, width, spaces or what is not seen at all are one person's. Whether two names are two
/// persons is for the firm to see to: nothing here proves who typed them.
fn folded(name: &str) -> String {
    let is_seen = |c: &char| {
        !(c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'))
    };
    let narrow = |c| match c {
        // Full-width ASCII.
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    };
    name.chars().filter(is_seen).map(narrow).collect::<String>().to_lowercase()
}

pub(super) fn send(id: &CaseId, again: Again, from: &Sources, place: &Place) -> Result<Done> {
    let mut office = Office::open(id, place, Begin::No)?;
    if !again.clock_is_right {
        office.campaign.check_clock(Timestamp::now())?;
    }
    let desk = office.desk(from)?;
    check_approved(&office.campaign, &desk, id)?;
    let lost = office.settle()?;
    if lost > 0 {
        tell!("warning: {lost} mails were under way when the run before ended: nobody knows whether they were taken");
    }
    requeue(&mut office, again)?;
    office.prove(NoticeStep::Begun)?;
    let begin = Instant::now();
    let Office { journal, campaign, zone, .. } = office;
    drop(zone);
    let desk = Arc::new(desk);
    let (run, journal) = run(Arc::new(campaign), Arc::clone(&desk), journal)?;
    let path = office::journal_path(id, place);
    // The journal is what happened; the campaign is read from it again, as any later command will.
    let (campaign, _) = Campaign::read(&path, &[])?;
    office::prove(id, place, NoticeStep::Ended, &campaign, journal.head())?;
    drop(journal);
    tell(&run, &desk, begin.elapsed().as_secs_f64());
    Ok(if run.stopped.is_none() && run.left == 0 && run.held == 0 { Done::Yes } else { Done::No })
}

/// Two operators must have agreed to the persons, texts and configuration as they are now.
pub(super) fn check_approved(campaign: &Campaign, desk: &Desk, id: &CaseId) -> Result<()> {
    let approvers = approvers(campaign, &desk.approval_hash(campaign));
    if approvers.len() >= APPROVERS_MIN {
        return Ok(());
    }
    let by = if approvers.is_empty() { "nobody".to_owned() } else { approvers.join(", ") };
    let reason = format!(
        "the persons, texts and configuration as they are now are approved by {by}, and {APPROVERS_MIN} different operators \
         must; nothing was sent or written: `sekisho notify approve {id} --operator NAME`"
    );
    Err(Error::Refused(reason).into())
}

fn requeue(office: &mut Office<'_>, again: Again) -> Result<()> {
    for (_, state) in again.order.into_iter().filter(|(wanted, _)| *wanted) {
        let in_state = office.campaign.in_state(state);
        let events: Vec<Event> = in_state.map(|(person, notice, _)| Event::Requeued { person, notice }).collect();
        say!("{} {} notices are queued again by {}", events.len(), state.name(), office.place.operator());
        office.decide(events)?;
    }
    Ok(())
}

fn run(
    campaign: Arc<Campaign>,
    desk: Arc<Desk>,
    journal: sekisho_notify::Journal,
) -> Result<(Run, sekisho_notify::Journal)> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the sender")?;
    let stop = Arc::new(AtomicBool::new(false));
    let clock: Arc<send::Clock> = Arc::new(steady_clock());
    runtime.block_on(async {
        let asked = Arc::clone(&stop);
        let interrupted = tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                tell!("ending the mails under way");
                asked.store(true, Ordering::Relaxed);
            }
        });
        let ended = send::run(campaign, desk, journal, clock, stop).await;
        interrupted.abort();
        Ok(ended?)
    })
}

/// The time of the run's begin, going on as steadily as the machine counts: a clock that is set during a run changes
/// neither throttles nor waits.
fn steady_clock() -> impl Fn() -> Timestamp + Send + Sync {
    let (begin, at) = (Instant::now(), Timestamp::now());
    move || at.checked_add(begin.elapsed()).unwrap_or(at)
}

fn tell(run: &Run, desk: &Desk, seconds: f64) {
    let rate = run.sent as f64 / seconds.max(0.001);
    say!("{} sent in {seconds:.1} s ({rate:.0} a second); {} scanned", run.sent, run.scanned);
    for (count, what) in [
        (run.unknown, "of unknown end: not sent again unless an operator orders it (--resend-unknown)"),
        (run.deferred, "answers put a mail off"),
        (run.bounced, "bounced: `sekisho notify postal` makes letters of them"),
        (run.no_address, "persons have no address any more"),
        (run.held, "held: the scan stopped them"),
        (run.left, "still queued: run `sekisho notify send` again"),
    ] {
        if count > 0 {
            say!("{count} {what}");
        }
    }
    tell_held(desk, &run.held_persons);
    if let Some(why) = &run.stopped {
        tell!("error: the run ended early: {why}; nothing is lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operator_under_two_spellings_is_one() {
        for other in [" Sato ", "ｓａｔｏ", "sa to", "sa\u{200b}to", "SATO\u{feff}", "sa\u{a0}to"] {
            assert_eq!(folded(other), "sato", "{other:?}");
        }
        assert_ne!(folded("sato"), folded("suzuki"));
        assert_eq!(folded("\u{200b}"), "");
        assert_eq!(folded("佐藤　花子"), "佐藤花子");
    }
}
