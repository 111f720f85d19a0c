//! `sekisho demo`: a sample broker, the checkpoint in front of it, an attack, and the answer; all on this machine.
//!
//! The site, the gateway, the ledger and the scope are the real ones. Nothing is told in advance: the answer comes from
//! the ledger, and the referee that judges it is a program of its own without the product's code.

mod announcement;
mod referee;
mod scenario;
mod stage;

use super::Done;
use crate::output::say;
use anyhow::{Context, Result, bail};
use referee::Difference;
use scenario::Scenario;
use sekisho_demo::client::Client;
use sekisho_demo::traffic;
use sekisho_gateway::inspect::{LiveEvent, LiveEvents};
use sekisho_ledger::{Filter, Reader};
use sekisho_model::{Clock, SystemClock};
use sekisho_scope::text::count;
use sekisho_scope::{Answer, Combination, Question, RegisterAnswer, table};
use serde::Serialize;
use stage::Stage;
use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Play an attack on a sample broker and show whose data left.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho demo --exit")]
pub(crate) struct Arguments {
    /// What happens.
    #[arg(long, default_value = "seminar-theft", value_name = "NAME")]
    scenario: String,
    /// End after the result instead of staying up to be looked at.
    #[arg(long)]
    exit: bool,
    /// Print one JSON object and nothing else; ends after the result.
    #[arg(long)]
    json: bool,
    /// Who the customers are; another one each run when not given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// The referee as a program of its own.
#[derive(clap::Args)]
pub(crate) struct RefereeArguments {
    /// The capture's directory, then NAME=FILE for each register.
    #[arg(required = true)]
    arguments: Vec<String>,
}

impl RefereeArguments {
    pub(crate) fn run(self) -> Result<Done> {
        match sekisho_demo_truth::run(&self.arguments) {
            Ok(verdict) => say!("{verdict}"),
            Err(told) => bail!(told),
        }
        Ok(Done::Yes)
    }
}

/// What came out.
#[derive(Serialize)]
struct Outcome {
    scenario: String,
    seed: u64,
    /// Whether the scope and the referee agree on every person and every field.
    truth_match: bool,
    differences: Vec<Difference>,
    /// From the thief's first request to the first exposure told, in milliseconds.
    detected_ms: u128,
    /// The whole question, ledger's files included, in milliseconds.
    scope_ms: u128,
    persons: Vec<RegisterOutcome>,
}

#[derive(Serialize)]
struct RegisterOutcome {
    register: String,
    combinations: Vec<CombinationOutcome>,
}

#[derive(Serialize)]
struct CombinationOutcome {
    fields: Vec<String>,
    persons: u64,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<Done> {
        let scenario = Scenario::named(&self.scenario)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => u64::from(getrandom::u32().map_err(|err| anyhow::anyhow!("cannot get random bytes: {err}"))?),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        let told = Told { is_quiet: self.json };
        told.title(&scenario, seed);
        let (mut stage, events) = runtime.block_on(Stage::set(&scenario, seed))?;
        told.stage(&stage);
        let detected = runtime.block_on(play(&scenario, &stage, events, &told))?;
        let (answer, took) = ask(&stage, &scenario)?;
        let referee = referee::judge(&stage.capture, &stage.registers)?;
        let scope = referee::persons(&answer, &stage.index()?, &stage.registers)?;
        let differences = referee::differences(&scope, &referee);
        let has_loot = scope.values().any(|rows| !rows.is_empty());
        let truth = Truth { is_met: differences.is_empty() && has_loot, differences };
        let outcome = outcome(&self.scenario, seed, &answer, truth, (detected, took));
        if self.json {
            say!("{}", serde_json::to_string(&outcome).context("cannot write the result")?);
        }
        told.result(&outcome, &answer);
        if !self.exit && !self.json {
            told.staying(&stage);
            runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")?;
        }
        runtime.block_on(stage.clear())?;
        Ok(if outcome.truth_match { Done::Yes } else { Done::No })
    }
}

/// Customers, then the thief among them. Returns the time from the thief's first request to the first exposure told.
async fn play(scenario: &Scenario, stage: &Stage, mut events: LiveEvents, told: &Told) -> Result<Duration> {
    let scenario::Customers { visits_before, visits_during } = scenario.customers;
    let requests = visits(stage, 0..visits_before).await?;
    while events.try_recv().is_ok() {}
    told.customers(visits_before, requests);

    let mut thief = Client::new(stage.gateway(), scenario.thief.address).capturing(&stage.capture);
    let own = stage.accounts.first().context("the scenario has no account")?.account_id.clone();
    let begun = Instant::now();
    let theft =
        async { traffic::steal(&mut thief, scenario.loot(), &own).await.context("the thief's requests failed") };
    let among = visits(stage, visits_before..visits_before + visits_during);
    let mut acts = std::pin::pin!(async { tokio::try_join!(theft, among) });
    let mut watch = Watch::new(scenario.thief.address, begun);
    let (_, requests) = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => watch.see(&event, told),
            done = &mut acts => break done?,
        }
    };
    while let Ok(event) = events.try_recv() {
        watch.see(&event, told);
    }
    told.customers_meanwhile(visits_during, requests);
    watch.detected.context("the thief was not seen at all")
}

/// Ordinary customers, one after another, each from an address of their own. Returns their requests.
async fn visits(stage: &Stage, numbers: Range<usize>) -> Result<u32> {
    let mut requests = 0;
    for number in numbers {
        // The first account is the thief's.
        let person = stage.accounts.get(number + 1).context("the scenario has too few accounts")?;
        let host = u8::try_from(number + 1).context("the scenario has too many customers")?;
        let address = Ipv4Addr::new(127, 0, 1, host);
        requests +=
            traffic::visit(stage.gateway(), address, number, person).await.context("a customer's visit failed")?;
    }
    Ok(requests)
}

/// What is seen of the thief.
struct Watch {
    thief: IpAddr,
    begun: Instant,
    detected: Option<Duration>,
    persons: HashSet<sekisho_model::Subject>,
    lines: usize,
}

impl Watch {
    fn new(thief: Ipv4Addr, begun: Instant) -> Watch {
        Watch { thief: IpAddr::V4(thief), begun, detected: None, persons: HashSet::new(), lines: 0 }
    }

    fn see(&mut self, event: &LiveEvent, told: &Told) {
        let LiveEvent::Exposed { client, route, exposures, .. } = event else { return };
        if *client != self.thief {
            return;
        }
        let after = self.begun.elapsed();
        self.detected.get_or_insert(after);
        let before = self.persons.len();
        self.persons.extend(exposures.iter().filter(|one| !one.fields.is_empty()).map(|one| one.subject));
        let fresh = self.persons.len() - before;
        if fresh == 0 {
            return;
        }
        self.lines += 1;
        if self.lines <= 5 || self.lines.is_multiple_of(10) {
            told.exposed(after, route, fresh, self.persons.len());
        }
    }
}

/// Asks the ledger what the thief received, and how long that took.
fn ask(stage: &Stage, scenario: &Scenario) -> Result<(Answer, Duration)> {
    stage.settled(&Filter { client: Some(IpAddr::V4(scenario.thief.address).into()), ..Filter::default() })?;
    let begun = Instant::now();
    let reader = Reader::open(&stage.ledger, Arc::new(sekisho_ledger::RealDisk)).context("cannot read the ledger")?;
    let client = Some(IpAddr::V4(scenario.thief.address).into());
    let question = Question { client, ..Question::default() };
    let answer = sekisho_scope::ask(&reader, &question, SystemClock::new().now()).context("cannot ask the ledger")?;
    Ok((answer, begun.elapsed()))
}

/// What the referee says of the scope.
struct Truth {
    is_met: bool,
    differences: Vec<Difference>,
}

fn outcome(
    scenario: &str,
    seed: u64,
    answer: &Answer,
    truth: Truth,
    (detected, took): (Duration, Duration),
) -> Outcome {
    let combination =
        |one: &Combination| CombinationOutcome { fields: sorted(one.fields.clone()), persons: one.persons };
    let register = |one: &RegisterAnswer| RegisterOutcome {
        register: one.name.clone(),
        combinations: {
            let mut all: Vec<_> = one.combinations.iter().map(combination).collect();
            all.sort_by(|one, other| one.fields.cmp(&other.fields));
            all
        },
    };
    let mut persons: Vec<_> = answer.registers.iter().map(register).collect();
    persons.sort_by(|one, other| one.register.cmp(&other.register));
    Outcome {
        scenario: scenario.to_owned(),
        seed,
        truth_match: truth.is_met,
        differences: truth.differences,
        detected_ms: detected.as_millis(),
        scope_ms: took.as_millis(),
        persons,
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// What a person reads; nothing with `--json`.
struct Told {
    is_quiet: bool,
}

impl Told {
    fn say(&self, line: std::fmt::Arguments<'_>) {
        if !self.is_quiet {
            // Who stops reading the account does not stop the demo.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    fn title(&self, scenario: &Scenario, seed: u64) {
        self.say(format_args!("関所 Sekisho — {} / {}", scenario.title_ja, scenario.title_en));
        self.say(format_args!("架空のFX会社「箱根FX」と、架空の顧客です（シード {seed}）。"));
        self.say(format_args!("An invented broker, Hakone FX, with invented customers (seed {seed}).\n"));
    }

    fn stage(&self, stage: &Stage) {
        self.say(format_args!("  見本サイト  site      http://{}/", stage.site()));
        self.say(format_args!("  関所        gateway   http://{}/", stage.gateway()));
        for (name, persons) in stage.persons() {
            self.say(format_args!("  名簿        register  {name}, {} persons", count(persons)));
        }
        self.say(format_args!(""));
    }

    fn customers(&self, visits: usize, requests: u32) {
        self.say(format_args!("通常のお客様 {visits}名が利用（リクエスト {requests}件）。"));
        self.say(format_args!("{visits} ordinary customers used the site ({requests} requests).\n"));
        self.say(format_args!("盗みが始まる。The theft begins.\n"));
    }

    fn customers_meanwhile(&self, visits: usize, requests: u32) {
        self.say(format_args!("\nその間も、通常のお客様 {visits}名が利用（リクエスト {requests}件）。"));
        self.say(format_args!("Meanwhile {visits} more customers used the site ({requests} requests)."));
    }

    fn exposed(&self, after: Duration, route: &str, fresh: usize, total: usize) {
        let ms = after.as_millis();
        let (fresh, total) = (count(fresh as u64), count(total as u64));
        self.say(format_args!("  {ms:>6} ms  {route:<10}  +{fresh:>5} persons  {total:>7} in all"));
    }

    fn result(&self, outcome: &Outcome, answer: &Answer) {
        let colour = if std::io::stdout().is_terminal() { table::Colour::Yes } else { table::Colour::No };
        self.say(format_args!("\n盗まれたものは何か。What did the thief get? Asked of the ledger:\n"));
        self.say(format_args!("{}", table::render(answer, &jiff::tz::TimeZone::system(), colour)));
        self.say(format_args!("公表文の案 / Draft announcement\n\n{}", announcement::japanese(answer)));
        self.say(format_args!("{}", announcement::english(answer)));
        let (detected, took) = (outcome.detected_ms, outcome.scope_ms);
        self.say(format_args!("Detected {detected} ms after the thief's first request; the question took {took} ms."));
        match outcome.truth_match {
            true => self.say(format_args!(
                "The referee, reading the thief's raw bytes with code of its own, finds the same persons with the same fields."
            )),
            false => self.say(format_args!("THE REFEREE SAYS OTHERWISE: {:#?}", outcome.differences)),
        }
    }

    fn staying(&self, stage: &Stage) {
        let gateway = stage.gateway();
        self.say(format_args!(
            "\n見本サイトは動いています。Still running: http://{gateway}/  (Ctrl-C で終了 / Ctrl-C ends)"
        ));
    }
}
