//! `[[login]]`: where somebody logs in, what names them, when it succeeded, and what their session is.

use super::resolve::{Places, Reading, host, path_prefix};
use super::section::{Section, Source};
use super::{Config, rules, tokens};
use sekisho_gateway::config::{Login, NamedBy, Names, SessionSource, TokenPlace};
use sekisho_model::{Diagnostic, FieldKind};
use std::ops::Range;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct LoginPlaces {
    pub(super) whole: Range<usize>,
    pub(super) kind: Range<usize>,
    pub(super) token_field: Range<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn logins(&self, root: &Section<'a>, places: &mut Places) -> Vec<Arc<Login>> {
        let mut logins = Vec::new();
        for section in root.tables("login", "[[login]]") {
            let host =
                section.parsed("host", "SK012", "a host without scheme, port or `*`, such as \"www.example.jp\"", host);
            let path = section.required("path", "\"/login\"");
            let by = self.named_by(&section);
            let location = section.parsed("success_location", "SK013", "a path that begins with `/`", path_prefix);
            let status = section.number("success_status");
            let token_field = section.string("token_field");
            section.refuse_unknown();
            let (Some(path), Some((by, kind))) = (path, by) else { continue };
            let whole = section.span.clone();
            let token_place = token_field.as_ref().map_or_else(|| whole.clone(), |field| field.span.clone());
            places.logins.push(LoginPlaces { whole, kind, token_field: token_place });
            logins.push(Arc::new(Login {
                host: host.map(|host| host.value),
                path: path.value,
                by,
                success_statuses: match &status {
                    Some(status) => u16::try_from(status.value).into_iter().collect(),
                    // Those that browsers follow after a form.
                    None if location.is_some() => vec![302, 303],
                    None => Vec::new(),
                },
                success_location: location.map(|location| location.value),
                token_field: token_field.map(|field| field.value),
            }));
        }
        logins
    }

    /// What names the person, and where that stands.
    fn named_by(&self, section: &Section<'a>) -> Option<(NamedBy, Range<usize>)> {
        if let Some(signed) = section.table("signed", "signed = { … }") {
            let (field, kind) = (section.string("field"), section.string("kind"));
            if let Some(also) = field.or(kind) {
                let title = "a log-in is named by a field of its request or by what the upstream signs, not by both";
                let help = "remove `field` and `kind`, or `signed`";
                self.source.tell(Diagnostic::error("SK053", title).help(help), &also.span);
            }
            let token = self.one_token(&signed)?;
            if token.place == TokenPlace::Bearer {
                let title = "an answer has no `Authorization`";
                let help = "what the upstream signs stands in a `header` or a `cookie` of its answer";
                self.source.tell(Diagnostic::error("SK048", title).help(help), &signed.span);
            }
            return Some((NamedBy::Signed(token), signed.span));
        }
        let field = section.required("field", "\"email\"");
        let kind = section.required("kind", "\"email\"");
        let (names, span) = kind.and_then(|kind| Some((self.names(&kind)?, kind.span)))?;
        Some((NamedBy::Field { field: field?.value, names }, span))
    }
}

/// A route that shows one's own data needs to know whose a session is; a log-in, whom it names, when it succeeded and
/// which session it gives out.
pub(super) fn check(source: &Source<'_>, config: &Config, places: &Places) {
    for (login, place) in config.gateway.logins.iter().zip(&places.logins) {
        one(source, config, (login, place));
    }
    tokens::check(source, &config.gateway.tokens, &places.tokens);
    let by_login = config.gateway.logins.iter().map(|login| login.by.names());
    let named: Vec<Names> = by_login.chain(tokens::names(&config.gateway.tokens)).collect();
    for (route, place) in config.gateway.routes.iter().zip(&places.routes) {
        rules::check(source, route, &named, place);
    }
}

fn one(source: &Source<'_>, config: &Config, (login, place): (&Login, &LoginPlaces)) {
    let columns = config.registers.iter().flat_map(|register| &register.config.columns);
    let kinds: Vec<FieldKind> = columns.map(|column| column.kind).collect();
    if let Names::Persons(kind) = login.by.names()
        && !([FieldKind::Email, FieldKind::AccountId, FieldKind::Phone].contains(&kind) && kinds.contains(&kind))
    {
        let title = format!("nobody can be found by a log-in of kind `{}`", kind.name());
        let help = "use `email`, `account_id` or `phone`, and a register that has a column of that kind; or `account` for \
                    staff";
        source.tell(Diagnostic::error("SK043", title).help(help), &place.kind);
    }
    if login.success_statuses.is_empty() {
        let title = format!("nothing says when a log-in at `{}` succeeded", login.path);
        let help = "give `success_location`, where it redirects to, or `success_status`";
        source.tell(Diagnostic::error("SK044", title).help(help), &place.whole);
    } else if login.success_location.is_none() && login.success_statuses.iter().any(|status| *status / 100 == 3) {
        let title = "a failed log-in that redirects too would count as a success";
        let help = "give `success_location`, where only a successful one redirects to";
        source.tell(Diagnostic::error("SK044", title).help(help), &place.whole);
    }
    let SessionSource { bearer, .. } = config.gateway.session;
    if login.token_field.is_some() && !bearer {
        let title = "the token that this log-in gives out is no session: requests are not asked for one";
        let help = "add `bearer = true` to [session]";
        source.tell(Diagnostic::error("SK054", title).help(help), &place.token_field);
    }
}
