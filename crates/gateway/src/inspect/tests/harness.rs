//! A ledger in memory, an upstream's body by script, and a small register.

use crate::config::{ContainRules, Deadlines, Limits};
use crate::containment::Containment;
use crate::inspect::recorder::{Recorder, Wait};
use crate::inspect::watch::{Case, Watch, WatchRules};
use crate::inspect::watching::Watching;
use crate::inspect::{
    BodyError, Bounds, Exchange, HeldBytes, InspectedBody, Inspection, Inspector, Policy, RoutePolicy,
};
use crate::token::Told;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use sekisho_edm::{ColumnConfig, Encoding, HashKey, Index, IndexBuilder, RegisterConfig};
use sekisho_ledger::{Health, NotDurable, Position};
use sekisho_model::{Closed, Disposition, Exposed, FieldKind, FieldSet, Record, SessionKey, Timestamp};
use sekisho_testkit::SimClock;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

pub(super) const CSV: &str =
    "id,mail,phone\nH-100001,hanako@example.jp,03-5555-0101\nH-100002,taro@example.jp,03-5555-0102\n";
pub(super) const HANAKO: &str = "<p>お客様: hanako@example.jp 様</p>";

/// What the memory ledger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    Works,
    Hangs,
    FailsToSync,
    IsFull,
}

pub(super) struct MemoryLedger {
    records: Mutex<Vec<Record>>,
    sequence: AtomicU64,
    disk: watch::Sender<Disk>,
    health: Mutex<Health>,
}

impl MemoryLedger {
    pub(super) fn records(&self) -> Vec<Record> {
        self.records.lock().expect("no holder panics").clone()
    }

    pub(super) fn disk(&self, disk: Disk) {
        self.disk.send_replace(disk);
    }

    pub(super) fn health(&self, health: Health) {
        *self.health.lock().expect("no holder panics") = health;
    }
}

impl Recorder for Arc<MemoryLedger> {
    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn append(&self, record: Record) -> Result<Position, NotDurable> {
        if *self.disk.borrow() == Disk::IsFull && !matches!(record, Record::Closed(_)) {
            return Err(NotDurable::QueueFull);
        }
        let mut records = self.records.lock().expect("no holder panics");
        records.push(record);
        Ok(Position(records.len() as u64))
    }

    fn is_durable(&self, _position: Position) -> bool {
        false
    }

    fn durable(&self, _position: Position) -> Wait {
        let mut disk = self.disk.subscribe();
        Box::pin(async move {
            let disk = disk.wait_for(|disk| *disk != Disk::Hangs).await.map_err(|_| NotDurable::Closed)?;
            match *disk {
                Disk::FailsToSync => Err(NotDurable::Failed),
                _ => Ok(()),
            }
        })
    }

    fn health(&self) -> Health {
        *self.health.lock().expect("no holder panics")
    }
}

/// What an upstream's body does next.
pub(super) enum Step {
    Data(Bytes),
    /// Nothing for now, and nobody wakes: a stream that idles.
    Idle,
    /// Nothing for two seconds: longer than a stream may idle before it is flushed.
    Late,
    Trailers(HeaderMap),
    Broken,
}

/// A body by script.
pub(super) struct Script {
    steps: VecDeque<Step>,
    length: Option<u64>,
    late: Option<Pin<Box<Sleep>>>,
}

impl Script {
    /// A body whose length is told, as with `Content-Length`.
    pub(super) fn sized(pieces: &[&[u8]]) -> Script {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Script { length: Some(length), ..Script::streamed(pieces) }
    }

    /// A body of unknown length.
    pub(super) fn streamed(pieces: &[&[u8]]) -> Script {
        Script {
            steps: pieces.iter().map(|piece| Step::Data(Bytes::copy_from_slice(piece))).collect(),
            length: None,
            late: None,
        }
    }

    pub(super) fn then(mut self, step: Step) -> Script {
        self.steps.push_back(step);
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if matches!(self.steps.front(), Some(Step::Late)) {
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(Duration::from_secs(2))));
            ready!(late.as_mut().poll(cx));
            self.late = None;
            self.steps.pop_front();
        }
        if matches!(self.steps.front(), Some(Step::Idle)) {
            return Poll::Pending;
        }
        Poll::Ready(self.steps.pop_front().map(|step| match step {
            Step::Data(data) => {
                self.length = self.length.map(|length| length - data.len() as u64);
                Ok(Frame::data(data))
            }
            Step::Trailers(trailers) => Ok(Frame::trailers(trailers)),
            Step::Broken | Step::Idle | Step::Late => Err(std::io::ErrorKind::ConnectionReset.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(0) || (self.length.is_some() && self.steps.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

pub(super) struct Site {
    pub(super) inspector: Inspector,
    pub(super) ledger: Arc<MemoryLedger>,
    pub(super) policy: RoutePolicy,
    pub(super) session: Option<SessionKey>,
}

/// Whoever asks.
pub(super) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub(in crate::inspect) fn index() -> (Arc<HashKey>, Index) {
    let key = Arc::new(HashKey::new([7; 16]));
    let column = |name: &str, kind, pattern: Option<&str>| ColumnConfig {
        name: name.to_owned(),
        kind,
        pattern: pattern.map(str::to_owned),
    };
    let config = RegisterConfig {
        name: "customers".to_owned(),
        row_key: "id".to_owned(),
        columns: vec![
            column("id", FieldKind::AccountId, Some("H-[0-9]{6}")),
            column("mail", FieldKind::Email, None),
            column("phone", FieldKind::Phone, None),
        ],
        encoding: Encoding::Utf8,
    };
    let mut builder = IndexBuilder::new(Arc::clone(&key), Timestamp(0));
    builder.register(&config, CSV.as_bytes(), "customers.csv").expect("the register is right");
    (key, builder.build())
}

impl Site {
    pub(super) fn new() -> Site {
        Site::with(&Limits::default())
    }

    pub(super) fn with(limits: &Limits) -> Site {
        let ledger = Arc::new(MemoryLedger {
            records: Mutex::default(),
            sequence: AtomicU64::new(0),
            disk: watch::Sender::new(Disk::Works),
            health: Mutex::new(Health::Healthy),
        });
        let (key, index) = index();
        let clock = Arc::new(SimClock::at(Timestamp(1)));
        let index = Arc::new(ArcSwap::from_pointee(index));
        let recorder = Box::new(Arc::clone(&ledger));
        let bounds = Bounds::of(limits, &Deadlines::default(), Vec::new(), ContainRules::default());
        let held = HeldBytes::new(limits.held_bytes_max);
        let watch = Watch::new(WatchRules::default(), |name| key.account(name));
        let watching = Watching::new(watch, Arc::clone(&key));
        let inspector = Inspector::with_recorder(
            recorder,
            index,
            clock,
            key,
            (bounds, held, watching, Containment::new(Vec::new())),
            (None, None),
        );
        let policy = RoutePolicy { inspect: true, continuity: false, compress: false, rules: Policy::default() };
        Site { inspector, ledger, policy, session: None }
    }

    pub(super) fn begin(&self, request: Request<()>) -> Option<Inspection> {
        self.begin_as(self.session, request)
    }

    pub(super) fn begin_as(&self, session: Option<SessionKey>, request: Request<()>) -> Option<Inspection> {
        let exchange = Exchange {
            client: CLIENT,
            client_key: HashKey::new([7; 16]).client(CLIENT),
            route: "site".to_owned(),
            policy: self.policy,
            session,
            login: None,
            told: Told::Nothing,
            is_logout: false,
            case: Case::NotAsked,
        };
        self.inspector.begin(&request.into_parts().0, exchange).ok()
    }

    pub(super) async fn get(
        &self,
        response: Response<Script>,
    ) -> Response<InspectedBody<crate::inspect::Reading<Script>>> {
        let request = Request::get("/page?p=1").body(()).expect("a request");
        self.begin(request).expect("the ledger is healthy").response(response).await
    }

    /// The fields of all `Exposed` records: counted, and reflected ones.
    pub(super) fn exposed(&self) -> Vec<(u32, FieldSet, FieldSet)> {
        let exposures = self.exposed_records().into_iter().flat_map(|exposed| exposed.exposures);
        exposures.map(|exposure| (exposure.subject.id.0, exposure.fields, exposure.reflected)).collect()
    }

    pub(super) fn exposed_records(&self) -> Vec<Exposed> {
        let only = |record| if let Record::Exposed(exposed) = record { Some(exposed) } else { None };
        self.ledger.records().into_iter().filter_map(only).collect()
    }

    /// The one `Closed`; fails when there is none, or more than one (LED-4).
    pub(super) fn closed(&self) -> Closed {
        let only = |record| if let Record::Closed(closed) = record { Some(closed) } else { None };
        let closed: Vec<Closed> = self.ledger.records().into_iter().filter_map(only).collect();
        assert_eq!(closed.len(), 1, "{closed:?}");
        closed[0].clone()
    }

    pub(super) fn end(&self) -> (sekisho_model::Inspection, Disposition, u64) {
        let closed = self.closed();
        (closed.inspection, closed.disposition, closed.body_bytes_released)
    }
}

pub(super) fn page(media: &str, body: Script) -> Response<Script> {
    Response::builder().header("content-type", media).body(body).expect("a response")
}

/// Everything that the body releases, and how it ends.
pub(super) async fn read(
    response: Response<InspectedBody<crate::inspect::Reading<Script>>>,
) -> (Vec<u8>, Option<HeaderMap>, Option<BodyError>) {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(err) => return (bytes, trailers, Some(err)),
        }
    }
    (bytes, trailers, None)
}

/// Drives a future until it waits for something; its value when it does not.
pub(super) async fn now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}
