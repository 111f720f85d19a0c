//! `[[token]]`: a JSON Web Token that the client sends, where it stands, and what it is verified with.

use super::resolve::Reading;
use super::section::{Section, Source};
use crate::keys;
use http::HeaderName;
use sekisho_gateway::config::{Names, Token, TokenKeys, TokenPlace};
use sekisho_model::Diagnostic;
use std::ops::Range;

impl<'a> Reading<'a> {
    /// The tokens, each with its place in the file.
    pub(super) fn tokens(&self, root: &Section<'a>) -> Vec<(Token, Range<usize>)> {
        let mut tokens = Vec::new();
        for section in root.tables("token", "[[token]]") {
            tokens.extend(self.one_token(&section).map(|token| (token, section.span.clone())));
        }
        tokens
    }

    /// A table that tells of a token.
    pub(super) fn one_token(&self, section: &Section<'a>) -> Option<Token> {
        let place = self.token_place(section);
        let keys = self.token_keys(section);
        let issuer = section.string("issuer").map(|text| text.value);
        let audience = section.string("audience").map(|text| text.value);
        let claim = section.required("claim", "\"sub\"");
        let kind = section.required("kind", "\"account_id\"");
        section.refuse_unknown();
        for (field, said) in [("issuer", &issuer), ("audience", &audience)] {
            if said.is_none() {
                let title = format!("tokens are believed whatever their `{field}`");
                let help = format!("give `{field}`: a token for another site would name customers here");
                self.source.tell(Diagnostic::warning("SK051", title).help(help), &section.span);
            }
        }
        let names = self.names(&kind?)?;
        Some(Token { place: place?, keys: keys?, issuer, audience, claim: claim?.value, names })
    }

    fn token_place(&self, section: &Section<'a>) -> Option<TokenPlace> {
        let cookie = section.string("cookie").map(|name| TokenPlace::Cookie(name.value));
        let header = |text: &str| HeaderName::from_bytes(text.as_bytes()).ok();
        let header = section.parsed("header", "SK048", "a header's name, such as \"X-Id-Token\"", header);
        let header = header.map(|name| TokenPlace::Header(name.value));
        let bearer = section.boolean("bearer").filter(|bearer| *bearer).map(|_| TokenPlace::Bearer);
        let mut places: Vec<TokenPlace> = [cookie, header, bearer].into_iter().flatten().collect();
        if places.len() != 1 {
            let title = "a token stands in one place";
            let help = "give one of `cookie`, `header` and `bearer = true`";
            self.source.tell(Diagnostic::error("SK048", title).help(help), &section.span);
        }
        places.pop().filter(|_| places.is_empty())
    }

    fn token_keys(&self, section: &Section<'a>) -> Option<TokenKeys> {
        let (jwks, secret) = (section.string("jwks"), section.string("secret"));
        let (keys, file) = match (jwks, secret) {
            (Some(jwks), None) => (TokenKeys::Jwks(self.directory.join(&jwks.value)), jwks),
            (None, Some(secret)) => {
                let path = self.directory.join(&secret.value);
                if let Some(problem) = keys::open_to_others(&path) {
                    let told = Diagnostic::error(problem.code, problem.title).help(problem.help);
                    self.source.tell(told, &secret.span);
                }
                (TokenKeys::Secret(path), secret)
            }
            _ => {
                let title = "nothing says how the token is verified: anybody could write one";
                let help = "give `jwks`, a file of public keys, or `secret`, a file with the HMAC secret";
                self.source.tell(Diagnostic::error("SK049", title).help(help), &section.span);
                return None;
            }
        };
        let path = self.directory.join(&file.value);
        if let Err(err) = std::fs::File::open(&path) {
            let title = format!("cannot read `{}`: {}", path.display(), crate::report::io_text(&err));
            self.source.tell(Diagnostic::error("SK050", title), &file.span);
        }
        Some(keys)
    }
}

/// Two kinds of tokens in one place that name persons by different claims: one of them can never hold.
pub(super) fn check(source: &Source<'_>, tokens: &[Token], places: &[Range<usize>]) {
    for (at, token) in tokens.iter().enumerate() {
        let is_other = |other: &&Token| {
            other.place == token.place
                && (&other.claim, other.names, &other.keys) != (&token.claim, token.names, &token.keys)
        };
        if tokens[..at].iter().any(|other| is_other(&other)) {
            let title =
                "two tokens stand in one place and are read differently: where one names somebody, the other does not";
            let help = "such requests are nobody's; keep one of them, or give them places of their own";
            source.tell(Diagnostic::warning("SK052", title).help(help), &places[at]);
        }
    }
}

/// Whom tokens can name.
pub(super) fn names(tokens: &[Token]) -> impl Iterator<Item = Names> + '_ {
    tokens.iter().map(|token| token.names)
}
