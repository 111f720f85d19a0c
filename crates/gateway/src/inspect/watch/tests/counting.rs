//! Distinct counting: equal to a naive recount below the bound, near to it beyond.

use crate::inspect::watch::Recent;
use proptest::prelude::*;
use std::collections::HashSet;

const TICKS: usize = 12;

/// Distinct keys whose last sight lies in the window.
fn recount(sights: &[(u32, u32)], now: u32) -> u64 {
    let in_window = sights.iter().filter(|(_, tick)| now - tick < TICKS as u32);
    in_window.map(|(key, _)| key).collect::<HashSet<_>>().len() as u64
}

proptest! {
    #[test]
    fn the_exact_counter_equals_a_naive_recount(steps in prop::collection::vec((0..60_u32, 0..4_u32), 1..400)) {
        let mut recent: Recent<u32, TICKS> = Recent::new(64 * 8 / 7 + 1);
        let (mut sights, mut now) = (Vec::new(), 100);
        for (key, wait) in steps {
            now += wait;
            let before = sights.iter().rev().find(|(known, _)| *known == key).map(|(_, tick)| *tick);
            let sight = recent.see(key, now).expect("all keys are kept");
            prop_assert_eq!(sight.weight, 1);
            // What left the window may be forgotten.
            prop_assert!(sight.before == before || before.is_some_and(|tick| now - tick >= TICKS as u32));
            sights.push((key, now));
            prop_assert_eq!(recent.count(now), recount(&sights, now));
        }
        prop_assert_eq!(recent.count(now + 5), recount(&sights, now + 5));
        prop_assert_eq!(recent.count(now + TICKS as u32), 0);
    }
}

#[test]
fn a_million_keys_are_bounded_and_the_estimate_is_near() {
    let mut recent: Recent<u64, TICKS> = Recent::new(4_096);
    let mut worst: f64 = 0.0;
    for number in 0..1_000_000_u64 {
        recent.see(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), 7);
        assert!(recent.keys() <= 4_096);
        if number.is_multiple_of(10_000) && number > 0 {
            worst = worst.max((recent.count(7) as f64 / (number + 1) as f64 - 1.0).abs());
        }
    }
    assert!(worst < 0.135, "five times the standard error of 2.7 %: {worst}");
    assert_eq!(recent.count(7 + 12), 0);
    recent.see(1, 20);
    assert_eq!(recent.count(20), 1, "exact again");
}

#[test]
fn a_window_that_slides_under_a_steady_stream_stays_bounded_and_exact() {
    let mut recent: Recent<u64, TICKS> = Recent::new(1_024);
    for tick in 0..1_000_u32 {
        (0..50).for_each(|key| _ = recent.see(u64::from(tick) * 50 + key, tick));
        assert_eq!(recent.count(tick), 50 * u64::from(tick + 1).min(TICKS as u64));
        assert!(recent.keys() <= 1_024);
    }
}
