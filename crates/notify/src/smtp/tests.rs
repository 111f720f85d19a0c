//! A relay that follows a script, and how a mail ends on it.

use super::*;
use lettre::transport::smtp::response::{Category, Code, Detail, Severity};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn response(text: &str) -> Response {
    let code = Code::new(Severity::PositiveCompletion, Category::MailSystem, Detail::Zero);
    Response::new(code, vec![text.to_owned()])
}

#[test]
fn of_a_reply_only_the_queue_number_is_kept() {
    let id = |text: &str| queue_id(&response(text));
    assert_eq!(id("2.0.0 Ok: queued as 4Xy1Zk3nJz"), Some("4Xy1Zk3nJz".to_owned()));
    assert_eq!(id("OK id=1tABCD-0001Ab-2f"), Some("1tABCD-0001Ab-2f".to_owned()));
    assert_eq!(id("OK queued as taro@example.jp"), None);
    assert_eq!(id("accepted for taro@example.jp"), None);
}

#[test]
fn an_enhanced_status_is_three_numbers() {
    let status = |text: &str| enhanced_status(&response(text));
    assert_eq!(status("5.1.1 <x> no such user"), Some("5.1.1".to_owned()));
    assert_eq!(status("taro@example.jp unknown"), None);
    assert_eq!(status("1.2.3.4 refused"), None);
}

/// The replies of one session, in order: to the greeting, EHLO, MAIL, RCPT, DATA, the mail's end, RSET. A dash closes the
/// connection instead; one more line in a reply is a reply too many.
fn relay(replies: &'static [&'static str]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else { return };
        let mut output = stream.try_clone().expect("a stream");
        let mut input = BufReader::new(stream).lines();
        let mut in_data = false;
        for (at, reply) in replies.iter().enumerate() {
            // The greeting answers nothing; the data end with a dot.
            let heard =
                at == 0 || input.find(|line| !in_data || line.as_ref().map_or(true, |line| line == ".")).is_some();
            if !heard {
                return;
            }
            if *reply == "-" || output.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
                return;
            }
            in_data = reply.starts_with("354");
        }
        // The session ends when the sender says so, or is gone.
        let _ = input.find(|line| line.as_ref().is_ok_and(|line| line == "QUIT"));
    });
    address
}

/// How one mail ends, and whether the connection may take another.
fn check(replies: &'static [&'static str], expected: &str) {
    let address = relay(replies);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let told = runtime.block_on(async {
        let text = format!("host = \"127.0.0.1\"\nport = {}\ntls = \"none\"\ntimeout = \"5s\"", address.port());
        let door = Door::new(&toml::from_str(&text).expect("a relay")).expect("a door");
        let connection = match door.open().await {
            Ok(connection) => connection,
            Err(closed) => return closed.why,
        };
        let (from, to) = ("notice@hakonefx.example".parse(), "taro@example.jp".parse());
        let mail = b"Subject: x\r\n\r\n.a line with a dot\r\n";
        let (from, to) = (from.expect("an address"), to.expect("an address"));
        let (outcome, connection) = connection.send(&from, &to, mail, async { true }).await;
        format!("{:?}, {}", outcome.expect("durable"), if connection.is_some() { "goes on" } else { "closed" })
    });
    assert_eq!(told, expected, "{replies:?}");
}

const GOOD: [&str; 6] = ["220 mx", "250 mx", "250 ok", "250 ok", "354 go on", "250 2.0.0 Ok: queued as 4Xy1"];

/// The good session up to the step `at`, then this reply.
macro_rules! session {
    ($at:literal, $($reply:literal),+) => {{
        const REPLIES: &[&str] = &{
            const MORE: &[&str] = &[$($reply),+];
            let mut replies = [""; $at + MORE.len()];
            let mut next = 0;
            while next < replies.len() {
                replies[next] = if next < $at { GOOD[next] } else { MORE[next - $at] };
                next += 1;
            }
            replies
        };
        REPLIES
    }};
}

#[test]
fn a_mail_that_is_taken_has_its_number() {
    check(&GOOD, "Taken { queue_id: Some(\"4Xy1\") }, goes on");
}

#[test]
fn before_the_end_of_the_data_a_mail_is_certainly_not_taken() {
    check(session!(2, "-"), "NotNow { code: 0 }, closed");
    check(session!(3, "-"), "NotNow { code: 0 }, closed");
    check(session!(4, "-"), "NotNow { code: 0 }, closed");
    check(session!(3, "451 4.7.1 later", "250 ok"), "NotNow { code: 451 }, goes on");
    check(session!(4, "421 closing", "-"), "NotNow { code: 421 }, closed");
    check(
        session!(3, "550 5.1.1 no", "250 ok"),
        "Never { code: 550, status: Some(\"5.1.1\"), whom: Recipient }, goes on",
    );
    check(session!(2, "553 not you", "250 ok"), "Never { code: 553, status: None, whom: Sender }, goes on");
}

#[test]
fn behind_it_only_an_answer_tells() {
    check(session!(5, "452 4.2.2 full", "250 ok"), "NotNow { code: 452 }, goes on");
    check(session!(5, "554 5.7.1 no", "250 ok"), "Never { code: 554, status: Some(\"5.7.1\"), whom: Data }, goes on");
    check(session!(5, "-"), "Unknown(ConnectionLost), closed");
    check(session!(5, "certainly"), "Unknown(Garbled), closed");
    check(session!(5, "354 more"), "Unknown(Garbled), closed");
    check(session!(5, "251 elsewhere"), "Unknown(Garbled), closed");
}

#[test]
fn a_relay_that_is_out_of_step_is_not_believed() {
    check(session!(2, "250 ok\r\n250 ok", "250 ok", "250 ok"), "NotNow { code: 0 }, closed");
    check(session!(4, "250 ok"), "NotNow { code: 0 }, closed");
    check(&["554 go away"], "the greeting failed (reply 554)");
}

#[test]
fn a_reply_that_comes_before_its_question_is_not_believed() {
    check(session!(4, "354 go on\r\n250 2.0.0 Ok: queued as FAKE", "250 ok"), "NotNow { code: 0 }, closed");
    check(session!(3, "250 ok\r\n354 go on", "250 ok"), "NotNow { code: 0 }, closed");
}

#[test]
fn replies_of_many_lines_are_one() {
    check(
        session!(3, "250-one\r\n250-two\r\n250 three", "354-go\r\n354 on", "250-2.0.0 Ok:\r\n250 queued as 4Xy1"),
        "Taken { queue_id: Some(\"4Xy1\") }, goes on",
    );
    check(session!(3, "250-one\r\n550 two"), "NotNow { code: 0 }, closed");
}

/// A relay that never ends its line: what it says is neither kept nor waited for.
#[test]
fn an_endless_line_ends_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let relay = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a sender");
        let mut bytes = 0u64;
        while bytes < 64 << 20 && stream.write_all(&[b'2'; 65_536]).is_ok() {
            bytes += 65_536;
        }
        bytes
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let text = format!("host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\ntimeout = \"60s\"");
    let door = Door::new(&toml::from_str(&text).expect("a relay")).expect("a door");
    let closed = runtime.block_on(door.open()).expect_err("closed");
    assert!(closed.why.contains("greeting"), "{}", closed.why);
    drop(runtime);
    let taken = relay.join().expect("a relay");
    assert!(taken < 16 << 20, "{taken} bytes were taken");
}
