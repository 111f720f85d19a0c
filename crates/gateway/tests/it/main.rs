//! The gateway over real sockets on 127.0.0.1: clients and upstreams are plain blocking sockets, so that every byte
//! on the wire is the test's own.

mod admin;
mod canary;
mod containment;
mod deadlines;
mod exposure;
mod harness;
mod kept_out;
mod lifecycle;
mod limits;
mod log_ins;
mod policy;
mod proxying;
mod sharing;
mod tls;
mod tokens;
mod upgrade;
mod watch;
