//! Whoever holds a session's signed id may see that session and judge its turns, without a key: a
//! browser has the id and must not have a key.

use actix_web::HttpRequest;

use super::Door;
use super::error::Refusal;
use super::turn::session_of_header;

/// Who asks about one session.
#[derive(Debug)]
pub(super) enum Asker {
    Admin,
    /// Whoever has the signed id of the session that is kept under this name.
    Holder(Held),
}

/// A session by its signed id.
#[derive(Debug)]
pub(super) struct Held {
    session_key: String,
    id: String,
}

impl Asker {
    /// An admin key, else the signed id in `x-clm-session`, else `named`: the id by which the request
    /// itself names the session.
    ///
    /// # Errors
    /// When none of them is shown, or the id does not hold.
    pub(super) fn of(
        request: &HttpRequest,
        door: &Door,
        named: Option<&str>,
    ) -> Result<Self, Refusal> {
        if door.keys.admin(request).is_ok() {
            return Ok(Self::Admin);
        }
        let shown = session_of_header(request.headers())?.or(named);
        let shown = shown.filter(|id| door.sessions.holds(id));
        let id = shown.ok_or(Refusal::Holder)?;
        Ok(Self::Holder(Held {
            session_key: door.rooms.session_key(id),
            id: id.to_owned(),
        }))
    }

    /// The signed id that this is all about; absent for an admin.
    pub(super) fn holder(self) -> Option<String> {
        match self {
            Self::Admin => None,
            Self::Holder(own) => Some(own.id),
        }
    }

    /// Whether the session kept under this name is theirs to see.
    pub(super) fn may_see(&self, session_key: &str) -> bool {
        match self {
            Self::Admin => true,
            Self::Holder(own) => own.session_key == session_key,
        }
    }
}
