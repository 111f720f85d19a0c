//! Processes that a task starts, and what /proc says of them. Linux only, as the benchmarks are.

use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it listens: a large register is loaded first.
const START_MAX: Duration = Duration::from_secs(300);

/// A child that is killed when the task lets go of it.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts `command`, with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Running> {
        let output = fs::File::options().create(true).append(true).open(log)?;
        let errors = output.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        Ok(Running { child: child.with_context(|| format!("cannot start `{}`", command.get_program().display()))? })
    }

    /// Waits until the server accepts connections.
    pub(crate) fn listens_on(mut self, address: SocketAddr, log: &Path) -> Result<Running> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server on {address} ended with {status}: see `{}`", log.display());
            }
            if Instant::now() > deadline {
                bail!("the server does not listen on {address}: see `{}`", log.display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }

    /// Sends SIGKILL and waits for the end: nothing of the process runs afterwards.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// This process and its children.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid).chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A child that has ended already is no matter; a master's workers end when it does.
        for pid in self.pids().into_iter().skip(1) {
            let _ = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time, user and system, that these processes have used so far.
pub(crate) fn cpu_time(pids: &[u32]) -> Result<Duration> {
    let ticks_per_second: f64 = output_of(Command::new("getconf").arg("CLK_TCK"))?.trim().parse()?;
    let mut ticks = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        ticks += stat_ticks(&stat).with_context(|| format!("cannot read /proc/{pid}/stat"))?;
    }
    Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_second))
}

/// Fields 14 and 15 of a stat line; the name before them, in brackets, may hold spaces.
fn stat_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of these processes.
pub(crate) fn resident_bytes(pids: &[u32]) -> Result<u64> {
    let mut bytes = 0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        bytes += line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024;
    }
    Ok(bytes)
}

/// What a command prints; fails when it does.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// An address that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ticks_are_read_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 5 1000 20";
        assert_eq!(super::stat_ticks(stat), Some(42));
        assert_eq!(super::stat_ticks("7 (a"), None);
    }
}
