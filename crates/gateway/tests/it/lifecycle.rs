//! Start, reload and shutdown.

use crate::harness::{Site, Then, config, connect, get, ok, refused, route, start, until};
use sekisho_gateway::Error;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_request_in_service_ends_before_shutdown_does() {
    let (arrived, has_arrived) = channel();
    let (go, may_go) = channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let site = Site::new(move |_, wire| {
        arrived.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        ok(wire, "done")
    });
    let gateway = start(&site, |_| {});
    let address = gateway.addresses()[0];
    let mut idle = connect(&gateway);
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    has_arrived.recv().unwrap();
    let stopping = std::thread::spawn(move || gateway.shutdown());
    assert!(idle.rest().is_empty(), "an idle connection is closed at once");
    until("the address is no longer listened on", || std::net::TcpStream::connect(address).is_err());
    go.send(()).unwrap();
    let response = wire.response();
    assert_eq!((response.status(), response.text()), (200, "done"));
    assert!(wire.rest().is_empty());
    stopping.join().unwrap();
}

#[test]
fn shutdown_cuts_what_passes_its_deadline() {
    let (arrived, has_arrived) = channel();
    let site = Site::new(move |_, wire| {
        arrived.send(()).unwrap();
        drop(wire.rest());
        Then::Close
    });
    let gateway = start(&site, |config| config.deadlines.shutdown = Duration::from_millis(20));
    let mut wire = connect(&gateway);
    wire.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    has_arrived.recv().unwrap();
    gateway.shutdown();
    assert!(wire.rest().is_empty());
}

#[test]
fn a_reload_puts_routes_and_upstreams_in_force() {
    let (old, new) = (Site::saying("old"), Site::saying("new"));
    let gateway = start(&old, |_| {});
    let mut wire = connect(&gateway);
    let mut ask = || {
        wire.send("GET /a HTTP/1.1\r\nhost: a.example\r\n\r\n");
        wire.response()
    };
    assert_eq!(ask().text(), "old");
    gateway.reload(config(new.address)).unwrap();
    assert_eq!(ask().text(), "new", "on the same client connection");
    let mut narrow = config(new.address);
    narrow.routes = vec![route("/b")];
    gateway.reload(narrow).unwrap();
    assert_eq!(ask().status(), 404);
}

#[test]
fn a_bad_reload_leaves_everything_as_it_was() {
    let site = Site::saying("ok");
    let gateway = start(&site, |_| {});
    let mut no_upstream = config(site.address);
    no_upstream.routes[0].upstream = 7;
    assert!(matches!(gateway.reload(no_upstream), Err(Error::NoUpstream { .. })));
    let mut no_roots = config(site.address);
    no_roots.upstreams[0].scheme = "https".parse().unwrap();
    no_roots.upstreams[0].extra_roots = Some("/nonexistent.pem".into());
    assert!(matches!(gateway.reload(no_roots), Err(Error::Upstream { .. })));
    let mut elsewhere = config(site.address);
    elsewhere.listeners[0].address = "127.0.0.1:9".parse().unwrap();
    let err = gateway.reload(elsewhere).unwrap_err();
    assert_eq!(err.to_string(), "the listeners cannot change without a restart");
    assert_eq!(get(&gateway, "/").text(), "ok");
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let site = Site::saying("ok");
    let gateway = start(&site, |_| {});
    let mut second = config(site.address);
    second.listeners[0].address = gateway.addresses()[0];
    assert_eq!(refused(second).to_string(), format!("cannot listen on {}", gateway.addresses()[0]));
}

#[test]
fn several_workers_share_one_address() {
    let site = Site::saying("ok");
    let gateway = start(&site, |config| config.workers = 3);
    for _ in 0..20 {
        assert_eq!(get(&gateway, "/").text(), "ok");
    }
    gateway.shutdown();
}
