//! What the mail with a code says, in both languages. No link: the person goes back to the page by themselves.

use crate::config::Firm;
use crate::words::Language;

/// A mail in words. Not shown by `Debug`.
pub struct MailText {
    /// The subject, without line ends.
    pub subject: String,
    /// The text; lines end with `\n`.
    pub body: String,
}

/// By what a person tells the firm's mails from others.
#[derive(Clone, Debug)]
pub struct Genuine {
    /// The sender's address.
    pub from: String,
    /// The domain that signs.
    pub domain: String,
}

impl std::fmt::Debug for MailText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailText(…)")
    }
}

/// The mail with these codes, which work for so many minutes more.
pub(super) fn write(language: Language, firm: &Firm, genuine: &Genuine, codes: &[String], minutes: u64) -> MailText {
    let name = one_line(language.of(&firm.name));
    let contact: Vec<&str> = firm.contact.iter().map(|line| language.of(line)).collect();
    let (contact, codes_lines) = (contact.join("\n"), codes.join("\n"));
    let several = codes.len() > 1;
    let Genuine { from, domain } = genuine;
    match language {
        Language::Ja => MailText {
            subject: format!("【{name}】照会コードのお知らせ"),
            body: format!(
                "{name}でございます。\n\
                 「お客様の情報に関するご確認」のページにて、照会コードをメールで受け取るお手続きがございましたので、\
                 ご案内申し上げます。\n\n\
                 ■ 照会コード\n{codes_lines}\n\n\
                 {}このメールの送信から約{minutes}分間、一度に限りお使いいただけます。お手続きいただいたページを\
                 再度お開きのうえ、ご入力ください。照会コードは、ほかの方にお伝えにならないようお願い申し上げます。\n\n\
                 ■ お心当たりのない場合\n\
                 ほかの方が誤ってお客様のメールアドレスを入力された可能性がございます。照会コードはこのメールにのみ記載して\
                 おりますので、そのまま破棄していただきますようお願い申し上げます。お客様に必要なお手続きはございません。\n\n\
                 ■ 当社からのメールの見分け方\n\
                 ・差出人のメールアドレスは {from} です。\n\
                 ・{domain} の電子署名(DKIM)を付けてお送りしております。\n\
                 ・文字のみのメールで、リンクや添付ファイルはございません。\n\
                 ・パスワード、暗証番号、カード番号、マイナンバーをお尋ねすることはございません。\n\n\
                 ■ お問い合わせ窓口\n{contact}\n\n\
                 {name}\n",
                if several {
                    "照会コードは、ご案内ごとに1件ずつ発行しております。1件ずつご入力ください。いずれも、"
                } else {
                    "この照会コードは、"
                },
            ),
        },
        Language::En => MailText {
            subject: format!("[{name}] Your case code"),
            body: format!(
                "{name} sends you this e-mail because somebody asked on our page \"Check whether your data was \
                 affected\" for a case code to be sent to this address.\n\n\
                 Case code{}\n{codes_lines}\n\n\
                 {}works once, for about {minutes} minute{} after this e-mail was sent. Open the page again on which you \
                 asked for it, and enter it there. Please do not pass it on to anybody.\n\n\
                 If you did not ask for it\n\
                 Somebody may have typed your address by mistake. The code is in this e-mail only, so please delete it; \
                 there is nothing else for you to do.\n\n\
                 How to recognise our e-mails\n\
                 - They come from {from}.\n\
                 - They carry an electronic signature (DKIM) of {domain}.\n\
                 - They are plain text, without links or attachments.\n\
                 - We never ask for a password, a PIN, a card number or your My Number.\n\n\
                 Contact\n{contact}\n\n\
                 {name}\n",
                if several { "s" } else { "" },
                if several { "There is one code for each notice; enter them one by one. Each " } else { "The code " },
                if minutes == 1 { "" } else { "s" },
            ),
        },
    }
}

/// A header has one line, whatever the configuration has.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
