//! A page as a reader sees it: the text of its main part, for files of expected output that people read.
//!
//! For pages that this project makes: well-formed, without scripts. No parser of what others write.

/// Tags that end a line.
const BLOCKS: [&str; 20] = [
    "p", "h1", "h2", "h3", "li", "ul", "ol", "dl", "div", "dt", "section", "table", "caption", "tr", "thead", "tbody",
    "pre", "summary", "details", "br",
];

/// The text of a page's `main`, a line for each block; hashes are written as `<hash>`.
#[must_use]
pub fn text(html: &str) -> String {
    let main = html.split_once("<main").and_then(|(_, rest)| rest.split_once('>')).map_or(html, |(_, rest)| rest);
    let main = main.split_once("</main>").map_or(main, |(main, _)| main);
    let mut out = String::new();
    let mut rest = main;
    while let Some((text, tag)) = rest.split_once('<') {
        push(&mut out, text);
        let Some((tag, behind)) = tag.split_once('>') else { break };
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or("");
        let ends = tag.starts_with('/');
        match name {
            "dd" if !ends => out.push_str(": "),
            "td" | "th" if !ends && !out.ends_with('\n') => out.push_str(" | "),
            "li" if !ends => end_line(&mut out, "- "),
            "h1" | "h2" if !ends => end_line(&mut out, if name == "h1" { "# " } else { "## " }),
            "dt" if ends => {}
            _ if BLOCKS.contains(&name) => end_line(&mut out, ""),
            _ => {}
        }
        rest = behind;
    }
    push(&mut out, rest);
    let lines = out.lines().map(str::trim).filter(|line| !matches!(*line, "" | "-" | "#" | "##"));
    lines.fold(String::new(), |text, line| text + &without_hashes(line) + "\n")
}

fn end_line(out: &mut String, next: &str) {
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
    out.push_str(next);
}

/// White space of the source is one space.
fn push(out: &mut String, text: &str) {
    let text = text.replace("&#38;", "&").replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"");
    let text = text.replace("&#39;", "'").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    for word in text.split_inclusive([' ', '\n', '\t', '\r']) {
        let trimmed = word.trim_end_matches([' ', '\n', '\t', '\r']);
        out.push_str(trimmed);
        if trimmed.len() < word.len() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

/// Hashes with random salts are others every time.
fn without_hashes(line: &str) -> String {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    line.split(' ').map(|word| if is_hash(word) { "<hash>" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Compares with a file that people read, or writes it when `SEKISHO_WRITE_EXPECTED` is set.
///
/// # Panics
/// When they differ, with both texts.
pub fn expect(path: &std::path::Path, found: &str) {
    if std::env::var_os("SEKISHO_WRITE_EXPECTED").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, found).expect("written");
    }
    let expected = std::fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    assert!(found == expected, "{}\n--- expected\n{expected}\n--- found\n{found}", path.display());
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_page_is_read_as_its_lines() {
        let hash = "0".repeat(64);
        let page = format!(
            "<nav>no</nav><main id=\"text\">\n<h1>A &#38; B</h1>\n<dl><div><dt>When</dt><dd>now</dd></div></dl>\n\
             <table><tr>\n<th>of</th><td>1</td><td>2</td></tr></table><ul><li>one\n two</li>\n<li>three</li></ul>\n\
             <p>a<code>{hash}</code></p></main><footer>no</footer>"
        );
        let expected = "# A & B\nWhen: now\nof | 1 | 2\n- one two\n- three\na".to_owned() + &hash + "\n";
        assert_eq!(text(&page), expected);
        assert_eq!(text(&format!("<main><p><b>{hash}</b> x</p></main>")), "<hash> x\n");
    }
}
