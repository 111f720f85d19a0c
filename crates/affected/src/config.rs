//! `affected.toml`: where the page listens, which stores it reads, and what it says about the firm.

use crate::Error;
use crate::limits::Rates;
use crate::notice::Both;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Stores that one page answers from; beyond, the configuration is refused.
pub(crate) const STORES_MAX: usize = 32;
/// Lines of contact.
const CONTACT_LINES_MAX: usize = 10;

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Plain HTTP, for a proxy that does TLS in front.
    pub listen: SocketAddr,
    /// Files that `sekisho affected codes` wrote.
    pub stores: Vec<PathBuf>,
    /// The file with the lookup key.
    pub lookup_key: PathBuf,
    /// Whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Answers leave at multiples of this after the question came.
    #[serde(default = "beat_ms")]
    pub beat_ms: u64,
    /// The Unix socket of `sekisho affected courier`, which mails codes; without it, nobody can ask for one by mail.
    pub courier: Option<PathBuf>,
    /// Who speaks.
    pub firm: Firm,
    /// How much is let through.
    #[serde(default)]
    pub limits: Rates,
}

/// Who speaks on the page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firm {
    /// Its name.
    pub name: Both,
    /// Where people ask: a line each.
    pub contact: Vec<Both>,
}

fn beat_ms() -> u64 {
    50
}

impl Config {
    /// Reads and checks the file.
    pub fn parse(text: &str) -> Result<Config, Error> {
        let config: Config = toml::from_str(text).map_err(|err| Error::Config(err.to_string()))?;
        let wrong = |problem: String| Err(Error::Config(problem));
        if config.stores.is_empty() || config.stores.len() > STORES_MAX {
            return wrong(format!("`stores` names {} files; 1 to {STORES_MAX} are allowed", config.stores.len()));
        }
        if !(10..=1_000).contains(&config.beat_ms) {
            return wrong(format!("`beat_ms` is {}; 10 to 1000 are allowed", config.beat_ms));
        }
        if config.firm.contact.is_empty() || config.firm.contact.len() > CONTACT_LINES_MAX {
            return wrong(format!("`firm.contact` has 1 to {CONTACT_LINES_MAX} lines"));
        }
        if config.limits.client_burst == 0 || config.limits.client_per_minute == 0 {
            return wrong("`limits` lets no client ask anything; set both client rates to 1 or more".to_owned());
        }
        if !config.listen.ip().is_loopback() && config.trusted_proxies.is_empty() {
            return wrong(format!(
                "`listen` is {}: codes would cross the network in clear; listen on a loopback address behind a proxy \
                 with TLS, or name that proxy in `trusted_proxies`",
                config.listen
            ));
        }
        Ok(config)
    }

    /// The beat of the answers.
    #[must_use]
    pub fn beat(&self) -> Duration {
        Duration::from_millis(self.beat_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
listen = "127.0.0.1:8090"
stores = ["hakone-2026-1.codes"]
lookup_key = "affected-lookup.key"
[firm]
name = { ja = "箱根FX株式会社", en = "Hakone FX Inc." }
contact = [{ ja = "0120-000-000", en = "+81 120 000 000" }]
"#;

    #[test]
    fn what_is_left_out_has_a_default() {
        let config = Config::parse(EXAMPLE).expect("a configuration");
        assert_eq!((config.beat_ms, config.limits), (50, Rates::default()));
    }

    #[test]
    fn a_configuration_is_refused_with_its_fault() {
        for (from, to, expected) in [
            ("127.0.0.1", "0.0.0.0", "cross the network in clear"),
            ("listen", "verbose = true\nlisten", "unknown field"),
            ("[\"hakone-2026-1.codes\"]", "[]", "`stores` names 0 files"),
            ("[firm]", "beat_ms = 1\n[firm]", "`beat_ms` is 1"),
            ("[firm]", "limits = { client_burst = 0 }\n[firm]", "lets no client ask"),
        ] {
            let problem = Config::parse(&EXAMPLE.replacen(from, to, 1)).expect_err("refused").to_string();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
