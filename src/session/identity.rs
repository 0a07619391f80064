//! From what a request carries to who speaks.

use std::sync::Arc;

use rand::random;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::config::{self, RequireSigned};
use crate::turn::{Identity, InvalidSessionId, ProsodyPolicy, SessionId, Tier};

use super::revoked::Revoked;
use super::token::{Claims, SKEW_S, Signer, TokenError};

/// How long an id lives that was minted in mid-call, in seconds: longer than any call.
const MINTED_TTL_S: i64 = 24 * 3600;
/// Bounds of a minted session's life, in seconds.
const TTL_S: std::ops::RangeInclusive<i64> = 60..=30 * 24 * 3600;

/// Who speaks in this turn, and what they may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    pub session: SessionId,
    /// Absent where identity is `none`: memory is then neither read nor written.
    pub user: Option<String>,
    pub identity: Identity,
    /// The user was made up for this very request: nobody can know anything of them yet.
    pub is_new: bool,
    pub tier: Tier,
    /// A coach that the session is pinned to.
    pub pin: Option<String>,
    pub prosody: ProsodyPolicy,
}

/// What a request says of its speaker, before any of it is believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unproven<'a> {
    /// The session id from the place that the caller's profile trusts most.
    pub session: Option<&'a str>,
    /// A session id in the body, heeded only where no signing key is set.
    pub body_session: Option<&'a str>,
    /// A user id in the body, heeded only where no signing key is set.
    pub body_user: Option<&'a str>,
}

/// A speaker is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Session(#[from] InvalidSessionId),
    #[error("this service takes signed session ids only, and of this one it is said: {0}")]
    Refused(TokenError),
    #[error("this service takes signed session ids only, and the request carries none")]
    Absent,
}

/// What a front end's backend asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MintRequest {
    pub user_id: String,
    pub tier: Option<Tier>,
    pub coach: Option<String>,
    pub ttl_s: Option<i64>,
    pub prosody: Option<ProsodyPolicy>,
}

/// A session ready to be handed to a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    pub session: SessionId,
    /// Seconds since the Unix epoch.
    pub expires_at: i64,
}

/// Why a session could not be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    #[error("user_id is empty or holds control characters")]
    User,
    #[error("ttl_s must be between {} and {}", TTL_S.start(), TTL_S.end())]
    Ttl,
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Signs and judges session ids under the operator's rules.
#[derive(Clone, Debug)]
pub struct Sessions {
    signer: Signer,
    require: RequireSigned,
    default_tier: Tier,
    prosody: ProsodyPolicy,
    clock: Clock,
    revoked: Option<Arc<Revoked>>,
}

impl Sessions {
    /// Without signing keys, ids are signed with a key that lives as long as the process: minting
    /// works in a demo, and a restart forgets who was who.
    #[must_use]
    pub fn new(settings: &config::Settings, clock: Clock) -> Self {
        let ephemeral = [SecretString::from(format!("{:032x}", random::<u128>()))];
        let keys = match settings.sessions.signing_keys.as_slice() {
            [] => &ephemeral,
            keys => keys,
        };
        Self {
            signer: Signer::new(keys),
            require: settings.sessions.require_signed,
            default_tier: settings.coaches.default_tier,
            prosody: settings.prosody,
            clock,
            revoked: None,
        }
    }

    /// The same, heeding what is revoked.
    #[must_use]
    pub fn heeding(self, revoked: Arc<Revoked>) -> Self {
        Self {
            revoked: Some(revoked),
            ..self
        }
    }

    /// # Errors
    /// When the id breaks a rule, or when only signed ids are taken and this is none.
    pub fn identify(&self, unproven: Unproven<'_>) -> Result<Speaker, IdentityError> {
        let trusting = self.require == RequireSigned::Off;
        let text = |id: Option<&str>| {
            id.filter(|s| !s.is_empty())
                .map(SessionId::parse)
                .transpose()
        };
        let mut session = text(unproven.session)?;
        if session.is_none() && trusting {
            session = text(unproven.body_session)?;
        }
        let Some(session) = session else {
            return match self.require {
                RequireSigned::Strict => Err(IdentityError::Absent),
                _ => Ok(self.stranger(unproven.body_user.filter(|_| trusting))),
            };
        };
        match self.verified(session.as_str()) {
            Ok(claims) => Ok(self.known(session, claims)),
            Err(why) => match self.require {
                RequireSigned::Strict => Err(IdentityError::Refused(why)),
                RequireSigned::Spoken => Ok(self.nobody(session)),
                RequireSigned::Off => Ok(self.named_by_itself(session, unproven.body_user)),
            },
        }
    }

    /// # Errors
    /// Names the field that cannot be taken.
    pub fn mint(&self, request: MintRequest) -> Result<Minted, MintError> {
        if request.user_id.is_empty() || request.user_id.chars().any(char::is_control) {
            return Err(MintError::User);
        }
        let ttl = request.ttl_s.unwrap_or(2 * 3600);
        if !TTL_S.contains(&ttl) {
            return Err(MintError::Ttl);
        }
        let expires_at = self.clock.now_s() + ttl;
        let token = self.signer.sign(&Claims {
            user: request.user_id,
            tier: request.tier,
            coach: request.coach,
            prosody: request.prosody,
            expires_at,
            nonce: nonce(),
            minted: false,
        })?;
        let session = SessionId::parse(&token).map_err(|_| TokenError::TooLong(token.len()))?;
        Ok(Minted {
            session,
            expires_at,
        })
    }

    /// Whether this is a signed session id that holds now. Whoever shows one may be told of that
    /// session, under every rule: nobody else has it.
    #[must_use]
    pub fn holds(&self, session: &str) -> bool {
        self.verified(session).is_ok()
    }

    /// When an id that we signed would hold no more in any case, seconds since the Unix epoch.
    ///
    /// # Errors
    /// When it was not signed here. One whose time is over is no error.
    pub fn ends_s(&self, session: &str) -> Result<i64, TokenError> {
        let claims = self.signer.genuine(session)?;
        Ok(claims.expires_at.saturating_add(SKEW_S))
    }

    /// When an id of which nothing else is known holds no more, seconds since the Unix epoch.
    #[must_use]
    pub fn latest_end_s(&self) -> i64 {
        self.clock.now_s() + TTL_S.end() + SKEW_S
    }

    fn verified(&self, session: &str) -> Result<Claims, TokenError> {
        let claims = self.signer.verify(session, self.clock.now_s())?;
        match &self.revoked {
            Some(revoked) if revoked.has(session) => Err(TokenError::Revoked),
            _ => Ok(claims),
        }
    }

    fn known(&self, session: SessionId, claims: Claims) -> Speaker {
        let (identity, default_tier) = if claims.minted {
            (Identity::Minted, Tier::Free)
        } else {
            (Identity::Signed, self.default_tier)
        };
        Speaker {
            session,
            user: Some(claims.user),
            identity,
            is_new: false,
            tier: claims.tier.unwrap_or(default_tier),
            pin: claims.coach,
            // A session may lower what the operator allows, never raise it.
            prosody: claims.prosody.map_or(self.prosody, |p| p.min(self.prosody)),
        }
    }

    fn nobody(&self, session: SessionId) -> Speaker {
        Speaker {
            session,
            user: None,
            identity: Identity::None,
            is_new: false,
            tier: Tier::Free,
            pin: None,
            // What this session allows is not known: an id that was edited must not raise it.
            prosody: ProsodyPolicy::Off,
        }
    }

    fn named_by_itself(&self, session: SessionId, body_user: Option<&str>) -> Speaker {
        let user = body_user.unwrap_or(session.as_str()).to_owned();
        Speaker {
            user: Some(user),
            identity: Identity::Body,
            tier: self.default_tier,
            prosody: self.prosody,
            ..self.nobody(session)
        }
    }

    /// A conversation without an id gets one; where ids are signed, so is this one, so that what
    /// comes back later is known to be ours. The person behind it stays nameless.
    fn stranger(&self, body_user: Option<&str>) -> Speaker {
        if self.require == RequireSigned::Off {
            let session = SessionId::mint();
            let identity = if body_user.is_some() {
                Identity::Body
            } else {
                Identity::Minted
            };
            return Speaker {
                identity,
                is_new: body_user.is_none(),
                ..self.named_by_itself(session, body_user)
            };
        }
        let claims = Claims {
            user: format!("anonymous-{}", nonce()),
            tier: None,
            coach: None,
            prosody: None,
            expires_at: self.clock.now_s() + MINTED_TTL_S,
            nonce: nonce(),
            minted: true,
        };
        let signed = self.signer.sign(&claims).ok();
        let signed = signed.and_then(|token| SessionId::parse(&token).ok());
        match signed {
            Some(session) => Speaker {
                is_new: true,
                ..self.known(session, claims)
            },
            None => self.nobody(SessionId::mint()),
        }
    }
}

fn nonce() -> String {
    format!("{:012x}", random::<u64>() >> 16)
}

#[cfg(test)]
mod tests;
