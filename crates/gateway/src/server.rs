//! Listeners and worker threads: each worker has a runtime, an accept loop and upstream pools of its own.
//!
//! Workers listen on the same address (`SO_REUSEPORT`), so that the kernel spreads the connections and no lock is
//! shared; nothing of a request ever leaves its worker's thread.

use crate::access_log::AccessLog;
use crate::activity::{Activity, when_changed};
use crate::admission::Admission;
use crate::config::{Config, Listener};
use crate::connection;
use crate::head_gate::RefusalCounts;
use crate::inspect::Inspector;
use crate::metrics::Metrics;
use crate::route::RouteShapes;
use crate::serving::Serving;
use crate::upstream::Pool;
use crate::{Error, Parts};
use arc_swap::ArcSwap;
use socket2::{Domain, Socket, Type};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, watch};

/// Connections that the kernel holds until a worker takes them; beyond, it lets clients try again.
const ACCEPT_BACKLOG_MAX: i32 = 1024;
/// How long accepting pauses after an error such as running out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) serving: ArcSwap<Serving>,
    pub(crate) parts: Parts,
    pub(crate) inspector: Inspector,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<RefusalCounts>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) shapes: RouteShapes,
    pub(crate) log: Option<AccessLog>,
}

/// What becomes of a connection whose user is contained for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contained {
    /// Its requests are refused one by one.
    StayOpen,
    /// It is closed: nobody sees what passes in a WebSocket.
    Close,
}

/// One worker's own state.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) stop: watch::Receiver<bool>,
    current: RefCell<Rc<Current>>,
    open: Cell<usize>,
    all_closed: Notify,
}

/// A worker's view of the configuration in force, with the pools that belong to it.
pub(crate) struct Current {
    pub(crate) serving: Arc<Serving>,
    pub(crate) pools: Vec<Rc<Pool>>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Current {
    fn new(serving: Arc<Serving>, metrics: &Arc<Metrics>) -> Rc<Current> {
        let pool = |target| Pool::new(Arc::clone(target), Arc::clone(metrics));
        let pools = serving.targets.iter().map(pool).collect();
        Rc::new(Current { serving, pools, metrics: Arc::clone(metrics) })
    }
}

impl Worker {
    /// The configuration in force. After a reload the old pools end with their last request.
    pub(crate) fn current(&self) -> Rc<Current> {
        let serving = self.shared.serving.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&serving, &current.serving) {
            *current = Current::new(Arc::clone(&serving), &self.shared.metrics);
        }
        Rc::clone(&current)
    }

    /// Ends when somebody who used the connection is cut off, or is contained where that closes it too.
    pub(crate) fn cut_off(&self, activity: Arc<Activity>, contained: Contained) -> impl Future<Output = ()> + use<> {
        let shared = Arc::clone(&self.shared);
        let changed = shared.inspector.containment().changed();
        when_changed(changed, move || {
            activity.carried_any(|session| match contained {
                Contained::StayOpen => shared.inspector.is_cut_off(session),
                Contained::Close => shared.inspector.keeps_out(session).is_some(),
            })
        })
    }

    /// Runs a task that shutdown waits for.
    pub(crate) fn spawn(self: &Rc<Worker>, task: impl Future<Output = ()> + 'static) {
        self.open.set(self.open.get() + 1);
        let open = OpenTask(Rc::clone(self));
        tokio::task::spawn_local(async move {
            task.await;
            drop(open);
        });
    }

    async fn all_closed(&self) {
        while self.open.get() > 0 {
            self.all_closed.notified().await;
        }
    }
}

/// Counts a task until it ends, by panic too.
struct OpenTask(Rc<Worker>);

impl Drop for OpenTask {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            self.0.all_closed.notify_one();
        }
    }
}

/// Binds every listener once for each worker: `sockets[worker][listener]`.
pub(crate) fn bind(config: &Config) -> Result<Vec<Vec<TcpListener>>, Error> {
    let mut sockets: Vec<Vec<TcpListener>> = (0..config.workers.max(1)).map(|_| Vec::new()).collect();
    for listener in &config.listeners {
        bind_for_all(listener, &mut sockets).map_err(|err| Error::Bind { address: listener.address, err })?;
    }
    Ok(sockets)
}

fn bind_for_all(listener: &Listener, sockets: &mut [Vec<TcpListener>]) -> io::Result<()> {
    // Without SO_REUSEPORT first: an address that another process listens on is an error, not shared with it.
    let probe = listening(listener.address, Sharing::Alone)?;
    let address = probe.local_addr()?.as_socket().unwrap_or(listener.address);
    drop(probe);
    for worker in sockets {
        let socket = listening(address, Sharing::Workers)?;
        socket.listen(ACCEPT_BACKLOG_MAX)?;
        worker.push(socket.into());
    }
    Ok(())
}

/// Binds the admin address.
pub(crate) fn bind_admin(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = listening(address, Sharing::Alone).and_then(|socket| {
        socket.listen(ACCEPT_BACKLOG_MAX)?;
        Ok(socket.into())
    });
    bound.map_err(|err| Error::Bind { address, err })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Workers,
}

fn listening(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Workers)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Starts a worker on its sockets.
pub(crate) fn spawn(
    number: usize,
    shared: Arc<Shared>,
    sockets: Vec<TcpListener>,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    run_on_thread(format!("worker-{number}"), move || run(shared, sockets, stop))
}

/// Runs a future on a thread with a runtime of its own, which stays on that thread: so its tasks need not be `Send`, and what
/// wakes them takes no lock.
pub(crate) fn run_on_thread<F: Future<Output = ()>>(
    name: String,
    future: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let (made, told) = mpsc::channel();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                drop(made);
                runtime.block_on(future());
            }
            // Whoever waits for it is there until it has heard.
            Err(err) => made.send(err).unwrap_or_default(),
        }
    });
    let thread = thread.map_err(Error::Runtime)?;
    match told.recv() {
        Ok(err) => Err(Error::Runtime(err)),
        Err(mpsc::RecvError) => Ok(thread),
    }
}

async fn run(shared: Arc<Shared>, sockets: Vec<TcpListener>, stop: watch::Receiver<bool>) {
    let current = RefCell::new(Current::new(shared.serving.load_full(), &shared.metrics));
    let worker = Rc::new(Worker { shared, stop: stop.clone(), current, open: Cell::new(0), all_closed: Notify::new() });
    let accepting: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(listener, socket)| tokio::task::spawn_local(accept_until_stop(Rc::clone(&worker), socket, listener)))
        .collect();
    for loop_ in accepting {
        if let Err(err) = loop_.await {
            tracing::error!(error = %err, "an accept loop ended");
        }
    }
    let deadline = worker.current().serving.deadlines().shutdown;
    if tokio::time::timeout(deadline, worker.all_closed()).await.is_err() {
        tracing::warn!(connections = worker.open.get(), "cut open connections at the shutdown deadline");
    }
}

async fn accept_until_stop(worker: Rc<Worker>, socket: TcpListener, listener: usize) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(err) => return tracing::error!(error = %err, "cannot listen"),
    };
    let mut stop = worker.stop.clone();
    let mut stopping = std::pin::pin!(stop.wait_for(|stop| *stop));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stopping => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => worker.spawn(connection::serve(Rc::clone(&worker), tcp, peer, listener)),
            Err(err) => {
                tracing::warn!(error = %err, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
