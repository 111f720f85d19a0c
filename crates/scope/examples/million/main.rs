//! Writes a ledger of a million synthetic exposures and times the questions asked of it; `cargo xtask bench scope`
//! runs both and sets the figures beside other databases'.
//!
//! `million write DIR EXPOSURES SEGMENTS` · `million ask DIR REPEATS [QUESTION]`, which prints one JSON
//! object a question.
//! Read `story` for what the ledger holds.

mod story;

use sekisho_ledger::{Reader, RealDisk};
use sekisho_model::SubjectId;
use sekisho_scope::{Question, ask};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments[at].parse().expect("a number");
    match arguments.first().map(String::as_str) {
        Some("write") if arguments.len() == 4 => story::write(Path::new(&arguments[1]), number(2), number(3)),
        Some("ask") if arguments.len() >= 3 => ask_all(Path::new(&arguments[1]), number(2), arguments.get(3)),
        _ => eprintln!("usage: million write DIR EXPOSURES SEGMENTS | million ask DIR REPEATS [QUESTION]"),
    }
}

/// The questions by name, and the arguments by which `sekisho scope` asks them; none where it needs the keys.
fn questions() -> Vec<(&'static str, Question, Option<Vec<String>>)> {
    let client = |text: &str| Question { client: Some(text.parse().expect("a network")), ..Question::default() };
    let given = |flags: &[&str]| Some(flags.iter().map(|flag| (*flag).to_owned()).collect());
    let (from, to) = (story::day(10), story::day(12));
    let time = |at| sekisho_scope::time_text(at);
    let thief = story::THIEF_NETWORK;
    let session = story::session(4711);
    vec![
        ("no filter", Question::default(), given(&[])),
        (
            "two days of thirty",
            Question { from: Some(from), to: Some(to), ..Question::default() },
            Some(vec!["--from".into(), time(from), "--to".into(), time(to)]),
        ),
        ("one client's network", client(thief), given(&["--client", thief])),
        (
            "one session",
            Question { session: Some(session), ..Question::default() },
            Some(vec!["--session".into(), session.to_string()]),
        ),
        (
            "one route",
            Question { route: Some("/staff/list".into()), ..Question::default() },
            given(&["--route", "/staff/list"]),
        ),
        (
            "one person",
            Question { subject: Some(("account_holders".into(), SubjectId(77))), ..Question::default() },
            None,
        ),
    ]
}

/// Each question `repeats` times, the ledger opened anew each time; the first answer is told apart.
fn ask_all(dir: &Path, repeats: u64, only: Option<&String>) {
    let is_asked = |name: &str| only.is_none_or(|only| only == name);
    for (name, question, arguments) in questions().into_iter().filter(|(name, ..)| is_asked(name)) {
        let mut times = Vec::new();
        let mut found = (0, 0);
        let cpu = cpu_time();
        for _ in 0..repeats.max(1) {
            let started = Instant::now();
            let reader = Reader::open(dir, Arc::new(RealDisk)).expect("opens");
            let answer = ask(&reader, &question, story::day(31)).expect("is answered");
            times.push(started.elapsed());
            found = (answer.persons(), answer.coverage.responses);
        }
        let cpu = (cpu_time() - cpu) / u32::try_from(times.len()).expect("few");
        let first = times[0];
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let line = serde_json::json!({
            "question": name, "arguments": arguments, "persons": found.0, "responses": found.1,
            "first_ms": ms(first), "best_ms": ms(times[0]), "p50_ms": ms(times[times.len() / 2]),
            "worst_ms": ms(times[times.len() - 1]), "cpu_ms": ms(cpu),
        });
        println!("{line}");
    }
}

/// CPU time that this process has used, in steps of 10 ms: fields 14 and 15 of /proc/self/stat, behind the name.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(')').next().expect("a name").split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}
