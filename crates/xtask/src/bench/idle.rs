//! Memory of keep-alive connections that wait for their next request.

use super::servers::{Proxy, Stage};
use crate::process;
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

/// Resident bytes that each idle connection adds. All have made one request, as a browser's have.
pub(super) fn bytes_per_connection(stage: &Stage, proxy: Proxy, connections: usize) -> Result<f64> {
    raise_file_limit()?;
    let started = stage.start(proxy, false, None)?;
    // What is allocated once (the pool, the first buffers) is no connection's.
    drop(open(started.address(), 100)?);
    let before = process::resident_bytes(&started.pids())?;
    let held = open(started.address(), connections)?;
    let after = process::resident_bytes(&started.pids())?;
    drop(held);
    Ok(after.saturating_sub(before) as f64 / connections as f64)
}

/// This process holds the clients' ends.
fn raise_file_limit() -> Result<()> {
    let pid = std::process::id().to_string();
    let hard = process::output_of(Command::new("sh").args(["-c", "ulimit -H -n"]))?;
    let limit = format!("--nofile={}:", hard.trim());
    process::output_of(Command::new("prlimit").args(["--pid", &pid, &limit])).map(drop)
}

/// Opens connections, each with one whole response received.
fn open(address: SocketAddr, connections: usize) -> Result<Vec<TcpStream>> {
    let mut held = Vec::with_capacity(connections);
    for number in 0..connections {
        let connection = one(address);
        held.push(
            connection.with_context(|| format!("connection {number} of {connections}: is `ulimit -n` high enough?"))?,
        );
    }
    Ok(held)
}

fn one(address: SocketAddr) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(b"GET /clean.html HTTP/1.1\r\nHost: site.example\r\n\r\n")?;
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !received.ends_with(b"</html>\n") {
        let count = connection.read(&mut buffer)?;
        anyhow::ensure!(count > 0, "the proxy closed the connection");
        received.extend_from_slice(&buffer[..count]);
    }
    Ok(connection)
}
