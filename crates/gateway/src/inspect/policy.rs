//! Whose data a route may show to whom, and what happens to the rest. Pure: decides, does nothing.
//!
//! Reflected values are never forbidden, so that nobody learns by echo who is a customer.

use sekisho_edm::{Finding, Found};
use sekisho_model::{ByteRange, Exposure, FieldSet, Subject, WithheldReason};
use std::collections::{BTreeMap, HashSet};

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
///
/// A value that the session's own person has too is that person's, whoever else has it: families share mails. Who shares
/// such a value in another register is the same person there, with all that this register knows: a customer who also
/// applied for a seminar. Within one register others stay others.
pub(super) fn forbidden<O: AsRef<[Subject]>>(
    shows: Shows,
    own: impl FnOnce() -> Option<O>,
    findings: &[Finding],
) -> Option<Forbidden> {
    if shows == Shows::Anyone || !findings.iter().any(|finding| counted(finding).is_some()) {
        return None;
    }
    let own = if shows == Shows::Own { own() } else { None };
    let reason = match (shows, &own) {
        (Shows::Nobody | Shows::Anyone, _) => WithheldReason::PublicRoute,
        (Shows::Own, Some(_)) => WithheldReason::ForeignSubject,
        (Shows::Own, None) => WithheldReason::NoSubject,
    };
    let own = own.as_ref().map_or(&[][..], AsRef::as_ref);
    let is_own = |finding: &&Finding| counted(finding).is_some_and(|(subject, _)| own.contains(&subject));
    let own_places: HashSet<ByteRange> = findings.iter().filter(is_own).map(|finding| finding.span).collect();
    // The values of heads and trailers have no place of their own.
    let is_shared = |finding: &Finding| !finding.span.is_empty() && own_places.contains(&finding.span);
    let mut fields: BTreeMap<Subject, FieldSet> = BTreeMap::new();
    let shared = findings.iter().filter(|finding| is_shared(finding)).filter_map(counted);
    let elsewhere: HashSet<Subject> =
        shared.map(|(subject, _)| subject).filter(|it| !is_register_of(own, *it)).collect();
    for finding in findings.iter().filter(|finding| !is_own(finding) && !is_shared(finding)) {
        if let Some((subject, found)) = counted(finding)
            && !elsewhere.contains(&subject)
        {
            let known = fields.entry(subject).or_insert(FieldSet::EMPTY);
            *known = known.union(found);
        }
    }
    let exposure = |(subject, fields)| Exposure { subject, fields, reflected: FieldSet::EMPTY };
    let exposures: Vec<Exposure> = fields.into_iter().map(exposure).collect();
    (!exposures.is_empty()).then_some(Forbidden { exposures, reason })
}

/// Whether the session's own person stands in the subject's register, as somebody.
fn is_register_of(own: &[Subject], subject: Subject) -> bool {
    own.iter().any(|own| own.register == subject.register)
}

/// A subject and the fields that leave, echoes apart.
fn counted(finding: &Finding) -> Option<(Subject, FieldSet)> {
    match finding.found {
        Found::Subject { subject, fields, .. } if !fields.is_empty() => Some((subject, fields)),
        Found::Subject { .. } | Found::Generic(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{RegisterId, SubjectId};

    fn subject(id: u32) -> Subject {
        Subject { register: RegisterId(0), id: SubjectId(id) }
    }

    /// A value of `id` at a place.
    fn finding(start: u64, id: u32, fields: u64, reflected: u64) -> Finding {
        let found = Found::Subject { subject: subject(id), fields: FieldSet(fields), reflected: FieldSet(reflected) };
        Finding { span: ByteRange { start, end: start + 10 }, found }
    }

    fn check(shows: Shows, own: Option<&[u32]>, findings: &[Finding], expected: Option<(&[u32], WithheldReason)>) {
        let own = own.map(|own| own.iter().map(|id| subject(*id)).collect::<Vec<_>>());
        let told = forbidden(shows, || own, findings);
        let ids = |told: &Forbidden| told.exposures.iter().map(|one| one.subject.id.0).collect::<Vec<_>>();
        let told = told.map(|told| (ids(&told), told.reason));
        assert_eq!(told, expected.map(|(ids, reason)| (ids.to_vec(), reason)));
    }

    #[test]
    fn a_session_sees_its_own_persons_only() {
        let page = [finding(0, 1, 0b11, 0), finding(50, 2, 0b1, 0)];
        check(Shows::Own, Some(&[1]), &page[..1], None);
        check(Shows::Own, Some(&[1]), &page, Some((&[2], WithheldReason::ForeignSubject)));
        check(Shows::Own, Some(&[1, 2]), &page, None);
        check(Shows::Own, None, &page, Some((&[1, 2], WithheldReason::NoSubject)));
    }

    #[test]
    fn a_value_that_a_family_shares_is_ones_own_and_the_others_name_is_not() {
        let mail = [finding(0, 1, 0b1, 0), finding(0, 2, 0b1, 0)];
        check(Shows::Own, Some(&[1]), &mail, None);
        let with_name = [mail[0], mail[1], finding(50, 2, 0b10, 0)];
        check(Shows::Own, Some(&[1]), &with_name, Some((&[2], WithheldReason::ForeignSubject)));
        check(Shows::Own, None, &mail, Some((&[1, 2], WithheldReason::NoSubject)));
    }

    #[test]
    fn who_shares_a_value_in_another_register_is_the_same_person_there() {
        let applicant = |start| {
            let subject = Subject { register: RegisterId(1), id: SubjectId(9) };
            let found = Found::Subject { subject, fields: FieldSet(0b1), reflected: FieldSet::EMPTY };
            Finding { found, ..finding(start, 0, 0, 0) }
        };
        let mail = [finding(0, 1, 0b1, 0), applicant(0), applicant(50)];
        check(Shows::Own, Some(&[1]), &mail, None);
        check(Shows::Own, Some(&[1]), &[mail[0], mail[2]], Some((&[9], WithheldReason::ForeignSubject)));
    }

    #[test]
    fn values_of_a_head_share_no_place() {
        let in_head = |id| Finding { span: ByteRange { start: 0, end: 0 }, ..finding(0, id, 0b1, 0) };
        check(Shows::Own, Some(&[1]), &[in_head(1), in_head(2)], Some((&[2], WithheldReason::ForeignSubject)));
    }

    #[test]
    fn a_public_route_shows_nobody_and_an_observed_one_anybody() {
        let page = [finding(0, 1, 0b11, 0)];
        check(Shows::Nobody, Some(&[1]), &page, Some((&[1], WithheldReason::PublicRoute)));
        check(Shows::Anyone, None, &page, None);
    }

    #[test]
    fn an_echo_is_never_forbidden() {
        check(Shows::Own, None, &[finding(0, 1, 0, 0b1)], None);
        check(Shows::Nobody, None, &[finding(0, 1, 0, 0b1)], None);
    }
}
