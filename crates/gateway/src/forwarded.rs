//! Who the client is, and what the upstream is told of it: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! Pure. What a peer says is believed only as far as trusted peers vouch for it: the list is read from the right,
//! each address vouched for by the next, and ends at the first untrusted or malformed entry. What stands left of
//! that could have been written by anyone and is not passed on.
//!
//! `X-Forwarded-For` wins over `Forwarded` when both are there, since nearly all load balancers write it and let
//! the other pass: a trusted peer that writes `Forwarded` only must remove `X-Forwarded-For`.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::fuzz_forwarded;

use crate::head_gate::is_authority;
use crate::headers::remove_all;
use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use parse::Element;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Hops that are read from the right; entries beyond count as not vouched for.
pub const HOPS_MAX: usize = 32;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How a request came to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// The connection's other end, after a PROXY header.
    pub peer: IpAddr,
    /// By which scheme it came.
    pub scheme: ClientScheme,
    /// Host (or `:authority`) as the client sent it; HTTP/1.0 may lack it.
    pub host: Option<&'a str>,
}

/// The scheme that the client used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientScheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl ClientScheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ClientScheme::Http => "http",
            ClientScheme::Https => "https",
        }
    }
}

/// Where a request came from, as far as it can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client, then every trusted hop in order, the gateway's peer last; never empty, at most
    /// [`HOPS_MAX`] + 1.
    hops: Vec<IpAddr>,
    /// The scheme that the client used.
    pub scheme: ClientScheme,
    /// The host that the client asked for.
    pub host: Option<String>,
    peer_is_trusted: bool,
}

impl Origin {
    /// The client's address: the rightmost one that is not a trusted peer; the leftmost when all are.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.hops[0]
    }
}

/// Reads from the headers where a request came from.
#[must_use]
pub fn origin(arrival: Arrival<'_>, trusted_peers: &[IpNet], headers: &HeaderMap) -> Origin {
    let peer = arrival.peer.to_canonical();
    let own_host = arrival.host.filter(|host| is_authority(host.as_bytes())).map(str::to_owned);
    if !is_trusted(trusted_peers, peer) {
        return Origin { hops: vec![peer], scheme: arrival.scheme, host: own_host, peer_is_trusted: false };
    }
    let elements = if headers.contains_key(FOR) { parse::x_forwarded_for(headers) } else { parse::forwarded(headers) };
    let (hops, first) = believed_hops(peer, trusted_peers, &elements);
    let scheme = single(headers, &PROTO).or(first.and_then(|element| element.proto.as_deref()));
    let host = single(headers, &HOST).or(first.and_then(|element| element.host.as_deref()));
    Origin {
        hops,
        scheme: scheme.and_then(parse_scheme).unwrap_or(arrival.scheme),
        host: host.filter(|host| is_authority(host.as_bytes())).map(str::to_owned).or(own_host),
        peer_is_trusted: true,
    }
}

/// Whether an address may say who the client is.
#[must_use]
pub fn is_trusted(trusted_peers: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    trusted_peers.iter().any(|net| net.contains(&address))
}

/// Walks from the peer to the client; the element in which the client was named.
fn believed_hops<'a>(peer: IpAddr, trusted: &[IpNet], elements: &'a [Element]) -> (Vec<IpAddr>, Option<&'a Element>) {
    let mut hops = vec![peer];
    let mut first = None;
    for element in elements.iter().rev().take(HOPS_MAX) {
        let Some(address) = element.address else { break };
        hops.push(address);
        first = Some(element);
        if !is_trusted(trusted, address) {
            break;
        }
    }
    hops.reverse();
    (hops, first)
}

/// The header's value when it is there once and holds no list.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && !value.contains(',')).then(|| value.trim())
}

fn parse_scheme(scheme: &str) -> Option<ClientScheme> {
    [ClientScheme::Http, ClientScheme::Https].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme))
}

/// What the upstream is told of an origin, written out.
#[derive(Clone, Debug)]
pub struct UpstreamFields {
    hops: HeaderValue,
    scheme: HeaderValue,
    host: Option<HeaderValue>,
    forwarded: HeaderValue,
}

impl Origin {
    /// Writes out what the upstream is told.
    #[must_use]
    pub fn upstream_fields(&self) -> UpstreamFields {
        let mut hops = String::new();
        for (at, hop) in self.hops.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(hops, "{separator}{hop}").expect("writing to a string cannot fail");
        }
        UpstreamFields {
            hops: value(hops),
            scheme: HeaderValue::from_static(self.scheme.as_str()),
            host: self.host.clone().map(value),
            forwarded: value(forwarded_value(self)),
        }
    }
}

/// Replaces what the client sent by what is believed, for the upstream. Other `X-Forwarded-*` fields (port,
/// prefix) and `X-Real-IP` stay only when a trusted peer sent them; so do `X-Original-URL` and `X-Rewrite-URL`, by which some
/// applications choose another page than the path's, and so than the route's.
pub fn set_upstream_headers(headers: &mut HeaderMap, origin: &Origin, fields: &UpstreamFields) {
    remove_all(headers, |name| is_imitation(name, origin.peer_is_trusted));
    headers.insert(FOR, fields.hops.clone());
    headers.insert(PROTO, fields.scheme.clone());
    headers.insert(FORWARDED, fields.forwarded.clone());
    if let Some(host) = &fields.host {
        headers.insert(HOST, host.clone());
    }
}

/// Whether a field is to be taken out: all that say where the request came from, in any spelling that a CGI-style application
/// reads as such (HTTP/2 requests do not pass the head gate, which refuses the spellings with underscores).
fn is_imitation(name: &str, peer_is_trusted: bool) -> bool {
    if !name.starts_with(['f', 'x']) {
        return false;
    }
    let plain = if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) };
    let ours = [FORWARDED.as_str(), FOR.as_str(), PROTO.as_str(), HOST.as_str()].contains(&&*plain);
    let others =
        plain.starts_with("x-forwarded-") || ["x-real-ip", "x-original-url", "x-rewrite-url"].contains(&&*plain);
    ours || (others && (!peer_is_trusted || name.contains('_')))
}

/// One element for each hop; scheme and host stand with the client.
fn forwarded_value(origin: &Origin) -> String {
    let mut text = String::new();
    for (index, hop) in origin.hops.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let written = match hop {
            IpAddr::V4(address) => write!(text, "{separator}for={address}"),
            // RFC 7239 section 6: in brackets and quoted, since a colon is no token character.
            IpAddr::V6(address) => write!(text, "{separator}for=\"[{address}]\""),
        };
        written.expect("writing to a string cannot fail");
        if index == 0 {
            if let Some(host) = &origin.host {
                let quote = if host.contains([':', '[']) { "\"" } else { "" };
                text.extend([";host=", quote, host, quote]);
            }
            text.extend([";proto=", origin.scheme.as_str()]);
        }
    }
    text
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_invalid| HeaderValue::from_static("unknown"))
}
