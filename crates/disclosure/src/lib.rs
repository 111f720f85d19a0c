//! A firm's public record of an incident: what was told when, and that nothing of it can quietly go away (DIS-1).
//!
//! Read in this order: [`notice`] (what is told, in Japanese and English), [`entry`] (one step of the record: a leaf of the
//! public log), [`record`] (the fold of the steps, and which step may follow), [`store`] (the log and the documents on a
//! disk), [`site`] (the pages, feeds and the manifest, a pure function of the record), [`verify`] (whether a built site is
//! what the log says), [`draft`] (a notice begun from a case).
//!
//! It sends nothing and serves nothing: the site is files, to be put anywhere off the attacked systems.

pub mod draft;
pub mod entry;
mod error;
pub mod firm;
pub mod notice;
pub mod record;
#[cfg(test)]
mod scenarios;
pub mod site;
pub mod store;
#[cfg(test)]
mod tests;
pub mod verify;

pub use entry::{Entry, Kind, Step};
pub use error::Error;
pub use firm::Firm;
pub use notice::Notice;
pub use record::Record;
pub use store::{Act, Store};
