//! Register cells: what is looked up, and what cannot be.

use super::{account, card, mail, my_number, phone, secret};

fn text(bytes: Option<Vec<u8>>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn mails() {
    assert_eq!(text(mail::register_value(b"Taro@Mail.Example")).as_deref(), Some("taro@mail.example"));
    assert_eq!(text(mail::register_value(b"o'brien+fx@a.bc")).as_deref(), Some("o'brien+fx@a.bc"));
    for bad in [
        "taro",
        "@mail.example",
        "taro@",
        "taro@mail",
        "a@b@mail.example",
        "taro@mail.example.",
        "a b@mail.example",
        "taro@-a.bc",
    ] {
        assert_eq!(mail::register_value(bad.as_bytes()), None, "{bad}");
    }
    let long = format!("{}@mail.example", "a".repeat(65));
    assert_eq!(mail::register_value(long.as_bytes()), None);
}

#[test]
fn cards() {
    assert_eq!(text(card::register_value(b"4111-1111 1111-1111")).as_deref(), Some("4111111111111111"));
    for bad in ["4111111111111112", "411111", "0000000000000000", "4111x11111111111", ""] {
        assert_eq!(card::register_value(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn phones() {
    for same in ["03-5550-0101", "(03) 5550-0101", "+81-3-5550-0101", "+81 (0)3 5550 0101", "0355500101"] {
        assert_eq!(text(phone::register_value(same.as_bytes())).as_deref(), Some("0355500101"), "{same}");
    }
    for bad in ["5550-0101", "9012345678", "+1 212 555 0101", "0035550010", "03-5550-01o1", "+"] {
        assert_eq!(phone::register_value(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn account_ids() {
    for good in ["1234", "HK-0001234", "a_12345.b"] {
        assert!(account::register_value(good.as_bytes()).is_some(), "{good}");
    }
    for bad in ["123", "HK-001-234", "12 3456", "-1234", "1234-", "a--1234", "1-2-3-4-5-6-7890", "あ1234"] {
        assert!(account::register_value(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn secrets() {
    let (run, shape) = secret::register_value(b"$2b$12$abcdefghijkl/x").expect("a long run");
    assert_eq!((run, shape.before, shape.len), (7..19, 7, 21));
    for bad in ["short", "abcdefghijk", "two words abcdefghijkl", ""] {
        assert!(secret::register_value(bad.as_bytes()).is_none(), "{bad}");
    }
    assert!(secret::register_value(&[b'a'; 257]).is_none());
}

#[test]
fn the_check_digit_of_a_my_number() {
    assert_eq!(my_number::check_digit(b"123456789018"), b'8');
    assert_eq!(my_number::check_digit(b"000000000000"), b'0');
}
