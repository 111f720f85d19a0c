//! Reads the PROXY protocol v2 header that a load balancer puts before a connection's first byte.
//!
//! Only a trusted peer may say who the client is; every other one is refused before a byte is read. A header is
//! required: a listener with `proxy_protocol` that also served plain connections would let clients choose.
//! Version 1 (text) is refused by name. The specification is haproxy's `proxy-protocol.txt`, section 2.2.
//! [`parse`] is pure and says how long the header is, so that [`read`] never takes a byte of what follows.

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz_proxy_protocol;

use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a header beyond its first 16 (addresses and TLVs); beyond, the connection is closed. A load balancer
/// that passes a client certificate's names uses a few hundred.
pub const PAYLOAD_BYTES_MAX: usize = 2048;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const FIXED_BYTES: usize = 16;
const TLV_CRC32C: u8 = 0x03;

/// Why a connection was closed because of its PROXY header.
#[derive(Debug, thiserror::Error)]
pub enum ProxyProtocolError {
    /// The peer is not among the trusted ones.
    #[error("the peer may not send a PROXY header: it is not in `trusted_peers`")]
    UntrustedPeer,
    /// Version 1, the text form.
    #[error("PROXY protocol version 1: set the load balancer to version 2 (haproxy: `send-proxy-v2`)")]
    Version1,
    /// Something else than a PROXY header.
    #[error("the connection does not begin with a PROXY protocol v2 header")]
    NoHeader,
    /// The signature is right, the version is not 2.
    #[error("PROXY protocol version {0} is unknown")]
    UnknownVersion(u8),
    /// Neither LOCAL nor PROXY.
    #[error("PROXY command {0} is unknown")]
    UnknownCommand(u8),
    /// An address family or transport that the specification does not name.
    #[error("PROXY address family {0:#04x} is unknown")]
    UnknownFamily(u8),
    /// A datagram: no HTTP connection comes that way.
    #[error("the PROXY header describes a datagram")]
    Datagram,
    /// The length is too short for the addresses.
    #[error("the PROXY header is too short for its addresses")]
    Short,
    /// The length is above [`PAYLOAD_BYTES_MAX`].
    #[error("the PROXY header is longer than {PAYLOAD_BYTES_MAX} bytes")]
    Long,
    /// A TLV reaches beyond the header.
    #[error("a field of the PROXY header reaches beyond its end")]
    BadTlv,
    /// The checksum TLV does not match.
    #[error("the PROXY header's checksum does not match")]
    BadChecksum,
    /// Not complete within the handshake deadline.
    #[error("the PROXY header took too long")]
    Timeout,
    /// The connection broke or ended.
    #[error("cannot read the PROXY header")]
    Io(#[source] io::Error),
}

impl ProxyProtocolError {
    /// A stable name, for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ProxyProtocolError::UntrustedPeer => "untrusted_peer",
            ProxyProtocolError::Version1 => "version_1",
            ProxyProtocolError::NoHeader => "no_header",
            ProxyProtocolError::UnknownVersion(_) => "unknown_version",
            ProxyProtocolError::UnknownCommand(_) => "unknown_command",
            ProxyProtocolError::UnknownFamily(_) => "unknown_family",
            ProxyProtocolError::Datagram => "datagram",
            ProxyProtocolError::Short => "short",
            ProxyProtocolError::Long => "long",
            ProxyProtocolError::BadTlv => "bad_tlv",
            ProxyProtocolError::BadChecksum => "bad_checksum",
            ProxyProtocolError::Timeout => "timeout",
            ProxyProtocolError::Io(_) => "io",
        }
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The load balancer speaks for itself (a health check), or for a client without an IP address (UNIX socket,
    /// unspecified): the peer's own address holds.
    Peer,
    /// The client's address.
    Client(SocketAddr),
}

/// Reads the header and nothing after it; the client's address.
///
/// # Errors
/// The connection must be closed without an answer on every error.
pub async fn read<IO: AsyncRead + Unpin>(
    io: &mut IO,
    peer: SocketAddr,
    trusted_peers: &[IpNet],
    deadline: Duration,
) -> Result<SocketAddr, ProxyProtocolError> {
    let peer_ip = peer.ip().to_canonical();
    if !trusted_peers.iter().any(|net| net.contains(&peer_ip)) {
        return Err(ProxyProtocolError::UntrustedPeer);
    }
    match tokio::time::timeout(deadline, read_header(io)).await {
        Ok(source) => Ok(match source? {
            Source::Peer => peer,
            Source::Client(client) => client,
        }),
        Err(_elapsed) => Err(ProxyProtocolError::Timeout),
    }
}

async fn read_header<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<Source, ProxyProtocolError> {
    let mut header = vec![0; FIXED_BYTES];
    let mut filled = 0;
    loop {
        // Looked at after each read: a client that speaks HTTP here may never send 16 bytes.
        match io.read(&mut header[filled..]).await.map_err(ProxyProtocolError::Io)? {
            0 => return Err(ProxyProtocolError::Io(io::ErrorKind::UnexpectedEof.into())),
            len => filled += len,
        }
        match parse(&header[..filled])? {
            Parsed::Whole { source, .. } => return Ok(source),
            Parsed::Partial { bytes } => header.resize(bytes, 0),
        }
    }
}

/// What [`parse`] made of the first bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The header needs this many bytes in all (as far as is known yet).
    Partial {
        /// At least 16.
        bytes: usize,
    },
    /// The header is whole.
    Whole {
        /// What it says.
        source: Source,
        /// Its bytes; what follows is the connection's own.
        bytes: usize,
    },
}

/// Parses a header at the start of `bytes`.
///
/// # Errors
/// As soon as the bytes cannot be the start of an acceptable header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyProtocolError> {
    let signature = bytes.len().min(SIGNATURE.len());
    if bytes[..signature] != SIGNATURE[..signature] {
        let text = bytes.starts_with(b"PROXY ");
        return Err(if text { ProxyProtocolError::Version1 } else { ProxyProtocolError::NoHeader });
    }
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return Ok(Parsed::Partial { bytes: FIXED_BYTES });
    };
    let command = parse_command(fixed[12])?;
    let payload_bytes = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return Err(ProxyProtocolError::Long);
    }
    let header_bytes = FIXED_BYTES + payload_bytes;
    let Some(payload) = rest.get(..payload_bytes) else {
        return Ok(Parsed::Partial { bytes: header_bytes });
    };
    let source = match command {
        // The rest of a LOCAL header has no meaning and must be ignored.
        Command::Local => Source::Peer,
        Command::Proxy => {
            let (source, address_bytes) = parse_addresses(fixed[13], payload)?;
            check_tlvs(&bytes[..header_bytes], FIXED_BYTES + address_bytes)?;
            source
        }
    };
    Ok(Parsed::Whole { source, bytes: header_bytes })
}

#[derive(Clone, Copy)]
enum Command {
    Local,
    Proxy,
}

fn parse_command(byte: u8) -> Result<Command, ProxyProtocolError> {
    match (byte >> 4, byte & 0x0f) {
        (2, 0) => Ok(Command::Local),
        (2, 1) => Ok(Command::Proxy),
        (2, command) => Err(ProxyProtocolError::UnknownCommand(command)),
        (version, _) => Err(ProxyProtocolError::UnknownVersion(version)),
    }
}

/// The source, and how many bytes the addresses take.
fn parse_addresses(family: u8, payload: &[u8]) -> Result<(Source, usize), ProxyProtocolError> {
    match family {
        0x11 => {
            let address = payload.first_chunk::<12>().ok_or(ProxyProtocolError::Short)?;
            let ip = Ipv4Addr::new(address[0], address[1], address[2], address[3]);
            Ok((client(IpAddr::V4(ip), [address[8], address[9]]), 12))
        }
        0x21 => {
            let address = payload.first_chunk::<36>().ok_or(ProxyProtocolError::Short)?;
            let ip: [u8; 16] = *address.first_chunk().ok_or(ProxyProtocolError::Short)?;
            // A mapped IPv4 address must be the same client as the plain one, for limits and the ledger alike.
            Ok((client(Ipv6Addr::from(ip).to_canonical(), [address[32], address[33]]), 36))
        }
        0x31 if payload.len() < 216 => Err(ProxyProtocolError::Short),
        0x31 => Ok((Source::Peer, 216)),
        // Unspecified: the receiver ignores all of it, TLVs included.
        0x00 => Ok((Source::Peer, payload.len())),
        0x12 | 0x22 | 0x32 => Err(ProxyProtocolError::Datagram),
        other => Err(ProxyProtocolError::UnknownFamily(other)),
    }
}

fn client(ip: IpAddr, port: [u8; 2]) -> Source {
    Source::Client(SocketAddr::new(ip, u16::from_be_bytes(port)))
}

/// Steps over the TLVs from `at` to the header's end and verifies the checksum, when there is one.
fn check_tlvs(header: &[u8], mut at: usize) -> Result<(), ProxyProtocolError> {
    while at < header.len() {
        let [kind, high, low] = *header[at..].first_chunk::<3>().ok_or(ProxyProtocolError::BadTlv)?;
        let value_start = at + 3;
        let value_end = value_start + usize::from(u16::from_be_bytes([high, low]));
        let value = header.get(value_start..value_end).ok_or(ProxyProtocolError::BadTlv)?;
        if kind == TLV_CRC32C {
            let told: [u8; 4] = value.try_into().map_err(|_wrong_length| ProxyProtocolError::BadTlv)?;
            if u32::from_be_bytes(told) != checksum_without(header, value_start) {
                return Err(ProxyProtocolError::BadChecksum);
            }
        }
        at = value_end;
    }
    Ok(())
}

/// The header's CRC32c with the checksum's own four bytes as zeros.
fn checksum_without(header: &[u8], checksum_at: usize) -> u32 {
    let crc = crc32c::crc32c(&header[..checksum_at]);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    crc32c::crc32c_append(crc, &header[checksum_at + 4..])
}
