//! Writes the notices: joins a planned notice with its person's row, its words, its mail's bytes, and the scan of them.
//!
//! Synchronous and shared by all threads that write; what it holds in clear lives as long as the command.

use crate::check::{Check, Own};
use crate::compose::Composer;
use crate::config::{Config, Texts};
use crate::register::{Recipient, Recipients};
use crate::template::{Kind, Lang, Templates, Text, Words};
use crate::{Campaign, Error, NoticeKey, PersonKey, Way};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::Address;
use sekisho_edm::Index;
use sekisho_model::{RegisterId, Subject};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything that notices are written from.
#[derive(Debug)]
pub struct Desk {
    case: String,
    zone: TimeZone,
    config: Config,
    templates: Templates,
    key: NoticeKey,
    recipients: Recipients,
    index: Arc<Index>,
    composer: Composer,
    check: Check,
}

/// What is written of a notice.
#[derive(Clone, Debug)]
pub struct Task {
    /// Whom.
    pub person: PersonKey,
    /// 1 is the first.
    pub notice: u16,
    /// The fields that left.
    pub fields: Arc<[String]>,
    /// Those that the notices before told of.
    pub told: Arc<[String]>,
}

/// A notice, written.
#[derive(Debug)]
pub enum Written {
    /// A mail that may go.
    Mail {
        /// To whom.
        to: Address,
        /// What is sent.
        bytes: Vec<u8>,
    },
    /// The scan stopped it; why, without any value.
    Held(String),
    /// The register has no address (any more).
    NoAddress(Way),
}

impl Desk {
    /// `index` must have the configuration's registers, in their order and from the same files.
    pub fn new(
        case: &str,
        zone: TimeZone,
        config: Config,
        key: NoticeKey,
        recipients: Recipients,
        index: Arc<Index>,
    ) -> Result<Desk, Error> {
        let templates = Templates::load(&config)?;
        let composer = Composer::new(&config)?;
        let mut firm = vec![config.from.email.to_string()];
        firm.extend(config.reply_to.as_ref().map(|reply_to| reply_to.email.to_string()));
        let said = config.texts.values().flat_map(|texts| {
            [&texts.firm, &texts.summary, &texts.cause, &texts.damage, &texts.measures, &texts.contact]
        });
        let check = Check::new(Arc::clone(&index), firm.iter().chain(said).map(String::as_str));
        Ok(Desk { case: case.to_owned(), zone, config, templates, key, recipients, index, composer, check })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The sender's address.
    #[must_use]
    pub fn sender(&self) -> &Address {
        self.composer.sender()
    }

    /// The person's row, if the register has one.
    #[must_use]
    pub fn recipient(&self, person: PersonKey) -> Option<&Recipient> {
        self.recipients.get(&person)
    }

    /// The whole Message-ID of a notice.
    #[must_use]
    pub fn message_id(&self, person: PersonKey, notice: u16) -> String {
        self.composer.message_id(&self.key.message_id(&self.case, person, notice))
    }

    /// What approvals are bound to: everything planned, the texts, the configuration.
    #[must_use]
    pub fn approval_hash(&self, campaign: &Campaign) -> String {
        approval_hash(campaign, &self.templates, &self.config)
    }

    /// Writes a mail and scans it.
    pub fn mail(&self, task: &Task, at: Timestamp) -> Result<Written, Error> {
        let Some(recipient) = self.recipient(task.person) else { return Ok(Written::NoAddress(Way::NotInRegister)) };
        let Some(to) = recipient.address().filter(|_| recipient.way() == Way::Mail) else {
            return Ok(Written::NoAddress(recipient.way()));
        };
        let (language, texts) = self.language(recipient);
        let text = self.text(task, recipient, at);
        let footer = self.templates.mail_footer(language, &self.case, texts);
        let body = format!("{}\n\n{footer}", text.body);
        let id = self.key.message_id(&self.case, task.person, task.notice);
        let bytes = self.composer.mail(&to, &text.subject, &body, &id, at)?;
        let checked = self.own(recipient).ok_or_else(|| "the index lacks its recipient".to_owned());
        match checked.and_then(|own| self.check.mail(&bytes, &own)) {
            Ok(()) => Ok(Written::Mail { to, bytes }),
            Err(why) => Ok(Written::Held(why)),
        }
    }

    /// A mail as its receiver reads it, for the approvers: not what is sent.
    #[must_use]
    pub fn readable(&self, task: &Task, at: Timestamp) -> String {
        let Some(recipient) = self.recipient(task.person) else { return String::new() };
        let (language, texts) = self.language(recipient);
        let text = self.text(task, recipient, at);
        let to = recipient.mail().unwrap_or_default();
        let footer = self.templates.mail_footer(language, &self.case, texts);
        format!("From: {}\nTo: {to}\nSubject: {}\n\n{}\n\n{footer}\n", self.config.from, text.subject, text.body)
    }

    /// A letter's words, scanned; `None` when the register has no postal address.
    pub fn letter(&self, task: &Task, at: Timestamp) -> Result<Option<(&Recipient, Lang, Text)>, String> {
        let Some(recipient) = self.recipient(task.person).filter(|known| known.has_postal()) else {
            return Ok(None);
        };
        let (language, texts) = self.language(recipient);
        let mut text = self.text(task, recipient, at);
        text.body.push_str("\n\n");
        text.body.push_str(&self.templates.letter_footer(language, &self.case, texts));
        let own = self.own(recipient).ok_or("the index lacks its recipient")?;
        self.check.text(&text.body, &own)?;
        Ok(Some((recipient, language, text)))
    }

    /// How a person is addressed on an envelope.
    #[must_use]
    pub fn honorific(&self, language: Lang, name: &str) -> String {
        self.templates.honorific(language, name)
    }

    /// The words that the firm says in a language.
    #[must_use]
    pub fn texts(&self, language: Lang) -> &Texts {
        // `Config::parse` saw to the default language.
        &self.config.texts[&language]
    }

    fn language(&self, recipient: &Recipient) -> (Lang, &Texts) {
        let language = recipient.language().filter(|language| self.config.texts.contains_key(language));
        let language = language.unwrap_or(self.config.language);
        (language, self.texts(language))
    }

    fn own<'a>(&self, recipient: &'a Recipient) -> Option<Own<'a>> {
        let register = &self.config.registers[recipient.register()].name;
        let id = self.index.subject(register, recipient.row_key())?;
        // The registers are in the configuration's order, of which there are at most 64.
        let subject = Subject { register: RegisterId(u16::try_from(recipient.register()).ok()?), id };
        Some(Own { subject, mail: recipient.mail().unwrap_or_default(), name: recipient.name() })
    }

    fn text(&self, task: &Task, recipient: &Recipient, at: Timestamp) -> Text {
        let (language, texts) = self.language(recipient);
        let register = &self.config.registers[recipient.register()];
        let described = &self.index.registers()[recipient.register()].fields;
        let mut words = Words {
            name: recipient.name().to_owned(),
            case: self.case.clone(),
            date: at.to_zoned(self.zone.clone()).date().to_string(),
            ..Words::default()
        };
        for (column, field) in register.config.columns.iter().zip(described) {
            let own = register.labels.get(&column.name).and_then(|labels| labels.get(&language)).cloned();
            let label = own.unwrap_or_else(|| self.templates.label(language, column.kind));
            let has_left = task.fields.contains(&column.name);
            if has_left && !task.told.contains(&column.name) {
                words.new.push(label.clone());
            }
            let list = match (has_left, &field.not_examined) {
                (true, _) => &mut words.left,
                (false, None) => &mut words.not_left,
                (false, Some(_)) => &mut words.not_examined,
            };
            list.push(label);
        }
        // Two columns of one kind have one label, which is told once where it says the most.
        let mut seen = BTreeSet::new();
        for list in [&mut words.left, &mut words.not_left, &mut words.not_examined] {
            list.retain(|label| seen.insert(label.clone()));
        }
        let mut seen = BTreeSet::new();
        words.new.retain(|label| seen.insert(label.clone()));
        let kind = if task.notice == 1 { Kind::First } else { Kind::Update };
        self.templates.notice(language, kind, &words, texts)
    }
}

/// What approvals are bound to.
#[must_use]
pub fn approval_hash(campaign: &Campaign, templates: &Templates, config: &Config) -> String {
    use sha2::{Digest, Sha256};
    let parts = [campaign.plan_hash(), templates.hash, config.hash];
    hex::encode(parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize())
}

impl Campaign {
    /// A notice as it is to be written.
    #[must_use]
    pub fn task(&self, person: PersonKey, notice: u16) -> Option<Task> {
        let notices = self.notices(person);
        let at = usize::from(notice).checked_sub(1)?;
        let told = at.checked_sub(1).and_then(|before| notices.get(before)).map(|before| Arc::clone(&before.fields));
        Some(Task { person, notice, fields: Arc::clone(&notices.get(at)?.fields), told: told.unwrap_or_default() })
    }
}
