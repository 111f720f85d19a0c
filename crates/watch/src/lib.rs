//! Follows notices of firms, whether they cooperate or not: fetches, compares, keeps, and says what became of each.
//!
//! What it is not: a crawler. It looks at the addresses it was given, once an hour or so, and leaves alone what
//! `robots.txt` asks it to. It runs no scripts and reads no pictures, and it never says why a page changed.
//!
//! Read in this order: [`normalise`] (what a page tells), [`verdict`] (what became of it), `fetch` and `robots` (how it is
//! asked for), `warc`, `archive` and `anchor` (how it is kept), [`watched`] (what is known, a fold of the log),
//! [`round`] (one round over the pages), [`sekisho_log`] (firms with a public log), [`register`] (the static site across firms).

mod address_list;
mod archive;
mod decode;
pub mod diff;
pub mod entry;
mod error;
pub mod fetch;
mod html;
mod http_message;
pub mod normalise;
pub mod register;
pub mod report;
mod robots;
pub mod round;
pub mod sekisho_log;
mod store;
pub mod verdict;
mod verify;
mod warc;
pub mod watched;

pub use address_list::{parse_list, parse_url};
pub use error::Error;
pub use robots::PRODUCT_TOKEN;
pub use store::{Resting, State, Store};
pub use verify::{Verified, verify};
