use super::*;
use crate::inspect::Policy;
use proptest::prelude::*;

fn route(host: Option<&str>, path_prefix: &str) -> config::Route {
    config::Route {
        name: None,
        host: host.map(str::to_owned),
        path_prefix: path_prefix.to_owned(),
        upstream: 0,
        inspect: true,
        continuity: false,
        compress: false,
        websocket: false,
        rules: Policy::default(),
        case: None,
    }
}

/// Routes 0 to 4.
fn table() -> RouteTable {
    RouteTable::new(vec![
        route(None, "/"),
        route(None, "/my"),
        route(None, "/my/orders/"),
        route(Some("staff.example"), "/admin"),
        route(None, "/admin"),
    ])
}

#[track_caller]
fn check(host: &str, path: &str, expected: Choice) {
    assert_eq!(table().choose(host, path), expected, "{host} {path}");
}

#[test]
fn the_longest_prefix_on_segment_boundaries_wins() {
    check("a.example", "/", Choice::Route(0));
    check("a.example", "/my", Choice::Route(1));
    check("a.example", "/mypage", Choice::Route(0));
    check("a.example", "/my/orders", Choice::Route(2));
    check("a.example", "/my/orders/7", Choice::Route(2));
    check("a.example", "/my/ordersheet", Choice::Route(1));
}

#[test]
fn a_host_of_its_own_comes_before_any_host() {
    check("staff.example", "/admin/x", Choice::Route(3));
    check("STAFF.example", "/admin/x", Choice::Route(3));
    check("staff.example.", "/admin/x", Choice::Route(3));
    check("a.example", "/admin/x", Choice::Route(4));
    check("staff.example", "/my", Choice::Route(1));
    assert_eq!(RouteTable::new(vec![route(Some("a.example"), "/")]).choose("b.example", "/"), Choice::NoRoute);
}

#[test]
fn a_path_that_could_mean_another_route_is_refused() {
    for path in [
        "/x/%2e%2e/admin",
        "/x/../admin",
        "/x/..%2fadmin",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/%2561dmin",
        "/x/..;/admin",
        "/admin;v=1/list",
        "/my/..\\admin",
        "/admin/../my",
        "/admin/%2e%2e/my",
        "/my%2forders",
        "/Admin",
        "/ADMIN/list",
        "/x/../Admin",
        "/%41dmin",
        "/my/Orders",
        "/my%u002forders",
        "/%u0061dmin",
        "/x%u002f..%u005cadmin",
    ] {
        check("a.example", path, Choice::Ambiguous);
    }
}

#[test]
fn an_odd_path_that_means_one_route_in_every_reading_passes() {
    for path in [
        "/News/Today",
        "/%u7bb1%u6839",
        "/%u",
        "/%uzzzz",
        "/news//today",
        "/a/../b",
        "/search/%E7%AE%B1%E6%A0%B9",
        "/a;b=c",
        "/a%2fb",
        "/%",
        "/...",
        "/100%25",
    ] {
        check("a.example", path, Choice::Route(0));
    }
    check("a.example", "/my/a%20b//c", Choice::Route(1));
    let single = RouteTable::new(vec![route(None, "/")]);
    assert_eq!(single.choose("a.example", "/../..//%2e%2e/\\"), Choice::Route(0));
}

#[test]
fn a_shape_never_shows_a_segment_that_might_be_a_persons() {
    let shapes = RouteShapes::default();
    let cases = [
        ("/", "/"),
        ("/login", "/login"),
        ("/my/orders/12345678", "/my"),
        ("/index.html", "/index.html"),
        ("/robots.txt", "/robots.txt"),
        ("/order_history", "/order_history"),
        ("/open-account", "/open-account"),
        ("/v2/x", "/v2"),
        ("/api-v1/x", "/api-v1"),
        ("/taro.yamada", "/{…}"),
        ("/taro.yamada-1", "/{…}"),
        ("/taro.yamada.html", "/{…}"),
        ("/taro1", "/{…}"),
        ("/hk-123-456", "/{…}"),
        ("/hk-v123", "/{…}"),
        ("/taro@example.com", "/{…}"),
        ("/12345678", "/{…}"),
        ("/a12345678", "/{…}"),
        ("/Taro", "/{…}"),
        ("/%E5%A4%AA%E9%83%8E", "/{…}"),
        ("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/{…}"),
    ];
    for (path, expected) in cases {
        assert_eq!(shapes.name(path), expected, "{path}");
    }
}

#[test]
fn shapes_beyond_the_limit_share_one_name() {
    let shapes = RouteShapes::default();
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).expect("small"));
    let word = |n: usize| format!("/w{}{}{}", letter(n / 676), letter(n / 26), letter(n));
    for n in 0..SHAPES_MAX {
        assert_eq!(shapes.name(&word(n)), word(n));
    }
    assert_eq!(shapes.name(&word(SHAPES_MAX)), SHAPE_OTHER);
    assert_eq!(shapes.name(&word(3)), word(3));
}

#[test]
fn case_counts_where_the_operator_tells_two_routes_apart_by_it() {
    let table = RouteTable::new(vec![route(None, "/"), route(None, "/Docs"), route(None, "/docs")]);
    assert_eq!(table.choose("a.example", "/Docs/x"), Choice::Route(1));
    assert_eq!(table.choose("a.example", "/docs/x"), Choice::Route(2));
    assert_eq!(table.choose("a.example", "/DOCS/x"), Choice::Ambiguous);
}

proptest! {
    #[test]
    fn no_reading_of_an_accepted_path_is_another_route(path in "/[a-z%2e5c./;\\\\]{0,12}(admin|my)?[./;%2f]{0,6}") {
        fuzz_route(path.as_bytes());
    }

    #[test]
    fn any_bytes_have_a_route_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        fuzz_route(&bytes);
    }
}
