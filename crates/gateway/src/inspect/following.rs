//! Follows whose a session is from one exchange to the next: log-ins, log-outs, and other names of a session.

use super::asserted::Asserted;
use super::binding::Owner;
use super::issued::Awaited;
use super::login::Attempt;
use super::{Inspection, Shared};
use crate::config::Names;
use crate::token::Told;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use sekisho_model::{Bound, Record, SessionKey, Timestamp};
use std::sync::Arc;

impl Inspection {
    /// What the exchange says of whose session it is, before its response is looked at: the page after a log-in may
    /// show the person's own data. A session that is merely issued is not yet whose data the response may show: a cache
    /// that mixes answers up hands out the sessions with them.
    pub(super) fn follow_session(&mut self, status: StatusCode, headers: &HeaderMap) -> Option<Box<Awaited>> {
        let shared = Arc::clone(&self.journal.shared);
        let now = || shared.clock.now();
        let before = self.journal.transaction.session;
        let issued = self.issued.filter(|issued| Some(*issued) != before);
        let mut awaited = None;
        let has_succeeded = self.attempt.as_ref().is_some_and(|attempt| attempt.has_succeeded(status, headers));
        if !has_succeeded || self.is_logout {
            let told = std::mem::replace(&mut self.signed, Told::Nothing);
            self.journal.signed_elsewhere(&self.index, told);
        }
        if self.is_logout {
            before.into_iter().chain(issued).for_each(|session| shared.unbind(session, now()));
        } else if has_succeeded {
            awaited = self.logged_in((before, issued), headers);
        } else if let (Some(before), Some(issued)) = (before, issued)
            && let Some(owner) = shared.bindings.rotate(before, issued, now())
        {
            shared.record_bound(issued, &owner, now());
        }
        issued.into_iter().for_each(|issued| self.journal.renewed(issued));
        awaited
    }

    /// A log-in succeeded: its session is bound, or its token awaited.
    fn logged_in(
        &mut self,
        (before, issued): (Option<SessionKey>, Option<SessionKey>),
        headers: &HeaderMap,
    ) -> Option<Box<Awaited>> {
        let shared = Arc::clone(&self.journal.shared);
        let now = shared.clock.now();
        let is_encoded = headers.contains_key(CONTENT_ENCODING);
        let field = self.attempt.as_ref().and_then(Attempt::token_field).filter(|_| !is_encoded).map(str::to_owned);
        let Some(owner) = self.named().filter(|_| issued.is_some() || field.is_some()) else {
            shared.counters.logins_unbound.add(1);
            return None;
        };
        // A session from before the log-in is nobody's: whoever planted it gains nothing (fixation).
        before.iter().for_each(|before| shared.unbind(*before, now));
        if let Some(issued) = issued {
            shared.count_login(issued, &owner, &self.journal.transaction);
            shared.bind(issued, owner.clone(), now);
            self.journal.logged_in(issued);
            shared.counters.logins_bound.add(1);
        }
        let field = field?;
        self.journal.named = Some(owner.clone());
        let transaction = self.journal.transaction.clone();
        Some(Box::new(Awaited { shared, owner, before, transaction, field, start: Vec::new() }))
    }

    /// Whom the log-in names.
    fn named(&mut self) -> Option<Owner> {
        let attempt = self.attempt.as_ref()?;
        if attempt.is_signed() {
            let told = std::mem::replace(&mut self.signed, Told::Nothing);
            return match Asserted::of(&self.journal.shared, &self.index, told) {
                Asserted::Owner(owner) => Some(owner),
                Asserted::Nothing | Asserted::Nobody => None,
            };
        }
        let (names, value) = attempt.person(self.values.whole_body()?)?;
        let owner = match names {
            Names::Persons(kind) => Owner::of_value(&self.index, self.index.value_hash(kind, &value)?),
            Names::Account => Owner::account(self.journal.shared.key.account(&value)),
        };
        (!owner.is_nobody()).then_some(owner)
    }
}

impl Shared {
    /// The session is this owner's from now on.
    pub(super) fn bind(&self, session: SessionKey, owner: Owner, now: Timestamp) {
        self.record_bound(session, &owner, now);
        self.bindings.bind(session, owner, now);
    }

    /// The session is nobody's from now on.
    pub(super) fn unbind(&self, session: SessionKey, now: Timestamp) {
        if self.bindings.owner(session, now).is_some() {
            self.bind(session, Owner::persons(Vec::new()), now);
        }
    }

    /// So that a restart forgets nobody, and a report knows whose a session was. Counted when it is lost: the session
    /// is then nobody's after a restart.
    fn record_bound(&self, session: SessionKey, owner: &Owner, now: Timestamp) {
        let bound = Bound { at: now, session, subjects: owner.subjects.to_vec(), by: owner.by, account: owner.account };
        if self.recorder.append(Record::Bound(bound)).is_err() {
            self.counters.records_lost.add(1);
        }
    }
}
