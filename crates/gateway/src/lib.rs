//! The HTTP gateway. Stub.

pub mod config;
pub mod forwarded;
pub mod head_gate;
pub mod inspect;
pub mod proxy_protocol;
pub mod tls;
