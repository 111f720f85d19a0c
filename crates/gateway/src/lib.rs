//! The HTTP gateway. Stub.

pub mod head_gate;
pub mod inspect;
