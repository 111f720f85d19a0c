//! The PROXY header parser under arbitrary bytes.

use super::{FIXED_BYTES, PAYLOAD_BYTES_MAX, Parsed, parse};

/// Parses every prefix: none may panic, ask for too much, or contradict a shorter one.
///
/// # Panics
/// When a property does not hold.
pub fn fuzz_proxy_protocol(data: &[u8]) {
    let data = &data[..data.len().min(FIXED_BYTES + PAYLOAD_BYTES_MAX + 1)];
    let mut wanted = 0;
    for len in 1..=data.len() {
        match parse(&data[..len]) {
            Ok(Parsed::Partial { bytes }) => {
                assert!(bytes > len && bytes <= FIXED_BYTES + PAYLOAD_BYTES_MAX, "asks for {bytes} bytes at {len}");
                assert!(bytes >= wanted, "asks for fewer bytes than before");
                wanted = bytes;
            }
            Ok(Parsed::Whole { bytes, .. }) => {
                assert_eq!(bytes, len, "is whole at its last byte, not later");
                return;
            }
            Err(_) => return,
        }
    }
}
