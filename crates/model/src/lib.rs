//! The vocabulary that every part of Sekisho shares: ids, fields, ledger records, time, disk and diagnostics.
//!
//! Pure data and traits: no I/O, no clock reading, no sibling crates. Read in this order:
//! [`subject`] (whose data), [`record`] (what the ledger holds), [`containment`], [`alert`], [`time`], [`disk`], [`diagnostic`].

pub mod alert;
pub mod containment;
pub mod diagnostic;
pub mod disk;
pub mod record;
pub mod subject;
pub mod time;

pub use alert::{Alert, AlertKind};
pub use containment::{ContainReason, Contained, Released, Target};
pub use diagnostic::{Diagnostic, Severity, Span};
pub use record::{
    AccountKey, Bound, ByteRange, Closed, Disposition, Exposed, Exposure, Generic, GenericKind, Heartbeat, Inspection,
    Opened, Query, Record, Registers, ResponseId, SessionKey, SourceId, Started, Suspect, SuspectReason, Transaction,
    Uninspectable, Withheld, WithheldOutcome, WithheldReason,
};
pub use subject::{
    Field, FieldIndex, FieldKind, FieldSet, RegisterDescription, RegisterId, Subject, SubjectId, ValueHash,
};
pub use time::{Clock, SystemClock, Timestamp};
