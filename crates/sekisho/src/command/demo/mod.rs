//! `sekisho demo`: a sample broker, the checkpoint in front of it, an attack, and the answer; all on this machine.
//!
//! The site, the gateway, the ledger and the scope are the real ones. Nothing is told in advance: the answer comes from
//! the ledger, and the referee that judges it is a program of its own without the product's code.

mod announcement;
mod referee;
mod scenario;
mod stage;
mod told;

use super::Done;
use crate::live::Live;
use crate::output::{self, say};
use crate::signals::Ending;
use anyhow::{Context, Result, bail};
use referee::Difference;
use scenario::Scenario;
use sekisho_demo::client::Client;
use sekisho_demo::traffic;
use sekisho_gateway::inspect::{LiveEvent, LiveEvents};
use sekisho_ledger::{Filter, Reader};
use sekisho_model::{Clock, SystemClock};
use sekisho_scope::{Answer, Combination, Question, RegisterAnswer};
use serde::Serialize;
use stage::Stage;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use told::Told;

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
    /// From the thief's first request to the first exposure that was recorded, in milliseconds.
    detected_ms: f64,
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
        let mut ending = runtime.block_on(async { Ending::listen() })?;
        let (mut stage, mut events) = runtime.block_on(unless_ended(&mut ending, Stage::set(&scenario, seed)))?;
        told.stage(&stage);
        let detected = runtime.block_on(unless_ended(&mut ending, play(&scenario, &stage, &mut events, &told)))?;
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
        if !self.exit && !self.json && output::is_heard() {
            told.staying(&stage);
            let mut live = Live::new(Arc::new(stage.index()?));
            runtime.block_on(live.show_until(&mut events, ending.told()));
        }
        runtime.block_on(stage.clear())?;
        Ok(if outcome.truth_match { Done::Yes } else { Done::No })
    }
}

/// What is done is dropped, and with it the stage and its directory, when the demo is told to end before.
async fn unless_ended<T>(ending: &mut Ending, act: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = act => done,
        _ = ending.told() => bail!("the demo was ended before its result"),
    }
}

/// Customers, then the thief among them. Returns the time from the thief's first request to the first exposure recorded.
async fn play(scenario: &Scenario, stage: &Stage, events: &mut LiveEvents, told: &Told) -> Result<Duration> {
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
    watch.show(watch.begun.elapsed(), "", told);
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
    /// Persons told in all lines so far.
    shown: usize,
    /// Responses with somebody new.
    seen: usize,
}

impl Watch {
    fn new(thief: Ipv4Addr, begun: Instant) -> Watch {
        Watch { thief: IpAddr::V4(thief), begun, detected: None, persons: HashSet::new(), shown: 0, seen: 0 }
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
        if self.persons.len() == before {
            return;
        }
        self.seen += 1;
        if self.seen <= 5 || self.seen.is_multiple_of(10) {
            self.show(after, route, told);
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
        // Microseconds: a first exposure within a millisecond is not 0.
        detected_ms: detected.as_micros() as f64 / 1_000.0,
        scope_ms: took.as_millis(),
        persons,
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
