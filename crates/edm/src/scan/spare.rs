//! Memory of a scanner that is done, for the next one on the same thread: most responses are of one size, and then none of
//! them asks for any.
//!
//! It is emptied and not wiped, as memory that is given back is not either; the next body overwrites what it held.

use super::around::NameSearch;
use super::hits::Hits;
use super::ready::Ready;
use crate::decode::Text;
use std::cell::Cell;

/// What may be kept; more is given back.
const KEPT_BYTES_MAX: usize = 256 * 1024;

thread_local! {
    static SPARE: Cell<Option<Spare>> = const { Cell::new(None) };
}

/// The parts of a scanner that take memory as they are used. All are empty.
#[derive(Default)]
pub(super) struct Spare {
    pub(super) text: Text,
    pub(super) hits: Hits,
    pub(super) names: NameSearch,
    pub(super) ready: Ready,
}

impl Spare {
    /// What the last scanner of this thread left, if any did.
    pub(super) fn take() -> Spare {
        // At a thread's end there is nothing to take any more.
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Leaves this for the next scanner of this thread.
    pub(super) fn leave(mut self) {
        self.text.clear();
        self.hits.clear();
        self.names.clear();
        self.ready.clear();
        let bytes = self.text.capacity_bytes() + self.hits.capacity_bytes() + self.ready.capacity_bytes();
        if bytes <= KEPT_BYTES_MAX {
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TextForm;
    use crate::decode::Decoder;

    /// What is kept of a scanner that has read so many bytes.
    fn kept_after(bytes: usize) -> usize {
        let mut decoder = Decoder::new(TextForm::default(), Text::default());
        decoder.decode(&vec![b'x'; bytes]);
        Spare { text: decoder.text, ..Spare::default() }.leave();
        Spare::take().text.capacity_bytes()
    }

    #[test]
    fn memory_is_kept_up_to_a_limit_and_given_once() {
        assert!((10_000..=KEPT_BYTES_MAX).contains(&kept_after(10_000)));
        assert_eq!(Spare::take().text.capacity_bytes(), 0, "it was given already");
        assert_eq!(kept_after(KEPT_BYTES_MAX), 0, "so much is not kept");
    }
}
