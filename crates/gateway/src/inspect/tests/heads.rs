use super::harness::{Script, Site, Step, page, read};
use crate::inspect::{RouteClass, RoutePolicy};
use http::{Request, Response, StatusCode};
use sekisho_model::{Disposition, FieldIndex, FieldSet, Inspection, Record, SessionKey, Uninspectable};

fn not(reason: Uninspectable) -> Inspection {
    Inspection::NotInspectable(reason)
}

#[tokio::test]
async fn a_part_that_was_not_asked_for_is_refused() {
    for (status, media) in [(206, "text/plain"), (200, "multipart/byteranges; boundary=x")] {
        let site = Site::new();
        let mut response = page(media, Script::sized(&[b"tail of a page"]));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        let response = site.get(response).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert!(read(response).await.0.starts_with(b"502 "));
        assert_eq!(site.end(), (not(Uninspectable::Partial), Disposition::Refused, 0));
    }
}

#[tokio::test]
async fn heads_without_a_body_are_scanned_and_closed_at_once() {
    for status in [204, 304, 302] {
        let site = Site::new();
        let mut response = page("text/plain", Script::sized(&[]));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        let location = "/done?mail=hanako@example.jp".parse().expect("a value");
        response.headers_mut().insert("location", location);
        let response = site.get(response).await;
        assert_eq!(response.headers()["cache-control"], "private, no-store");
        assert_eq!(site.exposed().len(), 1);
        assert_eq!(site.end(), (Inspection::WithoutBody, Disposition::Released, 0));
    }
}

#[tokio::test]
async fn what_leaves_of_a_head_is_scanned_and_what_stays_is_not() {
    const MAIL: &str = "hanako@example.jp";
    for (name, value, exposures) in [
        ("location", MAIL, 1),
        ("server", MAIL, 1),
        ("x-h-100001", "1", 1),
        ("date", MAIL, 1),
        ("date", "Tue, 24 Nov 2026 03:04:05 GMT", 0),
        // They are taken out.
        ("etag", MAIL, 0),
        ("last-modified", MAIL, 0),
        ("digest", MAIL, 0),
    ] {
        let site = Site::new();
        let mut response = page("text/plain", Script::sized(&[b"clean"]));
        let name = http::HeaderName::from_static(name);
        response.headers_mut().insert(name.clone(), value.parse().expect("a value"));
        let response = site.get(response).await;
        let leaves = response.headers().contains_key(&name);
        assert_eq!((site.exposed().len(), leaves), (exposures, exposures == 1 || name == "date"), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let site = Site::new();
    let request = Request::head("/").body(()).expect("a request");
    let inspection = site.begin(request).expect("healthy");
    drop(inspection.response(page("text/html", Script::sized(&[]))).await);
    assert_eq!(site.end().0, Inspection::WithoutBody);
}

#[tokio::test]
async fn validators_and_ranges_are_taken_off_and_private_pages_are_not_cached() {
    let response = |media: &str| {
        let builder = Response::builder().header("etag", "\"1\"").header("last-modified", "x").header("digest", "x");
        let builder = builder.header("accept-ranges", "bytes").header("cache-control", "public").header("x-kept", "1");
        builder.header("content-type", media).body(Script::sized(&[b"clean"])).expect("a response")
    };
    for (session, media, caching) in [
        (None, "text/html", "public"),
        (Some(SessionKey([1; 16])), "text/html", "private, no-store"),
        (Some(SessionKey([1; 16])), "text/css", "public"),
    ] {
        let mut site = Site::new();
        site.session = session;
        let response = site.get(response(media)).await;
        let names: Vec<&str> = response.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(response.headers()["cache-control"], caching, "{media}");
    }
}

/// What caches are told of a body by script, and what it held.
async fn caching(class: RouteClass, asked: &[(&str, &str)], media: &str, body: Script) -> (String, usize) {
    let mut site = Site::new();
    site.policy.rules.class = class;
    let request = asked.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    let mut response = page(media, body);
    for name in ["cache-control", "cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control", "expires"] {
        response.headers_mut().insert(http::HeaderName::from_static(name), "public".parse().expect("a value"));
    }
    let inspection = site.begin(request.body(()).expect("a request")).expect("healthy");
    let response = inspection.response(response).await;
    let caching = response.headers()["cache-control"].to_str().expect("text").to_owned();
    let others = response.headers().len() - 2;
    assert_eq!(others, if caching == "public" { 4 } else { 0 }, "all or none: {:?}", response.headers());
    drop(read(response).await);
    (caching, site.exposed().len())
}

#[tokio::test(start_paused = true)]
async fn no_cache_keeps_what_is_one_person_s_or_was_not_seen_to_its_end() {
    const HIDDEN: &str = "private, no-store";
    let clean = || Script::sized(&[b"clean ", b"in two pieces"]);
    let streamed = || Script::streamed(&[b"clean"]).then(Step::Late);
    let late = || Script::streamed(&[" ".repeat(80_000).as_bytes(), b"hanako@example.jp"]);
    let long = || Script::sized(&[" ".repeat(80_000).as_bytes()]);
    let (cookie, bearer) = ([("cookie", "theme=dark")], [("authorization", "Basic x")]);
    let nobody: &[(&str, &str)] = &[];
    for (class, asked, media, body, expected) in [
        (RouteClass::Public, nobody, "text/html", clean(), ("public", 0)),
        (RouteClass::Observed, nobody, "text/html", clean(), ("public", 0)),
        (RouteClass::Own, nobody, "text/html", clean(), (HIDDEN, 0)),
        (RouteClass::Staff, nobody, "text/html", clean(), (HIDDEN, 0)),
        (RouteClass::Partner, nobody, "application/json", clean(), (HIDDEN, 0)),
        (RouteClass::Observed, &cookie, "text/html", clean(), (HIDDEN, 0)),
        (RouteClass::Observed, &bearer, "text/html", clean(), (HIDDEN, 0)),
        (RouteClass::Observed, nobody, "text/html", streamed(), (HIDDEN, 0)),
        (RouteClass::Observed, nobody, "text/html", long(), (HIDDEN, 0)),
        (RouteClass::Observed, nobody, "text/html", late(), (HIDDEN, 1)),
        (RouteClass::Observed, nobody, "application/pdf", Script::sized(&[b"%PDF-1.7"]), (HIDDEN, 0)),
        (RouteClass::Own, &cookie, "text/css", streamed(), ("public", 0)),
        (RouteClass::Observed, nobody, "image/png", long(), ("public", 0)),
    ] {
        let told = caching(class, asked, media, body).await;
        assert_eq!((told.0.as_str(), told.1), expected, "{class:?} {asked:?} {media}");
    }
}

#[tokio::test]
async fn a_route_that_is_not_inspected_passes_and_is_counted() {
    let mut site = Site::new();
    site.policy = RoutePolicy { inspect: false, ..site.policy };
    let mut response = page("text/html", Script::sized(&[super::harness::HANAKO.as_bytes()]));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let response = site.get(response).await;
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(read(response).await.0, super::harness::HANAKO.as_bytes());
    assert_eq!(site.end().0, not(Uninspectable::RouteExcluded));
    assert!(site.exposed().is_empty());
}

#[tokio::test]
async fn a_switch_of_protocols_is_recorded_at_once() {
    let site = Site::new();
    let response = Response::builder().status(101).body(Script::sized(&[]).then(Step::Idle)).expect("a response");
    let response = site.get(response).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(site.end(), (not(Uninspectable::Upgraded), Disposition::Released, 0));
}

#[tokio::test]
async fn what_the_request_contained_is_reflected_not_exposed() {
    let mail = FieldSet::of(FieldIndex(1));
    let body = || page("text/html", Script::sized(&[b"<p>hanako@example.jp is registered</p>"]));
    let site = Site::new();
    let request = Request::get("/search?q=hanako%40example.jp").body(()).expect("a request");
    drop(read(site.begin(request).expect("healthy").response(body()).await).await);
    assert_eq!(site.exposed(), [(site.exposed()[0].0, FieldSet::EMPTY, mail)]);

    let site = Site::new();
    let request = Request::post("/search").header("content-type", "application/json").body(()).expect("a request");
    let mut inspection = site.begin(request).expect("healthy");
    inspection.request_body(br#"{"mail":"hanako@exa"#);
    inspection.request_body(br#"mple.jp"}"#);
    drop(read(inspection.response(body()).await).await);
    assert_eq!(site.exposed()[0].2, mail, "a value cut by two parts is whole again");
}

#[tokio::test]
async fn a_blind_extraction_is_listed() {
    let site = Site::new();
    for number in 0..25 {
        let target = format!("/seminar?q=x%27%20AND%20SUBSTR(mail,{number},1)=%27a%27--");
        let request = Request::get(target).body(()).expect("a request");
        let inspection = site.begin(request).expect("healthy");
        drop(read(inspection.response(page("text/html", Script::sized(&[b"no result"]))).await).await);
    }
    let suspects: Vec<u64> = site
        .ledger
        .records()
        .into_iter()
        .filter_map(|record| match record {
            Record::Suspect(suspect) => Some(suspect.requests),
            _ => None,
        })
        .collect();
    assert_eq!(suspects, [20]);
}
