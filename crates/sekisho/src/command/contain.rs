//! `sekisho contain`, `release`, `cut-off` and `contained`: who is kept out of a running gateway, by its admin address.

use super::{Done, Usage, check};
use crate::config::Config;
use crate::keys;
use crate::output::say;
use anyhow::{Context, Result, bail};
use jiff::tz::TimeZone;
use sekisho_model::SessionKey;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// How long the gateway may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Keep a session, an account or an address out for a time. Routes marked `continuity` stay open to it.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho contain --session 3f0a… --for 2h -c sekisho.toml")]
pub(crate) struct Contain {
    #[command(flatten)]
    whom: Whom,
    /// For how long: "30m", "2h", at most 30 days.
    #[arg(long = "for", default_value = "30m", value_parser = length)]
    length: Duration,
    #[command(flatten)]
    place: Place,
}

/// Cut a session or an account off until it is released: its connections are closed at once.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho cut-off --account tanaka -c sekisho.toml")]
pub(crate) struct CutOff {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    place: Place,
}

/// Let somebody in again.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sekisho release --account tanaka -c sekisho.toml")]
pub(crate) struct Release {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    place: Place,
}

/// Who is kept out now, until when and why.
#[derive(clap::Args)]
#[command(name = "contained", after_help = "Example:\n  sekisho contained -c sekisho.toml --format json")]
pub(crate) struct Show {
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// A session, as the ledger names it: 32 hexadecimal digits.
    #[arg(long, value_parser = session)]
    session: Option<SessionKey>,
    /// An account of staff or a partner, by its name; only its keyed hash is sent.
    #[arg(long)]
    account: Option<String>,
    /// An address, for requests without a session.
    #[arg(long)]
    client: Option<IpAddr>,
}

#[derive(clap::Args)]
struct Place {
    /// The configuration of the running gateway.
    #[arg(short, long, default_value = "sekisho.toml")]
    config: PathBuf,
    /// The operator's name, for the ledger; the login name when left out.
    #[arg(long)]
    operator: Option<String>,
}

impl Contain {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(gateway) = self.place.gateway()? else { return Ok(Done::No) };
        let order =
            json!({ "target": self.whom.target(&gateway)?, "for_s": self.length.as_secs(), "by": gateway.operator });
        told(&gateway.post("/contain", &order)?, "kept out", "is kept out for as long already")
    }
}

impl CutOff {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(gateway) = self.place.gateway()? else { return Ok(Done::No) };
        let order = json!({ "target": self.whom.target(&gateway)?, "by": gateway.operator });
        told(&gateway.post("/cut-off", &order)?, "cut off", "is cut off already")
    }
}

impl Release {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(gateway) = self.place.gateway()? else { return Ok(Done::No) };
        let order = json!({ "target": self.whom.target(&gateway)?, "by": gateway.operator });
        told(&gateway.post("/release", &order)?, "released", "was not kept out")
    }
}

impl Show {
    pub(crate) fn run(self) -> Result<Done> {
        let Some(gateway) = self.place.gateway()? else { return Ok(Done::No) };
        let answer = gateway.call("GET", "/containment", "")?;
        if self.format == Format::Json {
            say!("{answer}");
            return Ok(Done::Yes);
        }
        let contained = answer["contained"].as_array().map(Vec::as_slice).unwrap_or_default();
        if contained.is_empty() {
            say!("nobody is kept out");
        }
        for one in contained {
            let text = |field: &str| one[field].as_str().unwrap_or_default();
            let target = one["target"].as_object().and_then(|target| target.iter().next());
            let (kind, name) =
                target.map_or(("", ""), |(kind, name)| (kind.as_str(), name.as_str().unwrap_or_default()));
            let until = if one["until"].is_null() {
                "until released".to_owned()
            } else {
                format!("until {}", local(text("until")))
            };
            say!("{kind:<8} {name}");
            say!("         since {}, {until}; {}, by {}", local(text("since")), text("reason"), text("by"));
        }
        Ok(Done::Yes)
    }
}

fn told(answer: &Value, done: &str, not_done: &str) -> Result<Done> {
    match answer["changed"].as_bool().context("the gateway's answer cannot be read")? {
        true => {
            say!("{done}");
            Ok(Done::Yes)
        }
        false => {
            say!("nothing to do: the target {not_done}");
            Ok(Done::No)
        }
    }
}

impl Whom {
    fn target(&self, gateway: &Gateway) -> Result<Value> {
        Ok(match (&self.session, &self.account, &self.client) {
            (Some(session), _, _) => json!({ "session": session.to_string() }),
            (_, Some(account), _) => {
                let key = keys::hash_key(&gateway.config.keys)?;
                json!({ "account": key.account(account).to_string() })
            }
            (_, _, Some(client)) => json!({ "client": client }),
            (None, None, None) => return Err(Usage::error("name a session, an account or a client")),
        })
    }
}

/// A running gateway, as its configuration says.
struct Gateway {
    config: Config,
    address: SocketAddr,
    token: String,
    operator: String,
}

impl Place {
    fn gateway(&self) -> Result<Option<Gateway>> {
        let Some(config) = check::load(&self.config)? else { return Ok(None) };
        let address = config.gateway.admin.context("the configuration has no [admin] address")?;
        let token = keys::admin_token(&config.keys)?.with_context(|| {
            format!("`{}` has no admin.token yet: `sekisho serve` makes one when it starts", config.keys.display())
        })?;
        let login =
            std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
        let operator = self.operator.clone().unwrap_or(login);
        Ok(Some(Gateway { config, address, token, operator }))
    }
}

impl Gateway {
    fn post(&self, path: &str, order: &Value) -> Result<Value> {
        self.call("POST", path, &order.to_string())
    }

    /// One call; the answer's body, or its error.
    fn call(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let address = self.address;
        let mut wire = TcpStream::connect_timeout(&address, ANSWER_MAX)
            .with_context(|| format!("cannot reach the gateway's admin address {address}: is it running?"))?;
        wire.set_read_timeout(Some(ANSWER_MAX))?;
        wire.set_write_timeout(Some(ANSWER_MAX))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        wire.write_all(head.as_bytes())
            .and_then(|()| wire.write_all(body.as_bytes()))
            .context("cannot ask the gateway")?;
        let mut answer = String::new();
        wire.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).context("cannot read the gateway's answer")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the gateway's answer is broken off")?;
        let body: Value = serde_json::from_str(body).context("the gateway's answer cannot be read")?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(body),
            _ => bail!("the gateway refuses: {}", body["error"].as_str().unwrap_or("without a reason")),
        }
    }
}

fn session(text: &str) -> Result<SessionKey, String> {
    let key = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    key.map(SessionKey).ok_or_else(|| "a session's key has 32 hexadecimal digits; `sekisho scope` tells it".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    let length = crate::config::duration(text).filter(|length| *length >= Duration::from_secs(1));
    length.ok_or_else(|| "a time such as \"90s\", \"30m\" or \"2h\"".to_owned())
}

fn local(text: &str) -> String {
    let at = text.parse::<jiff::Timestamp>();
    at.map_or_else(
        |_| text.to_owned(),
        |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
    )
}
