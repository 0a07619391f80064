//! What is tried, and what has to hold of it whatever comes in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use quest_clm::clock::Clock;
use quest_clm::config::{Sources, load};
use quest_clm::http::callers::{ALL, decode};
use quest_clm::session::{Sessions, Unproven};
use quest_clm::speech::{Filter, Language, normalize};
use quest_clm::spool::{Class, Left, Limits, Spool, look};
use quest_clm::sse::Decoder;
use quest_clm::turn::{Identity, ProsodyPolicy};

/// A number with as many bits as `n`: so that a little more of the same is not something new.
fn about(n: usize) -> u64 {
    u64::from(usize::BITS - n.leading_zeros())
}

/// A request's body: read the same twice, and never more words than came. A character is three bytes at most
/// for one that was broken.
pub(crate) fn body(input: &[u8]) -> u64 {
    ALL.iter().fold(0, |before, dialect| {
        let did = match decode(input, dialect) {
            Err(bad) => u64::try_from(bad.to_string().len()).unwrap(),
            Ok(mut decoded) => {
                let again = decode(input, dialect).unwrap();
                assert_eq!(format!("{decoded:?}"), format!("{again:?}"));
                let talk = &decoded.conversation;
                let words = talk.history.iter().map(|m| m.text.len()).sum::<usize>();
                let words = words + talk.ask.words().len();
                assert!(words <= 3 * input.len(), "{words} of {}", input.len());
                assert!(talk.expressions.iter().all(|e| e.score.is_finite()));
                let shape = u64::try_from(format!("{talk:?}").len() / 64)
                    .unwrap()
                    .min(255)
                    << 20
                    | about(talk.history.len()) << 4
                    | about(words) << 8
                    | about(talk.context.len()) << 12
                    | about(talk.expressions.len()) << 15
                    | u64::from(talk.tools.is_some()) << 17
                    | u64::from(decoded.session.is_some()) << 18
                    | u64::from(decoded.model.is_some()) << 19;
                decoded.hear(ProsodyPolicy::Off, 0, |_| Vec::new());
                assert!(decoded.conversation.expressions.is_empty());
                1 << 31 | shape
            }
        };
        before << 32 | did
    })
}

/// The events of a stream, or how many there were before one was too large.
fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event.to_vec()),
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

/// A model's stream: the same events however it is cut.
pub(crate) fn sse(input: &[u8]) -> u64 {
    let (cut, stream) = input.split_first().map_or((1, input), |(c, s)| (*c, s));
    let whole = events(std::iter::once(stream));
    let cut = usize::from(cut).max(1);
    assert_eq!(whole, events(stream.chunks(cut)), "in pieces of {cut}");
    assert_eq!(whole, events(stream.chunks(1)), "byte by byte");
    let bytes = whole.0.iter().map(Vec::len).sum::<usize>();
    assert!(bytes <= stream.len());
    let most = whole.0.iter().map(Vec::len).max().unwrap_or_default();
    about(whole.0.len()) << 16 | about(bytes) << 8 | about(most)
}

/// When the ids of the corpus were signed.
const SIGNED_AT_MS: i64 = 1_795_000_000_000;

fn sessions() -> Sessions {
    let pairs = [(
        "SESSION_SIGNING_KEYS",
        "a key of the corpus".replace(' ', "-"),
    )];
    let settings = load(&Sources::from_pairs(pairs)).unwrap();
    Sessions::new(&settings, Clock::Fixed(SIGNED_AT_MS))
}

/// A signed id: believed only if it is one that was signed, to the byte.
pub(crate) fn token(input: &[u8]) -> u64 {
    static HOUSE: OnceLock<(Sessions, BTreeSet<Vec<u8>>)> = OnceLock::new();
    let (sessions, signed) = HOUSE.get_or_init(|| {
        let corpus = crate::corpus("token").into_iter();
        let signed = corpus.filter(|(path, _)| {
            path.file_stem()
                .is_some_and(|s| s.to_string_lossy().starts_with("signed"))
        });
        (sessions(), signed.map(|(_, id)| id).collect())
    });
    let text = String::from_utf8_lossy(input);
    let said = sessions.identify(Unproven {
        session: Some(&text),
        ..Unproven::default()
    });
    match said {
        Err(error) => about(error.to_string().len()),
        Ok(speaker) if speaker.identity == Identity::Signed => {
            assert!(signed.contains(input), "believed: {text}");
            16
        }
        Ok(speaker) => {
            assert!(!signed.contains(input) && speaker.pin.is_none(), "{text}");
            32 | about(input.len())
        }
    }
}

/// A segment of a spool, its name in front: whatever lies there, it opens, gives no row that was not
/// written, and keeps a new one.
pub(crate) fn spool(input: &[u8]) -> u64 {
    let dir = laid(input);
    let left = look(dir.path()).unwrap();
    let (mut spool, recovered) = Spool::open(dir.path(), Limits::default()).unwrap();
    let found = spool.read(None, usize::MAX, usize::MAX);
    assert!(found.iter().all(|row| was_written(&row.payload)));
    assert_eq!(left, Left::Rows(recovered.rows));
    assert!(
        spool.take_counts().damaged == 0 && found.len() == usize::try_from(recovered.rows).unwrap()
    );
    let kept = spool.append(Class::Essential, b"new", 1);
    let done: Vec<_> = found.iter().map(|row| row.seq).collect();
    spool.ack(&done);
    drop(spool);
    // The last number there is may be taken: then nothing more is.
    let expected: &[&[u8]] = if kept.is_ok() { &[b"new"] } else { &[] };
    assert_eq!(rows(&dir), expected);
    about(found.len()) << 16
        | about(usize::try_from(recovered.skipped_bytes).unwrap()) << 8
        | about(usize::try_from(recovered.lost_rows).unwrap_or(usize::MAX))
}

/// The rows of the corpus: `{"rows":0}` and on, five; `done`, six, three of them acknowledged; `one`.
fn was_written(payload: &[u8]) -> bool {
    let of = |name: &str, count: u32| {
        let mut rows = (0..count).map(|n| format!("{{\"{name}\":{n}}}"));
        rows.any(|row| row.as_bytes() == payload)
    };
    of("rows", 5) || of("done", 6) || of("one", 1)
}

/// A spool's directory with this segment in it.
fn laid(input: &[u8]) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let dir = dir.unwrap();
    let (name, segment) = input.split_at(input.len().min(8));
    let mut number = [0; 8];
    number[..name.len()].copy_from_slice(name);
    let name = format!("{:016x}.log", u64::from_le_bytes(number));
    fs::write(dir.path().join(name), segment).unwrap();
    dir
}

fn rows(dir: &tempfile::TempDir) -> Vec<Vec<u8>> {
    let (mut spool, _) = Spool::open(dir.path(), Limits::default()).unwrap();
    let rows = spool.read(None, usize::MAX, usize::MAX);
    rows.into_iter().map(|row| row.payload).collect()
}

/// A sign that may be left out where it stands. In mid-word it may hide an address from the filter, which only a
/// second saying then takes away (`htt|ps://a.b`): so of texts with one nothing is promised of that.
fn is_left_out(c: char) -> bool {
    !c.is_ascii() && !c.is_alphanumeric() || "\\|}`*_~#<>{".contains(c)
}

/// What a model writes: the same however it is cut, and said the same when it is said again. The first byte
/// tells the language and the cut.
pub(crate) fn speech(input: &[u8]) -> u64 {
    let (how, text) = input.split_first().map_or((0, input), |(h, t)| (*h, t));
    let language = [Language::English, Language::Other][usize::from(how & 1)];
    let text = String::from_utf8_lossy(text);
    let whole = normalize(&text, language);
    let mut filter = Filter::new(language);
    let mut said = String::new();
    let size = usize::from(how >> 1).max(1);
    let characters: Vec<char> = text.chars().collect();
    for piece in characters.chunks(size) {
        filter.push(&piece.iter().collect::<String>(), &mut said);
    }
    filter.end(&mut said);
    assert_eq!(said, whole, "in pieces of {size}: {text:?}");
    if !text.contains(is_left_out) {
        assert_eq!(normalize(&whole, language), whole, "said again: {text:?}");
    }
    let spelt = whole.len().abs_diff(text.len());
    about(whole.len()) << 16
        | about(spelt) << 8
        | about(whole.split(' ').count())
        | u64::from(how & 1) << 32
}
