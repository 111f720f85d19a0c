//! The texts of mails and letters: Fluent messages in Japanese and English, with the firm's own in their place.
//!
//! Everything that is missing is told at once, before any mail: a message that is not there, a variable that is not
//! known. What a person is told is in [`Words`]; no value of a field is, only the field's label.

use crate::Error;
use crate::config::{Config, Texts};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use sekisho_model::FieldKind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use unic_langid::LanguageIdentifier;

/// The languages that come with Sekisho.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Japanese.
    Ja,
    /// English.
    En,
}

/// Which notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first one.
    First,
    /// A later one: more fields are known.
    Update,
}

/// Messages that must be there.
const MESSAGES: &[&str] = &[
    "first-subject",
    "first-body",
    "update-subject",
    "update-body",
    "mail-footer",
    "letter-footer",
    "honorific",
    "nothing",
    "item",
];
const VARIABLES: &[&str] = &[
    "name",
    "firm",
    "case",
    "date",
    "summary",
    "left",
    "new",
    "not_left",
    "not_examined",
    "cause",
    "damage",
    "measures",
    "contact",
    "label",
];

/// All texts of all languages in use.
pub struct Templates {
    bundles: BTreeMap<Lang, FluentBundle<FluentResource>>,
    /// SHA-256 of the texts.
    pub hash: [u8; 32],
}

/// What one notice says.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// The person's name.
    pub name: String,
    /// The case.
    pub case: String,
    /// The day, in words.
    pub date: String,
    /// Labels of fields that left.
    pub left: Vec<String>,
    /// Of these, the ones that the notices before did not have.
    pub new: Vec<String>,
    /// Labels of fields that did not.
    pub not_left: Vec<String>,
    /// Labels of fields that nobody could look for.
    pub not_examined: Vec<String>,
}

/// A notice in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// A mail's subject, a letter's title.
    pub subject: String,
    /// Paragraphs, with an empty line between them.
    pub body: String,
}

impl Lang {
    /// Both.
    pub const ALL: [Lang; 2] = [Lang::Ja, Lang::En];

    /// `ja`, `en`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Lang::Ja => "ja",
            Lang::En => "en",
        }
    }

    /// What a register says: `ja`, `en-US`, `JA`, `日本語`; `None` for others.
    #[must_use]
    pub fn of(text: &str) -> Option<Lang> {
        let text = text.trim().to_lowercase();
        match text.split(['-', '_']).next().unwrap_or("") {
            "ja" | "jp" | "jpn" | "japanese" | "日本語" => Some(Lang::Ja),
            "en" | "eng" | "english" | "英語" => Some(Lang::En),
            _ => None,
        }
    }

    fn built_in(self) -> &'static str {
        match self {
            Lang::Ja => include_str!("../templates/ja.ftl"),
            Lang::En => include_str!("../templates/en.ftl"),
        }
    }

    fn id(self) -> LanguageIdentifier {
        // Both codes are language identifiers.
        self.code().parse().unwrap_or_default()
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Templates {
    /// The texts of a configuration, checked.
    pub fn load(config: &Config) -> Result<Templates, Error> {
        let mut own = BTreeMap::new();
        if let Some(dir) = &config.templates {
            for lang in config.texts.keys() {
                let path = dir.join(format!("{lang}.ftl"));
                match std::fs::read_to_string(&path) {
                    Ok(text) => own.insert(*lang, text),
                    Err(err) if err.kind() == std::io::ErrorKind::NotFound => None,
                    Err(err) => return Err(Error::Read { path, err }),
                };
            }
        }
        let languages: Vec<Lang> = config.texts.keys().copied().collect();
        Templates::new(&languages, &own)
    }

    /// The texts that come with Sekisho, with the firm's own in their place.
    pub fn new(languages: &[Lang], own: &BTreeMap<Lang, String>) -> Result<Templates, Error> {
        let mut errors = Vec::new();
        let mut hash = Sha256::new();
        let mut bundles = BTreeMap::new();
        for lang in languages {
            let mut bundle = FluentBundle::new_concurrent(vec![lang.id()]);
            bundle.set_use_isolating(false);
            for (text, whose) in [(Some(lang.built_in()), "built in"), (own.get(lang).map(String::as_str), "own")] {
                let Some(text) = text else { continue };
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
                let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(resource, wrong)| {
                    errors.extend(wrong.iter().map(|err| format!("{lang}.ftl ({whose}): {err}")));
                    resource
                });
                bundle.add_resource_overriding(resource);
            }
            errors.extend(complaints(*lang, &bundle));
            bundles.insert(*lang, bundle);
        }
        if errors.is_empty() {
            return Ok(Templates { bundles, hash: hash.finalize().into() });
        }
        Err(Error::Templates(errors))
    }

    /// The languages there are.
    pub fn languages(&self) -> impl Iterator<Item = Lang> + '_ {
        self.bundles.keys().copied()
    }

    /// What a kind of column is called.
    #[must_use]
    pub fn label(&self, lang: Lang, kind: FieldKind) -> String {
        self.say(lang, &format!("kind-{}", kind.name()), &FluentArgs::new())
    }

    /// How a person is addressed on an envelope.
    #[must_use]
    pub fn honorific(&self, lang: Lang, name: &str) -> String {
        self.say(lang, "honorific", &args([("name", name)]))
    }

    /// The foot of a mail.
    #[must_use]
    pub fn mail_footer(&self, lang: Lang, case: &str, texts: &Texts) -> String {
        self.say(lang, "mail-footer", &args([("case", case), ("firm", &texts.firm)]))
    }

    /// The foot of a letter.
    #[must_use]
    pub fn letter_footer(&self, lang: Lang, case: &str, texts: &Texts) -> String {
        self.say(lang, "letter-footer", &args([("case", case), ("firm", &texts.firm)]))
    }

    /// A notice in words.
    #[must_use]
    pub fn notice(&self, lang: Lang, kind: Kind, words: &Words, texts: &Texts) -> Text {
        let list = |labels: &[String]| self.list(lang, labels);
        let (left, new) = (list(&words.left), list(&words.new));
        let (not_left, not_examined) = (list(&words.not_left), list(&words.not_examined));
        let args = args([
            ("name", &words.name),
            ("case", &words.case),
            ("date", &words.date),
            ("firm", &texts.firm),
            ("summary", texts.summary.trim()),
            ("cause", texts.cause.trim()),
            ("damage", texts.damage.trim()),
            ("measures", texts.measures.trim()),
            ("contact", texts.contact.trim()),
            ("left", &left),
            ("new", &new),
            ("not_left", &not_left),
            ("not_examined", &not_examined),
        ]);
        let (subject, body) = match kind {
            Kind::First => ("first-subject", "first-body"),
            Kind::Update => ("update-subject", "update-body"),
        };
        Text { subject: self.say(lang, subject, &args), body: self.say(lang, body, &args) }
    }

    fn list(&self, lang: Lang, labels: &[String]) -> String {
        if labels.is_empty() {
            return self.say(lang, "nothing", &FluentArgs::new());
        }
        let lines: Vec<String> = labels.iter().map(|label| self.say(lang, "item", &args([("label", label)]))).collect();
        lines.join("\n")
    }

    /// A message that was checked when the templates were loaded: it is there, and knows all its variables.
    fn say(&self, lang: Lang, message: &str, args: &FluentArgs<'_>) -> String {
        let Some(bundle) = self.bundles.get(&lang) else { return String::new() };
        let Some(pattern) = bundle.get_message(message).and_then(|message| message.value()) else {
            return String::new();
        };
        bundle.format_pattern(pattern, Some(args), &mut Vec::new()).into_owned()
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("languages", &self.bundles.keys()).finish_non_exhaustive()
    }
}

fn args<'a, const N: usize>(pairs: [(&'a str, &'a str); N]) -> FluentArgs<'a> {
    pairs.into_iter().collect()
}

/// Everything that is wrong with a language's messages.
fn complaints(lang: Lang, bundle: &FluentBundle<FluentResource>) -> Vec<String> {
    let kinds = FieldKind::ALL.map(|kind| format!("kind-{}", kind.name()));
    let messages = MESSAGES.iter().copied().chain(kinds.iter().map(String::as_str));
    let sample: FluentArgs<'_> = VARIABLES.iter().map(|name| (*name, "x")).collect();
    let mut told = Vec::new();
    for message in messages {
        let Some(pattern) = bundle.get_message(message).and_then(|message| message.value()) else {
            told.push(format!("{lang}.ftl has no text for `{message}`"));
            continue;
        };
        let mut errors = Vec::new();
        bundle.format_pattern(pattern, Some(&sample), &mut errors);
        let errors: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
        told.extend(
            errors.iter().map(|err| format!("{lang}.ftl, `{message}`: {err}; known are ${}", VARIABLES.join(" $"))),
        );
    }
    // The body must tell what left: a template without it would send an apology for nothing in particular.
    for (message, needs) in
        [("first-body", "left"), ("first-body", "name"), ("update-body", "new"), ("update-body", "name")]
    {
        let marked: FluentArgs<'_> =
            VARIABLES.iter().map(|name| (*name, if *name == needs { "\u{1}" } else { "x" })).collect();
        let pattern = bundle.get_message(message).and_then(|message| message.value());
        let said = pattern.map(|pattern| bundle.format_pattern(pattern, Some(&marked), &mut Vec::new()));
        if said.is_some_and(|said| !said.contains('\u{1}')) {
            told.push(format!("{lang}.ftl, `{message}` does not use ${needs}"));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_of(own: &str) -> String {
        let own = BTreeMap::from([(Lang::Ja, own.to_owned())]);
        match Templates::new(&Lang::ALL, &own) {
            Ok(_) => String::new(),
            Err(err) => err.to_string(),
        }
    }

    #[test]
    fn the_texts_that_come_along_are_whole() {
        assert_eq!(complaints_of(""), "");
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let told = complaints_of("first-body = { $nmae } 様 { $left }\nmail-footer = { $kase }\nupdate-subject =\n");
        for part in ["$nmae", "$kase", "`first-body` does not use $name", "update-subject"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn a_firm_says_it_in_its_own_words() {
        let own = BTreeMap::from([(Lang::En, "first-subject = About your account".to_owned())]);
        let templates = Templates::new(&[Lang::En], &own).expect("whole");
        let texts = Texts {
            firm: "Hakone FX".into(),
            summary: "s".into(),
            cause: "c".into(),
            damage: "d".into(),
            measures: "m".into(),
            contact: "03-0000-0000".into(),
        };
        let words = Words { name: "Taro Yamada".into(), left: vec!["Name".into()], ..Words::default() };
        let text = templates.notice(Lang::En, Kind::First, &words, &texts);
        assert_eq!(text.subject, "About your account");
        assert!(text.body.starts_with("Dear Taro Yamada,\n\n"), "{}", text.body);
        assert!(
            text.body.contains("was exposed\n- Name\n\nYour information for which we found no exposure\nNone.\n"),
            "{}",
            text.body
        );
        let built_in = Templates::new(&[Lang::En], &BTreeMap::new()).expect("whole");
        assert_ne!(templates.hash, built_in.hash);
    }
}
