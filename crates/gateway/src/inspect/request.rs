//! What a request contained: its values are not counted when the response echoes them, and are read for conditions.

use super::blind::{Part, conditions_in};
use bytes::BytesMut;
use http::header::{CONTENT_TYPE, COOKIE, REFERER, USER_AGENT};
use http::request;
use sekisho_edm::{Index, Reflected};

/// A request's values.
#[derive(Default)]
pub(super) struct RequestValues {
    reflected: Reflected,
    /// The body's begin, at most [`Reflected::BYTES_MAX`]; what is beyond is not considered.
    body: BytesMut,
    /// Whether the body goes on behind that.
    is_cut: bool,
    is_json: bool,
    conditions: Vec<Vec<u8>>,
}

impl RequestValues {
    /// Reads the target, `Referer`, `Cookie` and `User-Agent`.
    pub(super) fn of(index: &Index, head: &request::Parts) -> RequestValues {
        let mut values = RequestValues::default();
        let target = head.uri.path_and_query().map_or("", |target| target.as_str());
        values.reflected.add(index, target.as_bytes());
        values.conditions(Part::Query(head.uri.query().unwrap_or_default().as_bytes()));
        values.conditions(Part::Whole(head.uri.path().as_bytes()));
        for (name, value) in &head.headers {
            let part = match name {
                name if name == COOKIE => Part::Cookie(value.as_bytes()),
                name if name == REFERER || name == USER_AGENT => Part::Whole(value.as_bytes()),
                _ => continue,
            };
            values.reflected.add(index, value.as_bytes());
            values.conditions(part);
        }
        let media = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        values.is_json = media.to_ascii_lowercase().contains("json");
        values
    }

    /// Notes a part of the body.
    pub(super) fn body(&mut self, chunk: &[u8]) {
        let room = Reflected::BYTES_MAX - self.body.len().min(Reflected::BYTES_MAX);
        self.is_cut |= chunk.len() > room;
        self.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// The whole body, where it is not too long.
    pub(super) fn whole_body(&self) -> Option<&[u8]> {
        (!self.is_cut).then_some(&self.body)
    }

    /// All values, and those that read like a query's condition.
    pub(super) fn finish(mut self, index: &Index) -> (Reflected, Vec<Vec<u8>>) {
        let body = self.body.split();
        if !body.is_empty() {
            self.reflected.add(index, &body);
            self.conditions(match self.is_json {
                true => Part::Json(&body),
                false => Part::Query(&body),
            });
        }
        (self.reflected, self.conditions)
    }

    fn conditions(&mut self, part: Part<'_>) {
        self.conditions.extend(conditions_in(part));
    }
}
