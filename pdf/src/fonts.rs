//! The fonts: found by family name in the folders given, and asked for every character before typesetting.
//!
//! A missing character would become an empty box in somebody's name. It is an error instead, and says which.

use crate::document::Document;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use typst::foundations::Bytes;
use typst::text::{Font, FontBook};

/// Where Debian's `fonts-morisawa-bizud-gothic` and `fonts-ipaexfont-gothic` lie.
pub(crate) const FOLDERS: [&str; 2] =
    ["/usr/share/fonts/truetype/bizud-gothic", "/usr/share/fonts/opentype/ipaexfont-gothic"];
/// The families the template names, the preferred one first. Static fonts: a variable one leaves boxes.
pub(crate) const FAMILIES: [&str; 2] = ["BIZ UDPGothic", "IPAexGothic"];
/// Bytes of one font file; beyond, it is not read.
const FONT_BYTES_MAX: u64 = 64 << 20;
/// Paths named for one character that no font has.
const PLACES_MAX: usize = 3;

/// The fonts found.
pub(crate) struct Fonts {
    pub(crate) book: FontBook,
    pub(crate) fonts: Vec<Font>,
}

/// Why there are no fonts, or not the characters.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read the fonts in `{}`", folder.display())]
    Read {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "none of the fonts {} is in {}; install fonts-morisawa-bizud-gothic, or name its folder with --font-dir",
        FAMILIES.join(", "),
        folders
    )]
    None { folders: String },
    #[error("no font has {0}; write it otherwise, or ask for a font that has it")]
    Characters(String),
}

impl Fonts {
    /// Reads the fonts of the folders, not of the folders below them. A folder that does not exist has none.
    pub(crate) fn read(folders: &[PathBuf]) -> Result<Fonts, Error> {
        let mut fonts = Vec::new();
        for folder in folders {
            let read = |source| Error::Read { folder: folder.clone(), source };
            match read_folder(folder) {
                Ok(found) => fonts.extend(found),
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
                Err(err) => return Err(read(err)),
            }
        }
        fonts.retain(|font| FAMILIES.contains(&font.info().family.as_str()));
        if fonts.is_empty() {
            let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
            return Err(Error::None { folders: folders.join(", ") });
        }
        Ok(Fonts { book: FontBook::from_fonts(&fonts), fonts })
    }

    /// Every character of the document has a glyph in some font.
    pub(crate) fn check(&self, document: &Document) -> Result<(), Error> {
        let mut missing: BTreeMap<char, Vec<String>> = BTreeMap::new();
        let mut known = std::collections::HashMap::new();
        for (path, text) in document.texts() {
            for character in text.chars().filter(|&character| character != '\n') {
                if !*known.entry(character).or_insert_with(|| self.has(character)) {
                    let places = missing.entry(character).or_default();
                    if places.len() < PLACES_MAX && places.last() != Some(&path) {
                        places.push(path.clone());
                    }
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let named = missing
            .iter()
            .map(|(&character, places)| format!("`{character}` (U+{:04X}, {})", character as u32, places.join(", ")));
        Err(Error::Characters(named.collect::<Vec<_>>().join(", ")))
    }

    fn has(&self, character: char) -> bool {
        self.fonts.iter().any(|font| font.info().coverage.contains(character.into()))
    }
}

fn read_folder(folder: &Path) -> std::io::Result<Vec<Font>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    // The folder's order is the file system's; the PDF's bytes may not depend on it.
    paths.sort();
    let mut fonts = Vec::new();
    for path in paths {
        let is_font = path.extension().is_some_and(|extension| extension == "ttf" || extension == "otf");
        if is_font && path.metadata()?.len() <= FONT_BYTES_MAX {
            fonts.extend(Font::iter(Bytes::new(std::fs::read(&path)?)));
        }
    }
    Ok(fonts)
}
