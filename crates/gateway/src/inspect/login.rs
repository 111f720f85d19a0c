//! Reads a log-in: whom its request names, and whether its response says yes. Whom a response names is `token`'s.
//!
//! The upstream decides who logged in; this only reads along. What the upstream might read otherwise is therefore no
//! log-in here, and binds nobody: a request that names one person to the gateway and another to the upstream would bind a
//! session to somebody else. So the body is a whole form or JSON object and says so plainly, in UTF-8 and without a
//! content encoding, and the field stands in it once, under no second spelling, and not in the query too.

use crate::config::{Login, NamedBy, Names};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode, Uri, request};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::sync::Arc;

/// A request that may log in.
pub(super) struct Attempt {
    login: Arc<Login>,
    /// `None`: its body is not read.
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Form,
    Json,
}

impl Attempt {
    pub(super) fn new(login: Arc<Login>, head: &request::Parts) -> Attempt {
        let query = head.uri.query().unwrap_or_default();
        let format = match &login.by {
            NamedBy::Field { field, .. } => {
                let in_query = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_spelling(&name, field));
                format(&head.headers).filter(|_| !in_query)
            }
            NamedBy::Signed(_) => None,
        };
        Attempt { login, format }
    }

    /// Whom the request names, and the value that does; `body` is the whole one.
    pub(super) fn person(&self, body: &[u8]) -> Option<(Names, String)> {
        let NamedBy::Field { field, names } = &self.login.by else { return None };
        let fields = match self.format? {
            Format::Form => form_fields(body)?,
            Format::Json => json_fields(body)?,
        };
        let mut named = fields.into_iter().filter(|(name, _)| is_spelling(name, field));
        let (name, value) = named.next()?;
        let is_alone = named.next().is_none() && name == *field;
        Some((*names, value.filter(|_| is_alone)?))
    }

    /// Whether its response must say who logged in.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self.login.by, NamedBy::Signed(_))
    }

    /// Where the response's JSON object holds the session's token.
    pub(super) fn token_field(&self) -> Option<&str> {
        self.login.token_field.as_deref()
    }

    /// Whether the response says that the log-in succeeded.
    pub(super) fn has_succeeded(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let login = &self.login;
        let location = || headers.get(LOCATION).and_then(|value| value.to_str().ok()?.parse::<Uri>().ok());
        login.success_statuses.contains(&status.as_u16())
            && login
                .success_location
                .as_ref()
                .is_none_or(|wanted| location().is_some_and(|location| leads_to(location.path(), wanted)))
    }
}

/// Whether a path is the wanted one, or below it; all is below `/`, which therefore means itself only.
fn leads_to(path: &str, wanted: &str) -> bool {
    let rest = path.strip_prefix(wanted.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && (wanted != "/" || path == "/")
}

/// What the head says of the body.
fn format(headers: &HeaderMap) -> Option<Format> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return None };
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let value = value.to_str().ok()?.to_ascii_lowercase();
    let (essence, parameters) = value.split_once(';').unwrap_or((&value, "charset=utf-8"));
    if parameters.trim().trim_start_matches("charset=").trim_matches('"') != "utf-8" {
        return None;
    }
    match essence.trim() {
        "application/x-www-form-urlencoded" => Some(Format::Form),
        "application/json" => Some(Format::Json),
        _ => None,
    }
}

type Fields = Vec<(String, Option<String>)>;

/// `None` where a server that separates fields with `;` too would read others.
fn form_fields(body: &[u8]) -> Option<Fields> {
    let fields = form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), Some(value.into_owned())));
    (!body.contains(&b';')).then(|| fields.collect())
}

/// The object's own fields, each as often as it stands there. Values that are neither text nor whole numbers are none.
fn json_fields(body: &[u8]) -> Option<Fields> {
    struct Object(Fields);

    impl<'de> Deserialize<'de> for Object {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
            deserializer.deserialize_map(Reader)
        }
    }

    struct Reader;

    impl<'de> Visitor<'de> for Reader {
        type Value = Object;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
            let mut fields = Fields::new();
            while let Some((name, value)) = map.next_entry::<String, Value>()? {
                let value = match value {
                    Value::String(text) => Some(text),
                    Value::Number(number) => number.as_u64().map(|number| number.to_string()),
                    _ => None,
                };
                fields.push((name, value));
            }
            Ok(Object(fields))
        }
    }

    serde_json::from_slice::<Object>(body).ok().map(|object| object.0)
}

/// Whether a server might take this name for the field's: without case and punctuation, as a list or an entry of one.
fn is_spelling(name: &str, field: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> + '_ {
        let name = name.trim_start_matches('[').split('[').next().unwrap_or_default();
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
    }
    letters(name).eq(letters(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue, Request};
    use sekisho_model::FieldKind;

    const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
    const JSON: &[(&str, &str)] = &[("content-type", "application/json; charset=UTF-8")];

    fn attempt(target: &str, headers: &[(&str, &str)]) -> Attempt {
        let mut request = Request::post(target);
        for (name, value) in headers {
            request = request.header(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let login = Login {
            host: None,
            path: "/login".to_owned(),
            by: NamedBy::Field { field: "account_id".to_owned(), names: Names::Persons(FieldKind::AccountId) },
            success_statuses: vec![302, 303],
            success_location: Some("/mypage".to_owned()),
            token_field: None,
        };
        Attempt::new(Arc::new(login), &request.body(()).unwrap().into_parts().0)
    }

    fn check(target: &str, headers: &[(&str, &str)], body: &str, expected: Option<&str>) {
        let person = attempt(target, headers).person(body.as_bytes());
        assert_eq!(person.map(|(_, value)| value).as_deref(), expected, "{target} {headers:?} {body}");
    }

    #[test]
    fn a_form_or_an_object_names_the_person() {
        check("/login", FORM, "password=x&account_id=HK%31&next=%2F", Some("HK1"));
        check("/login?next=/my", JSON, r#"{"account_id":"HK1","password":"x"}"#, Some("HK1"));
        check("/login", JSON, r#"{"account_id":12345678}"#, Some("12345678"));
        check("/login", FORM, "id=HK1", None);
        check("/login", JSON, r#"{"account_id":["HK1"]}"#, None);
    }

    #[test]
    fn a_person_who_is_named_twice_is_not_read() {
        check("/login", FORM, "account_id=HK1&account_id=HK2", None);
        check("/login", JSON, r#"{"account_id":"HK1","account_id":"HK2"}"#, None);
        check("/login?account_id=HK2", FORM, "account_id=HK1", None);
        check("/login?Account-Id=HK2", FORM, "account_id=HK1", None);
        for other in ["account.id", "Account_ID", "account_id%5B%5D", "account_id%5Bx%5D", "accountId", "account+id"] {
            check("/login", FORM, &format!("account_id=HK1&{other}=HK2"), None);
        }
        check("/login", JSON, r#"{"account_id":"HK1","AccountId":"HK2"}"#, None);
        check("/login", FORM, "account_id=HK1&x=1;account_id=HK2", None);
    }

    #[test]
    fn a_body_that_could_be_read_in_two_ways_is_not_read() {
        let polyglot = r#"{"account_id":"HK1","x":"&account_id=HK2&"}"#;
        check("/login", &[("content-type", "application/x-www-form-urlencoded; json")], polyglot, None);
        check("/login", &[("content-type", "text/plain")], "account_id=HK1", None);
        check("/login", &[("content-type", "multipart/form-data; boundary=x")], "account_id=HK1", None);
        check("/login", &[("content-type", "application/json; charset=utf-16")], r#"{"account_id":"HK1"}"#, None);
        check("/login", &[FORM[0], ("content-encoding", "gzip")], "account_id=HK1", None);
        check("/login", &[FORM[0], JSON[0]], "account_id=HK1", None);
        check("/login", &[], "account_id=HK1", None);
    }

    #[test]
    fn success_is_what_the_configuration_says() {
        let answer = |status: u16, location: &'static str| {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            attempt("/login", FORM).has_succeeded(StatusCode::from_u16(status).unwrap(), &headers)
        };
        assert!(answer(303, "/mypage"));
        assert!(answer(302, "https://www.example.jp/mypage/today?x=1"));
        assert!(!answer(303, "/login?error=1"));
        assert!(!answer(303, "/mypages"));
        assert!(leads_to("/", "/") && !leads_to("/login", "/"));
        assert!(!answer(200, "/mypage"));
        assert!(!attempt("/login", FORM).has_succeeded(StatusCode::SEE_OTHER, &HeaderMap::new()));
    }
}
