//! The inspection against a ledger that stalls and fails on purpose, and bodies that come in any pieces.

mod bodies;
mod durability;
pub(super) mod harness;
mod heads;
mod policy;
mod real_ledger;
