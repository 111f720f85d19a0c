//! A notice as the bytes of a mail.
//!
//! Deterministic but for the date: the Message-ID is a keyed hash of the case, the person and the notice, so that a
//! receiver can tell a copy. Text that is not ASCII is base64, so that every relay takes it.

use crate::Error;
use crate::config::Config;
use crate::dkim::Signer;
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, SinglePart};
use lettre::{Address, Message};
use std::time::{Duration, SystemTime};

/// Writes mails for one sender.
#[derive(Debug)]
pub struct Composer {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    signer: Option<Signer>,
}

impl Composer {
    /// The sender of a configuration.
    pub fn new(config: &Config) -> Result<Composer, Error> {
        let signer = config.dkim.as_ref().map(Signer::load).transpose()?;
        Ok(Composer { from: config.from.clone(), reply_to: config.reply_to.clone(), signer })
    }

    /// Who sends.
    #[must_use]
    pub fn sender(&self) -> &Address {
        &self.from.email
    }

    /// The whole Message-ID of its left part.
    #[must_use]
    pub fn message_id(&self, left: &str) -> String {
        format!("<{left}@{}>", self.from.email.domain())
    }

    /// The mail's bytes, signed.
    pub fn mail(&self, to: &Address, subject: &str, text: &str, id: &str, at: Timestamp) -> Result<Vec<u8>, Error> {
        let cannot = |err: &dyn std::fmt::Display| Error::Compose(err.to_string());
        // Seconds before 1970 are a clock that is not set: the mail is dated 1970.
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .message_id(Some(self.message_id(id)));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        // A line ends in one way only, whatever the texts have: relays do not agree on what others are.
        let text = text.trim_end().replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        let text = format!("{text}\r\n");
        // Plain where it is ASCII in short lines.
        let plain = Body::new_with_encoding(text.clone(), ContentTransferEncoding::SevenBit);
        let body = plain
            .or_else(|_| Body::new_with_encoding(text, ContentTransferEncoding::Base64))
            .map_err(|_| cannot(&"its body cannot be encoded"))?;
        let part = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body);
        let mut message = builder.singlepart(part).map_err(|err| cannot(&err))?;
        // RFC 3834: nobody's answering machine need answer.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        let mut bytes = message.formatted();
        if !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        let Some(signer) = &self.signer else { return Ok(bytes) };
        let mut signed = signer.sign(&bytes, at.as_second())?.into_bytes();
        signed.append(&mut bytes);
        Ok(signed)
    }
}
