use super::*;
use crate::session::Pseudonyms;
use crate::vault::DataKey;

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

#[test]
fn machines_whose_clocks_differ_by_a_minute_agree() {
    let at = |s: i64| {
        let sources = config::Sources::from_pairs([KEY]);
        Sessions::new(&config::load(&sources).unwrap(), Clock::Fixed(s * 1000))
    };
    let wanted = MintRequest {
        user_id: "ada".into(),
        ttl_s: Some(60),
        ..MintRequest::default()
    };
    let minted = at(1_000).mint(wanted).unwrap().session;
    for (now_s, holds) in [
        (0, true),
        (940, true),
        (1_060, true),
        (1_120, true),
        (1_121, false),
    ] {
        assert_eq!(at(now_s).holds(minted.as_str()), holds, "{now_s}");
    }
    assert_eq!(at(5_000).ends_s(minted.as_str()), Ok(1_120));
    assert_eq!(at(0).ends_s("ada"), Err(TokenError::Unsigned));
}

#[test]
fn a_revoked_id_is_as_good_as_an_expired_one() {
    for (mode, strict) in [("spoken", false), ("strict", true)] {
        let pairs = [
            KEY,
            ("REQUIRE_SIGNED_SESSIONS", mode),
            ("DATA_KEY", "a-data-key-0123456789"),
        ];
        let settings = config::load(&config::Sources::from_pairs(pairs)).unwrap();
        let names = Pseudonyms::new(&DataKey::load(&settings.store).unwrap());
        let revoked = Arc::new(Revoked::new(names.clone()));
        let s = Sessions::new(&settings, Clock::Fixed(1_000_000)).heeding(Arc::clone(&revoked));
        let mint = || {
            let wanted = MintRequest {
                user_id: "ada".into(),
                tier: Some(Tier::Enterprise),
                ..MintRequest::default()
            };
            s.mint(wanted).unwrap().session
        };
        let (gone, other) = (mint(), mint());
        revoked.take([(names.session_key(gone.as_str()), i64::MAX)], 1_000_000);
        assert!(!s.holds(gone.as_str()) && s.holds(other.as_str()));
        match s.identify(with(gone.as_str())) {
            Ok(speaker) => assert_eq!(
                (speaker.user, speaker.identity, speaker.tier, strict),
                (None, Identity::None, Tier::Free, false)
            ),
            Err(why) => {
                assert!(strict);
                assert_eq!(why, IdentityError::Refused(TokenError::Revoked));
            }
        }
    }
}
