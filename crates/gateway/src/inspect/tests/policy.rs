use super::bodies::{self, encoded};
use super::harness::{Script, Site, Step, page, read};
use crate::config::Limits;
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

/// The same with another bound of what is decoded.
fn site_that_decodes(decoded_body_bytes_max: u64) -> Site {
    let limits = Limits { decoded_body_bytes_max, ..Limits::default() };
    let rules = Policy { class: RouteClass::Own, foreign: Action::Block, ..Policy::default() };
    let mut site = Site::with(&limits);
    site.policy = RoutePolicy { rules, ..site.policy };
    site
}

#[tokio::test]
async fn pol_1_what_decodes_to_more_than_is_scanned_ends_where_somebody_s_data_may_be_withheld() {
    let body = encoded("gzip", format!("{}{FOREIGN}", " ".repeat(300_000)).as_bytes());
    for (bound, disposition) in [(100_000, Disposition::Blocked), (1_000_000, Disposition::Blocked)] {
        let site = site_that_decodes(bound);
        let (bytes, _, _) = read(bodies::get(&site, "gzip", &[&body]).await).await;
        assert!(!bytes.windows(FOREIGN.len()).any(|window| window == FOREIGN.as_bytes()), "bound {bound}");
        assert_eq!(site.end().1, disposition);
    }
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
        let response = site.get(page("application/json", script)).await;
        if response.status() == StatusCode::FORBIDDEN {
            return Vec::new();
        }
        read(response).await.0
    })
}

/// All of these, each polled in turn.
async fn all_of<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in waiting.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *output = Some(value);
            }
        }
        match outputs.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// A session's response: whose it is, what its body holds, and after how many turns of others its next part is read.
#[derive(Clone, Debug)]
struct Visit {
    who: usize,
    words: Vec<usize>,
    gap: usize,
    cuts: Vec<usize>,
    turns: Vec<usize>,
}

/// Whose sessions there are: Hanako has two, Taro one, and one is nobody's.
const OWNERS: [&str; 4] = [OWN, OWN, FOREIGN, ""];

fn visit() -> impl Strategy<Value = Visit> {
    let words = proptest::collection::vec(0..3usize, 1..6);
    let cuts = proptest::collection::vec(any::<usize>(), 0..6);
    let turns = proptest::collection::vec(0..5usize, 1..6);
    (0..OWNERS.len(), words, 1..40_000usize, cuts, turns).prop_map(|(who, words, gap, cuts, turns)| Visit {
        who,
        words,
        gap,
        cuts,
        turns,
    })
}

impl Visit {
    fn body(&self) -> String {
        let gap = " ".repeat(self.gap);
        self.words.iter().map(|word| format!("{}{gap}", [OWN, FOREIGN, "nobody"][*word])).collect()
    }

    /// The body as the session may see it.
    fn masked(&self) -> String {
        let others = [OWN, FOREIGN].into_iter().filter(|value| *value != OWNERS[self.who]);
        others.fold(self.body(), |body, value| body.replace(value, &"*".repeat(value.len())))
    }

    async fn received(&self, site: &Site) -> String {
        let body = self.body();
        let mut ends: Vec<usize> = self.cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
        ends.extend([0, body.len()]);
        ends.sort_unstable();
        let mut script = Script::streamed(&[]);
        for pair in ends.windows(2) {
            script = script.then(Step::Data(bytes::Bytes::copy_from_slice(&body.as_bytes()[pair[0]..pair[1]])));
        }
        let mut turns = self.turns.iter().cycle();
        let request = http::Request::get("/page").body(()).expect("a request");
        let session = SessionKey([u8::try_from(self.who).expect("few"); 16]);
        let inspection = site.begin_as(Some(session), request).expect("healthy");
        wait(&mut turns).await;
        let response = inspection.response(page("text/plain; charset=utf-8", script)).await;
        if response.status() == StatusCode::FORBIDDEN {
            return String::new();
        }
        let (mut bytes, mut body) = (Vec::new(), response.into_body());
        while let Some(Ok(frame)) = http_body_util::BodyExt::frame(&mut body).await {
            bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
            wait(&mut turns).await;
        }
        String::from_utf8(bytes).expect("text")
    }
}

async fn wait(turns: &mut impl Iterator<Item = &usize>) {
    for _ in 0..*turns.next().expect("goes round") {
        tokio::task::yield_now().await;
    }
}

/// A document with values of Hanako, of Taro and of nobody.
fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(OWN.into()),
        Just(FOREIGN.into()),
        Just(format!("tel. 03-5555-0102, {FOREIGN}").into()),
        Just("\"quoted\" \\ and \n".into()),
        any::<u32>().prop_map(Into::into),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into);
        let object = proptest::collection::btree_map("[a-z]{1,4}", inner, 0..6);
        prop_oneof![list, object.prop_map(|object| object.into_iter().collect::<serde_json::Map<_, _>>().into())]
    })
}

/// The document with every value of Taro's as one sign, however long it was written.
fn covered(document: &serde_json::Value) -> serde_json::Value {
    match document {
        serde_json::Value::String(text) => {
            let text = text.replace(FOREIGN, "*").replace("03-5555-0102", "*");
            text.split('*').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("*").into()
        }
        serde_json::Value::Array(list) => list.iter().map(covered).collect(),
        serde_json::Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), covered(value))).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn pol_1_masked_json_is_read_as_before_but_for_the_values_of_others(
        document in document(),
        is_pretty in any::<bool>(),
        is_escaped in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut text = match is_pretty {
            true => serde_json::to_string_pretty(&document).expect("written"),
            false => document.to_string(),
        };
        if is_escaped {
            text = text.replace('@', "\\u0040").replace('h', "\\u0068");
        }
        let site = site(Action::Mask);
        let received = received(&site, text.as_bytes(), &cuts, false);
        prop_assert_eq!(received.len(), text.len());
        let read: serde_json::Value = serde_json::from_slice(&received).expect("still JSON");
        prop_assert_eq!(covered(&read), covered(&document));
        let is_masked = text.contains(FOREIGN) || text.contains(&FOREIGN.replace('@', "\\u0040")) ;
        prop_assert_eq!(site.closed().disposition == Disposition::Masked, is_masked || text.contains("03-5555-0102"));
    }

    #[test]
    fn pol_1_no_interleaving_of_sessions_shows_one_what_is_anothers(
        visits in proptest::collection::vec(visit(), 2..7),
        masks in any::<bool>(),
    ) {
        let site = site(if masks { Action::Mask } else { Action::Block });
        let shared = &site.inspector.shared;
        for (at, owner) in OWNERS.iter().enumerate().filter(|(_, owner)| !owner.is_empty()) {
            let persons = shared.index.load().subjects_with(FieldKind::Email, owner);
            let session = SessionKey([u8::try_from(at).expect("few"); 16]);
            shared.bindings.bind(session, Owner::persons(persons), Timestamp(1));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("starts");
        let received = runtime.block_on(all_of(visits.iter().map(|visit| visit.received(&site)).collect()));
        for (visit, received) in visits.iter().zip(received) {
            let foreign = [OWN, FOREIGN].into_iter().filter(|value| *value != OWNERS[visit.who]);
            if masks {
                prop_assert_eq!(&received, &visit.masked());
            } else {
                let body = visit.body();
                let first = foreign.filter_map(|value| body.find(value)).min();
                prop_assert!(body.starts_with(&received) && received.len() <= first.unwrap_or(body.len()));
                prop_assert!(first.is_some() || received == body);
            }
        }
    }

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

#[tokio::test]
async fn what_only_a_second_reading_holds_ends_the_response_where_a_mask_was_wanted() {
    let site = site(Action::Mask);
    let response = site.get(page("text/plain; charset=utf-16le", Script::sized(&[b"mail: taro@example.jp."]))).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let (jis, ..) = encoding_rs::ISO_2022_JP.encode("氏名: 太郎 taro@example.jp 様");
    let masked = read(site.get(page("text/plain; charset=iso-2022-jp", Script::sized(&[&jis]))).await).await.0;
    let expected = "氏名: 太郎 *************** 様";
    assert_eq!(encoding_rs::ISO_2022_JP.decode(&masked).0, expected, "what both readings hold is masked");
}
