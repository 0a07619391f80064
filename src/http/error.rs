//! Refusals: one shape, a closed list of types, a hint that says what to do. A turn that was
//! accepted never ends here: its failures are spoken.

mod kind;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::session::{IdentityError, MintError};
use crate::telemetry::events::RequestRefused;
use crate::turn::{Fault, TraceContext};

use super::callers::BadBody;
use super::limits::{Bound, Limited, Scope};

pub(crate) use kind::Kind;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("a valid key is needed")]
    Unauthorized,
    #[error("this route needs an admin key, and none is configured")]
    AdminClosed,
    #[error("an admin key or the signed id of this very session is needed")]
    Holder,
    #[error("this link {0}")]
    Share(&'static str),
    #[error("a login in a browser changes something only where our own page asks for it")]
    Foreign,
    #[error("no key is configured for these webhooks: {0} is not set")]
    WebhookClosed(&'static str),
    #[error("the signature of this webhook {0}")]
    Unsealed(&'static str),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Body(#[from] BadBody),
    #[error("{0}")]
    Invalid(String),
    #[error("the query string is not valid percent-encoded UTF-8")]
    Query,
    #[error("nothing is served here")]
    NotFound,
    #[error("no {0} has this id")]
    Unknown(&'static str),
    #[error("no {0} has this name; there are {1}")]
    NoSuch(&'static str, String),
    #[error("this method is not served here; allowed: {0}")]
    Method(String),
    #[error("the body did not arrive within {0:?}")]
    Slow(Duration),
    #[error("the connection broke while the body was read")]
    Broken,
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body is not declared as JSON")]
    MediaType,
    #[error("the store cannot be asked right now")]
    Store,
    #[error("nothing can be taken to be kept right now: as much waits as may")]
    Queue,
    #[error("no more can watch right now: as many do as may")]
    Watched,
    #[error("no turn can be taken right now: as many run as may")]
    Overloaded,
    #[error(transparent)]
    Limited(#[from] Limited),
    #[error("no model answered in time")]
    Unanswered,
    #[error("a budget's limit is reached")]
    Unpaid,
    #[error("the model's answer broke off and none could go on")]
    BrokenOff,
}

/// Type, status and hint of a refusal.
struct Row(Kind, StatusCode, &'static str);

impl Refusal {
    /// The one table that turns refusals into statuses.
    fn row(&self) -> Row {
        use Kind as K;
        use StatusCode as S;
        match self {
            Self::Unauthorized => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "send `Authorization: Bearer <key>`; caller keys are in CLM_API_KEYS, admin keys in ADMIN_API_KEYS",
            ),
            Self::AdminClosed => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "set ADMIN_API_KEYS and send one as `Authorization: Bearer <key>`",
            ),
            Self::Holder => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "send an admin key as `Authorization: Bearer <key>`, or the session's own signed id as `x-clm-session`",
            ),
            Self::Share(_) => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "ask whoever sent the link for another; a session's page makes them",
            ),
            Self::Foreign => Row(
                K::Unauthorized,
                S::FORBIDDEN,
                "ask from the page itself, or send the key as `Authorization: Bearer <key>`",
            ),
            Self::WebhookClosed(_) => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "set it to the signing key that the platform shows for this webhook",
            ),
            Self::Unsealed(_) => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "sign the bytes that are sent, with the key that is configured here, at a time that both clocks agree on",
            ),
            Self::Identity(IdentityError::Session(_)) => Row(
                K::InvalidSessionId,
                S::BAD_REQUEST,
                "send a session id of 1 to 255 bytes of UTF-8 without control characters",
            ),
            Self::Identity(_) => Row(
                K::Unauthorized,
                S::UNAUTHORIZED,
                "mint a signed session id with POST /v1/sessions and pass it as custom_session_id",
            ),
            Self::Body(BadBody::NoMessages) => Row(
                K::InvalidRequest,
                S::BAD_REQUEST,
                "send an OpenAI chat request: {\"messages\":[{\"role\":\"user\",\"content\":\"…\"}]}",
            ),
            Self::Body(_) => Row(
                K::InvalidRequest,
                S::BAD_REQUEST,
                "send one JSON object in UTF-8, nested at most 64 deep",
            ),
            Self::Invalid(_) => Row(
                K::InvalidRequest,
                S::BAD_REQUEST,
                "correct the named field and send it again",
            ),
            Self::Query => Row(
                K::InvalidRequest,
                S::BAD_REQUEST,
                "percent-encode the query string as UTF-8",
            ),
            Self::NotFound => Row(
                K::NotFound,
                S::NOT_FOUND,
                "turns are POSTed to /chat/completions or /v1/chat/completions; see the README for the other routes",
            ),
            Self::Unknown(_) => Row(
                K::NotFound,
                S::NOT_FOUND,
                "a turn can be asked for once it has ended, a session once one of its turns has; see GET /v1/turns",
            ),
            Self::NoSuch(..) => Row(K::NotFound, S::NOT_FOUND, "ask for one of those"),
            Self::Method(_) => Row(
                K::MethodNotAllowed,
                S::METHOD_NOT_ALLOWED,
                "use one of the methods in the Allow header",
            ),
            Self::Slow(_) => Row(
                K::Timeout,
                S::REQUEST_TIMEOUT,
                "send the whole body at once; a slow uplink needs a smaller history",
            ),
            Self::Broken => Row(K::Timeout, S::BAD_REQUEST, "send the request again"),
            Self::TooLarge(_) => Row(
                K::PayloadTooLarge,
                S::PAYLOAD_TOO_LARGE,
                "send less; where it is a turn, a shorter history, or raise MAX_BODY_BYTES",
            ),
            Self::MediaType => Row(
                K::UnsupportedMediaType,
                S::UNSUPPORTED_MEDIA_TYPE,
                "send `Content-Type: application/json`",
            ),
            Self::Store | Self::Queue => Row(
                K::Unavailable,
                S::SERVICE_UNAVAILABLE,
                "try again in a moment; see /readyz",
            ),
            Self::Watched => Row(
                K::Overloaded,
                S::SERVICE_UNAVAILABLE,
                "try again later, or ask GET /v1/turns from time to time",
            ),
            Self::Overloaded => Row(
                K::Overloaded,
                S::SERVICE_UNAVAILABLE,
                "try again after Retry-After; MAX_TURNS is the bound",
            ),
            Self::Limited(limited) => {
                Row(K::RateLimited, S::TOO_MANY_REQUESTS, limit_hint(limited))
            }
            Self::Unanswered => Row(
                K::UpstreamFailed,
                S::BAD_GATEWAY,
                "try again; GET /v1/turns/{id} tells what each model did",
            ),
            Self::Unpaid => Row(
                K::BudgetExhausted,
                S::TOO_MANY_REQUESTS,
                "GET /v1/budget tells which limit, and when it begins anew",
            ),
            Self::BrokenOff => Row(
                K::UpstreamBrokeOff,
                S::BAD_GATEWAY,
                "try again; what was said before it is a part of an answer at most",
            ),
        }
    }

    /// The error as callers read it, in a body or in a stream.
    #[must_use]
    pub fn json(&self, trace_id: &str) -> Value {
        let Row(kind, _, hint) = self.row();
        json!({ "error": {
            "type": kind.as_str(),
            "message": self.to_string(),
            "hint": hint,
            "docs": kind.docs(),
            "retryable": kind.is_retryable(),
            "trace_id": trace_id,
        }})
    }

    /// The response, told and counted once.
    #[must_use]
    pub fn respond(&self, request: &HttpRequest, trace: &TraceContext) -> HttpResponse {
        let Row(kind, status, _) = self.row();
        let route = request
            .match_pattern()
            .unwrap_or_else(|| "unmatched".to_owned());
        let message = self.to_string();
        let reason = match self {
            // These carry the caller's own text, which no log may see.
            Self::Invalid(_) => "invalid field",
            _ => &message,
        };
        let trace_id = trace.trace_id();
        RequestRefused {
            trace_id: &trace_id,
            kind: kind.as_str(),
            status: status.as_u16(),
            route: &route,
            reason,
        }
        .emit();
        let mut response = HttpResponse::build(status);
        response.insert_header(("x-clm-trace-id", trace.trace_id()));
        match self {
            Self::Unauthorized | Self::AdminClosed | Self::Holder => {
                response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
            }
            Self::Method(allowed) => {
                response.insert_header((ALLOW, allowed.as_str()));
            }
            Self::Store | Self::Queue | Self::Watched | Self::Overloaded => {
                response.insert_header((RETRY_AFTER, HeaderValue::from_static("1")));
            }
            Self::Limited(limited) => {
                response.insert_header((RETRY_AFTER, limited.retry_after_s()));
            }
            // What is left of such a body is not worth reading.
            Self::Slow(_) | Self::TooLarge(_) | Self::Broken => {
                response.insert_header((CONNECTION, HeaderValue::from_static("close")));
            }
            _ => {}
        }
        response.json(self.json(&trace_id))
    }
}

fn limit_hint(limited: &Limited) -> &'static str {
    match (limited.scope, limited.bound) {
        (Scope::Key, Bound::PerMinute) => {
            "try again after Retry-After; KEY_TURNS_PER_MINUTE is the bound of each key"
        }
        (Scope::Key, Bound::Open) => {
            "try again when one of them has ended; KEY_MAX_TURNS is the bound of each key"
        }
        (Scope::Session, Bound::PerMinute) => {
            "try again after Retry-After; SESSION_TURNS_PER_MINUTE is the bound of each session"
        }
        (Scope::Session, Bound::Open) => {
            "try again when one of them has ended; SESSION_MAX_TURNS is the bound of each session"
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unanswered => Self::Unanswered,
            Fault::BrokenOff => Self::BrokenOff,
            Fault::Unpaid => Self::Unpaid,
        }
    }
}

impl From<MintError> for Refusal {
    fn from(error: MintError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests;
