//! Small pages, and what they tell.

use super::*;
use crate::html::ATTRIBUTES_MAX;
use jiff::Timestamp;
use proptest::prelude::*;

fn read(html: &str) -> Page {
    Page::read(html.as_bytes(), "text/html; charset=utf-8")
}

#[track_caller]
fn check(html: &str, lines: &[&str]) {
    assert_eq!(read(html).lines, lines, "{html}");
}

#[test]
fn the_main_element_is_the_text() {
    check(
        "<title>お詫び｜箱根FX</title><header><p>箱根FX</p></header><nav><a href=/>トップ</a></nav>
         <main><h1>お詫びと<br>お知らせ</h1><p>9,822件のカード情報が流出しました。再発防止に努めます。</p></main><footer>所在地</footer>",
        &["お詫びと", "お知らせ", "9,822件のカード情報が流出しました。", "再発防止に努めます。"],
    );
    assert_eq!(read("<title> お詫び ｜ 箱根FX </title>").title, "お詫び | 箱根FX");
    assert_eq!(read("<h1>お詫び</h1>").title, "お詫び");
}

#[test]
fn without_a_main_element_the_body_is_taken_less_its_company() {
    check(
        "<body><div class=gNav><a href=/>口座開設</a></div><div id=sidebar>広告</div><div role=banner>帯</div>
         <form id=aspnetForm><input type=hidden value=a1b2><p>個人情報が流出しました。</p><select><option>日本語</select></form>
         <div class='side-menu'>メニュー</div><div style='display: none'>隠し</div><div aria-hidden=true>影</div>
         <script>document.write('x')</script><noscript>JavaScriptを有効に</noscript></body>",
        &["個人情報が流出しました。"],
    );
}

#[test]
fn the_only_article_is_the_text_and_keeps_its_own_header() {
    check(
        "<div>口座開設はこちら</div><article><header><h1>お詫び</h1></header><p>本文です。</p></article>",
        &["お詫び", "本文です。"],
    );
}

#[test]
fn a_class_that_covers_the_page_is_no_advertisement() {
    check(
        "<body><div class='menu-open header-fixed'><p>個人情報が流出しました。</p></div></body>",
        &["個人情報が流出しました。"],
    );
    check("<body><div class=banner><h1>お詫び</h1>本文</div></body>", &["お詫び", "本文"]);
    check("<main><p class='padding adjust'>本文</p><p class=ads-top>広告</p><p>つづき</p></main>", &["本文", "つづき"]);
}

#[test]
fn lists_of_links_are_navigation_unless_there_is_nothing_else() {
    let links = "<ul><li><a href=1>お知らせ一</a><li><a href=2>お知らせ二</a><li><a href=3>お知らせ三</a></ul>";
    let text = "このたびの個人情報の流出につきまして、お客様に多大なるご迷惑とご心配をおかけしましたことを深くお詫び申し上げます。";
    check(&format!("<main><p>{text}</p>{links}</main>"), &[text]);
    check(&format!("<main>{links}</main>"), &["お知らせ一", "お知らせ二", "お知らせ三"]);
    check(
        &format!(
            "<main><p>{text}</p><ul><li><a href=1>次のお知らせ</a><li><a href=a.pdf>別紙</a><li><a href=2>本件</a>の続報</ul></main>"
        ),
        &[text, "別紙", "本件の続報"],
    );
}

#[test]
fn volatile_lines_go_and_figures_stay() {
    check(
        "<main><p>現在時刻：12:34:56</p><p>12:34</p><p>本日は2026年11月23日（月）です。</p><p>あなたは123,456人目の訪問者です</p>
         <p>アクセス数: 1,234</p><p>USD/JPY 151.234 +0.12</p><p>米ドル/円 151.23-151.25</p><p>3分前</p><p>© 2026 箱根FX</p>
         <p>Copyright (C) 2016-2026 Hakone FX All rights reserved.</p>
         <p>不正アクセス数 9,822</p><p>9,822</p><p>2017年6月5日</p><p>受付番号 a81bc81b-dead-4e5d-abff-90865d1e13b1</p><p>電話 0120-123-456</p></main>",
        &["不正アクセス数 9,822", "9,822", "2017年6月5日", "受付番号 ⟨token⟩", "電話 0120-123-456"],
    );
}

#[test]
fn rows_are_lines_and_blanks_between_japanese_are_none() {
    check(
        "<main><table><tr><th>件数</th><td>９，８２２件</td></tr><tr><th>期間</th><td>626日</td></tr></table>
         <p>個人
         情報が Hakone FX から\u{200b}流出</p></main>",
        &["件数 9,822件", "期間 626日", "個人情報が Hakone FX から流出"],
    );
}

#[test]
fn white_space_and_markup_do_not_change_the_hash() {
    let one = read("<main><p>個人情報が流出しました。お詫びします。</p></main>");
    let other = read("<main><div>個人情報が<b>流出</b>しました。</div>\n\n<div>お詫び　します。</div></main>");
    assert_eq!(one.sha256, other.sha256);
    assert_ne!(one.sha256, read("<main>個人情報が流出しました。お詫びします</main>").sha256);
}

#[test]
fn japanese_encodings_are_told_by_header_meta_or_the_bytes() {
    let text = "<main>個人情報の漏えいに関するお詫び</main>";
    for label in ["Shift_JIS", "EUC-JP", "ISO-2022-JP", "UTF-8"] {
        let encode = |text: &str| {
            let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).expect("a label");
            encoding.encode(text).0.into_owned()
        };
        let expected = ["個人情報の漏えいに関するお詫び"];
        assert_eq!(
            Page::read(&encode(text), &format!("text/html; charset=\"{label}\"")).lines,
            expected,
            "{label}, header"
        );
        assert_eq!(Page::read(&encode(text), "text/html").lines, expected, "{label}, guessed");
        let meta = encode(&format!("<html><meta charset={label}>{text}"));
        assert_eq!(Page::read(&meta, "text/html").lines, expected, "{label}, meta");
        let meta = encode(&format!("<html><META HTTP-EQUIV=Content-Type CONTENT='text/html; charset={label}'>{text}"));
        assert_eq!(Page::read(&meta, "").lines, expected, "{label}, http-equiv");
    }
}

#[test]
fn a_refresh_at_once_is_a_redirect() {
    let refresh = |content: &str| read(&format!("<meta http-equiv=Refresh content=\"{content}\">")).refresh;
    assert_eq!(refresh("0; URL='/top.html'").as_deref(), Some("/top.html"));
    assert_eq!(refresh("300; url=/"), None);
    assert_eq!(refresh("5"), None);
}

#[test]
fn what_has_no_text_is_compared_by_its_bytes() {
    let pdf = Page::read(b"%PDF-1.7", "application/pdf");
    assert!(!pdf.has_text && pdf.lines.is_empty());
    assert_ne!(pdf.sha256, Page::read(b"%PDF-1.6", "application/pdf").sha256);
    assert_eq!(Page::read("お詫び\n本文".as_bytes(), "text/plain; charset=utf-8").lines, ["お詫び", "本文"]);
}

#[test]
fn todays_date_is_no_change_and_another_date_is() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let (first, later) = (at("2017-06-05T01:00:00Z"), at("2017-07-28T01:00:00Z"));
    let adopted = |old: &str, new: &str| adopt_today((&[old.to_owned()], first), (&[new.to_owned()], later)).remove(0);
    assert_eq!(adopted("東京 2017年6月5日(月) 10:00", "東京 2017年7月28日(金) 9:30"), "東京 2017年6月5日(月) 10:00");
    assert_eq!(adopted("平成29年6月5日", "平成29年7月28日"), "平成29年6月5日");
    assert_eq!(adopted("公表日 2017年6月5日", "公表日 2017年6月5日"), "公表日 2017年6月5日");
    assert_eq!(adopted("公表日 2017年6月5日", "公表日 2017年7月27日"), "公表日 2017年7月27日");
    assert_eq!(adopted("6月5日に9,822件", "7月28日に9,823件"), "7月28日に9,823件");
}

#[test]
fn deep_and_wide_pages_are_cut_not_feared() {
    let deep = read(&"<div>".repeat(200_000));
    assert!(deep.is_cut);
    let formatting: String = (0..1_000).map(|n| format!("<b class={n}><p>x")).collect();
    read(&formatting);
    let long = read(&format!("<main>{}</main>", "<p>行</p>".repeat(LINES_MAX + 1)));
    assert!(long.is_cut && long.lines.len() == LINES_MAX);
}

/// Each of these took time that grows with the square of the page: minutes for a page of the largest size. There is no clock in
/// this test: what is compared is how much was read.
#[test]
fn a_page_costs_no_more_than_its_bytes() {
    for (begin, end) in [("<p", ">"), ("</p", ">"), ("<p a a", ">"), ("<svg><style><p", ">")] {
        let attributes: String = (0..ATTRIBUTES_MAX * 2).map(|number| format!("/a{number}=1")).collect();
        let page = read(&format!("<main><p>前</p>{begin}{attributes}{end}<p>後</p></main>"));
        assert!(page.is_cut, "{begin}");
        assert_eq!(page.lines, ["前"], "{begin}");
    }
    let quoted = format!(
        "<main><p title='{}'>本文</p><script>if (a<b {}) x()</script>後</main>",
        "a ".repeat(9_000),
        "c ".repeat(9_000)
    );
    let page = read(&quoted);
    assert!(!page.is_cut);
    assert_eq!(page.lines, ["本文", "後"]);
    let articles = read(&"<article>章<article>節</article></article>".repeat(5_000));
    assert_eq!(articles.lines[..2], ["章", "節"]);
}

#[test]
fn a_title_is_cut() {
    let title = "お詫び".repeat(10_000);
    assert_eq!(read(&format!("<title>{title}</title><p>本文")).title.chars().count(), TITLE_CHARS_MAX);
}

/// What a fuzzer would call: no bytes make it panic, and the same bytes tell the same.
fn any_bytes(bytes: &[u8]) {
    for content_type in ["text/html", "text/html; charset=iso-2022-jp", "text/plain", "application/pdf", ""] {
        assert_eq!(Page::read(bytes, content_type), Page::read(bytes, content_type));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        any_bytes(&bytes);
    }

    #[test]
    fn no_markup_panics(parts in proptest::collection::vec(proptest::sample::select(vec![
        "<main>", "</main>", "<article>", "<table>", "<tr>", "<td>", "</table>", "<p>", "<b>", "</b>", "<a href=x>", "</a>",
        "<template>", "</template>", "<svg>", "<math>", "<select>", "<form>", "<script>", "</script>", "<h1>", "<nav>",
        "お詫び。", "2026年11月23日", "12:34", " ", "&amp", "<!--", "-->", "<title>", "<frameset>", "<meta http-equiv=refresh content='0;url=x'>",
    ]), 0..60)) {
        any_bytes(parts.concat().as_bytes());
    }
}
