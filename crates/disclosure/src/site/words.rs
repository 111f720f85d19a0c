//! The words of the pages, in both languages.

use crate::entry::{Ground, Service};
use crate::notice::{Measure, Period, State, Text};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A language of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Ja,
    En,
}

/// Words that stand on pages.
pub(super) struct Words {
    pub(super) code: &'static str,
    pub(super) other_code: &'static str,
    pub(super) other_name: &'static str,
    pub(super) skip: &'static str,
    pub(super) nav: &'static str,
    pub(super) notice: &'static str,
    pub(super) trail: &'static str,
    pub(super) status: &'static str,
    pub(super) genuine: &'static str,
    pub(super) verify: &'static str,
    pub(super) version: &'static str,
    pub(super) published: &'static str,
    pub(super) happened: &'static str,
    pub(super) times: &'static str,
    pub(super) found: &'static str,
    pub(super) exposed: &'static str,
    pub(super) counts: &'static str,
    pub(super) counts_caption: &'static str,
    pub(super) what: &'static str,
    pub(super) figure: &'static str,
    pub(super) certainty: &'static str,
    pub(super) before: &'static str,
    pub(super) left: &'static str,
    pub(super) not_left: &'static str,
    pub(super) not_examined: &'static str,
    pub(super) to_do: &'static str,
    pub(super) measures: &'static str,
    pub(super) next: &'static str,
    pub(super) desk: &'static str,
    pub(super) telephone: &'static str,
    pub(super) mail: &'static str,
    pub(super) hours: &'static str,
    pub(super) unknown: &'static str,
    pub(super) none: &'static str,
    pub(super) withdrawn: &'static str,
    pub(super) withdrawn_note: &'static str,
    pub(super) requester: &'static str,
    pub(super) reason: &'static str,
    pub(super) older: &'static str,
    pub(super) to_current: &'static str,
    pub(super) redacted: &'static str,
    pub(super) embargo: &'static str,
    pub(super) embargo_until: &'static str,
    pub(super) nothing_yet: &'static str,
    pub(super) difference: &'static str,
    pub(super) removed: &'static str,
    pub(super) added: &'static str,
    pub(super) leaf: &'static str,
    pub(super) hash: &'static str,
    pub(super) computed: &'static str,
    pub(super) stated: &'static str,
    pub(super) publisher: &'static str,
    pub(super) key: &'static str,
    pub(super) pdf: &'static str,
    pub(super) feeds: &'static str,
    pub(super) status_none: &'static str,
    pub(super) said: &'static str,
    pub(super) status_history: &'static str,
    pub(super) genuine_intro: &'static str,
    pub(super) genuine_domain: &'static str,
    pub(super) genuine_selector: &'static str,
    pub(super) genuine_subjects: &'static str,
    pub(super) genuine_never: &'static str,
    pub(super) genuine_none: &'static str,
    pub(super) verify_intro: &'static str,
    pub(super) verify_how: &'static str,
    pub(super) trail_intro: &'static str,
}

pub(super) const JA: Words = Words {
    code: "ja",
    other_code: "en",
    other_name: "English",
    skip: "本文へ移動",
    nav: "ページ一覧",
    notice: "お知らせ",
    trail: "更新と訂正の履歴",
    status: "サービスの状況",
    genuine: "本物のメールの見分け方",
    verify: "公開記録の検証",
    version: "第{}版",
    published: "公表日時",
    happened: "何が起きたか",
    times: "日時",
    found: "発見した日時",
    exposed: "情報が外部に出ていた期間",
    counts: "人数・件数",
    counts_caption: "人数・件数とその確からしさ",
    what: "対象",
    figure: "数",
    certainty: "状況",
    before: "これまでの公表値",
    left: "外部に出た情報",
    not_left: "外部に出たことが確認されていない情報",
    not_examined: "確認できていない情報とその理由",
    to_do: "お客様へのお願い",
    measures: "再発防止への取り組み",
    next: "次回のお知らせ",
    desk: "お問い合わせ窓口",
    telephone: "電話",
    mail: "メール",
    hours: "受付時間",
    unknown: "不明",
    none: "ありません。",
    withdrawn: "このお知らせは撤回されました",
    withdrawn_note: "撤回前の内容は、記録のため以下にそのまま残しています。",
    requester: "撤回を求めた者",
    reason: "理由",
    older: "これは過去の版です。",
    to_current: "最新の版を見る",
    redacted: "一部の掲載を取りやめています",
    embargo: "公表を控えた期間",
    embargo_until: "期限",
    nothing_yet: "現在公表しているお知らせはありません。",
    difference: "前の版との違い",
    removed: "削除",
    added: "追加",
    leaf: "公開記録の番号",
    hash: "文書のハッシュ値",
    computed: "上の三つの区分は、当社のサイトが送信した内容の記録をお客様の名簿と照合し、算出したものです。",
    stated: "上の三つの区分は、当社の調査に基づいて記載したものです。送信した内容の記録から算出したものではありません。",
    publisher: "公表者",
    key: "検証鍵",
    pdf: "このお知らせの PDF",
    feeds: "更新の通知（フィード）",
    status_none: "お知らせすべき障害はありません。",
    said: "発表",
    status_history: "これまでの状況",
    genuine_intro: "当社がこの件についてお送りするメールは、次のすべてに当てはまります。",
    genuine_domain: "差出人のドメイン",
    genuine_selector: "DKIM のセレクター",
    genuine_subjects: "件名",
    genuine_never: "当社のメールに、ログインのためのリンクはありません。パスワード、カード番号、マイナンバーをお尋ねすることもありません。",
    genuine_none: "当社はこの件についてメールをお送りしていません。",
    verify_intro: "このサイトで公表したすべての版は、書き換えられない公開記録（C2SP tlog-tiles）に登録されています。公表した内容を後から黙って変えたり消したりすると、どなたでも検出できます。",
    verify_how: "検証には Sekisho は必要ありません。Go の sumdb/tlog と note など、C2SP の形式を読む道具で確かめられます。記録は log/checkpoint と log/tile/ にあり、各項目の文書は documents/ にあります。文書のハッシュ値が、記録のその番号の項目に書かれています。ハッシュ値の計算方法は次のとおりです。",
    trail_intro: "公表した版は削除されません。撤回も、新しい項目としてここに残ります。",
};

pub(super) const EN: Words = Words {
    code: "en",
    other_code: "ja",
    other_name: "日本語",
    skip: "Skip to the text",
    nav: "Pages",
    notice: "Notice",
    trail: "Updates and corrections",
    status: "Service status",
    genuine: "How to recognise our mails",
    verify: "Verify the public record",
    version: "Version {}",
    published: "Published",
    happened: "What happened",
    times: "Dates",
    found: "Found",
    exposed: "Period of exposure",
    counts: "How many",
    counts_caption: "Numbers and how certain they are",
    what: "Of what",
    figure: "Number",
    certainty: "State",
    before: "Told before",
    left: "Data that left",
    not_left: "Data for which no exposure was found",
    not_examined: "What could not be examined, and why",
    to_do: "What you should do now",
    measures: "What we do so that it does not happen again",
    next: "Next update",
    desk: "Contact",
    telephone: "Telephone",
    mail: "Mail",
    hours: "Hours",
    unknown: "not known",
    none: "None.",
    withdrawn: "This notice was withdrawn",
    withdrawn_note: "What it said before stays below, as a record.",
    requester: "Withdrawn at the request of",
    reason: "Reason",
    older: "This is an older version.",
    to_current: "See the current version",
    redacted: "A part is no longer shown",
    embargo: "Time before publication",
    embargo_until: "Until at the latest",
    nothing_yet: "There is no notice at present.",
    difference: "What is different from the version before",
    removed: "Removed",
    added: "Added",
    leaf: "Entry of the public log",
    hash: "Hash of the document",
    computed: "These three lists were computed from the record of what our site answered, compared with our customer register.",
    stated: "These three lists state what our investigation found. They were not computed from a record of what our site answered.",
    publisher: "Published by",
    key: "Verification key",
    pdf: "This notice as PDF",
    feeds: "Feeds",
    status_none: "There is no disruption to report.",
    said: "Said",
    status_history: "History",
    genuine_intro: "Every mail that we send about this incident has all of the following.",
    genuine_domain: "Domain of the sender",
    genuine_selector: "DKIM selector",
    genuine_subjects: "Subjects",
    genuine_never: "Our mails never hold a link to log in, and never ask for a password, a card number or a My Number.",
    genuine_none: "We send no mails about this incident.",
    verify_intro: "Every version published on this site stands in an append-only public log (C2SP tlog-tiles). Whoever compares can see if anything was quietly changed or taken away.",
    verify_how: "Sekisho is not needed to check it: any reader of the C2SP formats will do, such as Go's sumdb/tlog and note. The log is in log/checkpoint and log/tile/, the documents of its entries are in documents/. The hash of a document stands in the entry of its number, and is computed like this.",
    trail_intro: "What was published is not deleted. A withdrawal is an entry of its own, here.",
};

impl Language {
    pub(super) const ALL: [Language; 2] = [Language::Ja, Language::En];

    pub(super) fn words(self) -> &'static Words {
        match self {
            Language::Ja => &JA,
            Language::En => &EN,
        }
    }

    pub(super) fn pick(self, text: &Text) -> &str {
        match self {
            Language::Ja => &text.ja,
            Language::En => &text.en,
        }
    }

    /// Where its pages are, from the root.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Language::Ja => "",
            Language::En => "en/",
        }
    }

    pub(super) fn time(self, at: Timestamp, zone: &TimeZone) -> String {
        let at = at.to_zoned(zone.clone());
        match self {
            Language::Ja => at.strftime("%Y年%-m月%-d日 %H:%M").to_string(),
            Language::En => at.strftime("%-d %B %Y, %H:%M (%Z)").to_string(),
        }
    }

    /// A time that somebody stated: the day alone, where it is a day's first or last minute, for then no hour is known.
    pub(super) fn moment(self, at: Timestamp, zone: &TimeZone) -> String {
        let local = at.to_zoned(zone.clone());
        match self {
            _ if !matches!((local.hour(), local.minute()), (0, 0) | (23, 59)) => self.time(at, zone),
            Language::Ja => local.strftime("%Y年%-m月%-d日").to_string(),
            Language::En => local.strftime("%-d %B %Y").to_string(),
        }
    }

    /// When data were exposed.
    pub(super) fn periods(self, periods: &[Period], zone: &TimeZone) -> String {
        let unknown = self.words().unknown;
        let side = |at: Option<Timestamp>| at.map(|at| self.moment(at, zone));
        let period = |period: &Period| match (self, side(period.from), side(period.to)) {
            (_, None, None) => unknown.to_owned(),
            (Language::Ja, Some(from), Some(to)) => format!("{from}から{to}まで"),
            (Language::Ja, Some(from), None) => format!("{from}から（終了時期は不明）"),
            (Language::Ja, None, Some(to)) => format!("{to}まで（開始時期は不明）"),
            (Language::En, Some(from), Some(to)) => format!("from {from} to {to}"),
            (Language::En, Some(from), None) => format!("from {from} (the end is not known)"),
            (Language::En, None, Some(to)) => format!("until {to} (the begin is not known)"),
        };
        let told: Vec<String> = periods.iter().map(period).collect();
        let between = if self == Language::Ja { "／" } else { "; " };
        if told.is_empty() { unknown.to_owned() } else { told.join(between) }
    }

    /// A text and what stands behind it in parentheses.
    pub(super) fn with_note(self, text: &str, note: &str) -> String {
        match self {
            Language::Ja => format!("{text}（{note}）"),
            Language::En => format!("{text} ({note})"),
        }
    }

    /// The word for the time since when a service is so.
    pub(super) fn since(self, state: Service) -> &'static str {
        match (self, state) {
            (Language::Ja, Service::Down | Service::Degraded) => "発生",
            (Language::Ja, Service::Recovered | Service::Operational) => "復旧",
            (Language::En, _) => "Since",
        }
    }

    pub(super) fn measure(self, of: Measure) -> &'static str {
        match (self, of) {
            (Language::Ja, Measure::Records) => "データの件数",
            (Language::Ja, Measure::Persons) => "対象となるお客様",
            (Language::Ja, Measure::Accounts) => "口座",
            (Language::Ja, Measure::Cards) => "支払用カード",
            (Language::En, Measure::Records) => "Records",
            (Language::En, Measure::Persons) => "Persons",
            (Language::En, Measure::Accounts) => "Accounts",
            (Language::En, Measure::Cards) => "Payment cards",
        }
    }

    /// A figure with its unit.
    pub(super) fn figure(self, of: Measure, value: u64) -> String {
        let value = grouped(value);
        match (self, of) {
            (Language::Ja, Measure::Records) => format!("{value} レコード"),
            (Language::Ja, Measure::Persons) => format!("{value} 名"),
            (Language::Ja, Measure::Accounts) => format!("{value} 口座"),
            (Language::Ja, Measure::Cards) => format!("{value} 枚"),
            (Language::En, _) => value,
        }
    }

    pub(super) fn state(self, state: State) -> &'static str {
        match (self, state) {
            (Language::Ja, State::Unknown) => "調査中（不明）",
            (Language::Ja, State::Suspected) => "可能性あり（調査中）",
            (Language::Ja, State::Confirmed) => "確認済み",
            (Language::En, State::Unknown) => "not known yet",
            (Language::En, State::Suspected) => "suspected",
            (Language::En, State::Confirmed) => "confirmed",
        }
    }

    pub(super) fn service(self, state: Service) -> &'static str {
        match (self, state) {
            (Language::Ja, Service::Down) => "停止中",
            (Language::Ja, Service::Degraded) => "つながりにくい状態",
            (Language::Ja, Service::Recovered) => "復旧（原因調査中）",
            (Language::Ja, Service::Operational) => "正常",
            (Language::En, Service::Down) => "Down",
            (Language::En, Service::Degraded) => "Degraded",
            (Language::En, Service::Recovered) => "Recovered, cause being looked into",
            (Language::En, Service::Operational) => "Operational",
        }
    }

    pub(super) fn ground(self, ground: Ground) -> &'static str {
        match (self, ground) {
            (Language::Ja, Ground::CourtOrder) => "裁判所の命令",
            (Language::Ja, Ground::Privacy) => "個人のプライバシーの保護",
            (Language::En, Ground::CourtOrder) => "Court order",
            (Language::En, Ground::Privacy) => "A person's privacy",
        }
    }

    /// A part of a step's document, as its heading has it.
    pub(super) fn part(self, part: &str) -> &'static str {
        let words = self.words();
        match part {
            "title" => words.notice,
            "happened" => words.happened,
            "left" => words.left,
            "not_left" => words.not_left,
            "not_examined" => words.not_examined,
            "to_do" => words.to_do,
            "measures" => words.measures,
            "next_note" => words.next,
            "changed" => words.difference,
            "requester" => words.requester,
            "reason" => words.reason,
            _ => words.status,
        }
    }
}

/// `112364` → `112,364`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
