//! Where tiles lie, as C2SP tlog-tiles writes it: `tile/0/x001/067`, `tile/1/000.p/3`, `tile/entries/000`.
//! The height in the paths of `tlog_tiles` (`tile/8/0/…`) is of an older layout.

use crate::TILE_WIDTH;

/// A tile's place and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TilePath {
    /// Level 0 holds leaf hashes, level 1 the roots of 256 of them, and so on; `None` is an entry bundle.
    pub level: Option<u8>,
    /// The tile's number within its level.
    pub number: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u64,
}

impl TilePath {
    /// The tile `number` of `level` in a log of `size` leaves; `None` when it has nothing yet.
    #[must_use]
    pub fn in_log(level: Option<u8>, number: u64, size: u64) -> Option<TilePath> {
        let shift = u32::from(level.unwrap_or(0)) * 8;
        let nodes = size.checked_shr(shift).unwrap_or(0);
        let before = number.checked_mul(TILE_WIDTH)?;
        let width = nodes.checked_sub(before)?.min(TILE_WIDTH);
        (width > 0).then_some(TilePath { level, number, width })
    }

    /// All tiles of a log of `size` leaves, bundles last.
    #[must_use]
    pub fn all(size: u64) -> Vec<TilePath> {
        let mut tiles = Vec::new();
        for level in (0..8).map(Some).chain([None]) {
            tiles.extend((0..).map_while(|number| TilePath::in_log(level, number, size)));
        }
        tiles
    }

    /// The tile that a name such as `tile/0/000.p/3` means; `None` when it is no tile's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<TilePath> {
        let (level, rest) = name.strip_prefix("tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let tile = TilePath { level, number: digits.parse().ok()?, width };
        (tile.to_string() == name).then_some(tile)
    }

    /// Whether a log of `size` leaves has, or had when it was smaller, this tile.
    #[must_use]
    pub fn belongs_to(self, size: u64) -> bool {
        TilePath::in_log(self.level, self.number, size).is_some_and(|now| self.width <= now.width)
    }

    /// Whether all 256 places are taken.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }
}

impl std::fmt::Display for TilePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}
