use super::{PAYLOAD_BYTES_MAX, ProxyProtocolError, fuzz_proxy_protocol, read};
use ipnet::IpNet;
use proptest::prelude::*;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PEER: &str = "192.0.2.10:4000";
const TCP4: &[u8] = &[203, 0, 113, 7, 192, 0, 2, 1, 0xc3, 0x50, 0x01, 0xbb];

/// A header from its parts.
fn header(version_command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([version_command, family]);
    bytes.extend(u16::try_from(payload.len()).expect("a test's payload is short").to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(value.len()).expect("a test's value is short").to_be_bytes());
    bytes.extend(value);
    bytes
}

/// A TCP4 header whose checksum TLV is right, or wrong by one bit.
fn with_checksum(flip: u8) -> Vec<u8> {
    let mut bytes = header(0x21, 0x11, &[TCP4, &tlv(0x04, b"noop"), &tlv(0x03, &[0; 4]), &tlv(0x01, b"h2")].concat());
    let crc = crc32c::crc32c(&bytes) ^ u32::from(flip);
    let at = 16 + 12 + 7 + 3;
    bytes[at..at + 4].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// What a peer of this address gets by sending these bytes and `GET`: the client's address, or the error's name.
/// Checks that what follows the header is still there.
async fn outcome(peer: &str, sent: &[u8]) -> String {
    let (mut near, mut far) = tokio::io::duplex(8192);
    far.write_all(sent).await.expect("the pipe is open");
    far.write_all(b"GET").await.expect("the pipe is open");
    drop(far);
    let trusted: Vec<IpNet> = vec!["192.0.2.0/24".parse().expect("a net"), "2001:db8::/32".parse().expect("a net")];
    let peer: SocketAddr = peer.parse().expect("an address");
    match read(&mut near, peer, &trusted, Duration::from_secs(5)).await {
        Ok(client) => {
            let mut rest = Vec::new();
            near.read_to_end(&mut rest).await.expect("the pipe is open");
            assert_eq!(rest, b"GET", "the reader took a byte of the connection");
            client.to_string()
        }
        Err(err) => err.name().to_owned(),
    }
}

#[tokio::test]
async fn headers() {
    let tcp6: Vec<u8> =
        [&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0; 16], &[0xc3, 0x50, 0x01, 0xbb]]
            .concat();
    let mapped: Vec<u8> =
        [&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7][..], &[0; 16], &[0xc3, 0x50, 0x01, 0xbb]].concat();
    let long_tlv = tlv(0x04, &[0; PAYLOAD_BYTES_MAX - 12 - 3]);
    let table: &[(&str, Vec<u8>, &str)] = &[
        ("TCP4", header(0x21, 0x11, TCP4), "203.0.113.7:50000"),
        ("TCP6", header(0x21, 0x21, &tcp6), "[2001:db8::9]:50000"),
        ("TCP6 with a mapped IPv4 address", header(0x21, 0x21, &mapped), "203.0.113.7:50000"),
        ("LOCAL", header(0x20, 0x00, &[]), PEER),
        ("LOCAL ignores what it carries", header(0x20, 0x11, &[1, 2, 3]), PEER),
        ("unspecified", header(0x21, 0x00, &[]), PEER),
        ("unspecified with bytes to ignore", header(0x21, 0x00, &[9; 7]), PEER),
        ("UNIX", header(0x21, 0x31, &[0; 216]), PEER),
        ("TLVs", header(0x21, 0x11, &[TCP4, &tlv(0x01, b"h2"), &tlv(0xea, b"vpce-1")].concat()), "203.0.113.7:50000"),
        ("an empty TLV", header(0x21, 0x11, &[TCP4, &tlv(0x04, b"")].concat()), "203.0.113.7:50000"),
        ("the longest header", header(0x21, 0x11, &[TCP4, &long_tlv].concat()), "203.0.113.7:50000"),
        ("a checksum that matches", with_checksum(0), "203.0.113.7:50000"),
        ("a checksum that does not", with_checksum(1), "bad_checksum"),
        ("a checksum of three bytes", header(0x21, 0x11, &[TCP4, &tlv(0x03, &[0; 3])].concat()), "bad_tlv"),
        ("a TLV beyond the end", header(0x21, 0x11, &[TCP4, &[4, 0, 9, 1][..]].concat()), "bad_tlv"),
        ("half a TLV's length", header(0x21, 0x11, &[TCP4, &[4, 0][..]].concat()), "bad_tlv"),
        ("TCP4, too short", header(0x21, 0x11, &TCP4[..11]), "short"),
        ("TCP6, too short", header(0x21, 0x21, &tcp6[..35]), "short"),
        ("UNIX, too short", header(0x21, 0x31, &[0; 215]), "short"),
        ("UDP4", header(0x21, 0x12, TCP4), "datagram"),
        ("an unknown family", header(0x21, 0x41, TCP4), "unknown_family"),
        ("an unknown command", header(0x22, 0x11, TCP4), "unknown_command"),
        ("version 3", header(0x31, 0x11, TCP4), "unknown_version"),
        ("too long", header(0x21, 0x11, &vec![0; PAYLOAD_BYTES_MAX + 1]), "long"),
        ("version 1", b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n".to_vec(), "version_1"),
        ("plain HTTP", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec(), "no_header"),
        ("POST is not taken for version 1", b"POST / HTTP/1.1\r\n".to_vec(), "no_header"),
        ("a TLS hello", vec![0x16, 3, 1, 2, 0, 1], "no_header"),
        ("cut short", header(0x21, 0x11, TCP4)[..20].to_vec(), "io"),
    ];
    for (what, sent, expected) in table {
        assert_eq!(&outcome(PEER, sent).await, expected, "{what}");
    }
}

#[tokio::test]
async fn an_untrusted_peer_is_refused_whatever_it_sends() {
    assert_eq!(outcome("198.51.100.1:4000", &header(0x21, 0x11, TCP4)).await, "untrusted_peer");
    assert_eq!(outcome("198.51.100.1:4000", b"GET / HTTP/1.1\r\n").await, "untrusted_peer");
}

#[tokio::test]
async fn a_peer_is_trusted_in_its_mapped_form_too() {
    assert_eq!(outcome("[::ffff:192.0.2.10]:4000", &header(0x21, 0x11, TCP4)).await, "203.0.113.7:50000");
}

#[tokio::test(start_paused = true)]
async fn a_slow_header_is_given_up_at_the_deadline() {
    let (mut near, mut far) = tokio::io::duplex(64);
    far.write_all(&header(0x21, 0x11, TCP4)[..27]).await.expect("the pipe is open");
    let trusted = ["192.0.2.0/24".parse().expect("a net")];
    let began = tokio::time::Instant::now();
    let result = read(&mut near, PEER.parse().expect("an address"), &trusted, Duration::from_secs(5)).await;
    assert!(matches!(result, Err(ProxyProtocolError::Timeout)), "{result:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[test]
fn corpus() {
    for seed in [header(0x21, 0x11, TCP4), with_checksum(0), with_checksum(1), header(0x20, 0, &[]), b"PROXY ".to_vec()]
    {
        fuzz_proxy_protocol(&seed);
        for at in 0..seed.len() {
            let mut changed = seed.clone();
            changed[at] ^= 0x11;
            fuzz_proxy_protocol(&changed);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_payloads(version in 0x1fu8..0x23, family: u8, payload in prop::collection::vec(any::<u8>(), 0..260)) {
        fuzz_proxy_protocol(&header(version, family, &payload));
    }
}
