//! Whether an HTTP/2 client is in the middle of a request head.
//!
//! A head may be spread over frames and reads, and hyper waits for its end without a limit. This follows the frames' lengths
//! and flags alone (RFC 9113, 4.1 and 6.10), as they are read; what they hold is hyper's.

/// Reads along with what a client sends.
#[derive(Debug, Default)]
pub(super) struct OpenHead {
    /// Bytes of the preface that came.
    preface: usize,
    /// The frame's own head, as far as it came.
    frame: [u8; FRAME_HEAD_BYTES],
    frame_bytes: usize,
    /// Bytes of the payload that are still to come.
    payload_left: usize,
    /// Whether the block of header fields goes on in another frame.
    goes_on: bool,
}

const PREFACE_BYTES: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

impl OpenHead {
    /// Takes the next bytes; whether a head, or the preface, is begun and not ended behind them.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> bool {
        let of_preface = bytes.len().min(PREFACE_BYTES - self.preface);
        self.preface += of_preface;
        bytes = &bytes[of_preface..];
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let of_payload = bytes.len().min(self.payload_left);
                self.payload_left -= of_payload;
                bytes = &bytes[of_payload..];
                continue;
            }
            if self.frame_bytes == FRAME_HEAD_BYTES {
                self.frame_bytes = 0;
            }
            let of_head = bytes.len().min(FRAME_HEAD_BYTES - self.frame_bytes);
            self.frame[self.frame_bytes..self.frame_bytes + of_head].copy_from_slice(&bytes[..of_head]);
            self.frame_bytes += of_head;
            bytes = &bytes[of_head..];
            if self.frame_bytes == FRAME_HEAD_BYTES {
                self.begin_payload();
            }
        }
        self.preface < PREFACE_BYTES || self.goes_on || self.payload_left > 0 && self.is_of_head()
    }

    fn begin_payload(&mut self) {
        let [high, middle, low, _, flags, ..] = self.frame;
        self.payload_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if self.is_of_head() {
            self.goes_on = flags & END_HEADERS == 0;
        }
    }

    fn is_of_head(&self) -> bool {
        matches!(self.frame[3], HEADERS | CONTINUATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: u8 = 4;
    const DATA: u8 = 0;

    fn frame(kind: u8, flags: u8, bytes: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, bytes, kind, flags, 0, 0, 0, 1];
        frame.extend(std::iter::repeat_n(b'x', bytes.into()));
        frame
    }

    /// What a client sends, and whether a head is open behind it.
    fn conversations() -> Vec<(Vec<u8>, bool)> {
        let whole = frame(HEADERS, END_HEADERS, 30);
        let begun = frame(HEADERS, 1, 30);
        [
            (vec![], false),
            (vec![frame(SETTINGS, 0, 6)], false),
            (vec![whole.clone(), frame(DATA, 0, 200)], false),
            (vec![whole.clone(), frame(DATA, 0, 200)[..100].to_vec()], false),
            (vec![whole[..20].to_vec()], true),
            (vec![begun.clone()], true),
            (vec![begun.clone(), frame(CONTINUATION, 0, 3)], true),
            (vec![begun.clone(), frame(CONTINUATION, END_HEADERS, 3)], false),
            (vec![begun, frame(CONTINUATION, END_HEADERS, 3), whole, frame(HEADERS, 0, 0)], true),
        ]
        .map(|(frames, is_open)| ([PREFACE.to_vec(), frames.concat()].concat(), is_open))
        .to_vec()
    }

    #[test]
    fn a_head_is_open_until_its_last_frame_has_ended() {
        for (bytes, is_open) in conversations() {
            assert_eq!(OpenHead::default().read(&bytes), is_open, "{bytes:?}");
        }
        assert!(OpenHead::default().read(&PREFACE[..10]), "half a preface");
    }

    proptest! {
        #[test]
        fn cutting_the_bytes_changes_nothing(
            cuts in proptest::collection::vec(1usize..20, 1..40),
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            for bytes in conversations().into_iter().map(|(bytes, _)| bytes).chain([noise]) {
                let (mut cut_up, mut rest, mut is_open) = (OpenHead::default(), &bytes[..], None);
                for cut in cuts.iter().cycle().take(bytes.len()) {
                    let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                    is_open = Some(cut_up.read(piece));
                    rest = tail;
                }
                let at_once = OpenHead::default().read(&bytes);
                prop_assert_eq!(is_open.unwrap_or(at_once), at_once);
            }
        }
    }
}
