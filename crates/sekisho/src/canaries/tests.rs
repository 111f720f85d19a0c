use super::*;

fn columns() -> Vec<Column> {
    let kinds = [
        ("account_id", FieldKind::AccountId),
        ("氏名", FieldKind::Name),
        ("フリガナ", FieldKind::Kana),
        ("romaji", FieldKind::Romaji),
        ("mail", FieldKind::Email),
        ("phone", FieldKind::Phone),
        ("card", FieldKind::Pan),
        ("birth", FieldKind::BirthDate),
        ("branch", FieldKind::Text),
        ("マイナンバー", FieldKind::Text),
        ("password", FieldKind::Secret),
        ("note", FieldKind::Text),
    ];
    let column =
        |(at, (name, kind)): (usize, (&str, FieldKind))| Column { name: name.to_owned(), kind, is_row_key: at == 0 };
    kinds.into_iter().enumerate().map(column).collect()
}

fn firm() -> Vec<Vec<String>> {
    let row = |id: &str, name: &str, note: &str| {
        let cells = [
            id,
            name,
            "ヤマダ　タロウ",
            "TARO YAMADA",
            "taro@example.com",
            "090-1234-5678",
            "4111111111111111",
            "1980/02/03",
            "本店",
            "123456789018",
            "$2b$12$abcABC019abcABC019abcABC019",
            note,
        ];
        cells.map(str::to_owned).to_vec()
    };
    vec![row("HK10000001", "山田　太郎", "call back"), row("HK20000002", "佐藤　花子", "moved")]
}

#[test]
fn rows_follow_the_firms_forms_and_harm_nobody() {
    for row in plant(&columns(), &firm(), 50, "canary.example.jp", 7).expect("rows") {
        let id = row[0].strip_prefix("HK").expect("the firm's prefix");
        assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
        assert!(row[1].contains('\u{3000}') && row[2].contains('\u{3000}'), "the firm's space: {}", row[1]);
        assert_eq!(row[3], row[3].to_uppercase());
        assert!(row[4].ends_with("@canary.example.jp"));
        assert_eq!((&row[5][..1], &row[5][3..6]), ("0", "-00"), "a block of zeros: {}", row[5]);
        assert_eq!((row[6].as_str(), row[9].as_str(), row[11].as_str()), ("", "", ""), "no card, My Number or note");
        assert!(row[7].len() == 10 && row[7].matches('/').count() == 2, "{}", row[7]);
        assert_eq!(row[8], "本店");
        assert!(row[10].starts_with("$2b$12$") && row[10] != firm()[0][10]);
    }
}

#[test]
fn the_three_scripts_of_a_name_agree() {
    for row in plant(&columns(), &firm(), 100, "canary.example.jp", 3).expect("rows") {
        let of = |text: &str| text.split(['\u{3000}', ' ']).map(str::to_owned).collect::<Vec<_>>();
        let (kanji, kana, romaji) = (of(&row[1]), of(&row[2]), of(&row[3]));
        let agrees = |list: &[Name], at: usize, latin: usize| {
            list.iter().any(|name| name.0 == kanji[at] && name.1 == kana[at] && name.2.to_uppercase() == romaji[latin])
        };
        assert!(agrees(&FAMILY, 0, 1) && agrees(&GIVEN, 1, 0), "{row:?}");
    }
}

#[test]
fn a_seed_gives_the_same_rows_and_none_is_the_firms_or_there_twice() {
    let rows = plant(&columns(), &firm(), 200, "canary.example.jp", 5).expect("rows");
    assert_eq!(rows, plant(&columns(), &firm(), 200, "canary.example.jp", 5).expect("rows"));
    assert_ne!(rows, plant(&columns(), &firm(), 200, "canary.example.jp", 6).expect("rows"));
    for column in [0, 1, 4, 5, 10] {
        let values: HashSet<&String> = rows.iter().map(|row| &row[column]).collect();
        assert_eq!(values.len(), 200, "column {column}");
        assert!(firm().iter().all(|row| !values.contains(&row[column])), "column {column}");
    }
}

#[test]
fn ids_that_use_up_their_form_are_told() {
    let columns = [Column { name: "id".to_owned(), kind: FieldKind::AccountId, is_row_key: true }];
    let firm: Vec<Vec<String>> = (0..10).map(|digit| vec![digit.to_string()]).collect();
    assert!(plant(&columns, &firm, 1, "canary.example.jp", 1).is_err());
}

#[test]
fn mail_goes_to_the_firm_alone() {
    for good in ["example.jp", "canary.firm.co.jp"] {
        check_mail_domain(good).expect(good);
    }
    for bad in ["gmail.com", "Yahoo.co.jp", "mail.docomo.ne.jp", "firm", "a b.jp", "-x.jp", "x..jp", "@firm.jp"] {
        assert!(check_mail_domain(bad).is_err(), "{bad}");
    }
}
