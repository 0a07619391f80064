//! From what a request carries to who speaks.

use rand::random;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::config::{self, RequireSigned};
use crate::turn::{Identity, InvalidSessionId, ProsodyPolicy, SessionId, Tier};

use super::token::{Claims, Signer, TokenError};

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
    #[error("this service takes signed session ids only, and this one is {0}")]
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
        match self.signer.verify(session.as_str(), self.clock.now_s()) {
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
        let now_s = self.clock.now_s();
        self.signer.verify(session, now_s).is_ok()
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
mod tests {
    use super::*;

    fn sessions(pairs: &[(&str, &str)]) -> Sessions {
        let sources = config::Sources::from_pairs(pairs.iter().copied());
        Sessions::new(&config::load(&sources).unwrap(), Clock::Fixed(1_000_000))
    }

    const KEY: (&str, &str) = ("SESSION_SIGNING_KEYS", "a-signing-key-of-some-length");

    fn with(id: &str) -> Unproven<'_> {
        Unproven {
            session: Some(id),
            ..Unproven::default()
        }
    }

    #[test]
    fn without_keys_the_request_names_its_user() {
        let s = sessions(&[]);
        let by_id = s.identify(with("ada-1")).unwrap();
        assert_eq!(
            (by_id.user.as_deref(), by_id.identity),
            (Some("ada-1"), Identity::Body)
        );
        let by_body = s
            .identify(Unproven {
                body_session: Some("x"),
                body_user: Some("ada"),
                session: None,
            })
            .unwrap();
        assert_eq!(
            (by_body.session.as_str(), by_body.user.as_deref()),
            ("x", Some("ada"))
        );
        assert_eq!(by_body.tier, Tier::Premium);
    }

    #[test]
    fn an_absent_id_is_minted_and_known_when_it_comes_back() {
        for (pairs, comes_back_as) in [(&[][..], Identity::Body), (&[KEY][..], Identity::Minted)] {
            let s = sessions(pairs);
            let first = s.identify(Unproven::default()).unwrap();
            assert_eq!((first.identity, first.is_new), (Identity::Minted, true));
            let again = s.identify(with(first.session.as_str())).unwrap();
            assert_eq!(
                again,
                Speaker {
                    identity: comes_back_as,
                    is_new: false,
                    ..first
                }
            );
        }
    }

    #[test]
    fn with_keys_body_ids_and_unsigned_ids_name_nobody() {
        let s = sessions(&[KEY]);
        let forged = s
            .identify(Unproven {
                session: Some("ada"),
                body_session: None,
                body_user: Some("ada"),
            })
            .unwrap();
        assert_eq!(
            (forged.user, forged.identity, forged.tier),
            (None, Identity::None, Tier::Free)
        );
        let body = s
            .identify(Unproven {
                session: None,
                body_session: Some("ada"),
                body_user: Some("ada"),
            })
            .unwrap();
        assert_eq!(body.identity, Identity::Minted);
        assert_ne!(body.user.as_deref(), Some("ada"));
        assert_eq!(body.tier, Tier::Free);
    }

    #[test]
    fn strict_refuses_what_is_not_signed() {
        let s = sessions(&[KEY, ("REQUIRE_SIGNED_SESSIONS", "strict")]);
        assert_eq!(s.identify(Unproven::default()), Err(IdentityError::Absent));
        assert_eq!(
            s.identify(with("ada")),
            Err(IdentityError::Refused(TokenError::Unsigned))
        );
    }

    #[test]
    fn a_minted_session_carries_its_claims_and_may_only_lower_prosody() {
        let s = sessions(&[KEY, ("PROSODY", "prompt")]);
        let minted = s
            .mint(MintRequest {
                user_id: "ada".into(),
                tier: Some(Tier::Enterprise),
                coach: Some("career".into()),
                ttl_s: Some(600),
                prosody: Some(ProsodyPolicy::Full),
            })
            .unwrap();
        assert_eq!(minted.expires_at, 1000 + 600);
        let speaker = s.identify(with(minted.session.as_str())).unwrap();
        assert_eq!(speaker.identity, Identity::Signed);
        assert_eq!(speaker.user.as_deref(), Some("ada"));
        assert_eq!(
            (speaker.tier, speaker.pin.as_deref()),
            (Tier::Enterprise, Some("career"))
        );
        assert_eq!(speaker.prosody, ProsodyPolicy::Prompt);
        let bad = MintRequest {
            user_id: "a\n".into(),
            ..MintRequest::default()
        };
        assert_eq!(s.mint(bad), Err(MintError::User));
    }

    #[test]
    fn a_session_id_that_breaks_a_rule_is_an_error_whatever_the_mode() {
        assert!(matches!(
            sessions(&[]).identify(with(&"x".repeat(300))),
            Err(IdentityError::Session(InvalidSessionId::TooLong(300)))
        ));
    }
}
