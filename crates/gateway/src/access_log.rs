//! One JSON line a request on standard output, without personal data: never an address, a query, a cookie, a body.
//!
//! Workers put entries on a bounded queue; a thread of its own formats and writes them. When the queue is full the
//! entry is dropped and counted: a slow log never slows a customer.

use http::Method;
use sekisho_model::Timestamp;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Entries waiting to be written; more are dropped and counted.
const QUEUE_MAX: usize = 8192;
/// The log is flushed whenever the queue is empty, and after this many lines.
const LINES_BETWEEN_FLUSHES_MAX: usize = 512;

/// How long the log waits at its end for whoever reads it; a full pipe would otherwise keep the process for ever.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// What is said of one request.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) client_key: Option<[u8; 16]>,
    pub(crate) method: &'static str,
    /// The name in the ledger.
    pub(crate) route: String,
    /// The configured route, for metrics.
    pub(crate) class: String,
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
    pub(crate) upstream_us: Option<u128>,
    pub(crate) total_us: u128,
    pub(crate) outcome: &'static str,
}

impl Entry {
    pub(crate) fn new(at: Timestamp, method: &Method) -> Entry {
        // What becomes of it says another word; without one the client has left before.
        Entry { at, method: method_name(method), outcome: "client_gone", ..Entry::default() }
    }

    /// Writes the line. Nothing in it needs escaping save the route, whose name the operator chose.
    fn write_line(&self, out: &mut impl Write) -> std::io::Result<()> {
        write!(out, "{{\"at_us\":{},\"client\":", self.at.0)?;
        match self.client_key {
            Some([a, b, c, d, e, f, ..]) => write!(out, "\"{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}\"")?,
            None => out.write_all(b"null")?,
        }
        write!(out, ",\"method\":\"{}\",\"route\":", self.method)?;
        serde_json::to_writer(&mut *out, &self.route)?;
        write!(out, ",\"status\":{},\"bytes\":{},\"upstream_ms\":", self.status, self.body_bytes)?;
        match self.upstream_us {
            Some(us) => write_milliseconds(out, us)?,
            None => out.write_all(b"null")?,
        }
        out.write_all(b",\"total_ms\":")?;
        write_milliseconds(out, self.total_us)?;
        writeln!(out, ",\"outcome\":\"{}\"}}", self.outcome)
    }
}

fn write_milliseconds(out: &mut impl Write, us: u128) -> std::io::Result<()> {
    write!(out, "{}.{:03}", us / 1000, us % 1000)
}

/// Methods in the log are a closed set: an invented one might carry data.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "OTHER",
    }
}

/// The log's entrance; closed when dropped, after everything queued was written, or [`CLOSE_MAX`] later.
#[derive(Debug)]
pub(crate) struct AccessLog {
    queue: Option<SyncSender<Entry>>,
    dropped: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
    /// Closed by the writer at its end.
    ended: Mutex<Receiver<()>>,
}

impl AccessLog {
    /// Starts the writing thread.
    pub(crate) fn start(out: impl Write + Send + 'static) -> std::io::Result<AccessLog> {
        let (queue, entries) = sync_channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let (ending, ended) = sync_channel::<()>(0);
        let writer = std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            let _ending = ending;
            write_all(&entries, out, &lost);
        })?;
        Ok(AccessLog { queue: Some(queue), dropped, writer: Some(writer), ended: Mutex::new(ended) })
    }

    /// Queues an entry, or counts it as dropped.
    pub(crate) fn write(&self, entry: Entry) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(entry) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries that were not written.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Err(RecvTimeoutError::Timeout) =
            self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(CLOSE_MAX)
        {
            tracing::warn!("nobody reads the access log on standard output: its last lines are not written");
            return;
        }
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ended = writer.join();
        }
    }
}

/// Writes until the queue is closed. A line that cannot be written is counted; the next one is tried again.
fn write_all(entries: &Receiver<Entry>, out: impl Write, dropped: &AtomicU64) {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, out);
    while let Ok(first) = entries.recv() {
        let queued = std::iter::once(first).chain(entries.try_iter()).take(LINES_BETWEEN_FLUSHES_MAX);
        for entry in queued {
            if entry.write_line(&mut out).is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        if out.flush().is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_queued_is_written_before_the_log_closes() {
        let written = Written::default();
        let log = AccessLog::start(written.clone()).unwrap();
        let mut entry = Entry::new(Timestamp(1_700_000_000_000_000), &Method::from_bytes(b"TARO").unwrap());
        entry.route = "/my \"quoted\"".to_owned();
        entry.status = 200;
        entry.client_key = Some([0xab; 16]);
        entry.total_us = 1005;
        entry.outcome = "passed";
        log.write(entry);
        drop(log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let expected = concat!(
            r#"{"at_us":1700000000000000,"client":"abababababab","method":"OTHER","route":"/my \"quoted\"","#,
            r#""status":200,"bytes":0,"upstream_ms":null,"total_ms":1.005,"outcome":"passed"}"#,
        );
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["route"], "/my \"quoted\"");
        assert_eq!(text.trim_end(), expected);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        struct Blocked(Receiver<()>);
        impl Write for Blocked {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                // Ends with an error once the test lets go.
                let _released = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (release, blocked) = sync_channel(0);
        let log = AccessLog::start(Blocked(blocked)).unwrap();
        let entries = QUEUE_MAX * 2 + 2 * LINES_BETWEEN_FLUSHES_MAX;
        (0..entries).for_each(|_| log.write(Entry::default()));
        assert!(log.dropped() >= QUEUE_MAX as u64, "{} dropped", log.dropped());
        drop(release);
    }
}
