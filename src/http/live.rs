//! `GET /v1/turns/live` and `/v1/sessions/{id}/events`: settled turns as they happen.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, Responder as _};
use actix_web_lab::sse;
use futures::future::ready;
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::record::TurnFilter;
use crate::session::IdentityError;
use crate::telemetry::live::{News, Seen, Watch};
use crate::turn::{SessionId, TurnRecord};

use super::error::Refusal;
use super::holder::Asker;
use super::query::Asked;
use super::turns::{self, turn_json};
use super::{Door, respond};

/// How often a quiet live stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Turns of before that may be shown first.
const MAX_REPLAY: usize = 1000;

/// Every turn that is wanted, as events named `turn`; a watcher that falls behind is told with an event
/// named `missed` how many turns it did not see, of those too that it would not have been shown. A flag
/// that was changed is an event named `flag`.
pub(super) async fn turns(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    let watching = || {
        door.keys.admin(&request)?;
        let asked = Asked::of(&request, &[turns::FILTERS, &["replay"]])?;
        let filter = turns::filter(&door, &asked)?;
        let accepted = format!("an integer from 0 to {MAX_REPLAY}");
        let replay = asked.read("replay", &accepted, |value| {
            value.parse().ok().filter(|count| *count <= MAX_REPLAY)
        });
        watch(&request, &door, filter, replay?.unwrap_or(0), None)
    };
    respond(&request, watching())
}

/// The same of one session, also for whoever holds its signed id.
///
/// A browser's `EventSource` can send no header, so the signed id in the path is proof enough; it is
/// there in any case. A query string is no place for it: those are kept in more logs than paths are.
pub(super) async fn session(
    request: HttpRequest,
    door: Data<Door>,
    id: Path<String>,
) -> HttpResponse {
    let watching = || {
        let asker = Asker::of(&request, &door, Some(&id))?;
        let id = SessionId::parse(&id).map_err(IdentityError::Session)?;
        let session_id = door.rooms.session_key(id.as_str());
        if !asker.may_see(&session_id) {
            return Err(Refusal::Holder);
        }
        Asked::of(&request, &[])?;
        let filter = TurnFilter {
            session_id: Some(session_id),
            ..TurnFilter::default()
        };
        watch(&request, &door, filter, 0, asker.holder())
    };
    respond(&request, watching())
}

fn watch(
    request: &HttpRequest,
    door: &Door,
    filter: TurnFilter,
    replay: usize,
    holder: Option<String>,
) -> Result<HttpResponse, Refusal> {
    let (mut before, watch) = door.live.watch().ok_or(Refusal::Watched)?;
    before.retain(|turn| filter.admits(turn));
    before.drain(..before.len().saturating_sub(replay));
    let before = stream::iter(before).map(|turn| event(&turn));
    let stopping = door.rooms.lifecycle.soft().clone().cancelled_owned();
    let events = stream::unfold((watch, filter), |(mut watch, filter)| async {
        let event = next(&mut watch, &filter).await?;
        Some((event, (watch, filter)))
    });
    // Whoever has only the id sees what it opens, and only while it does.
    let sessions = Arc::clone(&door.sessions);
    let events = before.chain(events).take_while(move |_| {
        let holds = |id: &String| sessions.holds(id);
        ready(holder.as_ref().is_none_or(holds))
    });
    let events = events.take_until(stopping);
    let response = sse::Sse::from_infallible_stream(events)
        .with_keep_alive(KEEP_ALIVE)
        .respond_to(request);
    Ok(response.map_into_boxed_body())
}

/// The next event that is wanted.
///
/// # Cancellation
/// Safe: as [`Watch::next`].
async fn next(watch: &mut Watch, filter: &TurnFilter) -> Option<sse::Event> {
    loop {
        match watch.next().await? {
            Seen::News(News::Turn(turn)) if filter.admits(&turn) => return Some(event(&turn)),
            // Who watches one session is not told of the house.
            Seen::News(News::Switched(switched)) if filter.session_id.is_none() => {
                let data = json!(*switched).to_string();
                return Some(sse::Event::Data(sse::Data::new(data).event("flag")));
            }
            Seen::News(_) => {}
            Seen::Missed(turns) => {
                let missed = sse::Data::new(turns.to_string()).event("missed");
                return Some(sse::Event::Data(missed));
            }
        }
    }
}

fn event(turn: &TurnRecord) -> sse::Event {
    let data = sse::Data::new(turn_json(turn, true).to_string());
    sse::Event::Data(data.id(turn.turn_id.clone()).event("turn"))
}
