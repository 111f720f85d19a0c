//! The account of one request: what the access log and the metrics say of it, settled when its response has ended
//! or was dropped. Holds no personal data.

use crate::access_log::Entry;
use crate::activity::ActiveRequest;
use crate::server::Shared;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Instant;

/// An open account.
pub(crate) struct Account {
    shared: Arc<Shared>,
    started: Instant,
    entry: Entry,
    active: ActiveRequest,
}

impl Account {
    /// Opens the account of a request.
    pub(crate) fn open(shared: Arc<Shared>, active: ActiveRequest, method: &Method) -> Account {
        let entry = Entry::new(shared.parts.clock.now(), method);
        Account { shared, started: Instant::now(), entry, active }
    }

    /// The request's route and client are known.
    pub(crate) fn routed(&mut self, route: &str, class: &str, client_key: [u8; 16]) {
        self.entry.route.push_str(route);
        self.entry.class.push_str(class);
        self.entry.client_key = Some(client_key);
    }

    /// The status that the client gets, and what stands behind it.
    pub(crate) fn answered(&mut self, status: StatusCode, outcome: &'static str) {
        self.entry.status = status.as_u16();
        self.entry.outcome = outcome;
    }

    /// The upstream's head came.
    pub(crate) fn upstream_answered(&mut self, sent: Instant) {
        self.entry.upstream_us = Some(sent.elapsed().as_micros());
    }

    /// A part of the response is the client's to take.
    pub(crate) fn handed_out(&mut self) {
        self.active.handed_out();
    }

    /// The client has room for the next part.
    pub(crate) fn asked(&mut self) {
        self.active.asked();
    }

    /// Body bytes go to the client.
    pub(crate) fn body_bytes(&mut self, bytes: usize) {
        self.entry.body_bytes += bytes as u64;
    }

    /// The body ends early.
    pub(crate) fn broke_off(&mut self) {
        self.entry.outcome = "broken_off";
        self.active.broke_off();
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.entry.total_us = self.started.elapsed().as_micros();
        self.shared.metrics.responded(&self.entry);
        if let Some(log) = &self.shared.log {
            log.write(std::mem::take(&mut self.entry));
        }
    }
}
