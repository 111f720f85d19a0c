use super::*;

fn conditions(query: &str) -> usize {
    conditions_in(Part::Query(query.as_bytes())).len()
}

#[test]
fn payloads_of_blind_extraction_read_like_conditions() {
    for value in [
        "1' AND 4521=4521-- x",
        "x') AND ORD(MID((SELECT IFNULL(CAST(email AS NCHAR),0x20) FROM members LIMIT 0,1),1,1))>64-- x",
        "1%27%20AND%20SUBSTR%28%28SELECT%20mail%20FROM%20t%29%2C1%2C1%29%3E%27m",
        "1 AND (SELECT 4242 FROM (SELECT(SLEEP(5-(IF(ORD(MID(VERSION(),1,1))>51,0,5)))))a)",
        "1;SELECT CASE WHEN (ASCII(SUBSTRING(current_user,1,1))>96) THEN pg_sleep(2) ELSE pg_sleep(0) END--",
        "a'||(SELECT (CASE WHEN (SUBSTR((SELECT mail FROM t LIMIT 1),1,1)>'M') THEN 1 ELSE 0 END))||'",
        "1' AND 2947=LIKE(CHAR(65,66,67),UPPER(HEX(RANDOMBLOB(500000000/2)))) AND 'a'='a",
        "1';WAITFOR DELAY '0:0:5'--",
        "x'/**/OR/**/EXISTS(SELECT/**/1)/**/AND/**/'1'='1",
        "1) RLIKE (SELECT (CASE WHEN (1=1) THEN 1 ELSE 0x28 END)) AND (1=1",
        "x' or name like 'a%",
        "セミナー' AND SUBSTR(mail,1,1)='a",
    ] {
        assert_eq!(conditions(&format!("page=2&q={}", value.replace('&', "%26"))), 1, "{value}");
    }
}

#[test]
fn what_people_and_programs_send_does_not() {
    for value in [
        "2",
        "O'Brien",
        "O'Brien and Sons",
        "O'Brien & D'Angelo (London)",
        "Barnes and Noble (books)",
        "rock 'n' roll and jazz",
        "山田太郎",
        "東京（新宿）or 大阪",
        "セミナー (初級) and 「為替」",
        "(03) 5555-0100",
        "f(x) and g(x)",
        "it's in stock -- really",
        "select committee (2019)",
        "(a and b) or c",
        "user@example.jp",
        "2026-01-01..2026-02-01",
        "price:(10 TO 20) AND brand:acme",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    ] {
        assert_eq!(conditions(&format!("q={value}")), 0, "{value}");
        assert!(conditions_in(Part::Whole(value.as_bytes())).is_empty(), "{value}");
    }
}

#[test]
fn each_kind_of_part_is_read() {
    let condition = "1' AND 1=1-- x";
    assert_eq!(conditions_in(Part::Cookie(format!("a=b; id={condition}").as_bytes())).len(), 1);
    assert_eq!(conditions_in(Part::Json(format!(r#"{{"q":"{condition}","n":[1,"\"x"]}}"#).as_bytes())).len(), 1);
    assert!(conditions_in(Part::Json(br#"{"user":"O'Brien","where":"(a=b)","and":"c>d","x":"\"#)).is_empty());
}

fn key() -> Key {
    Key { client: "192.0.2.1".parse().expect("an address"), session: None, route: "seminar".to_owned() }
}

fn feed(watch: &mut BlindWatch, count: u64, apart: Duration) -> Vec<u64> {
    let mut at = Timestamp(0);
    let mut listed = Vec::new();
    for number in 0..count {
        at = at.after(apart);
        let value = format!("1' AND {number}={number}-- x").into_bytes();
        listed.extend(watch.note(at, key(), &[value]).map(|suspect| suspect.requests));
    }
    listed
}

#[test]
fn a_session_is_listed_at_growing_counts() {
    assert_eq!(feed(&mut BlindWatch::default(), 3000, Duration::from_millis(10)), [20, 100, 500, 2500]);
}

#[test]
fn values_older_than_the_window_do_not_count() {
    assert!(feed(&mut BlindWatch::default(), 200, Duration::from_secs(60)).is_empty());
}

#[test]
fn the_same_value_counts_once() {
    let mut watch = BlindWatch::default();
    let value = [b"1' AND 1=1-- x".to_vec()];
    assert!((0..100).all(|_| watch.note(Timestamp(1), key(), &value).is_none()));
}

#[test]
fn the_table_is_bounded_and_forgets_who_came_first() {
    let mut watch = BlindWatch::default();
    for number in 0..SESSIONS_MAX + 10 {
        let key = Key { route: number.to_string(), ..key() };
        watch.note(Timestamp(i64::try_from(number).expect("small")), key, &[b"x".to_vec()]);
    }
    assert_eq!(watch.sessions.len(), SESSIONS_MAX);
    assert!(!watch.sessions.contains_key(&Key { route: "0".to_owned(), ..key() }));
}
