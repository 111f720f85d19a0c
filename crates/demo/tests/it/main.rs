//! The sample broker as its visitors, and its thief, see it. [`client`] asks, [`pages`] are sound, [`holes`] are not.

mod client;
mod holes;
mod pages;
