use super::*;
use crate::inspect::tests::harness::index;
use sekisho_model::{AccountKey, SubjectId};

const MAIL: u64 = 0b1;
const STAFF: AccountKey = AccountKey([9; 16]);

fn subject(id: u32) -> Subject {
    Subject { register: RegisterId(0), id: SubjectId(id) }
}

/// A value of `id` at a place.
fn finding(start: u64, id: u32, fields: u64, reflected: u64) -> Finding {
    let found = Found::Subject { subject: subject(id), fields: FieldSet(fields), reflected: FieldSet(reflected) };
    Finding::whole(ByteRange { start, end: start + 10 }, found)
}

fn value(start: u64, kind: GenericKind, reflected: bool) -> Finding {
    let found = Found::Generic(Generic { kind, value: None, reflected });
    Finding::whole(ByteRange { start, end: start + 10 }, found)
}

fn blocking(class: RouteClass) -> Policy {
    Policy { class, foreign: Action::Block, ..Policy::default() }
}

fn own(ids: &[u32]) -> Option<Owner> {
    Some(Owner::persons(ids.iter().map(|id| subject(*id)).collect()))
}

fn judged(policy: &Policy, owner: Option<Owner>, findings: &[Finding]) -> Option<Forbidden> {
    let (_, index) = index();
    let case = Case { policy, index: &index, canaries: &[RegisterId(7)], findings };
    judge(&case, || owner, |subject, max| subject.id.0 < max.get())
}

/// Subjects and reason of what is forbidden.
fn check(class: RouteClass, owner: Option<Owner>, findings: &[Finding], expected: Option<(&[u32], WithheldReason)>) {
    let told = judged(&blocking(class), owner, findings);
    let ids = |told: &Forbidden| told.exposures.iter().map(|one| one.subject.id.0).collect::<Vec<_>>();
    let told = told.map(|told| (ids(&told), told.reason));
    assert_eq!(told, expected.map(|(ids, reason)| (ids.to_vec(), reason)));
}

#[test]
fn a_session_sees_its_own_persons_only() {
    let page = [finding(0, 1, 0b11, 0), finding(50, 2, MAIL, 0)];
    check(RouteClass::Own, own(&[1]), &page[..1], None);
    check(RouteClass::Own, own(&[1]), &page, Some((&[2], WithheldReason::ForeignSubject)));
    check(RouteClass::Own, own(&[1, 2]), &page, None);
    check(RouteClass::Own, None, &page, Some((&[1, 2], WithheldReason::NoSubject)));
}

#[test]
fn staff_sees_anybody_once_it_is_signed_in() {
    let page = [finding(0, 1, 0b11, 0), finding(50, 2, MAIL, 0)];
    check(RouteClass::Staff, Some(Owner::account(STAFF)), &page, None);
    check(RouteClass::Partner, Some(Owner::account(STAFF)), &page, None);
    check(RouteClass::Staff, None, &page, Some((&[1, 2], WithheldReason::NoSubject)));
    check(RouteClass::Staff, own(&[1]), &page, Some((&[1, 2], WithheldReason::NoSubject)));
    check(RouteClass::Own, Some(Owner::account(STAFF)), &page, Some((&[1, 2], WithheldReason::NoSubject)));
}

#[test]
fn a_value_that_a_family_shares_is_ones_own_and_the_others_name_is_not() {
    let mail = [finding(0, 1, MAIL, 0), finding(0, 2, MAIL, 0)];
    check(RouteClass::Own, own(&[1]), &mail, None);
    let with_name = [mail[0], mail[1], finding(50, 2, 0b10, 0)];
    check(RouteClass::Own, own(&[1]), &with_name, Some((&[2], WithheldReason::ForeignSubject)));
    check(RouteClass::Own, None, &mail, Some((&[1, 2], WithheldReason::NoSubject)));
}

#[test]
fn who_shares_a_value_in_another_register_is_the_same_person_there() {
    let applicant = |start| {
        let subject = Subject { register: RegisterId(1), id: SubjectId(9) };
        let found = Found::Subject { subject, fields: FieldSet(MAIL), reflected: FieldSet::EMPTY };
        Finding { found, ..finding(start, 0, 0, 0) }
    };
    let mail = [finding(0, 1, MAIL, 0), applicant(0), applicant(50)];
    check(RouteClass::Own, own(&[1]), &mail, None);
    check(RouteClass::Own, own(&[1]), &[mail[0], mail[2]], Some((&[9], WithheldReason::ForeignSubject)));
}

#[test]
fn values_of_a_head_share_no_place() {
    let nowhere = ByteRange { start: 0, end: 0 };
    let in_head = |id| Finding::whole(nowhere, finding(0, id, MAIL, 0).found);
    check(RouteClass::Own, own(&[1]), &[in_head(1), in_head(2)], Some((&[2], WithheldReason::ForeignSubject)));
}

#[test]
fn a_public_route_shows_nobody_and_an_observed_one_anybody() {
    let page = [finding(0, 1, 0b11, 0)];
    check(RouteClass::Public, own(&[1]), &page, Some((&[1], WithheldReason::PublicRoute)));
    check(RouteClass::Observed, None, &page, None);
}

#[test]
fn an_echo_is_never_forbidden() {
    check(RouteClass::Own, None, &[finding(0, 1, 0, MAIL)], None);
    check(RouteClass::Public, None, &[finding(0, 1, 0, MAIL)], None);
    let strict = Policy { card: Action::Block, my_number: Action::Block, ..blocking(RouteClass::Public) };
    let echoes = [value(0, GenericKind::Pan, true), value(20, GenericKind::MyNumber, true)];
    assert_eq!(judged(&strict, None, &echoes), None);
}

#[test]
fn numbers_that_nobody_should_see_are_forbidden_on_any_route() {
    let policy = Policy { card: Action::Mask, my_number: Action::Block, ..Policy::default() };
    let card = [value(0, GenericKind::Pan, false), value(20, GenericKind::Email, false)];
    let told = judged(&policy, None, &card).expect("a card");
    assert_eq!((told.action, told.reason, told.findings), (Action::Mask, WithheldReason::Card, vec![0]));
    let both = [card[0], value(40, GenericKind::MyNumber, false)];
    let told = judged(&policy, None, &both).expect("a number");
    assert_eq!((told.action, told.reason, told.findings), (Action::Block, WithheldReason::MyNumber, vec![1]));
    assert_eq!(judged(&Policy::default(), None, &both), None);
}

#[test]
fn a_planted_customer_is_told_wherever_it_is_not_allowed() {
    let subject = Subject { register: RegisterId(7), id: SubjectId(1) };
    let found = Found::Subject { subject, fields: FieldSet(MAIL), reflected: FieldSet::EMPTY };
    let planted = [Finding::whole(ByteRange { start: 0, end: 9 }, found)];
    let told = judged(&Policy::default(), None, &planted).expect("a canary");
    assert_eq!((told.action, told.reason), (Action::Record, WithheldReason::Canary));
    let allowed = Policy { canary: Action::Allow, ..Policy::default() };
    assert_eq!(judged(&allowed, None, &planted), None);
}

#[test]
fn subjects_beyond_the_minutes_number_are_a_crowd() {
    let policy =
        Policy { crowd: Action::Mask, subjects_per_minute_max: NonZeroU32::new(2), ..blocking(RouteClass::Staff) };
    let page = [finding(0, 0, MAIL, 0), finding(20, 1, MAIL, 0), finding(40, 2, MAIL, 0)];
    let told = judged(&policy, Some(Owner::account(STAFF)), &page).expect("too many");
    assert_eq!((told.action, told.reason, told.findings), (Action::Mask, WithheldReason::Crowd, vec![2]));
    assert_eq!(judged(&policy, Some(Owner::account(STAFF)), &page[..2]), None);
}

#[test]
fn a_ramp_reaches_its_share_of_the_sessions() {
    let keys = (0..=u16::MAX).map(|at| {
        let mut key = [0; 16];
        key[..2].copy_from_slice(&at.to_le_bytes());
        key
    });
    let reached = |percent| {
        let ramp = Ramp::percent(percent).expect("a percentage");
        keys.clone().filter(|key| ramp.reaches(*key)).count()
    };
    assert_eq!(reached(0), 0);
    assert_eq!(reached(1), 656);
    assert_eq!(reached(50), 32_768);
    assert_eq!(reached(100), 65_536);
    assert_eq!(Ramp::percent(101), None);
}

#[test]
fn a_rule_that_only_records_shields_nothing_from_a_stricter_one() {
    let others = [finding(0, 5, MAIL, 0)];
    let few = NonZeroU32::new(2);
    let crowd =
        Policy { class: RouteClass::Own, crowd: Action::Block, subjects_per_minute_max: few, ..Policy::default() };
    let told = judged(&crowd, own(&[1]), &others).expect("a crowd of others");
    assert_eq!((told.action, told.reason, told.findings), (Action::Block, WithheldReason::Crowd, vec![0]));
    assert_eq!(told.rules, [WithheldReason::ForeignSubject, WithheldReason::Crowd]);
    let subject = Subject { register: RegisterId(7), id: SubjectId(1) };
    let found = Found::Subject { subject, fields: FieldSet(MAIL), reflected: FieldSet::EMPTY };
    let planted = [Finding::whole(ByteRange { start: 0, end: 9 }, found)];
    let told = judged(&blocking(RouteClass::Public), None, &planted).expect("somebody on a public route");
    assert_eq!((told.action, told.reason), (Action::Block, WithheldReason::PublicRoute));
    assert_eq!(told.rules, [WithheldReason::Canary, WithheldReason::PublicRoute]);
}
