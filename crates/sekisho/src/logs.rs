//! Logs: to standard error, filtered by `SEKISHO_LOG` (`info`, `warn,sekisho_gateway=debug`). Never bodies, names,
//! tokens or matched values.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Without `SEKISHO_LOG`, what an operator must know is shown.
pub(crate) fn start() {
    let filter = EnvFilter::builder().with_env_var("SEKISHO_LOG").with_default_directive(tracing::Level::WARN.into());
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // A line that nobody can read any more is no reason to panic: the layer would tell of it with `eprintln!`.
    let log = log.log_internal_errors(false);
    log.with_env_filter(filter.from_env_lossy()).init();
}
