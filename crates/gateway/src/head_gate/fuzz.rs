//! The gate's parser under arbitrary bytes: the verdict must not depend on how the bytes are cut.

use super::framer::{Framer, Stop};

/// Feeds the bytes whole and in pieces (the first byte says how large) and compares what passes.
///
/// # Panics
/// When the pieces lead to another verdict, or more bytes pass than came in.
pub fn fuzz_head_gate(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let whole = pass(bytes, bytes.len().max(1));
    let pieces = pass(bytes, usize::from(seed % 23) + 1);
    assert_eq!(whole, pieces, "the verdict depends on how the bytes are cut");
    assert!(whole.0.len() <= bytes.len(), "more bytes passed than came in");
}

/// What passes of `bytes` when they come in pieces of this size, and why it ended.
pub(super) fn pass(bytes: &[u8], piece_bytes: usize) -> (Vec<u8>, Option<Stop>) {
    let mut framer = Framer::new(1024, 16);
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece_bytes) {
        held.extend_from_slice(piece);
        let advance = framer.advance(&mut held);
        passed.extend(held.drain(..advance.passed));
        held.truncate(advance.len - advance.passed);
        if advance.stop.is_some() {
            return (passed, advance.stop);
        }
    }
    (passed, None)
}
