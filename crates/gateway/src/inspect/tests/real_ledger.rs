use super::harness::{CLIENT, HANAKO, Script, index, page};
use crate::config::{ContainRules, Deadlines, Limits};
use crate::inspect::watch::{Case, Watch, WatchRules};
use crate::inspect::{Exchange, Inspector, InspectorParts, Policy, RoutePolicy};
use crate::token::Told;
use arc_swap::ArcSwap;
use http::Request;
use http_body_util::BodyExt;
use sekisho_edm::HashKey;
use sekisho_ledger::{Ledger, Options, Reader};
use sekisho_model::{Record, Timestamp};
use sekisho_testkit::{Fault, Gate, OperationKind, SimClock, SimDisk};
use sekisho_tlog::SigningKey;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The ledger itself on a disk whose syncs hang: the page leaves after the gate opens, and a power cut at any time
/// then keeps the exposure.
#[test]
fn led_1_with_the_ledger_itself_on_a_hung_disk() {
    let disk = SimDisk::new();
    let key = SigningKey::from_seed("ledger.example/1", &[7; 32]).expect("a good name");
    let options = Options {
        disk: Arc::new(disk.clone()),
        wal_file_bytes: 64 * 1024,
        sync_deadline: Duration::from_secs(60),
        ..Options::new("/ledger", key)
    };
    let (ledger, _) = Ledger::open(options).expect("an empty ledger");
    let gate = Gate::closed();
    let hung = Arc::clone(&gate);
    disk.set_fault(move |operation| match operation.kind {
        OperationKind::Sync => Fault::Wait(Arc::clone(&hung)),
        _ => Fault::None,
    });
    let (hash_key, index) = index();
    let inspector = Inspector::new(InspectorParts {
        ledger: ledger.clone(),
        index: Arc::new(ArcSwap::from_pointee(index)),
        clock: Arc::new(SimClock::at(Timestamp(1))),
        key: hash_key,
        limits: Limits::default(),
        deadlines: Deadlines::default(),
        events: None,
        canaries: Vec::new(),
        contain: ContainRules::default(),
        contained: Vec::new(),
        decisions: None,
        watch: Watch::new(WatchRules::default(), |name| HashKey::new([7; 16]).account(name)),
    });
    let exchange = Exchange {
        client: CLIENT,
        client_key: HashKey::new([7; 16]).client(CLIENT),
        route: "site".to_owned(),
        policy: RoutePolicy { inspect: true, continuity: false, compress: false, rules: Policy::default() },
        session: None,
        login: None,
        told: Told::Nothing,
        is_logout: false,
        case: Case::NotAsked,
    };
    let head = Request::get("/").body(()).expect("a request").into_parts().0;
    let inspection = inspector.begin(&head, exchange).expect("healthy");
    let mut response = pin!(inspection.response(page("text/html", Script::sized(&[HANAKO.as_bytes()]))));
    assert!(matches!(response.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    gate.wait_for_arrival();
    assert!(matches!(response.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    gate.open();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let bytes = runtime.block_on(async { response.await.into_body().collect().await.expect("no error").to_bytes() });
    assert_eq!(bytes, HANAKO.as_bytes());
    let crashed = disk.crash(1);
    let mut exposed = 0;
    let reader = Reader::open("/ledger", Arc::new(crashed)).expect("a ledger");
    reader.records(&mut |_, record| exposed += usize::from(matches!(record, Record::Exposed(_)))).expect("readable");
    assert_eq!(exposed, 1);
    // A ledger whose disk lost its power cannot be closed; it is left.
    drop(ledger);
}
