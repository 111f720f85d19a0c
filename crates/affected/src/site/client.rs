//! Whose address counts: the peer's, or what trusted peers say of theirs.

use axum::http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// Hops read of `X-Forwarded-For`; beyond, the last one read counts.
const HOPS_MAX: usize = 16;

/// The nearest address that no trusted proxy has. A name that is no address ends the search: what stands before it
/// was written by whoever wrote that.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut nearest = peer;
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX);
    for hop in hops {
        if !is_trusted(nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse() else { break };
        nearest = address;
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(peer: &str, forwarded: &[&'static str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let trusted = ["127.0.0.1/32".parse().expect("a network"), "10.0.0.0/8".parse().expect("a network")];
        let client = address(peer.parse().expect("an address"), &headers, &trusted);
        assert_eq!(client.to_string(), expected);
    }

    #[test]
    fn only_trusted_peers_speak_for_others() {
        check("192.0.2.9", &["198.51.100.1"], "192.0.2.9");
        check("127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("127.0.0.1", &["203.0.113.7, 198.51.100.1, 10.1.1.1"], "198.51.100.1");
        check("127.0.0.1", &["203.0.113.7", "198.51.100.1"], "198.51.100.1");
        check("127.0.0.1", &["198.51.100.1, unknown"], "127.0.0.1");
        check("127.0.0.1", &[], "127.0.0.1");
    }
}
