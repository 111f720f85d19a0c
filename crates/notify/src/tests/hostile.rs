//! Rows and configurations that would write headers, lines or commands of their own.

use super::*;

/// The mail to a person of this name, the name standing in the subject too.
fn mail_to(name: &str) -> String {
    let customers = format!(
        "id,name,kana,email,phone,born,lang,zip,address\nHK10000001,\"{name}\",,taro.yamada@example.jp,,,en,,\n"
    );
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("en.ftl"), "first-subject = Notice to { $name }\n").expect("written");
    let own = format!("language = \"ja\"\ntemplates = \"{}\"", dir.path().display());
    let config = CONFIG.replacen("language = \"ja\"", &own, 1);
    match desk(&customers, &config).mail(&task("HK10000001", &["email"]), at(0)).expect("written") {
        Written::Mail { bytes, .. } => String::from_utf8(bytes).expect("text"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_name_of_the_register_brings_no_header_and_no_line() {
    for name in ["Taro\r\nBcc: evil", "Taro\nBcc: evil\n\nPay here", "Taro\rBcc: evil"] {
        let mail = mail_to(name);
        let (head, body) = mail.split_once("\r\n\r\n").expect("a head and a body");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{mail}");
        assert!(!mail.replace("\r\n", "").contains(['\r', '\n']), "{mail:?}");
        assert!(!body.lines().any(|line| line.starts_with("Bcc") || line.starts_with("Pay here")), "{mail}");
    }
}

#[test]
fn a_name_turns_no_text_around_and_is_no_novel() {
    let turned = mail_to("Taro \u{202e}yenom dnes\u{2066}\u{200b}");
    assert!(turned.contains("Subject: Notice to Taro yenom dnes\r\n"), "{turned}");
    let long = mail_to(&"Taro ".repeat(2_000));
    assert!(long.contains("NoAddress"), "{long:.300}");
}

#[test]
fn a_subject_of_any_length_is_folded_into_short_words() {
    let mail = mail_to(&"山田太郎左衛門".repeat(20));
    let (head, _) = mail.split_once("\r\n\r\n").expect("a head");
    let words = head.split_whitespace().filter(|word| word.starts_with("=?"));
    // RFC 2047, section 2.
    assert!(words.clone().count() > 1 && words.clone().all(|word| word.len() <= 75), "{head}");
    assert!(head.lines().all(|line| line.len() <= 78), "{head}");
}

#[test]
fn a_configuration_that_would_break_commands_or_headers_is_refused() {
    let told = |text: &str| Config::parse(text, Path::new("notify.toml")).expect_err("refused").to_string();
    let dkim = |domain: &str, selector: &str| {
        let section = format!("[dkim]\ndomain = \"{domain}\"\nselector = \"{selector}\"\nkey_file = \"k\"\n[relay]");
        CONFIG.replace("[relay]", &section)
    };
    for (text, expected) in [
        (CONFIG.replace("port = 2525", "port = 2525\nhello = \"a\\r\\nMAIL FROM:<>\""), "relay.hello"),
        (dkim("例え.jp", "s1"), "dkim.domain"),
        (dkim("example.jp; l=0", "s1"), "dkim.domain"),
        (dkim("example.jp", "s1\\r\\nBcc: x"), "dkim.selector"),
    ] {
        assert!(told(&text).contains(expected), "{expected}");
    }
}
