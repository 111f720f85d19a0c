//! The request line's target and the authority of Host: what RFC 9112 section 3.2 allows a server to see, and
//! of that only what has one meaning. Pure functions over bytes.

use super::refusal::HeadRefusal;
use std::net::Ipv6Addr;

/// Where the authority of an absolute-form target stands in the head, and the port its scheme implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AbsoluteAuthority {
    /// Offset and length within the target.
    pub(super) range: std::ops::Range<usize>,
    pub(super) default_port: u16,
}

/// Whether this is a target in origin form, or `*`, of which no reader makes another one.
pub(crate) fn is_target_path(target: &str) -> bool {
    target.bytes().all(is_target_byte) && (target.starts_with('/') || target == "*")
}

// RFC 3986 has no other characters than the visible ASCII ones, and a target no fragment.
fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

/// Checks a target; the authority, when it is in absolute form.
pub(super) fn check_target(method: &[u8], target: &[u8]) -> Result<Option<AbsoluteAuthority>, HeadRefusal> {
    if target.is_empty() {
        return Err(HeadRefusal::BadTarget);
    }
    if method == b"CONNECT" {
        return Err(HeadRefusal::Connect);
    }
    if !target.iter().copied().all(is_target_byte) {
        return Err(HeadRefusal::TargetCharacter);
    }
    match target {
        [b'/', ..] => Ok(None),
        b"*" if method == b"OPTIONS" => Ok(None),
        _ => check_absolute(target).map(Some),
    }
}

fn check_absolute(target: &[u8]) -> Result<AbsoluteAuthority, HeadRefusal> {
    let (scheme_len, default_port) = if has_prefix(target, b"http://") {
        (7, 80)
    } else if has_prefix(target, b"https://") {
        (8, 443)
    } else {
        return Err(HeadRefusal::BadTarget);
    };
    let rest = &target[scheme_len..];
    let len = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    check_authority(&rest[..len])?;
    Ok(AbsoluteAuthority { range: scheme_len..scheme_len + len, default_port })
}

fn has_prefix(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether this is a `host` or `host:port`, stricter than RFC 3986: a name of letters, digits, `-`, `.`, `_`,
/// `~`, or an IPv6 address in brackets; a port of one to five digits. No user, no empty host, no empty port.
pub(super) fn check_authority(authority: &[u8]) -> Result<(), HeadRefusal> {
    if authority.contains(&b'@') {
        return Err(HeadRefusal::UserInfo);
    }
    let (host, port) = split_port(authority).ok_or(HeadRefusal::BadHost)?;
    let host_is_good = match host {
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        name => !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    let port_is_good = port.is_none_or(|port| parse_port(port).is_some());
    if host_is_good && port_is_good { Ok(()) } else { Err(HeadRefusal::BadHost) }
}

/// Whether this is an authority as the gate accepts it.
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    check_authority(authority).is_ok()
}

/// Whether two checked authorities name the same host and port.
pub(super) fn same_authority(one: &[u8], other: &[u8], default_port: u16) -> bool {
    let key = |authority| {
        let (host, port) = split_port(authority)?;
        Some((host.to_ascii_lowercase(), port.map_or(Some(default_port), parse_port)?))
    };
    matches!((key(one), key(other)), (Some(one), Some(other)) if one == other)
}

/// Splits at the colon that is not inside brackets.
fn split_port(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let host_len = match authority.first()? {
        b'[' => memchr::memchr(b']', authority)? + 1,
        _ => memchr::memchr(b':', authority).unwrap_or(authority.len()),
    };
    match &authority[host_len..] {
        [] => Some((&authority[..host_len], None)),
        [b':', port @ ..] => Some((&authority[..host_len], Some(port))),
        _ => None,
    }
}

fn parse_port(port: &[u8]) -> Option<u16> {
    let plain = (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(port).ok()?.parse().ok()).flatten()
}
