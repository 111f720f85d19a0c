//! Feeds: Atom (RFC 4287) and JSON Feed 1.1, one entry a step, the newest first. Their ids are the leaves', so that nothing
//! changes its name.

use super::pages::{plain_text, step_text};
use super::words::Language;
use super::{Files, Telling};
use crate::Error;
use crate::entry::Kind;
use jiff::Timestamp;
use std::fmt::Write as _;

struct Item {
    id: String,
    url: String,
    title: String,
    text: String,
    at: Timestamp,
}

pub(super) fn add(source: &Telling<'_>, language: Language, files: &mut Files) -> Result<(), Error> {
    let items = items(source, language);
    let folder = language.folder();
    files.insert(format!("{folder}feed.xml"), atom(source, language, &items).into_bytes());
    let json = json(source, language, &items);
    let json = serde_json::to_vec_pretty(&json).map_err(|err| Error::Refused(err.to_string()))?;
    files.insert(format!("{folder}feed.json"), json);
    Ok(())
}

fn items(source: &Telling<'_>, language: Language) -> Vec<Item> {
    let (base, folder) = (&source.firm.base_url, language.folder());
    let record = source.record;
    let item = |(leaf, entry): (u64, &crate::Entry)| {
        let (title, mut text) = step_text(source, language, leaf);
        let version = record.versions.iter().find(|version| version.leaf == leaf);
        if let Some(version) = version {
            let notice = plain_text(source, language, &version.notice);
            text = if text.is_empty() { notice } else { format!("{text}\n\n{notice}") };
        }
        let url = match version {
            Some(version) => format!("{base}{folder}v/{}/", version.number),
            None => format!("{base}{folder}trail/"),
        };
        Item { id: format!("{base}log#{leaf}-{}", language.words().code), url, title, text, at: entry.at }
    };
    // Who publishes is no news.
    let told = (0..).zip(&record.entries).filter(|(_, entry)| entry.kind != Kind::Publisher);
    let mut items: Vec<Item> = told.map(item).collect();
    items.reverse();
    items
}

fn atom(source: &Telling<'_>, language: Language, items: &[Item]) -> String {
    let (base, folder, w) = (escape(&source.firm.base_url), language.folder(), language.words());
    let updated = items.first().map_or(Timestamp::UNIX_EPOCH, |item| item.at);
    let firm = escape(language.pick(&source.firm.name));
    let mut out = String::new();
    let _ = write!(
        out,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{lang}\">\n\
         <id>{base}{folder}</id>\n<title>{title} | {firm}</title>\n<updated>{updated}</updated>\n\
         <link rel=\"self\" href=\"{base}{folder}feed.xml\"/>\n<link rel=\"alternate\" href=\"{base}{folder}\"/>\n\
         <author><name>{firm}</name></author>\n",
        lang = w.code,
        title = escape(w.notice),
    );
    for item in items {
        let _ = write!(
            out,
            "<entry>\n<id>{id}</id>\n<title>{title}</title>\n<updated>{at}</updated>\n<published>{at}</published>\n\
             <link rel=\"alternate\" href=\"{url}\"/>\n<content type=\"text\">{text}</content>\n</entry>\n",
            id = escape(&item.id),
            title = escape(&item.title),
            at = item.at,
            url = escape(&item.url),
            text = escape(&item.text),
        );
    }
    out.push_str("</feed>\n");
    out
}

fn json(source: &Telling<'_>, language: Language, items: &[Item]) -> serde_json::Value {
    let (base, folder, w) = (&source.firm.base_url, language.folder(), language.words());
    let item = |item: &Item| {
        serde_json::json!({
            "id": item.id,
            "url": item.url,
            "title": item.title,
            "content_text": item.text,
            "date_published": item.at.to_string(),
        })
    };
    serde_json::json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": format!("{} | {}", w.notice, language.pick(&source.firm.name)),
        "language": w.code,
        "home_page_url": format!("{base}{folder}"),
        "feed_url": format!("{base}{folder}feed.json"),
        "items": items.iter().map(item).collect::<Vec<_>>(),
    })
}

/// Text as XML has it; what XML cannot hold is left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
