//! A gateway, an upstream and a client for tests. Nothing sleeps; every wait is for a condition and fails after
//! [`PATIENCE`].

use arc_swap::ArcSwap;
use sekisho_edm::{ColumnConfig, Encoding, HashKey, Index, IndexBuilder, RegisterConfig};
use sekisho_gateway::config::{Config, ContainRules, Deadlines, Limits, Listener, Route, SessionSource, Upstream};
use sekisho_gateway::inspect::Policy;
use sekisho_gateway::inspect::watch::WatchRules;
use sekisho_gateway::{Error, Gateway, Parts};
use sekisho_ledger::{Ledger, Options, Reader};
use sekisho_model::disk::Disk;
use sekisho_model::{Contained, FieldKind, Record, SystemClock, Timestamp};
use sekisho_testkit::SimDisk;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// After this long a wait has failed. No test passes because of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A configuration with one listener and one route `/` to this upstream.
pub(crate) fn config(upstream: SocketAddr) -> Config {
    Config {
        listeners: vec![Listener { address: "127.0.0.1:0".parse().unwrap(), tls: None, proxy_protocol: false }],
        admin: None,
        upstreams: vec![Upstream {
            name: "site".to_owned(),
            scheme: "http".parse().unwrap(),
            authority: upstream.to_string().parse().unwrap(),
            extra_roots: None,
        }],
        routes: vec![route("/")],
        trusted_peers: Vec::new(),
        session: SessionSource::default(),
        logins: Vec::new(),
        tokens: Vec::new(),
        logout_paths: Vec::new(),
        canaries: Vec::new(),
        containment: ContainRules::default(),
        watch: WatchRules::default(),
        open_cases: None,
        deadlines: Deadlines::default(),
        limits: Limits::default(),
        workers: 1,
        access_log: false,
    }
}

pub(crate) fn route(path_prefix: &str) -> Route {
    Route {
        name: None,
        host: None,
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

/// The key of every test's registers and sessions.
pub(crate) fn key() -> Arc<HashKey> {
    Arc::new(HashKey::new([7; 16]))
}

/// The register `account_holders` with the row key `id`.
pub(crate) fn register(columns: &[(&str, FieldKind)], csv: &str) -> Index {
    let column =
        |(name, kind): &(&str, FieldKind)| ColumnConfig { name: (*name).to_owned(), kind: *kind, pattern: None };
    let config = RegisterConfig {
        name: "account_holders".to_owned(),
        row_key: "id".to_owned(),
        columns: columns.iter().map(column).collect(),
        encoding: Encoding::Auto,
    };
    let mut builder = IndexBuilder::new(key(), Timestamp(0));
    builder.register(&config, csv.as_bytes(), "customers.csv").expect("a good register");
    builder.build()
}

/// A running gateway with its ledger on a simulated disk.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) ledger: Ledger,
    pub(crate) disk: Arc<SimDisk>,
}

impl Deref for Running {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

impl Running {
    /// Stops the gateway and closes the ledger; everything in it.
    pub(crate) fn shutdown(self) -> Vec<Record> {
        self.gateway.shutdown();
        self.ledger.close().expect("the ledger closes");
        records(&self.disk)
    }
}

/// Everything in the ledger of this disk.
pub(crate) fn records(disk: &Arc<SimDisk>) -> Vec<Record> {
    let reader = Reader::open(LEDGER, Arc::clone(disk) as Arc<dyn Disk>).expect("a ledger");
    let mut records = Vec::new();
    reader.records(&mut |_, record| records.push(record)).expect("a readable ledger");
    records
}

const LEDGER: &str = "/ledger";

/// What callers of the admin address show.
pub(crate) const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A ledger on a simulated disk of its own.
fn ledger() -> (Ledger, Arc<SimDisk>) {
    let disk = Arc::new(SimDisk::new());
    // The operator's directory is there and durable before the ledger is.
    disk.create_dir_all(Path::new(LEDGER)).and_then(|()| disk.sync_dir(Path::new("/"))).unwrap();
    let signing_key = sekisho_tlog::SigningKey::from_seed("test.example/ledger", &[3; 32]).unwrap();
    let options = Options {
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        wal_file_bytes: 64 * 1024,
        sync_deadline: Duration::from_secs(5),
        ..Options::new(LEDGER, signing_key)
    };
    let (ledger, _recovery) = Ledger::open(options).expect("the ledger opens");
    (ledger, disk)
}

fn parts(index: Index, ledger: Ledger) -> Parts {
    let index = Arc::new(ArcSwap::from_pointee(index));
    Parts {
        index,
        ledger,
        clock: Arc::new(SystemClock::new()),
        key: key(),
        events: None,
        bound: Vec::new(),
        contained: Vec::new(),
        decisions: None,
        admin_token: Some(ADMIN_TOKEN.to_owned()),
        past: None,
    }
}

/// A gateway before `upstream`, changed as the test wants it; no registers.
pub(crate) fn start(upstream: &Site, change: impl FnOnce(&mut Config)) -> Running {
    start_with(Index::empty(key()), upstream, change)
}

/// The same with registers.
pub(crate) fn start_with(index: Index, upstream: &Site, change: impl FnOnce(&mut Config)) -> Running {
    start_after(&[], index, upstream, change)
}

/// The same after a restart; `records` are those of the ledger before.
pub(crate) fn start_after(
    records: &[Record],
    index: Index,
    upstream: &Site,
    change: impl FnOnce(&mut Config),
) -> Running {
    let mut config = config(upstream.address);
    change(&mut config);
    let (ledger, disk) = ledger();
    let bound = records.iter().filter_map(|record| match record {
        Record::Bound(bound) => Some(bound.clone()),
        _ => None,
    });
    let mut contained: Vec<Contained> = Vec::new();
    for record in records {
        match record {
            Record::Contained(one) => contained.push(one.clone()),
            Record::Released(released) => contained.retain(|one| one.target != released.target),
            _ => {}
        }
    }
    let parts = Parts { bound: bound.collect(), contained, ..parts(index, ledger.clone()) };
    let gateway = Gateway::start(config, parts).expect("the gateway starts");
    Running { gateway, ledger, disk }
}

/// Why a gateway does not start.
pub(crate) fn refused(config: Config) -> Error {
    let (ledger, _disk) = ledger();
    match Gateway::start(config, parts(Index::empty(key()), ledger)) {
        Err(err) => err,
        Ok(_) => panic!("the gateway starts"),
    }
}

/// A connection to the gateway's first listener.
pub(crate) fn connect(gateway: &Gateway) -> Wire {
    Wire::connect(gateway.addresses()[0])
}

/// One request on a connection of its own.
pub(crate) fn get(gateway: &Gateway, target: &str) -> Message {
    let mut wire = connect(gateway);
    wire.send(&format!("GET {target} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n"));
    wire.response()
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}

/// One end of an HTTP/1 connection.
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
}

/// A request or response as it was on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }

    pub(crate) fn target(&self) -> &str {
        self.first_line.split(' ').nth(1).unwrap_or("")
    }
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Wire {
        Wire::new(TcpStream::connect(address).expect("the address listens"))
    }

    fn new(tcp: TcpStream) -> Wire {
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        Wire { reader: BufReader::new(tcp) }
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        self.try_send(bytes.as_bytes()).expect("the peer reads");
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// The next message's head; `None` when the connection ended before it.
    pub(crate) fn try_head(&mut self) -> Option<Message> {
        let mut message = Message::default();
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => return None,
            Err(err) if err.kind() == ErrorKind::ConnectionReset => return None,
            Err(err) => panic!("no head: {err}"),
            Ok(_) => message.first_line = line.trim_end().to_owned(),
        }
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a head");
            let Some((name, value)) = line.trim_end().split_once(':') else { return Some(message) };
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next message; its body by its framing.
    pub(crate) fn try_message(&mut self, kind: Kind) -> Option<Message> {
        let mut message = self.try_head()?;
        let bodyless = matches!(message.status(), 100..200 | 204 | 304) && kind == Kind::Response;
        if message.header("transfer-encoding") == Some("chunked") {
            message.body = self.chunked().expect("a whole chunked body");
        } else if let Some(length) = message.header("content-length").filter(|_| !bodyless) {
            message.body = vec![0; length.parse().unwrap()];
            self.reader.read_exact(&mut message.body).expect("a whole body");
        } else if kind == Kind::Response && !bodyless {
            self.reader.read_to_end(&mut message.body).expect("a body until the end");
        }
        Some(message)
    }

    pub(crate) fn response(&mut self) -> Message {
        self.try_message(Kind::Response).expect("a response")
    }

    fn chunked(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk()? {
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The next chunk; `None` after the last one.
    pub(crate) fn chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let mut data = vec![0; size + 2];
        self.reader.read_exact(&mut data)?;
        data.truncate(size);
        Ok((size > 0).then_some(data))
    }

    /// Everything until the connection ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(err) if err.kind() == ErrorKind::ConnectionReset => {}
            Err(err) => panic!("the connection does not end: {err}"),
        }
        rest
    }

    /// What reading now, without waiting, comes to when there is nothing.
    pub(crate) fn unread(&mut self) -> ErrorKind {
        let tcp = self.reader.get_ref();
        tcp.set_nonblocking(true).unwrap();
        let peeked = tcp.peek(&mut [0]);
        tcp.set_nonblocking(false).unwrap();
        peeked.expect_err("nothing to read").kind()
    }

    pub(crate) fn read_exact(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        self.reader.read_exact(&mut read).expect("more bytes");
        read
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

/// What the site does with its connection after an answer.
pub(crate) enum Then {
    Keep,
    Close,
}

/// The firm's site: a blocking server that hands every request to the test.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Site {
    /// A site that answers whole requests.
    pub(crate) fn new(answer: impl Fn(&Message, &mut Wire) -> Then + Send + Sync + 'static) -> Site {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let site = Site::raw(move |mut wire| {
            while let Some(request) = wire.try_message(Kind::Request) {
                log.lock().unwrap().push(request.clone());
                if let Then::Close = answer(&request, &mut wire) {
                    return;
                }
            }
        });
        Site { seen, ..site }
    }

    /// A site that does what it likes with each connection.
    pub(crate) fn raw(serve: impl Fn(Wire) + Send + Sync + 'static) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(Wire::new(tcp)));
            }
        });
        Site { address, connections, seen: Arc::default() }
    }

    /// A site that answers everything with this text.
    pub(crate) fn saying(text: &'static str) -> Site {
        Site::new(move |_, wire| ok(wire, text))
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Message> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers 200 with a text and keeps the connection.
pub(crate) fn ok(wire: &mut Wire, text: &str) -> Then {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n", text.len());
    match wire.try_send(format!("{head}{text}").as_bytes()) {
        Ok(()) => Then::Keep,
        Err(_) => Then::Close,
    }
}
