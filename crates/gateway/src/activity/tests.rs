use super::*;

#[test]
fn a_part_is_overdue_after_one_to_two_turns_and_one_that_was_taken_never() {
    const TURN_MS: u64 = 100;
    let unread = Unread::default();
    let first = unread.enter();
    assert!(!unread.is_overdue(100, TURN_MS), "a part of this turn");
    assert!(!unread.is_overdue(199, TURN_MS), "the turn goes on");
    let second = unread.enter();
    assert!(unread.is_overdue(200, TURN_MS), "the first one waits since the turn before");
    unread.leave(first);
    assert!(!unread.is_overdue(200, TURN_MS), "it was taken, and the second one came in this turn");
    assert!(unread.is_overdue(300, TURN_MS));
    unread.leave(second);
    assert!(!unread.is_overdue(10_000, TURN_MS), "nobody waits");
}
