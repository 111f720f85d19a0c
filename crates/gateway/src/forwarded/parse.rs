//! Parses `X-Forwarded-For` and `Forwarded` into elements, left to right. An element that cannot be read stays as
//! one without an address, so that the walk from the right stops there.

use http::header::FORWARDED;
use http::{HeaderMap, HeaderValue};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What one hop says of the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// `None`: malformed, `unknown` or obfuscated.
    pub(super) address: Option<IpAddr>,
    pub(super) proto: Option<String>,
    pub(super) host: Option<String>,
}

pub(super) fn x_forwarded_for(headers: &HeaderMap) -> Vec<Element> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("").to_owned();
    let lines: Vec<String> = headers.get_all(super::FOR).iter().map(text).collect();
    let entries = lines.iter().flat_map(|line| line.split(','));
    entries.map(|entry| Element { address: parse_node(entry.trim()), ..Element::default() }).collect()
}

pub(super) fn forwarded(headers: &HeaderMap) -> Vec<Element> {
    let mut elements = Vec::new();
    for value in headers.get_all(FORWARDED) {
        match value.to_str().ok().and_then(|line| split_unquoted(line, ',')) {
            Some(parts) => elements.extend(parts.into_iter().map(|part| parse_element(part).unwrap_or_default())),
            None => elements.push(Element::default()),
        }
    }
    elements
}

/// `None` when any pair is malformed or stands twice.
fn parse_element(text: &str) -> Option<Element> {
    let (mut node, mut proto, mut host) = (None, None, None);
    for pair in split_unquoted(text, ';')? {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquote(value)?;
        let slot = match name.to_ascii_lowercase().as_str() {
            "for" => &mut node,
            "proto" => &mut proto,
            "host" => &mut host,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(Element { address: parse_node(&node?), proto, host })
}

/// Splits where the separator stands outside quotes; `None` when a quote is left open.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, symbol) in text.char_indices() {
        match symbol {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if symbol == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// A token, or a quoted string without its quotes and backslashes.
fn unquote(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        let is_token = !text.is_empty() && !text.contains(['"', ' ', '\t', '\\', '[', ':']);
        return is_token.then(|| text.to_owned());
    };
    let inner = inner.strip_suffix('"')?;
    let mut symbols = inner.chars();
    let mut out = String::with_capacity(inner.len());
    while let Some(symbol) = symbols.next() {
        out.push(match symbol {
            '\\' => symbols.next()?,
            '"' => return None,
            other => other,
        });
    }
    Some(out)
}

/// An IPv4 or IPv6 address, the latter with or without brackets, either with or without a port.
fn parse_node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port_is_good.then(|| address.parse::<Ipv6Addr>().ok()).flatten().map(|found| found.to_canonical());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = text.split_once(':')?;
    is_port(port).then(|| address.parse::<Ipv4Addr>().ok()).flatten().map(IpAddr::V4)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Any bytes as both headers: nothing may panic, and what is sent upstream must be readable again as it was meant.
///
/// # Panics
/// When a property does not hold.
pub fn fuzz_forwarded(data: &[u8]) {
    use super::{Arrival, ClientScheme, origin, set_upstream_headers};
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let trusted = ["10.0.0.0/8".parse().expect("a net")];
    let named = String::from_utf8_lossy(data);
    let hosts = [Some("a.example"), Some(&*named), None];
    for (name, host) in [super::FOR, FORWARDED].into_iter().flat_map(|name| hosts.map(|host| (name.clone(), host))) {
        let arrival = Arrival { peer: Ipv4Addr::new(10, 0, 0, 1).into(), scheme: ClientScheme::Http, host };
        let mut headers = HeaderMap::new();
        headers.insert(&name, value.clone());
        let found = origin(arrival, &trusted, &headers);
        set_upstream_headers(&mut headers, &found, &found.upstream_fields());
        for read_again in [x_forwarded_for(&headers), forwarded(&headers)] {
            let addresses: Vec<IpAddr> = read_again.iter().filter_map(|element| element.address).collect();
            assert_eq!(addresses, found.hops, "the hops are sent as they are believed");
        }
        let told = forwarded(&headers).into_iter().next().and_then(|element| element.host);
        assert_eq!(told, found.host, "the host is one, and nothing more");
    }
}
