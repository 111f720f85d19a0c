//! A notice on paper: the document that `sekisho-pdf` sets, with the words of the page.

use super::words::Language;
use crate::Firm;
use crate::notice::Notice;
use crate::record::Version;
use serde_json::{Value, json};

/// Where a version's PDF stands in the site; `language` is `ja` or `en`.
#[must_use]
pub fn path(language: &str, version: u32) -> String {
    format!("pdf/notice-{version}-{language}.pdf")
}

/// The documents to set of a version, by the path of their PDF.
#[must_use]
pub fn documents(firm: &Firm, version: &Version) -> Vec<(String, Value)> {
    let document =
        |language: Language| (path(language.words().code, version.number), document(firm, version, language));
    Language::ALL.map(document).to_vec()
}

fn document(firm: &Firm, version: &Version, language: Language) -> Value {
    let (w, notice, zone) = (language.words(), &version.notice, firm.time_zone());
    let date = version.at.to_zoned(zone.clone());
    let title = language.pick(&notice.title);
    let mut blocks = vec![
        json!({ "heading": { "level": 1, "text": title } }),
        json!({ "small": format!("{} {}: {}", w.version.replace("{}", &version.number.to_string()), w.published, language.time(version.at, &zone)) }),
    ];
    let section = |heading: &str, texts: Vec<Value>| {
        std::iter::once(json!({ "heading": { "level": 2, "text": heading } })).chain(texts).collect::<Vec<_>>()
    };
    let paragraphs = language.pick(&notice.happened).lines().filter(|line| !line.trim().is_empty());
    blocks.extend(section(w.happened, paragraphs.map(|line| json!({ "paragraph": line.trim() })).collect()));
    let found = notice.found_at.map_or_else(|| w.unknown.to_owned(), |at| language.moment(at, &zone));
    let mut times = vec![format!("{}: {found}", w.found)];
    if !notice.is_without_leak() {
        times.push(format!("{}: {}", w.exposed, language.periods(&notice.exposed, &zone)));
    }
    blocks.extend(section(w.times, vec![json!({ "list": times })]));
    if !notice.counts.is_empty() {
        blocks.extend(section(w.counts, vec![counts(notice, language)]));
    }
    let lists = [
        (w.left, &notice.left),
        (w.not_left, &notice.not_left),
        (w.not_examined, &notice.not_examined),
        (w.to_do, &notice.to_do),
        (w.measures, &notice.measures),
    ];
    for (heading, list) in lists {
        let items: Vec<&str> = list.iter().map(|text| language.pick(text)).collect();
        let body = if items.is_empty() { json!({ "paragraph": w.none }) } else { json!({ "list": items }) };
        blocks.extend(section(heading, vec![body]));
    }
    let next =
        [notice.next_update.map(|at| language.time(at, &zone)), Some(language.pick(&notice.next_note).to_owned())];
    let next: Vec<String> = next.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    blocks.extend(section(w.next, vec![json!({ "paragraph": next.join(" ") })]));
    let desk = &firm.desk;
    let contact = [
        language.pick(&desk.name).to_owned(),
        format!("{}: {}", w.telephone, desk.telephone),
        format!("{}: {}", w.mail, desk.mail),
        format!("{}: {}", w.hours, language.pick(&desk.hours)),
    ];
    blocks.extend(section(w.desk, vec![json!({ "list": contact })]));
    blocks.push(json!({ "small": format!("{} {}　{}", w.hash, version.document, firm.base_url) }));
    json!({
        "format": "sekisho-pdf/1",
        "lang": w.code,
        "title": title,
        "author": language.pick(&firm.name),
        "date": date.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        "pages": [{ "kind": "notice", "blocks": blocks }],
    })
}

fn counts(notice: &Notice, language: Language) -> Value {
    let w = language.words();
    let rows = notice.counts.iter().map(|count| {
        let set = count.set.as_ref().map_or_else(String::new, |set| format!(" ({})", language.pick(set)));
        let figure = count.value.map_or_else(|| w.unknown.to_owned(), |value| language.figure(count.of, value));
        let before: Vec<String> = count.before.iter().map(|value| language.figure(count.of, *value)).collect();
        [
            format!("{}{set}", language.measure(count.of)),
            figure,
            language.state(count.state).to_owned(),
            before.join(" → "),
        ]
    });
    json!({ "table": { "head": [w.what, w.figure, w.certainty, w.before], "rows": rows.collect::<Vec<_>>() } })
}
