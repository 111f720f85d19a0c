use super::harness::{Script, Site, Step, page, read};
use crate::inspect::binding::Owner;
use crate::inspect::{Action, Policy, RouteClass, RoutePolicy};
use http::StatusCode;
use proptest::prelude::*;
use sekisho_model::{Disposition, FieldKind, Record, SessionKey, Timestamp};

const SESSION: SessionKey = SessionKey([9; 16]);
const OWN: &str = "hanako@example.jp";
const FOREIGN: &str = "taro@example.jp";

/// A site whose session belongs to Hanako, on a route that shows her own data only.
fn site(foreign: Action) -> Site {
    let mut site = Site::new();
    let rules = Policy { class: RouteClass::Own, foreign, ..Policy::default() };
    site.policy = RoutePolicy { rules, ..site.policy };
    site.session = Some(SESSION);
    let shared = &site.inspector.shared;
    let own = shared.index.load().subjects_with(FieldKind::Email, OWN);
    shared.bindings.bind(SESSION, Owner::persons(own), Timestamp(1));
    site
}

fn withheld(site: &Site) -> usize {
    site.ledger.records().iter().filter(|record| matches!(record, Record::Withheld(_))).count()
}

/// What a client receives of a body in these pieces, streamed, with pauses between them where `pauses`.
fn received(site: &Site, body: &[u8], cuts: &[usize], pauses: bool) -> Vec<u8> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("starts");
    runtime.block_on(async {
        let mut script = Script::streamed(&[]);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
        ends.extend([0, body.len()]);
        ends.sort_unstable();
        for pair in ends.windows(2) {
            script = script.then(Step::Data(bytes::Bytes::copy_from_slice(&body[pair[0]..pair[1]])));
            if pauses {
                script = script.then(Step::Late);
            }
        }
        let response = site.get(page("text/plain; charset=utf-8", script)).await;
        if response.status() == StatusCode::FORBIDDEN {
            return Vec::new();
        }
        read(response).await.0
    })
}

proptest! {
    #[test]
    fn pol_1_no_cut_of_a_body_lets_a_foreign_value_through(
        before in 0usize..90_000,
        between in 1usize..70_000,
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        within in proptest::collection::vec(0..FOREIGN.len(), 0..3),
        pauses in any::<bool>(),
    ) {
        let body = format!("{OWN} {}{FOREIGN} {}{OWN}", " ".repeat(before), " ".repeat(between));
        let place = body.find(FOREIGN).expect("is there");
        let cuts: Vec<usize> = cuts.into_iter().chain(within.iter().map(|at| place + at)).collect();
        let site = site(Action::Block);
        let received = received(&site, body.as_bytes(), &cuts, pauses);
        let text = String::from_utf8(received).expect("text");
        prop_assert!(body.starts_with(&text) && text.len() <= place);
        prop_assert_eq!(withheld(&site), 1);
        prop_assert_eq!(site.closed().disposition, Disposition::Blocked);
    }

    #[test]
    fn pol_1_no_cut_of_a_body_keeps_ones_own_back(
        before in 0usize..90_000,
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        pauses in any::<bool>(),
    ) {
        let body = format!("{OWN} {}{OWN}", " ".repeat(before));
        let site = site(Action::Block);
        prop_assert!(received(&site, body.as_bytes(), &cuts, pauses) == body.as_bytes());
        prop_assert_eq!(withheld(&site), 0);
    }

    #[test]
    fn pol_1_a_masked_body_differs_in_the_foreign_values_only(
        before in 0usize..90_000,
        between in 1usize..70_000,
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        within in proptest::collection::vec(0..FOREIGN.len(), 0..3),
        pauses in any::<bool>(),
    ) {
        let body = format!("{OWN} {}{FOREIGN} {}{OWN} {FOREIGN}", " ".repeat(before), " ".repeat(between));
        let place = body.find(FOREIGN).expect("is there");
        let cuts: Vec<usize> = cuts.into_iter().chain(within.iter().map(|at| place + at)).collect();
        let site = site(Action::Mask);
        let text = String::from_utf8(received(&site, body.as_bytes(), &cuts, pauses)).expect("text");
        prop_assert_eq!(text, body.replace(FOREIGN, &"*".repeat(FOREIGN.len())));
        prop_assert!(withheld(&site) >= 1);
        prop_assert_eq!(site.closed().disposition, Disposition::Masked);
        let shown: Vec<u32> = site.exposed().iter().map(|(subject, ..)| *subject).collect();
        prop_assert!(shown.iter().all(|subject| *subject == shown[0]));
    }
}
