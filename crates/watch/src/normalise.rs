//! From a page's bytes to its main text: what a reader would say the page tells.
//!
//! Pure, and never fails. No scripts run and pictures are not read. The rules, in this order:
//!
//! 1. **Encoding** as module `decode` says. `text/plain` is taken as it is; what is neither HTML nor text (a PDF) has no
//!    lines and is compared by the hash of its bytes alone.
//! 2. **Left out** wherever they stand: `script`, `style`, `noscript`, `template`, `iframe`, `svg` and other embedded
//!    things, `nav`, `aside`, `dialog`; form controls (not `form` itself: whole pages stand in one); what is `hidden`,
//!    `aria-hidden` or `display:none`; the roles `navigation`, `banner`, `contentinfo`, `complementary`, `search`,
//!    `dialog`, `menu`; `header` and `footer` outside of `main` and `article`; elements with a word of [`NOISE_WORDS`]
//!    in their class or id, unless they hold a `main`, `article` or `h1` or half of the page's text.
//! 3. **Main content** is the first `main` (or role `main`) with text, else the only `article`, else the first element
//!    named `main`, `content`, … that has half of the text, else the whole `body`.
//! 4. **Lists of links** are navigation: blocks with three or more that make up 70 % of the text, and list items that are
//!    nothing but a link. Links to documents (`.pdf`, …) are not counted. When hardly anything is left without them, the
//!    page is itself a list of notices, and they stay.
//! 5. **Lines**: blocks, table rows and `br` end one; so does `。`, and a full stop before a capital. Text is NFKC, white
//!    space is one blank, and none between two Japanese characters.
//! 6. **Volatile lines** go, as module `volatile` says: clocks, counters, copyright, rates, "3 minutes ago". Random tokens
//!    are masked. Dates stay: whether one is merely "today" is for the comparison to say (`volatile::adopt_today`).

mod volatile;

pub(crate) use volatile::adopt_today;

use crate::decode::decode;
use crate::html::{DOCUMENT, NodeId, Tree};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// Lines of a page's main text; the rest is left out, and the page is marked as cut.
pub const LINES_MAX: usize = 5_000;
/// Characters of a title; the rest is left out. It stands in the log, whose entries are small.
const TITLE_CHARS_MAX: usize = 300;
/// Characters of a line; a longer one is cut into several.
const LINE_CHARS_MAX: usize = 2_000;
/// A refresh within so many seconds is a redirect; a slower one is a page that renews itself.
const REFRESH_S_MAX: u32 = 10;
/// Fewer characters than this without lists of links: the page is itself such a list.
const TEXT_CHARS_MIN: usize = 40;

/// Words of a class or id that mark navigation, advertising and other company of the main text.
pub const NOISE_WORDS: &[&str] = &[
    "ad",
    "ads",
    "adsbygoogle",
    "advert",
    "advertisement",
    "banner",
    "banners",
    "bnr",
    "breadcrumb",
    "breadcrumbs",
    "clock",
    "consent",
    "cookie",
    "counter",
    "footer",
    "globalnav",
    "gnav",
    "header",
    "lang",
    "language",
    "lnav",
    "login",
    "menu",
    "modal",
    "nav",
    "navi",
    "navigation",
    "pagetop",
    "pankuzu",
    "popup",
    "ranking",
    "rate",
    "rates",
    "recommend",
    "related",
    "search",
    "share",
    "side",
    "sidebar",
    "skip",
    "sns",
    "social",
    "sponsor",
    "sponsored",
    "ticker",
    "topicpath",
];

const MAIN_NAMES: &[&str] =
    &["main", "content", "contents", "main-content", "main-contents", "maincontent", "maincontents", "honbun"];

const LEFT_OUT: &[&str] = &[
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas", "video", "audio", "map",
    "nav", "aside", "dialog", "input", "select", "textarea", "button", "option", "datalist", "head", "title",
];

const LEFT_OUT_ROLES: &[&str] =
    &["navigation", "banner", "contentinfo", "complementary", "search", "dialog", "menu", "menubar", "toolbar"];

const INLINE: &[&str] = &[
    "", "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "em", "font", "i", "ins", "kbd", "label",
    "mark", "nobr", "q", "rb", "ruby", "s", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];

/// What a page tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The `title`, else the first `h1`.
    pub title: String,
    /// The main text, a sentence or block a line.
    pub lines: Vec<String>,
    /// Where a `meta` refresh leads at once.
    pub refresh: Option<String>,
    /// SHA-256 of the main text without white space; of the bytes where no text can be read.
    pub sha256: [u8; 32],
    /// Whether the text could be read. A PDF's cannot.
    pub has_text: bool,
    /// The page was larger than the limits, and its end was not read.
    pub is_cut: bool,
}

impl Page {
    /// Reads a page; `content_type` is the header's value.
    #[must_use]
    pub fn read(bytes: &[u8], content_type: &str) -> Page {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_html = kind.contains("html") || ((kind.is_empty() || kind == "text/plain") && looks_like_html(bytes));
        if is_html {
            return read_html(&decode(bytes, content_type));
        }
        if kind.is_empty() || kind.starts_with("text/") || kind.contains("xml") || kind.contains("json") {
            return Page::of_text("", &decode(bytes, content_type));
        }
        Page { sha256: Sha256::digest(bytes).into(), ..Page::default() }
    }

    /// A page of which only the text is known.
    #[must_use]
    pub fn of_text(title: &str, text: &str) -> Page {
        let mut lines = Vec::new();
        let mut is_cut = false;
        for line in text.lines().flat_map(sentences).filter_map(|line| volatile::keep(&line)) {
            is_cut = lines.len() >= LINES_MAX;
            if is_cut {
                break;
            }
            lines.push(line);
        }
        let mut hash = Sha256::new();
        for character in lines.iter().flat_map(|line| line.chars()).filter(|character| !character.is_whitespace()) {
            hash.update(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let title = collapse(title).chars().take(TITLE_CHARS_MAX).collect();
        Page { title, lines, refresh: None, sha256: hash.finalize().into(), has_text: true, is_cut }
    }

    /// Characters of the main text.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.lines.iter().map(|line| line.chars().count()).sum()
    }
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let head = bytes[..bytes.len().min(1024)].to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|mark| head.windows(mark.len()).any(|window| window == mark.as_bytes()))
}

fn read_html(text: &str) -> Page {
    let tree = Tree::parse(text);
    let measures = Measures::of(&tree);
    let root = main_content(&tree, &measures);
    let mut told = render(&tree, &measures, root, Lists::LeftOut);
    if told.chars().filter(|character| !character.is_whitespace()).count() < TEXT_CHARS_MIN {
        told = render(&tree, &measures, root, Lists::Kept);
    }
    let title = tree.first("title").or_else(|| tree.first("h1"));
    let title = title.map(|id| tree.text_below(id)).unwrap_or_default();
    let page = Page::of_text(&title, &told);
    Page { refresh: refresh(&tree), is_cut: page.is_cut || tree.is_cut, ..page }
}

/// What is known of each node before anything is chosen, by its number.
struct Measures {
    left_out: Vec<bool>,
    holds_main: Vec<bool>,
    chars: Vec<usize>,
    link_chars: Vec<usize>,
    links: Vec<usize>,
    body_chars: usize,
}

enum Step {
    Enter(NodeId),
    Leave(NodeId),
}

impl Measures {
    fn of(tree: &Tree) -> Measures {
        let mut highest = 0;
        tree.walk(DOCUMENT, |id| {
            highest = highest.max(id);
            true
        });
        let zeros = vec![0; highest + 1];
        let falses = vec![false; highest + 1];
        let mut all = Measures {
            left_out: falses.clone(),
            holds_main: falses,
            chars: zeros.clone(),
            link_chars: zeros.clone(),
            links: zeros,
            body_chars: 0,
        };
        all.measure(tree);
        all.body_chars = all.chars[DOCUMENT];
        all.judge_words(tree);
        all
    }

    /// Sums up from the leaves, leaving out what rule 2 leaves out whatever its size.
    fn measure(&mut self, tree: &Tree) {
        let mut steps = vec![Step::Enter(DOCUMENT)];
        let mut sections = 0;
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(id) => {
                    self.left_out[id] = is_left_out(tree, id, sections > 0);
                    if self.left_out[id] {
                        continue;
                    }
                    sections += usize::from(is_section(tree, id));
                    self.chars[id] = tree.text(id).map_or(0, visible_chars);
                    steps.push(Step::Leave(id));
                    steps.extend(tree.children(id).iter().rev().map(|child| Step::Enter(*child)));
                }
                Step::Leave(id) => {
                    sections -= usize::from(is_section(tree, id));
                    if tree.name(id) == "a" && !leads_to_document(tree, id) {
                        self.link_chars[id] = self.chars[id];
                        self.links[id] = 1;
                    }
                    self.holds_main[id] |= is_section(tree, id) || tree.name(id) == "h1";
                    if let Some(parent) = tree.parent(id).filter(|_| id != DOCUMENT) {
                        self.chars[parent] += self.chars[id];
                        self.link_chars[parent] += self.link_chars[id];
                        self.links[parent] += self.links[id];
                        self.holds_main[parent] |= self.holds_main[id];
                    }
                }
            }
        }
    }

    /// The words of classes and ids, which need the sums.
    fn judge_words(&mut self, tree: &Tree) {
        let mut noise = Vec::new();
        tree.walk(DOCUMENT, |id| {
            let is_noise =
                !self.holds_main[id] && self.chars[id] * 2 < self.body_chars.max(1) && has_noise_word(tree, id);
            if is_noise {
                noise.push(id);
            }
            !is_noise && !self.left_out[id]
        });
        for id in noise {
            self.left_out[id] = true;
        }
    }

    fn is_list_of_links(&self, tree: &Tree, id: NodeId) -> bool {
        if tree.name(id) == "li" && self.links[id] > 0 && self.link_chars[id] == self.chars[id] {
            return true;
        }
        let is_block = !INLINE.contains(&tree.name(id)) && !["body", "html", "main"].contains(&tree.name(id));
        is_block && self.links[id] >= 3 && !self.holds_main[id] && self.link_chars[id] * 10 >= self.chars[id] * 7
    }
}

/// An attachment of a notice.
fn leads_to_document(tree: &Tree, id: NodeId) -> bool {
    let path = tree.attribute(id, "href").unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ["pdf", "doc", "docx", "xls", "xlsx", "csv", "zip"].contains(&ending.as_str()))
}

fn is_section(tree: &Tree, id: NodeId) -> bool {
    ["main", "article"].contains(&tree.name(id)) || tree.attribute(id, "role") == Some("main")
}

fn is_left_out(tree: &Tree, id: NodeId, in_section: bool) -> bool {
    let name = tree.name(id);
    let role = tree.attribute(id, "role").unwrap_or_default();
    let style = tree.attribute(id, "style").unwrap_or_default();
    LEFT_OUT.contains(&name)
        || (["header", "footer"].contains(&name) && !in_section)
        || LEFT_OUT_ROLES.contains(&role)
        || tree.attribute(id, "hidden").is_some()
        || tree.attribute(id, "aria-hidden") == Some("true")
        || style.split(';').any(|rule| rule.replace(' ', "").eq_ignore_ascii_case("display:none"))
}

fn has_noise_word(tree: &Tree, id: NodeId) -> bool {
    if ["html", "body", "main", "article", "h1", "h2", "h3", ""].contains(&tree.name(id)) {
        return false;
    }
    let named = ["class", "id"].into_iter().filter_map(|attribute| tree.attribute(id, attribute));
    named.flat_map(words).any(|word| NOISE_WORDS.contains(&word.as_str()))
}

/// `mainNav-item_2` is main, nav, item, 2.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        let begins = character.is_ascii_uppercase() && was_lower;
        was_lower = character.is_ascii_lowercase();
        if begins || !character.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_ascii_alphanumeric()) {
            word.push(character.to_ascii_lowercase());
        }
    }
    words
}

fn main_content(tree: &Tree, measures: &Measures) -> NodeId {
    let mut mains = Vec::new();
    let mut articles = Vec::new();
    // Whether a node is below an article; its parent was walked before it.
    let mut in_article = vec![false; measures.chars.len()];
    let mut named = Vec::new();
    tree.walk(DOCUMENT, |id| {
        if measures.left_out[id] || measures.chars[id] == 0 {
            return false;
        }
        if tree.name(id) == "main" || tree.attribute(id, "role") == Some("main") {
            mains.push(id);
        }
        let is_inner = tree.parent(id).is_some_and(|parent| in_article[parent]);
        let is_article = tree.name(id) == "article";
        if is_article && !is_inner {
            articles.push(id);
        }
        in_article[id] = is_inner || is_article;
        let has_half = measures.chars[id] * 2 >= measures.body_chars;
        let is_named = ["id", "class"].into_iter().filter_map(|attribute| tree.attribute(id, attribute));
        if has_half && is_named.flat_map(str::split_whitespace).any(|name| MAIN_NAMES.contains(&name)) {
            named.push(id);
        }
        true
    });
    let only_article = (articles.len() == 1).then(|| articles[0]);
    mains
        .first()
        .copied()
        .or(only_article)
        .or(named.first().copied())
        .or_else(|| tree.first("body"))
        .unwrap_or(DOCUMENT)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    LeftOut,
    Kept,
}

/// The text below `root`, with a line break for every block.
fn render(tree: &Tree, measures: &Measures, root: NodeId, lists: Lists) -> String {
    let mut text = String::new();
    let mut steps = vec![Step::Enter(root)];
    while let Some(step) = steps.pop() {
        let (Step::Enter(id) | Step::Leave(id)) = step;
        let name = tree.name(id);
        match name {
            "td" | "th" | "rt" | "rp" => text.push(' '),
            name if !INLINE.contains(&name) => text.push('\n'),
            _ => {}
        }
        let Step::Enter(id) = step else { continue };
        let is_noise = measures.left_out[id] || (lists == Lists::LeftOut && measures.is_list_of_links(tree, id));
        if is_noise && id != root {
            continue;
        }
        // Line breaks of the source mean nothing; those of `pre` are few, and lost.
        text.extend(tree.text(id).unwrap_or_default().chars().map(|one| if one == '\n' { ' ' } else { one }));
        steps.push(Step::Leave(id));
        steps.extend(tree.children(id).iter().rev().map(|child| Step::Enter(*child)));
    }
    text
}

fn refresh(tree: &Tree) -> Option<String> {
    let mut found = None;
    tree.walk(DOCUMENT, |id| {
        let is_refresh = tree.attribute(id, "http-equiv").is_some_and(|value| value.eq_ignore_ascii_case("refresh"));
        if tree.name(id) == "meta" && is_refresh && found.is_none() {
            found = tree.attribute(id, "content").and_then(refresh_target);
        }
        !["noscript", "template"].contains(&tree.name(id))
    });
    found
}

/// The address in `0; url=/gone.html`.
fn refresh_target(content: &str) -> Option<String> {
    let (seconds, rest) = content.split_once([';', ','])?;
    let seconds: u32 = seconds.trim().split('.').next()?.parse().ok()?;
    let rest = rest.trim();
    let (key, url) = rest.split_once('=')?;
    let url = url.trim().trim_matches(['"', '\'']);
    (seconds <= REFRESH_S_MAX && key.trim().eq_ignore_ascii_case("url") && !url.is_empty()).then(|| url.to_owned())
}

fn visible_chars(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

/// NFKC, white space as one blank, none between two wide characters, nothing invisible.
fn collapse(text: &str) -> String {
    let mut line = String::new();
    let mut has_gap = false;
    for character in text.nfkc() {
        if character.is_whitespace() {
            has_gap = true;
            continue;
        }
        if character.is_control() || ('\u{200b}'..='\u{200f}').contains(&character) || character == '\u{feff}' {
            continue;
        }
        let is_between_wide = line.chars().next_back().is_some_and(is_wide) && is_wide(character);
        if has_gap && !line.is_empty() && !is_between_wide {
            line.push(' ');
        }
        has_gap = false;
        line.push(character);
    }
    line
}

/// Japanese and its punctuation: written without blanks.
fn is_wide(character: char) -> bool {
    matches!(character, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..)
}

/// A line's sentences, collapsed.
fn sentences(line: &str) -> Vec<String> {
    let line = collapse(line);
    let characters: Vec<char> = line.chars().collect();
    let mut sentences = Vec::new();
    let mut sentence = String::new();
    for (at, character) in characters.iter().enumerate() {
        sentence.push(*character);
        let next = characters.get(at + 1).copied().unwrap_or(' ');
        let after = characters.get(at + 2).copied().unwrap_or(' ');
        let is_end = (*character == '。' && !matches!(next, '」' | '』' | ')'))
            || (*character == '.' && next == ' ' && after.is_uppercase());
        if is_end || at % LINE_CHARS_MAX == LINE_CHARS_MAX - 1 {
            sentences.push(std::mem::take(&mut sentence).trim().to_owned());
        }
    }
    sentences.push(sentence.trim().to_owned());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

#[cfg(test)]
mod tests;
