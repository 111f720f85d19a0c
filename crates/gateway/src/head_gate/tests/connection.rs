//! The gate over a connection's life: order of answers, deadlines, the client's leaving, upgrades.

use super::super::{HeadGate, HeadLimits, LINGER};
use super::Server;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

const GOOD: &str = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
const BAD: &str = "GET /2 HTTP/1.1\nHost: a\n\n";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn send(server: &mut Server, text: &str) {
    server.client.write_all(text.as_bytes()).await.expect("the pipe is open");
}

/// Reads until this text has come; all that has come.
async fn until(server: &mut Server, wanted: &str) -> String {
    let mut received = String::new();
    while !received.contains(wanted) {
        let mut bytes = [0; 512];
        let len = server.client.read(&mut bytes).await.expect("the pipe is open");
        assert!(len > 0, "the server closed: {received}");
        received.push_str(std::str::from_utf8(&bytes[..len]).expect("the responses are text"));
    }
    received
}

#[tokio::test(start_paused = true)]
async fn answers_to_earlier_requests_go_out_first_and_whole() {
    // At once, after a while, and after longer than every deadline of the gate.
    for answer_after in [0, 1, 600].map(seconds) {
        let mut server = Server::start(4096, answer_after);
        send(&mut server, &format!("{GOOD}{GOOD}{BAD}{GOOD}")).await;
        let received = server.received().await;
        let statuses: Vec<&str> = received.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
        assert_eq!(statuses, ["200", "200", "400"], "{received}");
        assert_eq!(server.seen(), ["GET /1 ", "GET /1 "]);
        assert_eq!(server.refusals(), ["bare_lf"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_head_that_comes_during_a_response_waits_for_it() {
    let mut server = Server::start(4096, seconds(3));
    send(&mut server, GOOD).await;
    tokio::time::sleep(seconds(1)).await;
    send(&mut server, BAD).await;
    let received = server.received().await;
    assert!(received.starts_with("HTTP/1.1 200 OK"), "{received}");
    assert!(received.contains("HTTP/1.1 400 Bad Request"), "{received}");
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_head_is_answered_at_the_deadline_however_it_drips() {
    let mut server = Server::start(4096, Duration::ZERO);
    let began = Instant::now();
    for byte in GOOD.as_bytes().chunks(1).take(5) {
        server.client.write_all(byte).await.expect("the pipe is open");
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    let received = server.received().await;
    assert!(received.starts_with("HTTP/1.1 408 Request Timeout"), "{received}");
    assert_eq!(began.elapsed(), seconds(5));
    assert_eq!(server.refusals(), ["head_timeout"]);
}

#[tokio::test(start_paused = true)]
async fn each_head_has_the_whole_deadline() {
    let mut server = Server::start(4096, Duration::ZERO);
    for _ in 0..3 {
        let (start, rest) = GOOD.split_at(9);
        send(&mut server, start).await;
        tokio::time::sleep(seconds(4)).await;
        send(&mut server, rest).await;
        until(&mut server, "200 OK").await;
    }
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_begins_behind_another_has_the_whole_deadline() {
    let mut server = Server::start(4096, Duration::ZERO);
    let (start, rest) = GOOD.split_at(9);
    send(&mut server, start).await;
    tokio::time::sleep(seconds(4)).await;
    send(&mut server, &format!("{rest}{start}")).await;
    until(&mut server, "200 OK").await;
    tokio::time::sleep(seconds(4)).await;
    send(&mut server, rest).await;
    until(&mut server, "200 OK").await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_without_a_word() {
    let mut server = Server::start(4096, Duration::ZERO);
    let began = Instant::now();
    assert_eq!(server.received().await, "");
    assert_eq!(began.elapsed(), seconds(60));
    assert_eq!((server.counts.idle_closed(), server.refusals()), (1, vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_idle_deadline_begins_after_each_response() {
    let mut server = Server::start(4096, Duration::ZERO);
    for _ in 0..3 {
        tokio::time::sleep(seconds(59)).await;
        send(&mut server, GOOD).await;
        until(&mut server, "200 OK").await;
    }
    let began = Instant::now();
    server.received().await;
    assert_eq!(began.elapsed(), seconds(60));
}

#[tokio::test(start_paused = true)]
async fn an_empty_line_after_a_request_is_no_beginning_of_a_head() {
    let mut server = Server::start(4096, Duration::ZERO);
    send(&mut server, GOOD).await;
    send(&mut server, "\r\n").await;
    until(&mut server, "200 OK").await;
    tokio::time::sleep(seconds(30)).await;
    send(&mut server, GOOD).await;
    until(&mut server, "200 OK").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_not_taken_for_idleness() {
    let mut server = Server::start(4096, seconds(1000));
    for _ in 0..2 {
        send(&mut server, GOOD).await;
        until(&mut server, "200 OK").await;
    }
    let began = Instant::now();
    server.received().await;
    assert_eq!(began.elapsed(), seconds(60));
    assert_eq!(server.counts.idle_closed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_not_the_gates_business() {
    let mut server = Server::start(4096, Duration::ZERO);
    send(&mut server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na").await;
    tokio::time::sleep(seconds(300)).await;
    send(&mut server, "b").await;
    until(&mut server, "ab").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_service() {
    let server = Server::start(4096, seconds(1000));
    let (mut client, connection, seen) = (server.client, server.connection, server.seen);
    client.write_all(GOOD.as_bytes()).await.expect("the pipe is open");
    tokio::time::sleep(seconds(1)).await;
    drop(client);
    let began = Instant::now();
    assert!(connection.await.expect("no panic").is_err_and(|err| err.is_incomplete_message()));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(seen.lock().expect("no test panics while it holds this").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_on_after_the_refusal_still_receives_it() {
    let mut server = Server::start(512, Duration::ZERO);
    let (mut read, mut write) = tokio::io::split(server.client);
    let sender = tokio::spawn(async move { write.write_all(&[BAD.as_bytes(), &vec![b'x'; 100_000]].concat()).await });
    let mut received = String::new();
    read.read_to_string(&mut received).await.expect("the pipe does not fail");
    assert!(received.starts_with("HTTP/1.1 400 Bad Request"), "{received}");
    sender.await.expect("no panic").expect("the sender could write all");
    server.client = tokio::io::duplex(1).0;
    assert_eq!(server.refusals(), ["bare_lf"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped_after_a_while() {
    let mut server = Server::start(64, Duration::ZERO);
    send(&mut server, BAD).await;
    let began = Instant::now();
    assert!(server.connection.await.expect("no panic").is_ok());
    assert_eq!(began.elapsed(), LINGER);
}

#[tokio::test(start_paused = true)]
async fn after_an_upgrade_the_stream_and_its_bytes_come_back() {
    let (mut client, server) = tokio::io::duplex(4096);
    let mut gate = HeadGate::new(server, HeadLimits::default());
    let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("the pipe is open");
    client.write_all(b"\x81\x85mask").await.expect("the pipe is open");
    let mut bytes = [0; 512];
    let len = gate.read(&mut bytes).await.expect("the gate can be read");
    assert_eq!(&bytes[..len], head.as_bytes());
    assert_eq!(gate.read(&mut bytes).await.expect("the gate can be read"), 2, "the empty line at most");
    let (mut stream, early) = gate.into_upgraded();
    assert_eq!(early, b"\x81\x85mask");
    client.write_all(b"more").await.expect("the pipe is open");
    let len = stream.read(&mut bytes).await.expect("the stream can be read");
    assert_eq!(&bytes[..len], b"more");
}
