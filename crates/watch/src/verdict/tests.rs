//! What was, what is, and the word for it.

use super::*;

const NOTICE: &str = "<title>不正アクセスによるカード情報流出に関するお詫び｜箱根FX</title><main>
    <h1>不正アクセスによるカード情報流出に関するお詫び</h1><p>2017年6月5日</p><p>株式会社箱根FX</p>
    <p>このたび、当社のウェブサイトが第三者による不正アクセスを受け、お客様のクレジットカード情報が流出した可能性があることが判明いたしました。</p>
    <p>対象となるお客様は9,822名で、流出した可能性のある情報はカード番号、有効期限およびセキュリティコードです。</p>
    <p>お客様には多大なるご迷惑とご心配をおかけいたしますことを、深くお詫び申し上げます。</p>
    <p>お問い合わせ窓口 0120-000-000（平日9時から17時まで）</p></main>";

const MAINTENANCE: &str = "<title>カード決済メンテナンスのお知らせ｜箱根FX</title><main>
    <h1>カード決済メンテナンスのお知らせ</h1><p>2017年6月5日</p><p>株式会社箱根FX</p>
    <p>平素は格別のお引き立てを賜り、厚く御礼申し上げます。</p>
    <p>ただいまシステムメンテナンスのため、カード決済のご利用を一時停止しております。</p>
    <p>お問い合わせ窓口 0120-000-000（平日9時から17時まで）</p></main>";

const URL: &str = "https://hakone-fx.example/news/1.html";

fn page(html: &str) -> Page {
    Page::read(html.as_bytes(), "text/html; charset=utf-8")
}

fn seen(html: &str, url: &str) -> Seen {
    Seen::Page { page: page(html), url: url.to_owned() }
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_496_635_200 + day * 86_400).expect("in range")
}

/// A notice that stands since day 0.
fn standing(html: &str) -> Known {
    let notice = Snapshot { page: page(html), url: URL.to_owned(), at: at(0) };
    Known { notice: Some(notice), standing: Standing::Stands, since: Some(at(0)), ..Known::default() }
}

/// The notice with something else in its place since day 1.
fn gone(standing_now: Standing, instead: Option<&str>) -> Known {
    let instead = instead.map(|html| Snapshot { page: page(html), url: URL.to_owned(), at: at(1) });
    Known { standing: standing_now, since: Some(at(1)), instead, ..standing(NOTICE) }
}

#[track_caller]
fn check(known: &Known, seen: &Seen, expected: &str) -> Verdict {
    let verdict = judge(known, seen, at(54));
    assert_eq!(verdict.word(), expected, "{verdict:?}");
    verdict
}

#[test]
fn the_first_look_publishes() {
    check(&Known::default(), &seen(NOTICE, URL), "published");
    check(&Known::default(), &Seen::NotThere { status: 404 }, "absent");
    check(&Known::default(), &seen("<title>404</title><main>ページが見つかりません</main>", URL), "absent");
}

#[test]
fn a_card_maintenance_page_is_not_the_notice() {
    let verdict = check(&standing(NOTICE), &seen(MAINTENANCE, URL), "replaced");
    let Verdict::Replaced { figures, title } = verdict else { unreachable!("checked") };
    assert_eq!(title, "カード決済メンテナンスのお知らせ|箱根FX");
    assert!(figures.remains_percent < REMAINS_PERCENT_MIN && figures.terms_kept * 3 <= figures.terms, "{figures:?}");
    assert!(figures.terms_lost.contains(&"不正アクセス".to_owned()), "{figures:?}");
    check(&gone(Standing::Replaced, Some(MAINTENANCE)), &seen(MAINTENANCE, URL), "unchanged");
}

#[test]
fn a_notice_that_returns_is_back_with_the_days_it_was_away() {
    let known = gone(Standing::Replaced, Some(MAINTENANCE));
    let verdict = check(&known, &seen(NOTICE, URL), "back");
    let Verdict::Back { after, away_s, diff } = verdict else { unreachable!("checked") };
    assert_eq!((after.as_str(), away_s, diff.lines.is_empty()), ("replaced", 53 * 86_400, true));
    let more = NOTICE.replace("9,822名", "9,828名");
    let Verdict::Back { diff, .. } = check(&known, &seen(&more, URL), "back") else { unreachable!("checked") };
    assert_eq!((diff.removed, diff.added), (1, 1));
}

#[test]
fn a_corrected_figure_is_a_change_with_its_sentence() {
    let corrected = NOTICE.replace("9,822名", "9,828名");
    let Verdict::Changed { diff, .. } = check(&standing(NOTICE), &seen(&corrected, URL), "changed") else {
        unreachable!("checked")
    };
    let shown = diff.to_string();
    assert!(shown.contains("- 対象となるお客様は9,822名") && shown.contains("+ 対象となるお客様は9,828名"), "{shown}");
}

#[test]
fn a_notice_that_grows_by_updates_is_changed_not_replaced() {
    let more: String = (0..40).map(|n| format!("<p>第{n}報：調査の進捗についてご報告いたします。")).collect();
    check(&standing(NOTICE), &seen(&NOTICE.replace("</main>", &format!("{more}</main>")), URL), "changed");
    check(&standing(&NOTICE.replace("</main>", &format!("{more}</main>"))), &seen(NOTICE, URL), "changed");
}

#[test]
fn a_notice_in_other_words_is_changed() {
    let rewritten = "<title>カード情報流出に関するお詫びとご報告｜箱根FX</title><main>調査の結果、第三者の不正アクセスによりクレジットカード情報が流出したと確認しました。対象は9,822名です。お詫び申し上げます。</main>";
    check(&standing(NOTICE), &seen(rewritten, URL), "changed");
}

#[test]
fn another_notice_of_the_same_kind_is_not_this_one() {
    let outage = "<title>システム障害に関するお詫び｜箱根FX</title><main><h1>システム障害に関するお詫び</h1>
        <p>7月3日午前9時ごろから約36分間、取引画面へ接続しにくい状態となりました。</p><p>原因は大量の通信を送りつける
        サイバー攻撃であり、個人情報の漏えいや不正アクセスは確認されておりません。</p><p>ご迷惑をおかけし申し訳ございません。</p></main>";
    let verdict = check(&standing(NOTICE), &seen(outage, URL), "replaced");
    assert!(
        matches!(verdict, Verdict::Replaced { figures, .. } if figures.remains_percent <= HARDLY_REMAINS_PERCENT_MAX)
    );
}

#[test]
fn removal_is_told_by_status_or_by_the_page_itself() {
    for status in [404, 410] {
        check(&standing(NOTICE), &Seen::NotThere { status }, "removed");
    }
    for soft in [
        "<title>ページが見つかりません｜箱根FX</title><main><h1>ページが見つかりません</h1>お探しのページは移動または削除された可能性があります。</main>",
        "<title>404 Not Found</title><body>The requested URL was not found.</body>",
    ] {
        let verdict = check(&standing(NOTICE), &seen(soft, URL), "removed");
        assert_eq!(verdict, Verdict::Removed { status: 200, is_soft: true });
        check(&gone(Standing::Removed, Some(soft)), &seen(soft, URL), "unchanged");
    }
    check(&gone(Standing::Removed, None), &Seen::NotThere { status: 404 }, "unchanged");
    check(&gone(Standing::Removed, None), &seen(MAINTENANCE, URL), "replaced");
}

#[test]
fn a_notice_that_mentions_a_missing_page_is_still_a_notice() {
    let notice = NOTICE.replace("<p>株式会社箱根FX</p>", "<p>ページが見つかりませんと表示される障害について</p>");
    check(&Known::default(), &seen(&notice, URL), "published");
}

#[test]
fn a_redirect_says_whether_the_notice_is_there() {
    let top = "<title>箱根FX</title><main>FX取引なら箱根FX。業界最狭水準のスプレッド。口座開設はこちらから。</main>";
    let to = "https://hakone-fx.example/";
    let verdict = check(&standing(NOTICE), &seen(top, to), "redirected");
    assert_eq!(verdict, Verdict::Redirected { to: to.to_owned(), has_notice: false });
    let moved = check(&standing(NOTICE), &seen(NOTICE, "https://hakone-fx.example/archive/1.html"), "redirected");
    assert!(moved.renews_notice());
    check(&standing(NOTICE), &seen(NOTICE, "http://www.hakone-fx.example/news/1.html/"), "unchanged");
    check(&gone(Standing::Redirected, Some(top)), &seen(NOTICE, URL), "back");
}

#[test]
fn an_outage_ends_with_back_and_is_no_removal() {
    let down = Seen::Unreachable { reason: "status 503".to_owned() };
    check(&standing(NOTICE), &down, "unreachable");
    let known = Known { unreachable_since: Some(at(53)), ..standing(NOTICE) };
    let verdict = check(&known, &seen(NOTICE, URL), "back");
    assert_eq!(verdict, Verdict::Back { after: "unreachable".to_owned(), away_s: 86_400, diff: Diff::default() });
    check(&known, &seen(&NOTICE.replace("9,822", "9,828"), URL), "changed");
    let known = Known { unreachable_since: Some(at(53)), ..gone(Standing::Replaced, Some(MAINTENANCE)) };
    check(&known, &seen(MAINTENANCE, URL), "unchanged");
    check(&standing(NOTICE), &Seen::NotAllowed, "not allowed");
}

#[test]
fn a_document_without_text_is_compared_by_its_bytes() {
    let pdf = |bytes: &[u8]| Page::read(bytes, "application/pdf");
    let notice = Snapshot { page: pdf(b"%PDF-1"), url: URL.to_owned(), at: at(0) };
    let known = Known { notice: Some(notice), standing: Standing::Stands, ..Known::default() };
    let see = |bytes: &[u8]| Seen::Page { page: pdf(bytes), url: URL.to_owned() };
    check(&known, &see(b"%PDF-1"), "unchanged");
    check(&known, &see(b"%PDF-2"), "changed");
    check(&known, &seen(MAINTENANCE, URL), "replaced");
}
