//! What was measured, beside what was asked for, as markdown for BENCHMARKS.md. Misses stand there too.

use super::Options;
use super::servers::Stage;
use crate::process::output_of;
use anyhow::Result;
use std::process::Command;

/// One round of one proxy.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) requests: f64,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) cpu_us: f64,
    /// With pauses between a connection's requests.
    pub(super) paced_per_second: f64,
    pub(super) paced_p99_ms: f64,
}

/// What a case must reach; `None` is measured for information.
pub(super) struct Target {
    pub(super) cpu_ratio_max: Option<f64>,
    pub(super) p99_max: Option<(f64, f64)>,
}

/// Lines of the tables.
pub(super) struct Report {
    machine: String,
    register: String,
    lines: Vec<String>,
    idle: String,
}

impl Report {
    pub(super) fn begin(stage: &Stage) -> Result<Report> {
        let machine = machine()?;
        let built = stage.index_build.map_or_else(String::new, |time| format!(" built in {:.1} s", time.as_secs_f64()));
        let register =
            format!("{} customers registered; index {} MB{built}", stage.customers, stage.index_bytes / 1_000_000);
        Ok(Report { machine, register, lines: Vec::new(), idle: String::new() })
    }

    pub(super) fn case(&mut self, name: &str, nginx: &[Measured], sekisho: &[Measured], target: &Target) {
        let (cpu_nginx, cpu) = (median(nginx, |m| m.cpu_us), median(sekisho, |m| m.cpu_us));
        let (p99_nginx, p99) = (median(nginx, |m| m.p99_ms), median(sekisho, |m| m.p99_ms));
        let cpu_target = target
            .cpu_ratio_max
            .map_or_else(|| "–".to_owned(), |max| verdict(cpu / cpu_nginx <= max, &format!("≤ {max}×")));
        let p99_target = |p99: f64, p99_nginx: f64| {
            target.p99_max.map_or_else(
                || "–".to_owned(),
                |(share, more)| {
                    verdict(p99 <= p99_nginx * share && p99 <= p99_nginx + more, &format!("≤ {share}× and + {more} ms"))
                },
            )
        };
        let (paced_nginx, paced) = (median(nginx, |m| m.paced_p99_ms), median(sekisho, |m| m.paced_p99_ms));
        self.lines.push(format!(
            "| {name} | {cpu_nginx:.1} ({}) | {cpu:.1} ({}) | {:.2}× | {cpu_target} | {:.0} / {:.0} | {paced_nginx:.2} | {paced:.2} | {} | {:.2} / {p99_nginx:.2} | {:.2} / {p99:.2} | {} | {:.0} | {:.0} |",
            range(nginx, |m| m.cpu_us),
            range(sekisho, |m| m.cpu_us),
            cpu / cpu_nginx,
            median(nginx, |m| m.paced_per_second),
            median(sekisho, |m| m.paced_per_second),
            p99_target(paced, paced_nginx),
            median(nginx, |m| m.p50_ms),
            median(sekisho, |m| m.p50_ms),
            p99_target(p99, p99_nginx),
            median(nginx, |m| m.per_second),
            median(sekisho, |m| m.per_second),
        ));
    }

    pub(super) fn idle(&mut self, connections: usize, nginx: f64, sekisho: f64, max: f64) {
        self.idle = format!(
            "Idle keep-alive connections, {connections}, each after one request: nginx {:.1} kB, Sekisho {:.1} kB each; {}.",
            nginx / 1e3,
            sekisho / 1e3,
            verdict(sekisho <= max, &format!("≤ {:.0} kB", max / 1e3)),
        );
    }

    pub(super) fn markdown(&self, options: &Options) -> String {
        let head = "| case | nginx CPU µs/request | Sekisho CPU µs/request | ratio | target | paced: req/s of both | nginx p99 ms | Sekisho p99 ms | target | saturated: nginx p50 / p99 ms | Sekisho p50 / p99 ms | target | nginx req/s | Sekisho req/s |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";
        format!(
            "`cargo xtask bench proxy --rounds {} --seconds {} --connections {}`\n\n{}.\n{}. Medians of the rounds, their range in brackets.\n\n{head}\n{}\n\n{}\n",
            options.rounds,
            options.seconds,
            options.connections,
            self.machine,
            self.register,
            self.lines.join("\n"),
            self.idle
        )
    }
}

/// One machine, as a sentence's begin.
fn machine() -> Result<String> {
    let shell = |text: &str| output_of(Command::new("sh").args(["-c", text])).map(|out| out.trim().to_owned());
    Ok(format!(
        "{}, {} cores shared with wrk and the backend, Linux {}, {}; {}",
        shell("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1")?,
        shell("nproc")?,
        shell("uname -r")?,
        shell("nginx -v 2>&1 | sed 's/.*: //'")?,
        shell("date -u +%F")?,
    ))
}

/// The line of `bench rules`.
pub(super) fn rules(stage: &Stage, observed: &[Measured], enforced: &[Measured], max: f64) -> Result<String> {
    let (before, after) = (median(observed, |m| m.cpu_us), median(enforced, |m| m.cpu_us));
    Ok(format!(
        "{}; {} customers registered, {} rounds. Page (b): {before:.1} µs a request observed ({}), {after:.1} µs with rules in \
         force ({}), {:.3}×; {}. p99 {:.2} and {:.2} ms.",
        machine()?,
        stage.customers,
        observed.len(),
        range(observed, |m| m.cpu_us),
        range(enforced, |m| m.cpu_us),
        after / before,
        verdict(after / before <= max, &format!("≤ {max}×")),
        median(observed, |m| m.p99_ms),
        median(enforced, |m| m.p99_ms),
    ))
}

fn verdict(hit: bool, target: &str) -> String {
    format!("{target}: {}", if hit { "hit" } else { "**miss**" })
}

fn median(rounds: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn range(rounds: &[Measured], of: impl Fn(&Measured) -> f64) -> String {
    let (least, most) =
        rounds.iter().map(of).fold((f64::MAX, 0f64), |(least, most), value| (least.min(value), most.max(value)));
    format!("{least:.1}–{most:.1}")
}

/// Reads the summary of `wrk --latency`.
pub(super) fn parse_wrk(text: &str) -> Option<Measured> {
    let after = |begin: &str| text.lines().find_map(|line| line.trim().strip_prefix(begin)).map(str::trim);
    let requests = text.lines().find(|line| line.contains(" requests in "))?.split_whitespace().next()?;
    Some(Measured {
        requests: requests.parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
        ..Measured::default()
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 60e3)];
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_summary_of_wrk_is_read() {
        let text = "  Latency Distribution\n     50%  610.00us\n     75%    0.97ms\n     99%    1.20s\n  12345 requests in 10.00s, 1.2GB read\nRequests/sec:   1234.50\n";
        let measured = super::parse_wrk(text).expect("it is complete");
        assert_eq!((measured.requests, measured.per_second), (12345.0, 1234.5));
        assert_eq!((measured.p50_ms, measured.p99_ms), (0.61, 1200.0));
        assert!(super::parse_wrk("connection refused").is_none());
    }
}
