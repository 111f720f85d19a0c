//! `sekisho verify`: whether a ledger is whole, offline.
