//! `DELETE /v1/users/{user_id}`: somebody asks to be forgotten.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::memory::{Erased, StoreErased};
use crate::pipeline::Rooms;
use crate::record::Erasure;

use super::error::Refusal;
use super::{Door, respond};

/// How long memory is waited for. A store that hangs takes tens of seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Erases a person from the records, from what is at hand of them here, and from memory. May be asked
/// again at any time: what is done already stays done. The answer does not repeat who it was.
pub(super) async fn erase(
    request: HttpRequest,
    door: Data<Door>,
    user: Path<String>,
) -> HttpResponse {
    let erased = async {
        door.keys.admin(&request)?;
        if user.chars().any(char::is_control) {
            let problem = "`user_id` must not hold control characters";
            return Err(Refusal::Invalid(problem.to_owned()));
        }
        let user_hash = door.rooms.pseudonyms.user(&user);
        let erasure = Erasure {
            user_hash: user_hash.clone(),
            erased_at: door.rooms.clock.now_ms(),
        };
        // First of all: only this survives a stop, and whoever is refused asks again.
        if !door.rooms.recorder.erase(erasure) {
            return Err(Refusal::Queue);
        }
        let recent = door.live.erase(&user_hash);
        let memory = erase_memory(&door.rooms, user.into_inner()).await;
        Ok(HttpResponse::Accepted().json(json!({
            "erased": { "records": "queued", "memory": memory, "recent": recent },
        })))
    };
    let erased = erased.await;
    respond(&request, erased)
}

/// Has memory forget a person, and waits a while for it. What takes longer goes on by itself.
async fn erase_memory(rooms: &Rooms, user: String) -> Value {
    let memory = rooms.memory.clone();
    let erasing = rooms
        .lifecycle
        .spawn(async move { memory.erase(&user).await });
    let Ok(Ok(Erased { dropped, store })) = timeout(PATIENCE, erasing).await else {
        return json!({ "store": "under_way" });
    };
    match store {
        StoreErased::Off => json!({ "store": "off" }),
        StoreErased::Deleted => json!({ "store": "deleted", "dropped": dropped }),
        StoreErased::NotThere => json!({ "store": "not_there", "dropped": dropped }),
        StoreErased::Failed(why) => json!({ "store": "failed", "why": why, "dropped": dropped }),
    }
}
