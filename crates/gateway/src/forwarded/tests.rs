use super::{Arrival, ClientScheme, HOPS_MAX, fuzz_forwarded, origin, set_upstream_headers};
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use proptest::prelude::*;

fn trusted() -> Vec<IpNet> {
    ["10.0.0.0/8", "2001:db8:1::/48"].map(|net| net.parse().expect("a net")).to_vec()
}

/// `name: value` lines as headers.
fn headers(lines: &[&str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header line");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    map
}

fn arrival(peer: &str) -> Arrival<'static> {
    Arrival { peer: peer.parse().expect("an address"), scheme: ClientScheme::Http, host: Some("fx.example:8080") }
}

fn client(peer: &str, lines: &[&str]) -> String {
    origin(arrival(peer), &trusted(), &headers(lines)).client().to_string()
}

#[test]
fn the_client_is_the_rightmost_untrusted_address() {
    let table: &[(&str, &[&str], &str)] = &[
        ("no header", &[], "10.0.0.1"),
        ("one hop", &["x-forwarded-for: 203.0.113.7"], "203.0.113.7"),
        ("what the client wrote itself is ignored", &["x-forwarded-for: 198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("over trusted hops", &["x-forwarded-for: 203.0.113.7, 10.0.0.3, 10.0.0.2"], "203.0.113.7"),
        ("all trusted", &["x-forwarded-for: 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("several lines are one list", &["x-forwarded-for: 203.0.113.7", "x-forwarded-for: 10.0.0.2"], "203.0.113.7"),
        ("with a port", &["x-forwarded-for: 203.0.113.7:5000"], "203.0.113.7"),
        ("IPv6", &["x-forwarded-for: 2001:db8::7"], "2001:db8::7"),
        ("IPv6 in brackets with a port", &["x-forwarded-for: [2001:db8::7]:5000"], "2001:db8::7"),
        ("mapped IPv4", &["x-forwarded-for: ::ffff:203.0.113.7"], "203.0.113.7"),
        ("mapped and trusted", &["x-forwarded-for: 203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
        ("a malformed entry ends the list", &["x-forwarded-for: 203.0.113.7, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("an empty entry ends the list", &["x-forwarded-for: 203.0.113.7, , 10.0.0.2"], "10.0.0.2"),
        ("malformed from the start", &["x-forwarded-for: 203.0.113.300"], "10.0.0.1"),
        ("a port of letters", &["x-forwarded-for: 203.0.113.7:http"], "10.0.0.1"),
        ("bytes beyond ASCII", &["x-forwarded-for: 関所"], "10.0.0.1"),
        ("Forwarded", &["forwarded: for=203.0.113.7;proto=https"], "203.0.113.7"),
        ("Forwarded, IPv6", &["forwarded: For=\"[2001:db8::7]:5000\""], "2001:db8::7"),
        ("Forwarded, IPv6 without quotes is malformed", &["forwarded: for=[2001:db8::7]"], "10.0.0.1"),
        (
            "Forwarded, a list",
            &["forwarded: for=198.51.100.1, for=203.0.113.7;by=10.9.9.9, for=10.0.0.2"],
            "203.0.113.7",
        ),
        ("Forwarded, a comma in quotes", &["forwarded: for=203.0.113.7;x=\"a, for=198.51.100.1\""], "203.0.113.7"),
        ("Forwarded, unknown", &["forwarded: for=203.0.113.7, for=unknown, for=10.0.0.2"], "10.0.0.2"),
        ("Forwarded, obfuscated", &["forwarded: for=_hidden"], "10.0.0.1"),
        ("Forwarded, for twice", &["forwarded: for=203.0.113.7;for=198.51.100.1"], "10.0.0.1"),
        ("Forwarded, an open quote", &["forwarded: for=\"203.0.113.7"], "10.0.0.1"),
        ("Forwarded without for", &["forwarded: proto=https"], "10.0.0.1"),
        ("X-Forwarded-For wins", &["forwarded: for=198.51.100.1", "x-forwarded-for: 203.0.113.7"], "203.0.113.7"),
    ];
    for (what, lines, expected) in table {
        assert_eq!(&client("10.0.0.1", lines), expected, "{what}");
    }
    assert_eq!(client("::ffff:10.0.0.1", &["x-forwarded-for: 203.0.113.7"]), "203.0.113.7", "a mapped peer is trusted");
    assert_eq!(client("2001:db8:1::1", &["x-forwarded-for: 203.0.113.7"]), "203.0.113.7", "an IPv6 peer is trusted");
}

#[test]
fn an_untrusted_peer_is_the_client_whatever_it_says() {
    let lines = ["x-forwarded-for: 10.0.0.2", "forwarded: for=10.0.0.2", "x-real-ip: 10.0.0.2"];
    assert_eq!(client("198.51.100.9", &lines), "198.51.100.9");
    assert_eq!(client("::ffff:198.51.100.9", &lines), "198.51.100.9");
}

#[test]
fn hops_are_bounded() {
    let list = |hops: usize| format!("x-forwarded-for: 203.0.113.7{}", ", 10.0.0.2".repeat(hops));
    assert_eq!(client("10.0.0.1", &[&list(HOPS_MAX - 1)]), "203.0.113.7");
    assert_eq!(client("10.0.0.1", &[&list(HOPS_MAX)]), "10.0.0.2");
}

/// What the upstream receives, as sorted lines.
fn upstream(peer: &str, lines: &[&str]) -> Vec<String> {
    let mut map = headers(lines);
    let found = origin(arrival(peer), &trusted(), &map);
    set_upstream_headers(&mut map, &found, &found.upstream_fields());
    let mut lines: Vec<String> =
        map.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
    lines.sort();
    lines
}

#[test]
fn an_untrusted_peers_fields_are_replaced_in_every_spelling() {
    let sent = [
        "accept: */*",
        "forwarded: for=10.0.0.2;proto=https",
        "x-forwarded-for: 10.0.0.2",
        "x-forwarded-proto: https",
        "x-forwarded-host: admin.example",
        "x-forwarded-port: 443",
        "x_forwarded_for: 10.0.0.2",
        "x-forwarded_prefix: /admin",
        "x-real-ip: 10.0.0.2",
        "x_real_ip: 10.0.0.2",
        "x-original-url: /admin",
        "x_rewrite_url: /admin",
    ];
    let expected = [
        "accept: */*",
        "forwarded: for=198.51.100.9;host=\"fx.example:8080\";proto=http",
        "x-forwarded-for: 198.51.100.9",
        "x-forwarded-host: fx.example:8080",
        "x-forwarded-proto: http",
    ];
    assert_eq!(upstream("198.51.100.9", &sent), expected);
}

#[test]
fn a_trusted_peers_fields_are_passed_on_as_believed() {
    let sent = [
        "x-forwarded-for: 198.51.100.1, 2001:db8::7, 10.0.0.2",
        "x-forwarded-proto: https",
        "x-forwarded-host: www.fx.example",
        "x-forwarded-port: 443",
        "x_forwarded_port: 80",
        "x-original-url: /fx",
    ];
    let expected = [
        "forwarded: for=\"[2001:db8::7]\";host=www.fx.example;proto=https, for=10.0.0.2, for=10.0.0.1",
        "x-forwarded-for: 2001:db8::7, 10.0.0.2, 10.0.0.1",
        "x-forwarded-host: www.fx.example",
        "x-forwarded-port: 443",
        "x-forwarded-proto: https",
        "x-original-url: /fx",
    ];
    assert_eq!(upstream("10.0.0.1", &sent), expected);
}

#[test]
fn scheme_and_host_come_from_the_clients_element_of_forwarded() {
    let sent =
        ["forwarded: for=198.51.100.1;host=evil.example, for=203.0.113.7;proto=https;host=\"www.fx.example:443\""];
    let expected = [
        "forwarded: for=203.0.113.7;host=\"www.fx.example:443\";proto=https, for=10.0.0.1",
        "x-forwarded-for: 203.0.113.7, 10.0.0.1",
        "x-forwarded-host: www.fx.example:443",
        "x-forwarded-proto: https",
    ];
    assert_eq!(upstream("10.0.0.1", &sent), expected);
}

#[test]
fn a_scheme_or_host_that_is_malformed_or_a_list_is_not_believed() {
    for sent in [
        ["x-forwarded-proto: javascript", "x-forwarded-host: a b"],
        ["x-forwarded-proto: https, http", "x-forwarded-host: a.example, b.example"],
        ["x-forwarded-proto: ", "x-forwarded-host: a.example/path"],
    ] {
        let expected = [
            "forwarded: for=10.0.0.1;host=\"fx.example:8080\";proto=http",
            "x-forwarded-for: 10.0.0.1",
            "x-forwarded-host: fx.example:8080",
            "x-forwarded-proto: http",
        ];
        assert_eq!(upstream("10.0.0.1", &sent), expected);
    }
}

#[test]
fn corpus() {
    for seed in
        ["203.0.113.7, 10.0.0.2", "for=\"[::1]:80\";host=a, for=_x", "for=\"a\\\"b\"", ",,;;==\"\"", "[::1", "for=\"\\"]
    {
        fuzz_forwarded(seed.as_bytes());
    }
}

proptest! {
    #[test]
    fn what_is_sent_reads_as_it_was_meant(
        text in r#"(for=|proto=|host=|"|\\|,|;| |10\.0\.0\.2|203\.0\.113\.7|\[2001:db8::7\]|:80|unknown|[a-z]){0,12}"#,
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        fuzz_forwarded(text.as_bytes());
        fuzz_forwarded(&data);
    }
}
