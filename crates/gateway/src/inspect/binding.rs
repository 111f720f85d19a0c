//! Which persons a session belongs to, learnt from the log-in exchange: the application is not touched.
//!
//! A request to a log-in route names a person in a field of its form or JSON body. When the response says that the log-in
//! succeeded, the session that it issues, or that the request came with, belongs to every subject with that value:
//! families that share a mail see each other's data, as they do on paper. Nothing else binds a session: a web shell can
//! set headers and cookies too. A session cookie that is issued elsewhere to a bound session carries its persons on
//! (rotation); another log-in of the same session replaces them (account switching); a log-out ends them.
//!
//! What a compromised upstream could still do: answer a log-in that did not succeed as if it had, for a person whose
//! value the attacker knows. It then shows that one person's data to that one session.

use crate::config::Login;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode, Uri};
use sekisho_model::{SessionKey, Subject, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Sessions of one generation; there are two. Beyond, those longest unused are forgotten: they are bound to nobody.
const SESSIONS_MAX: usize = 500_000;

/// A session that was not asked about for this long may be forgotten; after twice as long it is.
const IDLE_US: i64 = 12 * 3600 * 1_000_000;

/// The sessions that are bound.
#[derive(Default)]
pub(super) struct Bindings {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    younger: HashMap<SessionKey, Arc<[Subject]>>,
    older: HashMap<SessionKey, Arc<[Subject]>>,
    /// When the younger one began.
    since: Timestamp,
}

impl Bindings {
    /// Whose session this is; `None` while it belongs to nobody.
    pub(super) fn subjects(&self, session: SessionKey, now: Timestamp) -> Option<Arc<[Subject]>> {
        let mut generations = self.lock(now);
        if let Some(subjects) = generations.younger.get(&session) {
            return Some(Arc::clone(subjects));
        }
        let subjects = generations.older.remove(&session)?;
        generations.younger.insert(session, Arc::clone(&subjects));
        Some(subjects)
    }

    /// A log-in succeeded: the session belongs to these from now on, and to nobody else any more.
    pub(super) fn bind(&self, session: SessionKey, subjects: Vec<Subject>, now: Timestamp) {
        let mut generations = self.lock(now);
        generations.older.remove(&session);
        match subjects.is_empty() {
            true => drop(generations.younger.remove(&session)),
            false => drop(generations.younger.insert(session, subjects.into())),
        }
    }

    /// The upstream gave a session another name. The old one may still be in use by requests on their way.
    pub(super) fn rotate(&self, from: SessionKey, to: SessionKey, now: Timestamp) {
        if let Some(subjects) = self.subjects(from, now).filter(|_| from != to) {
            self.lock(now).younger.insert(to, subjects);
        }
    }

    /// A log-out.
    pub(super) fn unbind(&self, session: SessionKey, now: Timestamp) {
        self.bind(session, Vec::new(), now);
    }

    fn lock(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Generations> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger.len() >= SESSIONS_MAX || now.0 - generations.since.0 >= IDLE_US {
            generations.older = std::mem::take(&mut generations.younger);
            generations.since = now;
        }
        generations
    }
}

/// Whether the response says that the log-in succeeded.
pub(super) fn has_succeeded(login: &Login, status: StatusCode, headers: &HeaderMap) -> bool {
    let location = || headers.get(LOCATION).and_then(|value| value.to_str().ok()?.parse::<Uri>().ok());
    login.success_statuses.contains(&status.as_u16())
        && login.success_location.as_ref().is_none_or(|wanted| {
            location().is_some_and(|location| {
                let rest = location.path().strip_prefix(wanted.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        })
}

/// The field of a form or of a JSON object; `None` where it is missing or there twice, for the upstream may read the other.
pub(super) fn field_of(body: &[u8], is_json: bool, name: &str) -> Option<String> {
    if is_json {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        return match value.get(name)? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
    }
    let mut fields = form_urlencoded::parse(body).filter(|(field, _)| field == name);
    let (_, value) = fields.next()?;
    fields.next().is_none().then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{FieldKind, RegisterId, SubjectId};

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
    const ONE: SessionKey = SessionKey([1; 16]);
    const TWO: SessionKey = SessionKey([2; 16]);

    fn subject(id: u32) -> Subject {
        Subject { register: RegisterId(0), id: SubjectId(id) }
    }

    fn later(hours: i64) -> Timestamp {
        Timestamp(NOW.0 + hours * 3600 * 1_000_000)
    }

    #[test]
    fn a_session_belongs_to_whom_it_logged_in_as_until_it_logs_out() {
        let bindings = Bindings::default();
        assert_eq!(bindings.subjects(ONE, NOW), None);
        bindings.bind(ONE, vec![subject(7)], NOW);
        assert_eq!(bindings.subjects(ONE, NOW).as_deref(), Some(&[subject(7)][..]));
        assert_eq!(bindings.subjects(TWO, NOW), None);
        bindings.bind(ONE, vec![subject(8), subject(9)], NOW);
        assert_eq!(bindings.subjects(ONE, NOW).as_deref(), Some(&[subject(8), subject(9)][..]), "account switching");
        bindings.unbind(ONE, NOW);
        assert_eq!(bindings.subjects(ONE, NOW), None);
    }

    #[test]
    fn a_new_name_of_a_session_keeps_its_persons() {
        let bindings = Bindings::default();
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.subjects(TWO, NOW), None, "nobody's session gives nothing");
        bindings.bind(ONE, vec![subject(7)], NOW);
        bindings.rotate(ONE, TWO, NOW);
        assert_eq!(bindings.subjects(TWO, NOW).as_deref(), Some(&[subject(7)][..]));
    }

    #[test]
    fn a_session_in_use_stays_and_an_unused_one_is_forgotten() {
        let bindings = Bindings::default();
        bindings.bind(ONE, vec![subject(1)], NOW);
        bindings.bind(TWO, vec![subject(2)], NOW);
        for hours in [13, 26, 39] {
            assert!(bindings.subjects(ONE, later(hours)).is_some(), "after {hours} hours");
        }
        assert_eq!(bindings.subjects(TWO, later(39)), None);
    }

    #[test]
    fn success_is_what_the_configuration_says() {
        let login = Login {
            host: None,
            path: "/login".to_owned(),
            field: "account_id".to_owned(),
            kind: FieldKind::AccountId,
            success_statuses: vec![302, 303],
            success_location: Some("/mypage".to_owned()),
        };
        let answer = |status: u16, location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, http::HeaderValue::from_static(location))]);
            has_succeeded(&login, StatusCode::from_u16(status).unwrap(), &headers)
        };
        assert!(answer(303, "/mypage"));
        assert!(answer(302, "https://www.example.jp/mypage/today?x=1"));
        assert!(!answer(303, "/login?error=1"));
        assert!(!answer(303, "/mypages"));
        assert!(!answer(200, "/mypage"));
        assert!(!has_succeeded(&login, StatusCode::SEE_OTHER, &HeaderMap::new()));
    }

    #[test]
    fn the_field_is_read_from_forms_and_json_and_only_when_it_is_there_once() {
        let check = |body: &str, is_json, expected: Option<&str>| {
            assert_eq!(field_of(body.as_bytes(), is_json, "mail").as_deref(), expected, "{body}");
        };
        check("password=x&mail=taro%40example.jp", false, Some("taro@example.jp"));
        check("mail=a&mail=b", false, None);
        check("email=a", false, None);
        check(r#"{"mail":"taro@example.jp","password":"x"}"#, true, Some("taro@example.jp"));
        check(r#"{"mail":12345678}"#, true, Some("12345678"));
        check(r#"{"mail":["a"]}"#, true, None);
        check("mail=a", true, None);
    }
}
