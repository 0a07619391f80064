//! The types of errors: a closed list, each with what it means. `/docs#error-<type>` shows it.

use actix_web::http::StatusCode;

/// What kind of refusal, as programs tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unauthorized,
    InvalidSessionId,
    InvalidRequest,
    NotFound,
    MethodNotAllowed,
    Timeout,
    PayloadTooLarge,
    UnsupportedMediaType,
    RateLimited,
    BudgetExhausted,
    Overloaded,
    Unavailable,
    UpstreamFailed,
    UpstreamBrokeOff,
}

/// A type's name, its statuses, whether the same request may succeed later, and what it means.
struct Row(&'static str, &'static [StatusCode], bool, &'static str);

impl Kind {
    /// Every type, in the order in which a request could meet them.
    pub(crate) const ALL: [Self; 14] = [
        Self::Unauthorized,
        Self::InvalidSessionId,
        Self::InvalidRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::BudgetExhausted,
        Self::Overloaded,
        Self::Unavailable,
        Self::UpstreamFailed,
        Self::UpstreamBrokeOff,
    ];

    const fn row(self) -> Row {
        use StatusCode as S;
        match self {
            Self::Unauthorized => Row(
                "unauthorized",
                &[S::UNAUTHORIZED, S::FORBIDDEN],
                false,
                "The request carries no key, login, session id or signature that opens this route. \
                 With 403 it carries a login, and comes from another site's page.",
            ),
            Self::InvalidSessionId => Row(
                "invalid_session_id",
                &[S::BAD_REQUEST],
                false,
                "The session id is empty, longer than 255 bytes, not UTF-8, or holds control \
                 characters.",
            ),
            Self::InvalidRequest => Row(
                "invalid_request",
                &[S::BAD_REQUEST],
                false,
                "The query string or the body is not what this route takes. The message names the \
                 field.",
            ),
            Self::NotFound => Row(
                "not_found",
                &[S::NOT_FOUND],
                false,
                "Nothing is served at this address, or nothing has this id or name.",
            ),
            Self::MethodNotAllowed => Row(
                "method_not_allowed",
                &[S::METHOD_NOT_ALLOWED],
                false,
                "The address is right, the method is not. The `Allow` header lists those that are.",
            ),
            Self::Timeout => Row(
                "timeout",
                &[S::REQUEST_TIMEOUT, S::BAD_REQUEST],
                true,
                "The body did not arrive within five seconds, or its connection broke (400).",
            ),
            Self::PayloadTooLarge => Row(
                "payload_too_large",
                &[S::PAYLOAD_TOO_LARGE],
                false,
                "The body is larger than this route takes: 4 MiB for a turn (`MAX_BODY_BYTES`), \
                 1 MiB for ElevenLabs' webhook, 64 KiB elsewhere.",
            ),
            Self::UnsupportedMediaType => Row(
                "unsupported_media_type",
                &[S::UNSUPPORTED_MEDIA_TYPE],
                false,
                "The body is declared as something other than JSON.",
            ),
            Self::RateLimited => Row(
                "rate_limited",
                &[S::TOO_MANY_REQUESTS],
                true,
                "The key or the session has as many turns as it may have, a minute or at once. \
                 `Retry-After` says when there will be room.",
            ),
            Self::BudgetExhausted => Row(
                "budget_exhausted",
                &[S::TOO_MANY_REQUESTS],
                false,
                "The money of the day, of the user or of the session is spent. Told only to who asks \
                 for statuses (`x-clm-errors: signal`, the council): others hear a sentence.",
            ),
            Self::Overloaded => Row(
                "overloaded",
                &[S::SERVICE_UNAVAILABLE],
                true,
                "As many turns run, or as many watchers watch, as may. A turn is told so only where \
                 it asked for statuses; others hear a sentence.",
            ),
            Self::Unavailable => Row(
                "unavailable",
                &[S::SERVICE_UNAVAILABLE],
                true,
                "The store does not answer, or as much waits to be kept as may. Turns go on \
                 meanwhile.",
            ),
            Self::UpstreamFailed => Row(
                "upstream_failed",
                &[S::BAD_GATEWAY],
                true,
                "No model said a word in time. Told only to who asks for statuses; others hear a \
                 sentence. In a stream the same object ends it, without `[DONE]`.",
            ),
            Self::UpstreamBrokeOff => Row(
                "upstream_broke_off",
                &[S::BAD_GATEWAY],
                true,
                "A model broke off after words were out, and no other could go on. Told as \
                 `upstream_failed` is.",
            ),
        }
    }

    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The statuses that it comes with, the usual one first.
    #[must_use]
    pub(crate) const fn statuses(self) -> &'static [StatusCode] {
        self.row().1
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub(crate) const fn is_retryable(self) -> bool {
        self.row().2
    }

    /// What it means, in Markdown.
    #[must_use]
    pub(crate) const fn meaning(self) -> &'static str {
        self.row().3
    }

    /// Where it is explained.
    #[must_use]
    pub(crate) fn docs(self) -> String {
        format!("/docs#error-{}", self.as_str())
    }
}
