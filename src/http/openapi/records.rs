//! What was recorded, what happens now, and what is told beside the turns.

use serde_json::{Value, json};

use crate::http::error::Kind;
use crate::http::query::{PAGE, WINDOW};
use crate::http::{sessions, turns};

use super::operation::{EVENTS, Operation, Who};
use super::parameters::{header, id, path, session_id};
use super::record_schemas::emotion_example;
use super::schema::{about, either, object, of, text, truth, whole, with, words};

const TURNS: &str = "Turns";
const SESSIONS: &str = "Sessions";
/// Ids as they look; a running server has its own.
const A_TURN: &str = "0199d4f4-8c1b-7d52-9a55-6f0b1f7a3c11";
const A_SESSION: &str = "the-session-id";

pub(super) fn operations() -> Vec<Operation> {
    [about_turns(), about_sessions(), about_links()].concat()
}

fn turn_id() -> Value {
    path("id", "The id of a turn, or of its trace.", id(), A_TURN)
}

/// The signed id, for who has no key.
fn shown() -> Value {
    header(
        "x-clm-session",
        "The session's signed id, for who has no key.",
        session_id(),
    )
}

fn about_turns() -> Vec<Operation> {
    let replay: &[&str] = &["replay"];
    vec![
        Operation::new("GET", "/v1/turns", "listTurns", "Turns, newest first")
            .tag(TURNS)
            .who(Who::Admin)
            .query(&[turns::FILTERS, WINDOW, PAGE])
            .example("limit", json!(20))
            .answers(200, "A page of turns, without their attempts.", of("TurnPage"))
            .refuses(&[Kind::Unavailable]),
        Operation::new("GET", "/v1/turns/{id}", "getTurn", "One turn with its attempts")
            .tag(TURNS)
            .about("With its words where they were captured (`CAPTURE_TEXT`).")
            .who(Who::Admin)
            .parameter(turn_id())
            .answers(200, "The turn.", of("TurnWithAttempts"))
            .refuses(&[Kind::NotFound, Kind::Unavailable]),
        Operation::new("GET", "/v1/turns/live", "watchTurns", "Turns as they settle")
            .tag(TURNS)
            .about(
                "An event stream that ends when the service stops. `turn` is a turn with its attempts, \
                 `flag` a switch that was changed, `missed` how many turns a watcher that fell behind \
                 did not see. A comment comes every 15 s.",
            )
            .who(Who::Admin)
            .query(&[turns::FILTERS, replay])
            .example("replay", json!(1))
            .answers_in(200, "Events until the service stops.", EVENTS, watched(json!({ "flag": of("Switched") })))
            .refuses(&[Kind::Overloaded]),
        Operation::new(
            "POST",
            "/v1/turns/{id}/feedback",
            "judgeTurn",
            "What the user thought of a turn",
        )
        .tag(TURNS)
        .who(Who::Holder)
        .parameter(turn_id())
        .parameter(shown())
        .takes(
            object(vec![("satisfaction", satisfaction())]),
            json!({ "satisfaction": 5 }),
        )
        .answers(
            202,
            "Taken, to be kept.",
            object(vec![("turn_id", text()), ("satisfaction", satisfaction())]),
        )
        .refuses(&[Kind::NotFound, Kind::InvalidSessionId, Kind::Unavailable]),
        Operation::new("GET", "/v1/live", "now", "The last minute and the day in numbers")
            .tag(TURNS)
            .about("Of all machines where there is a Redis, else of this one, with the reason.")
            .who(Who::Admin)
            .answers(200, "The numbers.", of("Now")),
    ]
}

fn satisfaction() -> Value {
    with(whole(), json!({ "minimum": 1, "maximum": 5 }))
}

fn watched(more: Value) -> Value {
    let events = json!({ "turn": of("TurnWithAttempts"), "missed": whole() });
    json!({ "x-events": with(events, more) })
}

fn about_sessions() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/v1/sessions", "listSessions", "Sessions, newest turn first")
            .tag(SESSIONS)
            .who(Who::Admin)
            .query(&[sessions::FILTERS, WINDOW, PAGE])
            .example("limit", json!(20))
            .answers(200, "A page of sessions.", of("SessionPage"))
            .refuses(&[Kind::Unavailable]),
        Operation::new("POST", "/v1/sessions", "mintSession", "A signed session id")
            .tag(SESSIONS)
            .about(
                "For a front end's backend, which hands it to a browser. What is known of the user is \
                 fetched ahead. The whole id is at most 255 bytes long, which bounds `user_id`.",
            )
            .who(Who::Admin)
            .takes(
                of("SessionWanted"),
                json!({ "user_id": "ada", "tier": "premium", "ttl_s": 7200 }),
            )
            .answers(
                201,
                "The id, and until when it holds.",
                object(vec![("session_id", text()), ("expires_at", super::schema::time())]),
            ),
        Operation::new("GET", "/v1/sessions/{id}", "getSession", "One session")
            .tag(SESSIONS)
            .about("Its sums, who answered in it, its chats and a page of its turns.")
            .who(Who::Admin)
            .parameter(path(
                "id",
                "The session by the id that its caller sent, by the one that it is kept under, or by \
                 that of a chat of it.",
                session_id(),
                A_SESSION,
            ))
            .query(&[PAGE])
            .answers(200, "The session.", of("SessionWithTurns"))
            .refuses(&[Kind::InvalidSessionId, Kind::NotFound, Kind::Unavailable]),
        Operation::new("DELETE", "/v1/sessions/{id}", "revokeSession", "Take a session id back")
            .tag(SESSIONS)
            .about("On all machines. What speaks in it ends; here at once.")
            .who(Who::Admin)
            .parameter(path(
                "id",
                "A signed session id, or the one that its session is kept under.",
                session_id(),
                A_SESSION,
            ))
            .answers(200, "It holds no more.", of("SessionRevoked"))
            .refuses(&[Kind::InvalidSessionId, Kind::InvalidRequest, Kind::Unavailable]),
        Operation::new(
            "GET",
            "/v1/sessions/{id}/events",
            "watchSession",
            "A session's turns as they settle",
        )
        .tag(SESSIONS)
        .about(
            "An event stream. Whoever holds the signed id needs no key: a browser's EventSource can send \
             none, and the id in the address is proof enough. It ends when the id does.",
        )
        .who(Who::HolderOrPath)
        .parameter(own_session())
        .parameter(shown())
        .query(&[])
        .answers_in(200, "Events until the service stops.", EVENTS, watched(json!({})))
        .refuses(&[Kind::InvalidSessionId, Kind::Overloaded]),
        Operation::new(
            "POST",
            "/v1/sessions/{id}/emotion",
            "tellEmotion",
            "How the user sounds, for the session's next turn",
        )
        .tag(SESSIONS)
        .about(
            "For whoever measures it beside a voice platform that sends none. Kept 60 s at most, in memory \
             alone. `used` is false where the operator or the session does not allow it.",
        )
        .who(Who::HolderOrPath)
        .parameter(own_session())
        .parameter(shown())
        .takes(
            object(vec![("emotion", of("Emotion"))]),
            json!({ "emotion": emotion_example() }),
        )
        .answers(202, "Taken.", object(vec![("used", truth())]))
        .refuses(&[Kind::InvalidSessionId]),
    ]
}

fn about_links() -> Vec<Operation> {
    let lasts = with(
        json!({ "type": "integer" }),
        json!({ "minimum": 60, "maximum": 7 * 24 * 3600, "default": 3600 }),
    );
    vec![
        Operation::new("POST", "/v1/sessions/{id}/share", "shareSession", "A link to a session")
            .tag(SESSIONS)
            .about(
                "For somebody without a key: it opens that one session for reading, without a word or a \
                 name, until its time is over or the key withdrawn that it was made with.",
            )
            .who(Who::Admin)
            .parameter(path(
                "id",
                "The session by any of its ids.",
                session_id(),
                A_SESSION,
            ))
            .takes(
                either(Vec::new(), vec![("ttl_s", lasts)]),
                json!({ "ttl_s": 3600 }),
            )
            .answers(
                201,
                "The page's address on this server, and until when it opens.",
                object(vec![("path", text()), ("expires_at", super::schema::time())]),
            )
            .refuses(&[Kind::InvalidSessionId, Kind::NotFound, Kind::Unavailable]),
        Operation::new("GET", "/v1/shared", "getShared", "The session that a link opens")
            .tag(SESSIONS)
            .who(Who::Link)
            .query(&[PAGE])
            .answers(200, "The session.", of("SessionShown"))
            .refuses(&[Kind::NotFound, Kind::Unavailable]),
        Operation::new(
            "GET",
            "/v1/shared/turns/{id}",
            "getSharedTurn",
            "A turn of the session that a link opens",
        )
        .tag(SESSIONS)
        .who(Who::Link)
        .parameter(turn_id())
        .answers(200, "The turn.", of("SharedTurn"))
        .refuses(&[Kind::NotFound, Kind::Unavailable]),
    ]
}

fn own_session() -> Value {
    path("id", "The session's signed id.", session_id(), A_SESSION)
}

/// What a backend asks for a browser.
pub(super) fn session_wanted() -> Value {
    let user = with(
        text(),
        json!({ "minLength": 1, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]+$" }),
    );
    either(
        vec![("user_id", user)],
        vec![
            ("tier", super::record_schemas::tier()),
            (
                "coach",
                about(
                    text(),
                    "always this one, by its id; `council` for several as one",
                ),
            ),
            (
                "ttl_s",
                with(
                    json!({ "type": "integer" }),
                    json!({ "minimum": 60, "maximum": 30 * 24 * 3600, "default": 24 * 3600 }),
                ),
            ),
            (
                "prosody",
                about(
                    words(["off", "prompt", "full"]),
                    "what may be done with how the user sounds; can only lower the operator's setting",
                ),
            ),
        ],
    )
}
