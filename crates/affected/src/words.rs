//! What the page says, in both languages. No logic.

use crate::code::Mistyped;
use crate::notice::Both;

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Ja,
    En,
}

impl Language {
    pub(crate) const ALL: [Language; 2] = [Language::Ja, Language::En];

    pub(crate) fn words(self) -> &'static Words {
        match self {
            Language::Ja => &JA,
            Language::En => &EN,
        }
    }

    pub(crate) fn of(self, both: &Both) -> &str {
        match self {
            Language::Ja => &both.ja,
            Language::En => &both.en,
        }
    }
}

/// Every sentence of the page.
pub(crate) struct Words {
    pub(crate) lang: &'static str,
    pub(crate) path: &'static str,
    pub(crate) other_lang: &'static str,
    pub(crate) other_path: &'static str,
    pub(crate) other_name: &'static str,
    pub(crate) error_prefix: &'static str,
    pub(crate) form_title: &'static str,
    pub(crate) form_intro: &'static str,
    pub(crate) code_label: &'static str,
    pub(crate) code_hint: &'static str,
    pub(crate) submit: &'static str,
    pub(crate) never_asked: &'static str,
    pub(crate) again: &'static str,
    pub(crate) mail_path: &'static str,
    pub(crate) other_mail_path: &'static str,
    pub(crate) mail_link: &'static str,
    pub(crate) mail_title: &'static str,
    pub(crate) mail_intro: &'static str,
    pub(crate) mail_label: &'static str,
    pub(crate) mail_submit: &'static str,
    pub(crate) mail_problem: &'static str,
    pub(crate) mailed_title: &'static str,
    pub(crate) mailed: [&'static str; 3],
    pub(crate) contact: &'static str,
    pub(crate) unknown_title: &'static str,
    pub(crate) unknown: [&'static str; 2],
    pub(crate) busy_title: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) found_title: &'static str,
    pub(crate) found_intro: &'static str,
    pub(crate) incident: &'static str,
    pub(crate) period: &'static str,
    pub(crate) version: &'static str,
    pub(crate) version_before: &'static str,
    pub(crate) version_after: &'static str,
    pub(crate) left: &'static str,
    pub(crate) not_found: &'static str,
    pub(crate) not_found_note: &'static str,
    pub(crate) not_examined: &'static str,
    pub(crate) not_examined_note: &'static str,
    pub(crate) advice: &'static str,
    mistyped: [&'static str; 4],
}

impl Words {
    pub(crate) fn mistyped(&self, problem: Mistyped) -> &'static str {
        match problem {
            Mistyped::Empty => self.mistyped[0],
            Mistyped::Length => self.mistyped[1],
            Mistyped::Character => self.mistyped[2],
            Mistyped::Check => self.mistyped[3],
        }
    }
}

const JA: Words = Words {
    lang: "ja",
    path: "/",
    other_lang: "en",
    other_path: "/en",
    other_name: "English",
    error_prefix: "入力エラー",
    form_title: "お客様の情報に関するご確認",
    form_intro: "当社からお送りしたメールまたは書面に記載の照会コードをご入力ください。お客様の情報のうち、どの項目が流出したかをご確認いただけます。",
    code_label: "照会コード",
    code_hint: "英数字21文字です。ハイフンや空白は省略できます。大文字・小文字、全角・半角は問いません。",
    submit: "確認する",
    never_asked: "この画面で、お名前、パスワード、カード番号、マイナンバーをお尋ねすることはありません。",
    again: "照会コードの入力画面に戻る",
    mail_path: "/mail",
    other_mail_path: "/en/mail",
    mail_link: "照会コードがお手元にない方は、こちらからメールで受け取れます。",
    mail_title: "照会コードのメールでの受け取り",
    mail_intro: "当社にご登録のメールアドレスをご入力ください。ご案内の対象となるお客様のアドレスである場合に限り、一度だけ使える照会コードをお送りします。",
    mail_label: "メールアドレス",
    mail_submit: "照会コードを受け取る",
    mail_problem: "メールアドレスの形式をお確かめください。例：taro@example.jp",
    mailed_title: "お申し込みを受け付けました",
    mailed: [
        "ご入力のメールアドレスがご案内の対象となるお客様のものである場合に限り、照会コードをお送りします。届きましたら、照会コードの入力画面にご入力ください。",
        "照会コードは、お送りしてから30分以内に、一度だけお使いいただけます。",
        "メールが届かないことは、お客様の情報が流出していないことを示すものではありません。迷惑メールのフォルダーもご確認のうえ、ご不明な点は下記の窓口までお問い合わせください。",
    ],
    contact: "お問い合わせ窓口",
    unknown_title: "この照会コードでお伝えできる情報はありません",
    unknown: [
        "照会コードの期限が過ぎているか、別のご案内の照会コードである可能性があります。",
        "この表示は、お客様の情報が流出していないことを示すものではありません。ご不明な点は、下記の窓口までお問い合わせください。",
    ],
    busy_title: "時間をおいて、もう一度お試しください",
    busy: "短い時間に続けてご照会があったため、受け付けを一時的に止めています。1分ほどお待ちいただいてから、もう一度お試しください。",
    found_title: "お客様の情報に関する調査結果",
    found_intro: "次の件により、お客様の情報の一部が流出したことを確認いたしました。ご心配とご迷惑をおかけしておりますことを、深くおわび申し上げます。",
    incident: "件名",
    period: "流出の期間",
    version: "お知らせの版",
    version_before: "第",
    version_after: "版",
    left: "流出を確認した項目",
    not_found: "流出が確認されなかった項目",
    not_found_note: "調査した範囲では、流出は見つかっておりません。",
    not_examined: "調査の対象としていない項目",
    not_examined_note: "流出の有無を確認できておりません。",
    advice: "お客様へのお願い",
    mistyped: [
        "照会コードをご入力ください。",
        "照会コードの文字数が違います。英数字21文字をご入力ください。",
        "照会コードに使われない文字が含まれています。メールまたは書面の表記をお確かめください。",
        "照会コードに入力の誤りがあります。メールまたは書面の表記をお確かめのうえ、もう一度ご入力ください。",
    ],
};

const EN: Words = Words {
    lang: "en",
    path: "/en",
    other_lang: "ja",
    other_path: "/",
    other_name: "日本語",
    error_prefix: "Error",
    form_title: "Check whether your data was affected",
    form_intro: "Enter the case code from the e-mail or letter that we sent you. You will see which items of your data left our systems.",
    code_label: "Case code",
    code_hint: "21 letters and digits. Hyphens and spaces may be left out; capital and small letters are the same.",
    submit: "Show my result",
    never_asked: "This page never asks for your name, a password, a card number or your My Number.",
    again: "Back to the case code",
    mail_path: "/en/mail",
    other_mail_path: "/mail",
    mail_link: "No case code at hand? You can have one sent to you by e-mail.",
    mail_title: "Get a case code by e-mail",
    mail_intro: "Enter the e-mail address that we have on file. If it belongs to somebody concerned, and only then, we send a case code to it that works once.",
    mail_label: "E-mail address",
    mail_submit: "Send me a case code",
    mail_problem: "Please check the e-mail address. Example: taro@example.jp",
    mailed_title: "We have received your request",
    mailed: [
        "If the e-mail address belongs to somebody concerned, and only then, we send a case code to it. Enter it on the page for case codes.",
        "The case code works once, within 30 minutes.",
        "That no e-mail arrives does not mean that your data was not affected. Please look into your spam folder too, and contact us as shown below if you have questions.",
    ],
    contact: "Contact",
    unknown_title: "There is nothing we can tell you for this case code",
    unknown: [
        "The code may have expired, or it may belong to another letter.",
        "This does not mean that your data was not affected. If you have questions, please contact us as shown below.",
    ],
    busy_title: "Please try again later",
    busy: "There were many requests in a short time, so we are not taking more at the moment. Please wait a minute and try again.",
    found_title: "What we found about your data",
    found_intro: "We have confirmed that some of your data left our systems in the following incident. We sincerely apologise.",
    incident: "Incident",
    period: "Period",
    version: "Version of the notice",
    version_before: "",
    version_after: "",
    left: "Items that left our systems",
    not_found: "Items that were not found to have left",
    not_found_note: "We looked for them and found no sign of it.",
    not_examined: "Items that were not examined",
    not_examined_note: "We do not know whether they left.",
    advice: "What you should do",
    mistyped: [
        "Enter the case code.",
        "The case code has the wrong length. It has 21 letters and digits.",
        "The case code has a character that no code has. Please compare it with the e-mail or letter.",
        "The case code is mistyped. Please compare it with the e-mail or letter and enter it again.",
    ],
};
