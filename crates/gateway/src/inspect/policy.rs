//! Whose data a route may show to whom, and what happens to the rest. Pure: decides, does nothing.
//!
//! Reflected values are never forbidden, so that nobody learns by echo who is a customer.

use sekisho_model::{Exposure, FieldSet, Subject, WithheldReason};

/// Whose data a route may show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shows {
    /// Anybody's: it is recorded only.
    #[default]
    Anyone,
    /// That of the session's own persons.
    Own,
    /// Nobody's.
    Nobody,
}

/// What is done with somebody else's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnForeign {
    /// It passes; that it would have been withheld is counted.
    #[default]
    Record,
    /// The response ends before it.
    Block,
}

/// What of a part the policy forbids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forbidden {
    pub(super) exposures: Vec<Exposure>,
    pub(super) reason: WithheldReason,
}

/// What of these may not leave; `own` is whom the session belongs to. Looked up only when it is needed.
pub(super) fn forbidden<O: AsRef<[Subject]>>(
    shows: Shows,
    own: impl FnOnce() -> Option<O>,
    exposures: &[Exposure],
) -> Option<Forbidden> {
    if shows == Shows::Anyone || exposures.iter().all(|exposure| exposure.fields.is_empty()) {
        return None;
    }
    let own = if shows == Shows::Own { own() } else { None };
    let reason = match (shows, &own) {
        (Shows::Nobody | Shows::Anyone, _) => WithheldReason::PublicRoute,
        (Shows::Own, Some(_)) => WithheldReason::ForeignSubject,
        (Shows::Own, None) => WithheldReason::NoSubject,
    };
    let own = own.as_ref().map_or(&[][..], AsRef::as_ref);
    let is_forbidden = |exposure: &&Exposure| !exposure.fields.is_empty() && !own.contains(&exposure.subject);
    let exposures: Vec<Exposure> = exposures
        .iter()
        .filter(is_forbidden)
        .map(|exposure| Exposure { reflected: FieldSet::EMPTY, ..*exposure })
        .collect();
    (!exposures.is_empty()).then_some(Forbidden { exposures, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{RegisterId, SubjectId};

    fn exposure(id: u32, fields: u64, reflected: u64) -> Exposure {
        let subject = Subject { register: RegisterId(0), id: SubjectId(id) };
        Exposure { subject, fields: FieldSet(fields), reflected: FieldSet(reflected) }
    }

    fn check(shows: Shows, own: Option<&[u32]>, exposures: &[Exposure], expected: Option<(&[u32], WithheldReason)>) {
        let own = own.map(|own| own.iter().map(|id| exposure(*id, 0, 0).subject).collect::<Vec<_>>());
        let told = forbidden(shows, || own, exposures);
        let ids = |told: &Forbidden| told.exposures.iter().map(|one| one.subject.id.0).collect::<Vec<_>>();
        let told = told.map(|told| (ids(&told), told.reason));
        assert_eq!(told, expected.map(|(ids, reason)| (ids.to_vec(), reason)));
    }

    #[test]
    fn a_session_sees_its_own_persons_only() {
        let page = [exposure(1, 0b11, 0), exposure(2, 0b1, 0)];
        check(Shows::Own, Some(&[1]), &page[..1], None);
        check(Shows::Own, Some(&[1]), &page, Some((&[2], WithheldReason::ForeignSubject)));
        check(Shows::Own, Some(&[1, 2]), &page, None);
        check(Shows::Own, None, &page, Some((&[1, 2], WithheldReason::NoSubject)));
    }

    #[test]
    fn a_public_route_shows_nobody_and_an_observed_one_anybody() {
        let page = [exposure(1, 0b11, 0)];
        check(Shows::Nobody, Some(&[1]), &page, Some((&[1], WithheldReason::PublicRoute)));
        check(Shows::Anyone, None, &page, None);
    }

    #[test]
    fn an_echo_is_never_forbidden() {
        check(Shows::Own, None, &[exposure(1, 0, 0b1)], None);
        check(Shows::Nobody, None, &[exposure(1, 0, 0b1)], None);
    }
}
