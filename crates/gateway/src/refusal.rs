//! Why a request ended without its upstream's answer: a status for the client, a word for the log and the metrics.

use crate::inspect::Refused;
use crate::upload::UploadError;
use crate::upstream::ConnectError;
use http::StatusCode;

/// Why a request was not answered by its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Host,
    Target,
    Field,
    Path,
    Method,
    NoRoute,
    HeaderCount,
    BodyTooLarge,
    BodyIdle,
    BodySlow,
    BodyBroken,
    LedgerUnavailable,
    Contained,
    ConnectFailed,
    ConnectLate,
    FirstByteLate,
    UpstreamFailed,
    TransferEncoding,
}

impl Refusal {
    /// What the client is told.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Refusal::Host | Refusal::Target | Refusal::Field | Refusal::Path | Refusal::BodyBroken => {
                StatusCode::BAD_REQUEST
            }
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::NoRoute => StatusCode::NOT_FOUND,
            Refusal::HeaderCount => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodyIdle | Refusal::BodySlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::Contained => StatusCode::FORBIDDEN,
            Refusal::LedgerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::ConnectFailed | Refusal::UpstreamFailed | Refusal::TransferEncoding => StatusCode::BAD_GATEWAY,
            Refusal::ConnectLate | Refusal::FirstByteLate => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What the operator is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Refusal::Host => "bad_host",
            Refusal::Target => "bad_target",
            Refusal::Field => "bad_field",
            Refusal::Path => "ambiguous_path",
            Refusal::Method => "method",
            Refusal::NoRoute => "no_route",
            Refusal::HeaderCount => "too_many_headers",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::BodyIdle => "body_idle",
            Refusal::BodySlow => "body_slow",
            Refusal::BodyBroken => "body_broken",
            Refusal::LedgerUnavailable => "ledger_unavailable",
            Refusal::Contained => "contained",
            Refusal::ConnectFailed => "connect_failed",
            Refusal::ConnectLate => "connect_late",
            Refusal::FirstByteLate => "first_byte_late",
            Refusal::UpstreamFailed => "upstream_failed",
            Refusal::TransferEncoding => "upstream_transfer_encoding",
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        match refused {
            Refused::Ledger => Refusal::LedgerUnavailable,
            Refused::Contained => Refusal::Contained,
        }
    }
}

impl From<ConnectError> for Refusal {
    fn from(err: ConnectError) -> Refusal {
        match err {
            ConnectError::Late => Refusal::ConnectLate,
            ConnectError::Connect(_) | ConnectError::Handshake(_) => Refusal::ConnectFailed,
        }
    }
}

impl From<UploadError> for Refusal {
    fn from(err: UploadError) -> Refusal {
        match err {
            UploadError::TooLarge => Refusal::BodyTooLarge,
            UploadError::Idle => Refusal::BodyIdle,
            UploadError::Slow => Refusal::BodySlow,
            UploadError::Client => Refusal::BodyBroken,
        }
    }
}
