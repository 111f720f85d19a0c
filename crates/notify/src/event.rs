//! What happens to notices, as it stands in the journal. No name, no address, no row key: persons are keyed hashes.

use crate::PersonKey;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// By the clock of the machine; it may step back, and nothing is concluded from the order of times.
    pub at: Timestamp,
    /// The operator who decided it; none where the sender did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What.
    pub event: Event,
}

/// How a notice is to reach its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By mail.
    Mail,
    /// By letter: the register has a postal address only.
    Letter,
    /// The register file lacks the person.
    NotInRegister,
    /// The register has the person, but neither a mail address nor a postal one that can be used.
    NoAddress,
}

/// Why nobody knows whether a mail was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The connection was lost behind the data, before an answer.
    ConnectionLost,
    /// No answer came in time.
    TimedOut,
    /// The answer was not one.
    Garbled,
    /// The sender itself ended between the attempt and its outcome.
    Interrupted,
}

/// Why a mail will not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounce {
    /// The relay refused it.
    Refused,
    /// It was deferred as often as it may be.
    TriesSpent,
    /// A delivery status notification came back.
    Returned,
}

/// What a claim is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// The issuer's fee for a new card.
    ReissueFee,
    /// Money lost by fraud.
    FraudLoss,
    /// A fee or price paid back.
    Refund,
    /// A token of apology.
    Goodwill,
}

/// How a claim was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It will be paid.
    Accepted,
    /// It will not.
    Rejected,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A person is to be told which fields left. Again with the same number: what was planned has changed before any
    /// attempt.
    Planned {
        /// Whom.
        person: PersonKey,
        /// 1 is the first notice, the others are updates.
        notice: u16,
        /// The fields that left, by their column's name, sorted.
        fields: Vec<String>,
        /// How.
        way: Way,
    },
    /// An operator agrees to what this hash stands for: the persons, the texts and the configuration.
    Approved {
        /// SHA-256 in hexadecimal.
        of: String,
    },
    /// A mail is about to be handed over. Durable before its data are sent.
    Attempt {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
    },
    /// The relay took it.
    Sent {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// The reply's code; 0 where a delivery report said so.
        code: u16,
        /// The relay's own number of the mail, if its reply holds one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue_id: Option<String>,
    },
    /// It was certainly not taken; it is tried again.
    Deferred {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// The reply's code; 0 where the connection was lost before the data.
        code: u16,
        /// Not before this.
        until: Timestamp,
    },
    /// Nobody knows whether it was taken: never sent again by itself.
    Unknown {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// Why.
        why: Doubt,
    },
    /// It will not arrive.
    Bounced {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// How that is known.
        how: Bounce,
        /// The reply's code, or 0.
        code: u16,
        /// The enhanced status, such as `5.1.1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// The scan stopped it: it does not hold exactly its own recipient's data.
    Held {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// What was found, without any value.
        why: String,
    },
    /// At the moment of sending the register had no address for the person.
    AddressGone {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// What is missing.
        way: Way,
    },
    /// An operator orders that a held, bounced or unknown mail is sent (again).
    Requeued {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
    },
    /// A letter is to be written instead.
    Postal {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
    },
    /// The letter was written for the printing house.
    Printed {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// Which batch.
        batch: u32,
    },
    /// A batch of letters was written.
    Batch {
        /// Its number.
        batch: u32,
        /// SHA-256 of the CSV, in hexadecimal.
        csv_sha256: String,
        /// SHA-256 of the PDF, in hexadecimal.
        pdf_sha256: String,
    },
    /// The letter came back.
    Returned {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
    },
    /// A published notice stands for it.
    Substituted {
        /// Whom.
        person: PersonKey,
        /// Which notice.
        notice: u16,
        /// Where it is published.
        publication: String,
    },
    /// A person claims money.
    ClaimOpened {
        /// Its number, from 1.
        claim: u32,
        /// Who.
        person: PersonKey,
        /// For what.
        what: ClaimKind,
        /// In the currency's smallest unit.
        amount: u64,
        /// ISO 4217.
        currency: String,
        /// Where the evidence lies.
        evidence: String,
    },
    /// A claim is decided.
    ClaimDecided {
        /// Its number.
        claim: u32,
        /// How.
        decision: Decision,
        /// What is granted, in the smallest unit; 0 where rejected.
        amount: u64,
        /// When.
        on: Date,
    },
    /// A claim was paid.
    ClaimPaid {
        /// Its number.
        claim: u32,
        /// Who paid.
        payer: String,
        /// When.
        on: Date,
    },
}
