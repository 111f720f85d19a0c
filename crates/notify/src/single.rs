//! One mail beside the campaigns, such as a code that somebody asked for: written, signed, scanned and handed to the
//! relay as notices are. No journal, no throttle and no second try: those are the caller's.

use crate::Error;
use crate::check::Check;
use crate::compose::Composer;
use crate::config::Config;
use crate::register::address;
use crate::smtp::{Door, Outcome};
use jiff::Timestamp;
use lettre::Address;
use sekisho_edm::{HashKey, IndexBuilder};
use std::sync::Arc;

/// Sends single mails for one configuration. The registers of the configuration are not read.
#[derive(Debug)]
pub struct Sender {
    composer: Composer,
    check: Check,
    door: Door,
}

/// What a mail is to say.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The subject, without line ends.
    pub subject: &'a str,
    /// The text, as plain text; lines end with `\n`.
    pub text: &'a str,
    /// The left part of the Message-ID: the same for every try.
    pub id: &'a str,
}

/// A mail that may go. Not shown by `Debug`.
pub struct Mail {
    to: Address,
    bytes: Vec<u8>,
}

/// How handing over ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The relay took it.
    Taken,
    /// Certainly not taken, for now; why, without any text of the relay's.
    NotNow(String),
    /// Not taken for good: the reply's code.
    Never(u16),
    /// Nobody knows whether it was taken.
    Unknown,
}

impl Sender {
    /// Reads the DKIM key, the relay's password and certificates. Mail addresses in `firm_texts`, and the sender's own,
    /// may stand in a mail.
    pub fn new<'a>(config: &'a Config, firm_texts: impl IntoIterator<Item = &'a str>) -> Result<Sender, Error> {
        // Without registers only what is a card's, a person's number or an address by its form is looked for, and the
        // key hashes nothing.
        let index = IndexBuilder::new(Arc::new(HashKey::new([0; 16])), sekisho_model::Timestamp(0)).build();
        let own = [Some(&config.from), config.reply_to.as_ref()].into_iter().flatten();
        let own: Vec<&str> = own.map(|mailbox| mailbox.email.as_ref()).collect();
        let check = Check::new(Arc::new(index), firm_texts.into_iter().chain(own));
        Ok(Sender { composer: Composer::new(config)?, check, door: Door::new(&config.relay)? })
    }

    /// The sender's address, as it stands in a mail's From.
    #[must_use]
    pub fn from(&self) -> &str {
        self.composer.sender().as_ref()
    }

    /// Writes, signs and scans a mail to `to`: one ASCII address. A mail with a card number, an individual number
    /// or a mail address that is neither the firm's nor `to` is refused.
    pub fn write(&self, to: &str, draft: &Draft<'_>, at: Timestamp) -> Result<Mail, Error> {
        let to = address(to.trim()).ok_or_else(|| Error::Compose("its recipient is no address of ASCII".to_owned()))?;
        let bytes = self.composer.mail(&to, draft.subject, draft.text, draft.id, at)?;
        self.check.single(&bytes, to.as_ref()).map_err(|why| Error::Compose(format!("the scan stopped it: {why}")))?;
        Ok(Mail { to, bytes })
    }

    /// Hands a mail to the relay over a connection of its own.
    pub async fn send(&self, mail: &Mail) -> Ended {
        let connection = match self.door.open().await {
            Ok(connection) => connection,
            Err(closed) => return Ended::NotNow(closed.why),
        };
        let durable = std::future::ready(true);
        let (outcome, connection) = connection.send(self.composer.sender(), &mail.to, &mail.bytes, durable).await;
        if let Some(connection) = connection {
            connection.close().await;
        }
        match outcome {
            Some(Outcome::Taken { .. }) => Ended::Taken,
            Some(Outcome::NotNow { code: 0 }) | None => Ended::NotNow("the connection was lost".to_owned()),
            Some(Outcome::NotNow { code }) => Ended::NotNow(format!("reply {code}")),
            Some(Outcome::Never { code, .. }) => Ended::Never(code),
            Some(Outcome::Unknown(_)) => Ended::Unknown,
        }
    }
}

impl Mail {
    /// What is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mail(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn written(to: &str, text: &str) -> String {
        let config = Config::parse(crate::tests::CONFIG, Path::new("notify.toml")).expect("a configuration");
        let sender = Sender::new(&config, ["お客さま相談窓口 help@hakonefx.example"]).expect("a sender");
        let draft = Draft { subject: "【箱根FX株式会社】照会コードのお知らせ", text, id: "00ff" };
        match sender.write(to, &draft, Timestamp::UNIX_EPOCH) {
            Ok(mail) => String::from_utf8(mail.bytes).expect("text"),
            Err(err) => err.to_string(),
        }
    }

    #[test]
    fn a_mail_to_one_person_is_written() {
        let mail = written("taro@example.jp", "照会コード 04HMA-SW9NF\nhelp@hakonefx.example taro@example.jp");
        assert!(mail.contains("\r\nTo: taro@example.jp\r\n") && mail.contains("Message-ID: <00ff@"), "{mail}");
    }

    #[test]
    fn the_scan_of_notices_stops_it_too() {
        for (text, why) in [
            ("カード 4111 1111 1111 1111", "it holds a card number"),
            ("マイナンバー 123456789018", "it holds an individual number"),
            ("hanako@example.com", "it holds a mail address that is not the firm's"),
        ] {
            let told = written("taro@example.jp", text);
            assert!(told.ends_with(why), "{told}");
        }
    }

    #[test]
    fn an_address_that_would_break_a_head_is_none() {
        for to in ["", "taro", "a@example.jp, b@example.jp", "a@example.jp\r\nBcc: b@example.jp", "太郎@example.jp"] {
            assert!(written(to, "x").contains("no address of ASCII"), "{to}");
        }
    }
}
