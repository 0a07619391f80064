use std::sync::OnceLock;

use quest_clm::clock::Clock;
use quest_clm::config::{Sources, load};
use quest_clm::session::{Sessions, Unproven};
use quest_clm::turn::Identity;

/// When the ids of the corpus were signed.
const SIGNED_AT_MS: i64 = 1_795_000_000_000;
/// Those of its ids that were.
const SIGNED: [&[u8]; 3] = [
    include_bytes!("../../../fuzz/corpus/token/signed-0"),
    include_bytes!("../../../fuzz/corpus/token/signed-1"),
    include_bytes!("../../../fuzz/corpus/token/signed-2"),
];

fn sessions() -> Sessions {
    let pairs = [(
        "SESSION_SIGNING_KEYS",
        "a key of the corpus".replace(' ', "-"),
    )];
    let settings = load(&Sources::from_pairs(pairs)).unwrap();
    Sessions::new(&settings, Clock::Fixed(SIGNED_AT_MS))
}

/// A signed id: believed only if it is one that was signed, to the byte.
pub(crate) fn token(input: &[u8]) {
    static HOUSE: OnceLock<Sessions> = OnceLock::new();
    let was_signed = SIGNED.contains(&input);
    let text = String::from_utf8_lossy(input);
    let said = HOUSE.get_or_init(sessions).identify(Unproven {
        session: Some(&text),
        ..Unproven::default()
    });
    let is_believed = said
        .as_ref()
        .is_ok_and(|speaker| speaker.identity == Identity::Signed);
    assert_eq!(is_believed, was_signed, "{text}");
    if let Ok(speaker) = said {
        assert!(is_believed || speaker.pin.is_none(), "{text}");
    }
}
