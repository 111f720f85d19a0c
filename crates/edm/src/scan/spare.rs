//! Memory of a scanner that is done, for the next one on the same thread: most responses are of one size, and then none of
//! them asks for any.
//!
//! It is emptied and not wiped, as memory that is given back is not either; the next body overwrites what it held.

use super::around::NameSearch;
use super::hits::Hits;
use super::ready::Ready;
use crate::decode::Text;
use std::cell::Cell;

/// What a text may take of memory to be kept; a longer one's is given back.
const TEXT_BYTES_MAX: usize = 256 * 1024;

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
        if self.text.capacity_bytes() <= TEXT_BYTES_MAX {
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}
