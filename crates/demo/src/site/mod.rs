//! The web site of the sample broker: an ordinary small application with four holes left in on purpose.
//!
//! Not an example of how to write one. Each hole stands in one place, marked `Hole n` and described in the README:
//! 1 in [`database`] (the seminar search), 2 in [`api`], 3 in [`shared_cache`], 4 in [`staff`]. Everything else is
//! meant to be sound. Read this file, then [`account`] for the life of a customer's page.

mod account;
mod api;
mod book;
mod charset;
mod database;
mod dates;
mod public;
mod reply;
mod seminars;
mod session;
mod shared_cache;
mod staff;
mod titles;
mod typed;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use database::Database;
use sekisho_testkit::Person;
use session::Sessions;
use shared_cache::SharedCache;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use staff::STAFF_COOKIE;

/// The longest request body, in bytes; a longer one is answered with 413.
const REQUEST_BODY_BYTES_MAX: usize = 16 * 1024;

/// Whom the site knows when it starts, and where it listens.
#[derive(Clone, Debug)]
pub struct SiteOptions {
    /// A loopback address; port 0 picks a free one.
    pub address: SocketAddr,
    /// Customers with an account. Their numbers in `/api/customers/{id}` are their positions here, from 1.
    pub accounts: Vec<Person>,
    /// Those who signed up for a seminar, without an account.
    pub applicants: Vec<Person>,
}

/// Why the site does not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The address can be reached from other machines.
    #[error("refuse to serve a site with holes on `{0}`: give a loopback address, such as 127.0.0.1:3000")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The database in memory could not be filled.
    #[error("cannot fill the site's database: is an account id given twice?")]
    Seed(#[source] rusqlite::Error),
    /// Serving ended with an error.
    #[error("cannot serve")]
    Serve(#[source] io::Error),
    /// The serving task ended by itself.
    #[error("the site's task ended unexpectedly")]
    Ended(#[source] tokio::task::JoinError),
}

/// A running site. Dropping it stops it without waiting for requests under way.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl Site {
    /// Fills a database in memory and serves it on a task of the current runtime.
    pub async fn start(options: SiteOptions) -> Result<Site, SiteError> {
        let SiteOptions { address, accounts, applicants } = options;
        if !address.ip().is_loopback() {
            return Err(SiteError::NotLoopback(address));
        }
        let database = Database::filled(&accounts, &applicants).map_err(SiteError::Seed)?;
        let listen_error = |error| SiteError::Listen { address, error };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let (stop, stopped) = oneshot::channel();
        let serve = axum::serve(listener, router(Shared::new(database))).with_graceful_shutdown(async {
            // A sender that was dropped stops the site as well.
            let _ = stopped.await;
        });
        let serving = tokio::spawn(serve.into_future());
        Ok(Site { address, stop, serving })
    }

    /// Where the site listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Finishes the requests under way, then stops.
    pub async fn stop(self) -> Result<(), SiteError> {
        // The receiver is gone only when serving has ended already, which the next line reports.
        let _ = self.stop.send(());
        self.serving.await.map_err(SiteError::Ended)?.map_err(SiteError::Serve)
    }
}

/// The password of an account: its id, read backwards.
///
/// The stored hashes are the hash of nothing; they are there to be stolen.
#[must_use]
pub fn password(account_id: &str) -> String {
    account_id.chars().rev().collect()
}

/// What all handlers share.
#[derive(Clone)]
struct Shared {
    database: Arc<Database>,
    sessions: Arc<Sessions>,
    cache: Arc<SharedCache>,
}

impl Shared {
    fn new(database: Database) -> Shared {
        Shared { database: Arc::new(database), sessions: Arc::default(), cache: Arc::default() }
    }
}

fn router(shared: Shared) -> Router {
    // Hole 3: a page about one customer must not be behind a cache that all share.
    let cached = Router::new()
        .route("/news", get(public::news))
        .route("/mypage/summary", get(account::summary))
        .layer(middleware::from_fn_with_state(shared.clone(), shared_cache::answer));
    Router::new()
        .route("/", get(public::home))
        .route("/open", get(public::open_form).post(public::open))
        .route("/static/site.css", get(public::style))
        .route("/static/search.js", get(public::script))
        .route("/seminars", get(seminars::search))
        .route("/seminars/{id}/apply", get(seminars::apply_form).post(seminars::apply))
        .route("/login", get(account::login_form).post(account::login))
        .route("/logout", get(account::logout).post(account::logout))
        .route("/mypage", get(account::mypage))
        .route("/statement.csv", get(account::statement))
        .route("/api/customers/{id}", get(api::customer))
        .route("/api/positions", get(api::positions))
        .route("/api/autocomplete", get(api::autocomplete))
        .route("/staff/customers", get(staff::customers))
        .route("/staff/export.csv", get(staff::export))
        .merge(cached)
        .fallback(public::not_found)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .with_state(shared)
}
