//! "Was I affected?": a page that answers whoever holds the case code from a mail or letter, and nobody else.
//!
//! That somebody is a broker's customer is private in itself, so nothing can be asked by name, mail address or number,
//! and every question without an answer gets the same bytes at the same beat. The store holds keyed hashes of codes
//! and names of fields: no names, addresses or row keys. Not here: speaking to a mail relay, letters, and
//! deciding whose data left. Read `code`, then `store`, then `site`; `courier` is the program beside the page.

pub mod code;
pub mod codes;
pub mod config;
pub mod courier;
mod error;
pub mod keys;
pub mod limits;
pub mod mail;
pub mod notice;
pub mod site;
pub mod store;
mod words;

pub use error::Error;
