//! What a person reads of the demo, in Japanese and English; nothing with `--json`. No line is wider than a terminal.

use super::announcement;
use super::scenario::Scenario;
use super::stage::Stage;
use super::{Outcome, Watch};
use crate::output::say;
use sekisho_demo::site::password;
use sekisho_scope::text::{count, width};
use sekisho_scope::{Answer, table};
use std::io::IsTerminal;
use std::time::Duration;

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// They stand at no line's beginning.
const CLOSING: &str = "、。）」・：";
/// They stand at no line's end.
const OPENING: &str = "（「";

pub(super) struct Told {
    pub(super) is_quiet: bool,
}

impl Told {
    fn say(&self, text: &str) {
        if self.is_quiet {
            return;
        }
        for line in text.split('\n').flat_map(|line| fold(line, COLUMNS)) {
            say!("{line}");
        }
    }

    pub(super) fn title(&self, scenario: &Scenario, seed: u64) {
        self.say(&format!("関所 Sekisho — {} / {}", scenario.title_ja, scenario.title_en));
        self.say(&format!("架空のFX会社「箱根FX」と、架空のお客様です（シード {seed}）。"));
        self.say(&format!("An invented broker, Hakone FX, with invented customers (seed {seed}).\n"));
    }

    pub(super) fn stage(&self, stage: &Stage) {
        self.say(&format!("  見本サイト  site      http://{}/", stage.site()));
        self.say(&format!("  関所        gateway   http://{}/", stage.gateway()));
        for (name, persons) in stage.persons() {
            self.say(&format!("  名簿        register  {name}, {} persons", count(persons)));
        }
        self.say("");
    }

    pub(super) fn customers(&self, visits: usize, requests: u32) {
        self.say(&format!("一般のお客様{visits}名がサイトを利用しました（リクエスト{requests}件）。"));
        self.say(&format!("{visits} ordinary customers used the site ({requests} requests).\n"));
        self.say("攻撃が始まります。The theft begins.\n");
    }

    pub(super) fn customers_meanwhile(&self, visits: usize, requests: u32) {
        self.say(&format!("\nその間にも、一般のお客様{visits}名がサイトを利用しました（リクエスト{requests}件）。"));
        self.say(&format!("Meanwhile {visits} more customers used the site ({requests} requests)."));
    }

    /// `added` persons since the line before.
    pub(super) fn exposed(&self, after: Duration, route: &str, added: usize, total: usize) {
        let ms = after.as_millis();
        let (added, total) = (count(added as u64), count(total as u64));
        self.say(&format!("  {ms:>6} ms  {route:<10}  +{added:>5} persons  {total:>7} in all"));
    }

    pub(super) fn result(&self, outcome: &Outcome, answer: &Answer) {
        let colour = if std::io::stdout().is_terminal() { table::Colour::Yes } else { table::Colour::No };
        self.say("\n何が盗まれたのでしょうか。What did the thief get? Asked of the ledger:\n");
        if !self.is_quiet {
            say!("{}", table::render(answer, &jiff::tz::TimeZone::system(), colour));
        }
        self.say(&format!("公表文の案 / Draft announcement\n\n{}", announcement::japanese(answer)));
        self.say(&announcement::english(answer));
        self.verdict(outcome);
    }

    fn verdict(&self, outcome: &Outcome) {
        let (ja, en) = match outcome.detected_ms {
            ms if ms < 1.0 => ("1ミリ秒未満で".to_owned(), "under 1 ms".to_owned()),
            ms => (format!("{ms:.0}ミリ秒後に"), format!("{ms:.0} ms")),
        };
        let took = outcome.scope_ms;
        self.say(&format!(
            "攻撃者の最初のリクエストから{ja}、最初の流出を記録しました。照会には{took}ミリ秒かかりました。"
        ));
        self.say(&format!(
            "The first exposure was recorded {en} after the thief's first request; the question took {took} ms."
        ));
        if outcome.truth_match {
            self.say(
                "攻撃者が受け取ったバイト列を別のコードで読む審判も、同じ人物・同じ項目であることを確認しました。",
            );
            self.say(
                "The referee, reading the thief's raw bytes with code of its own, finds the same persons with the same \
                 fields.",
            );
        } else {
            self.say("審判の結果は異なります。");
            self.say(&format!("THE REFEREE SAYS OTHERWISE: {:#?}", outcome.differences));
        }
    }

    /// How to look at it.
    pub(super) fn staying(&self, stage: &Stage) {
        let gateway = stage.gateway();
        self.say(&format!("\n見本サイトは起動したままです。Still running:  http://{gateway}/"));
        // The first account is the thief's.
        if let Some(person) = stage.accounts.get(1) {
            let (account, password) = (&person.account_id, password(&person.account_id));
            self.say(&format!("  口座番号  account   {account}\n  パスワード  password  {password}"));
        }
        if !self.is_quiet {
            // To be copied: never folded.
            say!("  sekisho scope --ledger {}", stage.ledger.display());
        }
        self.say("\n個人データを含む応答を以下に表示します。Ctrl-C で終了します。");
        self.say("Responses that hold somebody's data are shown below. Ctrl-C ends it.\n");
    }
}

impl Watch {
    /// Every line tells what came since the one before, so that they add up.
    pub(super) fn show(&mut self, after: Duration, route: &str, told: &Told) {
        let added = self.persons.len() - self.shown;
        if added > 0 {
            told.exposed(after, route, added, self.persons.len());
        }
        self.shown = self.persons.len();
    }
}

/// The text in lines of at most `columns`. Japanese is broken anywhere, save that punctuation keeps to its word; a longer
/// word without a place to break stands alone on its line.
fn fold(text: &str, columns: usize) -> Vec<String> {
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for unit in units(text) {
        let line = lines.last_mut().expect("there is always a line");
        if width(line) + width(unit.trim_end()) <= columns || line.is_empty() {
            line.push_str(unit);
        } else {
            lines.push(unit.trim_start().to_owned());
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Parts between which a line may be broken.
fn units(text: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let mut begin = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let Some((_, next)) = characters.peek().copied() else { break };
        let is_wide = |character: char| width(character.encode_utf8(&mut [0; 4])) > 1;
        let is_break = character == ' ' || (is_wide(character) || is_wide(next)) && next != ' ';
        if is_break && !CLOSING.contains(next) && !OPENING.contains(character) {
            let end = at + character.len_utf8();
            units.push(&text[begin..end]);
            begin = end;
        }
    }
    units.push(&text[begin..]);
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_and_english_fit_and_lose_nothing() {
        let text = "・口座をお持ちのお客様 1,368名（口座番号 1,200名、氏名 1,362名）については、確認されておりません。";
        for columns in 20..60 {
            let lines = fold(text, columns);
            assert!(lines.iter().all(|line| width(line) <= columns), "{columns}: {lines:#?}");
            assert!(lines.iter().all(|line| !line.starts_with(|at| CLOSING.contains(at)) || line.starts_with('・')));
            let blanks_gone = |text: &str| text.replace(' ', "");
            assert_eq!(blanks_gone(&lines.concat()), blanks_gone(text));
        }
        assert_eq!(fold("the thief's raw bytes", 11), ["the thief's", "raw bytes"]);
        assert_eq!(fold("  short", 80), ["  short"]);
    }
}
