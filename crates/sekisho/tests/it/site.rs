//! A site of two pages, and the executable in front of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Longer than any condition takes on a busy machine: what has not come then does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers every request with this page, until the test's process ends.
pub(crate) fn site(page: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer(connection, page));
        }
    });
    address
}

/// Answers one request with a page that ends with `last` when it is told to go on, and begins with `first` many times
/// over, so that a gateway which holds some text back releases the begin.
pub(crate) fn site_in_two_parts(first: &'static str, last: &'static str) -> (SocketAddr, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (go_on, told) = channel();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a request");
        let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
        read_head(&mut reader);
        let first = first.repeat(4096 / first.len() + 1);
        let length = first.len() + last.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close";
        write!(connection, "{head}\r\ncontent-length: {length}\r\n\r\n{first}").expect("the gateway reads");
        // The test may have ended: then there is nobody to answer.
        if told.recv().is_ok() {
            let _ = connection.write_all(last.as_bytes());
        }
    });
    (address, go_on)
}

fn read_head(reader: &mut impl BufRead) {
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
}

fn answer(mut connection: TcpStream, page: &str) {
    let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
    read_head(&mut reader);
    let length = page.len();
    // The gateway may have gone away: then there is nobody to tell.
    let _ = write!(
        connection,
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
    );
}

/// The address in `http://127.0.0.1:1234/` or at a line's end.
pub(crate) fn address(line: &str) -> String {
    let at = line.find("127.0.0.1:").expect("an address");
    line[at..].split(['/', ' ', '\n']).next().unwrap_or_default().to_owned()
}

/// The body of a page, and its status line before it.
pub(crate) fn get(address: &str, path: &str) -> String {
    get_with(address, path, "session=abc")
}

/// The same with a cookie of one's own.
pub(crate) fn get_with(address: &str, path: &str, cookie: &str) -> String {
    rest(ask(address, &get_head(address, path, cookie)))
}

/// What a form is answered with.
#[cfg(feature = "demo")]
pub(crate) fn post(address: &str, path: &str, form: &str) -> String {
    let kind = "content-type: application/x-www-form-urlencoded";
    let length = form.len();
    rest(ask(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{form}"
        ),
    ))
}

/// Asks for a page and reads until this was in it.
pub(crate) fn begin(address: &str, path: &str, until: &str) -> TcpStream {
    let mut connection = ask(address, &get_head(address, path, "session=abc"));
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(until) {
        let mut byte = [0];
        connection.read_exact(&mut byte).expect("the page begins");
        read.push(byte[0]);
    }
    connection
}

/// What is left of a page.
pub(crate) fn rest(mut connection: TcpStream) -> String {
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer
}

fn get_head(address: &str, path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n")
}

fn ask(address: &str, request: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("the gateway listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    connection.write_all(request.as_bytes()).expect("sent");
    connection
}

/// A running executable and the lines it has told. It is killed when the test ends before it.
pub(crate) struct Started {
    child: Child,
    lines: Receiver<String>,
}

impl Started {
    pub(crate) fn new(directory: &Path, arguments: &[&str]) -> Started {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.args(arguments).current_dir(directory).env_remove("SEKISHO_LOG");
        Started::spawn(command)
    }

    /// A command with the output to be read.
    pub(crate) fn spawn(mut command: Command) -> Started {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the executable starts");
        let (sender, lines) = channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Started { child, lines }
    }

    /// A process that somebody else listened to.
    pub(crate) fn of(child: Child) -> Started {
        Started { child, lines: channel().1 }
    }

    /// The next line with this in it.
    pub(crate) fn wait(&self, part: &str) -> String {
        let mut told = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(part) {
                return line;
            }
            told.push(line);
        }
        panic!("`{part}` was not told, but:\n{}", told.join("\n"));
    }

    /// Sends a signal by the process's id.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
    }

    /// Ends it as an operator would.
    pub(crate) fn end(self) -> ExitStatus {
        self.signal("-TERM");
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
