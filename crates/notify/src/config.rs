//! `notify.toml`: what the firm says of its texts, its registers and its relay. Paths are relative to the file.
//!
//! What the operator wrote becomes [`Config`] once, with all errors at once. Secrets are not in it: it names their files.

use crate::Error;
use crate::template::Lang;
use crate::throttle::Limits;
use jiff::SignedDuration;
use lettre::message::Mailbox;
use sekisho_edm::{ColumnConfig, Encoding, RegisterConfig};
use sekisho_model::FieldKind;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A configuration to begin with.
pub const SAMPLE: &str = include_str!("../notify.toml");
/// Connections to the relay at most.
pub const CONNECTIONS_MAX: u32 = 64;

/// The order in which a person is told of the fields.
const ORDER: [FieldKind; 11] = [
    FieldKind::Name,
    FieldKind::Kana,
    FieldKind::Romaji,
    FieldKind::BirthDate,
    FieldKind::Address,
    FieldKind::Phone,
    FieldKind::Email,
    FieldKind::AccountId,
    FieldKind::Pan,
    FieldKind::Secret,
    FieldKind::Text,
];

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who sends.
    pub from: Mailbox,
    /// Where answers go.
    pub reply_to: Option<Mailbox>,
    /// How mails leave.
    pub relay: Relay,
    /// How they are signed.
    pub dkim: Option<Dkim>,
    /// How fast, by default.
    pub limits: Limits,
    /// How fast to some domains.
    pub limits_by_domain: HashMap<String, Limits>,
    /// When a deferred mail is tried again.
    pub retry: Retry,
    /// The language of persons whose row names none.
    pub language: Lang,
    /// What the firm says, by language.
    pub texts: BTreeMap<Lang, Texts>,
    /// The directory of the firm's own templates.
    pub templates: Option<PathBuf>,
    /// The firm's registers.
    pub registers: Vec<Register>,
    /// The sender's lines on a letter.
    pub letter_sender: Vec<String>,
    /// SHA-256 of all that decides what a mail says and where it goes; throttles and retries are not in it.
    pub hash: [u8; 32],
}

/// The relay that takes all mails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// Its name, as its certificate has it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// A file with the certificates of its authority, where the system does not trust it.
    pub ca_file: Option<PathBuf>,
    /// The user, where it wants one.
    pub user: Option<String>,
    /// The file that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// The name that is said to the relay.
    pub hello: Option<String>,
    /// Connections at once.
    #[serde(default = "connections")]
    pub connections: u32,
    /// The longest wait for an answer, as `60s`; the one behind the data is given ten times as much (RFC 5321, 4.5.3.2).
    #[serde(default = "timeout")]
    pub timeout: SignedDuration,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the first byte.
    Implicit,
    /// By STARTTLS, which must succeed.
    Starttls,
    /// Not at all: for a relay on this machine only.
    None,
}

/// What signs mails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// The signing domain.
    pub domain: String,
    /// The selector.
    pub selector: String,
    /// The private key: PEM, RSA of 2,048 bits or more, or Ed25519.
    pub key_file: PathBuf,
}

/// When a deferred mail is tried again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The waits after the first try, the second, …; the last one stands for all others.
    pub delays: Vec<SignedDuration>,
    /// Tries of one mail at most; then it counts as bounced.
    pub tries_max: u16,
    /// How long a run waits for mails that are deferred; the others are for the next run.
    pub wait_max: SignedDuration,
}

/// What the firm says in one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The firm's name.
    pub firm: String,
    /// What happened.
    pub summary: String,
    /// Why.
    pub cause: String,
    /// What may come of it for the person.
    pub damage: String,
    /// What the firm did.
    pub measures: String,
    /// Whom to ask.
    pub contact: String,
}

/// One of the firm's registers: where its persons' addresses are, and what is looked for in mails.
#[derive(Clone, Debug)]
pub struct Register {
    /// Its name, as scopes have it.
    pub name: String,
    /// The firm's file.
    pub file: PathBuf,
    /// The column of mail addresses.
    pub mail: String,
    /// The column of names.
    pub person: String,
    /// The column of languages.
    pub language: Option<String>,
    /// The columns of a postal address, in the order of its lines.
    pub postal: Vec<String>,
    /// What a column is called, by column and language.
    pub labels: BTreeMap<String, BTreeMap<Lang, String>>,
    /// Its columns, as the scan reads them.
    pub config: RegisterConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    mail: RawMail,
    relay: Relay,
    dkim: Option<Dkim>,
    #[serde(default)]
    throttle: RawThrottle,
    #[serde(default)]
    retry: Retry,
    text: BTreeMap<Lang, Texts>,
    letter: Option<RawLetter>,
    register: Vec<RawRegister>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMail {
    from: String,
    reply_to: Option<String>,
    language: Lang,
    templates: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLetter {
    sender: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawThrottle {
    connections: u32,
    per_minute: u32,
    per_day: u32,
    domain: BTreeMap<String, RawLimits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    connections: Option<u32>,
    per_minute: Option<u32>,
    per_day: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegister {
    name: String,
    file: PathBuf,
    row_key: String,
    mail: String,
    person: String,
    language: Option<String>,
    #[serde(default)]
    postal: Vec<String>,
    columns: toml::Table,
    #[serde(default)]
    labels: BTreeMap<String, BTreeMap<Lang, String>>,
}

impl Default for RawThrottle {
    /// Below what a large receiver takes for a bulk sender: near 5,000 mails a day.
    fn default() -> RawThrottle {
        RawThrottle { connections: 4, per_minute: 60, per_day: 4_500, domain: BTreeMap::new() }
    }
}

impl Default for Retry {
    fn default() -> Retry {
        let delays = [1, 5, 15, 60, 240].map(SignedDuration::from_mins).to_vec();
        Retry { delays, tries_max: 12, wait_max: SignedDuration::from_mins(10) }
    }
}

impl Retry {
    /// The wait after this many tries.
    #[must_use]
    pub fn delay(&self, tries: u16) -> SignedDuration {
        let at = usize::from(tries.saturating_sub(1)).min(self.delays.len().saturating_sub(1));
        self.delays.get(at).copied().unwrap_or(SignedDuration::from_mins(5)).max(SignedDuration::ZERO)
    }

    /// The longest wait there is: a mail that waits longer does so because the clock stepped back.
    #[must_use]
    pub fn delay_max(&self) -> SignedDuration {
        self.delays.iter().copied().max().unwrap_or(SignedDuration::from_mins(5))
    }
}

impl Config {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Config, Error> {
        let text = std::fs::read_to_string(path).map_err(|err| Error::Read { path: path.to_owned(), err })?;
        Config::parse(&text, path)
    }

    /// The text of the file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Config, Error> {
        let wrong = |what: String| Error::Config { path: path.to_owned(), what };
        let raw: Raw = toml::from_str(text).map_err(|err| wrong(err.to_string().trim_end().to_owned()))?;
        let mut errors = Vec::new();
        let config = resolve(raw, path.parent().unwrap_or(Path::new("")), &mut errors);
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(wrong(format!("\n  {}", errors.join("\n  ")))),
        }
    }
}

fn resolve(mut raw: Raw, dir: &Path, errors: &mut Vec<String>) -> Option<Config> {
    let hash = hash(&raw);
    let from = mailbox("mail.from", &raw.mail.from, errors);
    let reply_to = raw.mail.reply_to.as_ref().and_then(|text| mailbox("mail.reply_to", text, errors));
    check_relay(&raw.relay, errors);
    for path in [&mut raw.relay.ca_file, &mut raw.relay.password_file, &mut raw.mail.templates].into_iter().flatten() {
        *path = dir.join(&*path);
    }
    if let Some(dkim) = &mut raw.dkim {
        for (place, text) in [("dkim.domain", &dkim.domain), ("dkim.selector", &dkim.selector)] {
            if !is_host(text) {
                errors
                    .push(format!("{place} is a name of the DNS in ASCII (`xn--…` for others), as `hakonefx.example`"));
            }
        }
        dkim.key_file = dir.join(&dkim.key_file);
    }
    if !raw.text.contains_key(&raw.mail.language) {
        errors.push(format!("there is no [text.{}], the language of mail.language", raw.mail.language));
    }
    if raw.retry.delays.is_empty() || raw.retry.tries_max == 0 {
        errors.push("retry.delays needs at least one wait, and retry.tries_max at least 1".to_owned());
    }
    let limits = limits("throttle", &raw.throttle, None, errors);
    let by_domain = raw.throttle.domain.iter().map(|(domain, special)| {
        let place = format!("throttle.domain.\"{domain}\"");
        (domain.to_ascii_lowercase(), self::limits(&place, &raw.throttle, Some(special), errors))
    });
    let limits_by_domain = by_domain.collect();
    if raw.register.is_empty() {
        errors.push("there is no [[register]]: name the file whose persons are told".to_owned());
    }
    let registers = raw.register.into_iter().filter_map(|register| resolve_register(register, dir, errors)).collect();
    Some(Config {
        from: from?,
        reply_to,
        relay: raw.relay,
        dkim: raw.dkim,
        limits,
        limits_by_domain,
        retry: raw.retry,
        language: raw.mail.language,
        texts: raw.text,
        templates: raw.mail.templates,
        registers,
        letter_sender: raw.letter.map_or_else(Vec::new, |letter| letter.sender),
        hash,
    })
}

/// What approvers agree to: the words, the sender, the relay, the signature and the registers' columns.
fn hash(raw: &Raw) -> [u8; 32] {
    let relay = (&raw.relay.host, raw.relay.port, raw.relay.tls as u8);
    let dkim = raw.dkim.as_ref().map(|dkim| (&dkim.domain, &dkim.selector));
    let texts: Vec<_> = raw
        .text
        .iter()
        .map(|(lang, text)| {
            (lang.code(), [&text.firm, &text.summary, &text.cause, &text.damage, &text.measures, &text.contact])
        })
        .collect();
    let registers: Vec<_> = raw
        .register
        .iter()
        .map(|register| {
            let columns = (&register.row_key, &register.mail, &register.person, &register.language, &register.postal);
            (&register.name, &register.file, columns, register.columns.to_string(), format!("{:?}", register.labels))
        })
        .collect();
    let mail = (&raw.mail.from, &raw.mail.reply_to, raw.mail.language.code());
    let sender = raw.letter.as_ref().map(|letter| &letter.sender);
    Sha256::digest(format!("{mail:?}{relay:?}{dkim:?}{texts:?}{registers:?}{sender:?}")).into()
}

/// Characters of a name of the DNS, or of an address in brackets; the longest name has 253.
fn is_host(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(is_part)
}

fn mailbox(place: &str, text: &str, errors: &mut Vec<String>) -> Option<Mailbox> {
    let parsed = text.parse::<Mailbox>();
    if parsed.is_err() {
        errors.push(format!("{place} is not a mail address: write `Hakone FX <notice@example.jp>`"));
    }
    parsed.ok()
}

fn check_relay(relay: &Relay, errors: &mut Vec<String>) {
    let is_loopback = relay.host == "localhost" || relay.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if relay.tls == Tls::None && !is_loopback {
        errors.push(format!(
            "relay.tls = \"none\" is for a relay on this machine, not for `{}`: write \"starttls\" or \"implicit\"",
            relay.host
        ));
    }
    if relay.user.is_some() != relay.password_file.is_some() {
        errors.push("relay.user and relay.password_file go together".to_owned());
    }
    if !(1..=CONNECTIONS_MAX).contains(&relay.connections) {
        errors.push(format!("relay.connections is from 1 to {CONNECTIONS_MAX}"));
    }
    if relay.hello.as_deref().is_some_and(|hello| !is_host(hello)) {
        errors.push("relay.hello is this machine's name, as `notify.hakonefx.example` or `[192.0.2.1]`".to_owned());
    }
    if relay.timeout <= SignedDuration::ZERO {
        errors.push("relay.timeout must be longer than nothing: write \"60s\"".to_owned());
    }
}

fn limits(place: &str, raw: &RawThrottle, special: Option<&RawLimits>, errors: &mut Vec<String>) -> Limits {
    let limits = Limits {
        connections: special.and_then(|special| special.connections).unwrap_or(raw.connections),
        per_minute: special.and_then(|special| special.per_minute).unwrap_or(raw.per_minute),
        per_day: special.and_then(|special| special.per_day).unwrap_or(raw.per_day),
    };
    if limits.connections == 0 || limits.per_minute == 0 || limits.per_day == 0 {
        errors.push(format!("{place}: connections, per_minute and per_day are at least 1"));
    }
    limits
}

fn resolve_register(raw: RawRegister, dir: &Path, errors: &mut Vec<String>) -> Option<Register> {
    let mut columns = Vec::new();
    for (name, kind) in &raw.columns {
        let (kind, pattern) = match kind {
            toml::Value::Table(table) => (table.get("kind"), table.get("pattern").and_then(toml::Value::as_str)),
            other => (Some(other), None),
        };
        let known = kind.and_then(toml::Value::as_str).and_then(FieldKind::from_name);
        match known {
            Some(kind) => columns.push(ColumnConfig { name: name.clone(), kind, pattern: pattern.map(str::to_owned) }),
            None => {
                let kinds = FieldKind::ALL.map(FieldKind::name).join(", ");
                errors.push(format!("register `{}`: column `{name}` has no known kind; there are: {kinds}", raw.name));
            }
        }
    }
    // As a person would list them: who, where, then the rest.
    columns.sort_by_key(|column| ORDER.iter().position(|kind| *kind == column.kind));
    let file = dir.join(&raw.file);
    let config =
        RegisterConfig { name: raw.name.clone(), row_key: raw.row_key, columns, encoding: Encoding::default() };
    Some(Register {
        name: raw.name,
        file,
        mail: raw.mail,
        person: raw.person,
        language: raw.language,
        postal: raw.postal,
        labels: raw.labels,
        config,
    })
}

fn connections() -> u32 {
    8
}

fn timeout() -> SignedDuration {
    SignedDuration::from_secs(60)
}
