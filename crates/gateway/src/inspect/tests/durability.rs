use super::harness::{Disk, HANAKO, Script, Site, Step, now, page, read};
use crate::inspect::{BodyError, RoutePolicy};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use sekisho_ledger::{Health, NotDurable};
use sekisho_model::{Disposition, Inspection, Record, SessionKey, Uninspectable};
use std::pin::pin;

const INSPECTED: Inspection = Inspection::Inspected;
const UNAVAILABLE: Inspection = Inspection::NotInspectable(Uninspectable::LedgerUnavailable);

#[tokio::test]
async fn led_1_a_small_page_leaves_when_its_finding_is_durable() {
    let site = Site::new();
    site.ledger.disk(Disk::Hangs);
    let mut response = pin!(site.get(page("text/html", Script::sized(&[HANAKO.as_bytes()]))));
    assert!(now(&mut response).await.is_none(), "the head waits too");
    assert_eq!(site.exposed().len(), 1);
    site.ledger.disk(Disk::Works);
    let (bytes, _, err) = read(response.await).await;
    assert!(err.is_none());
    assert_eq!(bytes, HANAKO.as_bytes());
    assert_eq!(site.end(), (INSPECTED, Disposition::Released, HANAKO.len() as u64));
}

#[tokio::test]
async fn led_1_a_stream_releases_what_is_clean_and_holds_what_is_not_durable() {
    let site = Site::new();
    site.ledger.disk(Disk::Hangs);
    let events: [&[u8]; 2] = [b"data: hello\n\n", b"data: taro@example.jp\n\n"];
    let body = Script::streamed(&events).then(Step::Idle);
    let mut body = site.get(page("text/event-stream", body)).await.into_body();
    let first = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    assert_eq!(&first[..], events[0], "an event leaves without waiting for the next");
    assert!(now(&mut body.frame()).await.is_none());
    assert_eq!(site.exposed().len(), 1, "recorded, and not durable");
    site.ledger.disk(Disk::Works);
    let second = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    assert_eq!(&second[..], events[1]);
    drop(body);
    assert_eq!(site.end(), (INSPECTED, Disposition::ClientGone, 36));
}

#[tokio::test]
async fn a_subject_that_cannot_be_recorded_is_a_503_when_nothing_was_sent() {
    for disk in [Disk::IsFull, Disk::FailsToSync] {
        let site = Site::new();
        site.ledger.disk(disk);
        let response = site.get(page("text/html", Script::sized(&[HANAKO.as_bytes()]))).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let (bytes, ..) = read(response).await;
        assert!(bytes.starts_with(b"503 "));
        let closed = site.closed();
        assert_eq!((closed.disposition, closed.body_bytes_released), (Disposition::Refused, 0));
        assert_eq!(closed.transaction.expect("the client got another status than Opened told").status, 503);
    }
}

#[tokio::test]
async fn a_subject_that_cannot_be_recorded_later_breaks_the_stream_off() {
    let site = Site::new();
    site.ledger.disk(Disk::FailsToSync);
    let events: [&[u8]; 2] = [b"data: hello\n\n", b"data: taro@example.jp\n\n"];
    let (bytes, _, err) = read(site.get(page("text/event-stream", Script::streamed(&events))).await).await;
    assert_eq!(bytes, events[0]);
    assert!(matches!(err, Some(BodyError::Ledger(NotDurable::Failed))), "{err:?}");
    assert_eq!(site.end(), (INSPECTED, Disposition::Refused, events[0].len() as u64));
}

#[tokio::test]
async fn continuity_passes_and_leaves_a_visible_gap() {
    let mut site = Site::new();
    site.policy = RoutePolicy { continuity: true, ..site.policy };
    site.ledger.health(Health::Unhealthy);
    site.ledger.disk(Disk::IsFull);
    let (bytes, _, err) = read(site.get(page("text/html", Script::sized(&[HANAKO.as_bytes()]))).await).await;
    assert!(err.is_none());
    assert_eq!(bytes, HANAKO.as_bytes());
    assert_eq!(site.end(), (UNAVAILABLE, Disposition::Released, HANAKO.len() as u64));
}

#[tokio::test]
async fn what_holds_no_subject_passes_when_it_cannot_be_recorded() {
    let site = Site::new();
    site.ledger.disk(Disk::FailsToSync);
    let unknown = b"<p>somebody@elsewhere.example</p>";
    let (bytes, _, err) = read(site.get(page("text/html", Script::sized(&[unknown]))).await).await;
    assert!(err.is_none());
    assert_eq!(bytes, unknown);
    assert_eq!(site.end(), (UNAVAILABLE, Disposition::Released, unknown.len() as u64));
}

#[tokio::test]
async fn gw_1_an_unhealthy_ledger_refuses_before_the_upstream_and_says_so() {
    let mut site = Site::new();
    site.ledger.health(Health::Unhealthy);
    let request = || Request::get("/").body(()).expect("a request");
    assert!(site.begin(request()).is_none());
    assert_eq!(site.end(), (Inspection::WithoutBody, Disposition::Refused, 0));
    assert_eq!(site.inspector.counters().refused.value(), 1);
    site.policy = RoutePolicy { inspect: false, ..site.policy };
    assert!(site.begin(request()).is_some(), "a route that is not inspected exposes nothing that would be recorded");
}

#[tokio::test]
async fn a_finding_that_is_durable_for_the_session_does_not_wait_again() {
    let mut site = Site::new();
    site.session = Some(SessionKey([1; 16]));
    let hanako = || page("text/html", Script::sized(&[HANAKO.as_bytes()]));
    drop(read(site.get(hanako()).await).await);
    site.ledger.disk(Disk::Hangs);
    let response = now(&mut pin!(site.get(hanako()))).await.expect("no wait");
    assert_eq!(read(response).await.0, HANAKO.as_bytes());
    assert_eq!(site.exposed().len(), 2, "recorded all the same");
    let other = page("text/html", Script::sized(&[b"<p>taro@example.jp</p>"]));
    assert!(now(&mut pin!(site.get(other))).await.is_none(), "another subject waits");
    site.session = Some(SessionKey([2; 16]));
    assert!(now(&mut pin!(site.get(hanako()))).await.is_none(), "another session waits");
}

#[tokio::test]
async fn trailers_are_recorded_before_they_leave() {
    let site = Site::new();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-owner", "hanako@example.jp".parse().expect("a value"));
    let body = Script::streamed(&[b"clean"]).then(Step::Trailers(trailers));
    site.ledger.disk(Disk::Hangs);
    let mut response = Box::pin(site.get(page("text/plain", body)));
    assert!(now(&mut response).await.is_none());
    assert_eq!(site.exposed().len(), 1);
    site.ledger.disk(Disk::Works);
    let mut body = response.await.into_body();
    let data = body.frame().await.expect("a frame").expect("no error").into_data().expect("data first");
    assert_eq!(&data[..], b"clean");
    let frame = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(frame.trailers_ref().expect("trailers").len(), 1);
    assert_eq!(site.end(), (INSPECTED, Disposition::Released, 5));
}

#[tokio::test]
async fn led_4_every_way_out_closes_exactly_once() {
    let site = Site::new();
    drop(site.begin(Request::get("/").body(()).expect("a request")));
    assert_eq!(site.closed().disposition, Disposition::ClientGone);

    let site = Site::new();
    let inspection = site.begin(Request::get("/").body(()).expect("a request")).expect("healthy");
    inspection.failed(StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(site.end(), (Inspection::WithoutBody, Disposition::UpstreamFailed, 0));

    let site = Site::new();
    let body = Script::streamed(&[&[b'x'; 4000]]).then(Step::Broken);
    let (_, _, err) = read(site.get(page("text/plain", body)).await).await;
    assert!(matches!(err, Some(BodyError::Upstream(_))));
    assert_eq!(site.closed().disposition, Disposition::UpstreamFailed);

    let site = Site::new();
    drop(site.get(page("text/plain", Script::sized(&[b"never read"]))).await);
    assert_eq!(site.end(), (INSPECTED, Disposition::ClientGone, 0));
}

#[tokio::test]
async fn the_last_frame_of_a_known_length_closes() {
    // hyper does not poll a body again whose Content-Length is reached.
    let site = Site::new();
    let mut body = site.get(page("text/plain", Script::sized(&[b"clean"]))).await.into_body();
    let frame = body.frame().await;
    assert!(frame.is_some());
    assert_eq!(site.end(), (INSPECTED, Disposition::Released, 5));
    assert!(site.ledger.records().iter().all(|record| matches!(record, Record::Closed(_))));
}
