//! The ledger's promises, each test named after the invariant that it asserts.

mod crash;
mod emergency;
mod evidence;
mod forgery;
mod rig;
mod seal;
mod syncs;
mod wal;
