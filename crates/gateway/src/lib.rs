//! The HTTP gateway. Stub.

pub mod config;
pub mod head_gate;
pub mod inspect;
pub mod proxy_protocol;
