//! The front door: routes, keys, status codes. Callers' wire formats live here and nowhere else.

mod analytics;
mod auth;
mod body;
mod budget;
pub mod callers;
mod council;
mod csv;
mod emotion;
mod error;
mod export;
mod feedback;
mod flags;
mod holder;
mod limits;
mod live;
mod ops;
mod now;
mod page;
mod pages;
mod query;
mod root_span;
mod sessions;
mod share;
mod speech;
mod turn;
mod turns;
mod users;
mod webhooks;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde_json::Value;

use crate::config::Limits;
use crate::pipeline::Rooms;
use crate::record::counters::Counters;
use crate::record::{Reader, RecordsHealth, Reporter, Revocations, Switchboard};
use crate::session::{Readings, Revoked, Sessions};
use crate::telemetry::live::Live;
use crate::telemetry::logs::DroppedLines;
use crate::turn::TraceContext;
use crate::vault::Vault;

use callers::Dialect;
use error::Refusal;

pub use auth::Keys;
pub use limits::TurnLimits;
pub use page::curl;
pub use root_span::root_span;
pub use webhooks::Webhooks;

/// Bodies other than a turn's, in bytes.
const MAX_SMALL_BODY_BYTES: usize = 64 << 10;

/// What the front door needs of the house; one per process.
#[derive(Clone)]
pub struct Door {
    pub rooms: Rooms,
    pub sessions: Arc<Sessions>,
    /// Session ids that hold no more: all machines', and those that this one has at hand.
    pub revocations: Revocations,
    pub revoked: Arc<Revoked>,
    pub webhooks: Arc<Webhooks>,
    /// How users sound, told beside their turns.
    pub readings: Arc<Readings>,
    pub keys: Keys,
    pub limits: Limits,
    pub turn_limits: Arc<TurnLimits>,
    /// Whether all models are simulated, so that a request may choose their faults.
    pub simulated: bool,
    pub store: Reader,
    pub reporter: Reporter,
    pub switchboard: Switchboard,
    pub records: RecordsHealth,
    /// Opens captured words.
    pub vault: Arc<Vault>,
    pub live: Live,
    pub counters: Counters,
    /// Absent where nobody set up logging, as in tests.
    pub dropped_lines: Option<DroppedLines>,
}

/// What a turn's address ends with.
const TURN: &str = "/chat/completions";

/// Every route, with what else may be asked of it.
pub fn routes(config: &mut ServiceConfig) {
    for dialect in callers::ALL {
        turns_of(dialect, config);
    }
    // A HEAD is a GET whose body stays here.
    let get = |path: &'static str| web::resource(path).default_service(web::to(ops::get_only));
    config
        .service(
            get("/models")
                .route(web::get().to(ops::models))
                .route(web::head().to(ops::models)),
        )
        .service(
            get("/v1/models")
                .route(web::get().to(ops::models))
                .route(web::head().to(ops::models)),
        )
        .service(
            get("/healthz")
                .route(web::get().to(ops::healthz))
                .route(web::head().to(ops::healthz)),
        )
        .service(
            get("/readyz")
                .route(web::get().to(ops::readyz))
                .route(web::head().to(ops::readyz)),
        )
        .service(
            get("/metrics")
                .route(web::get().to(ops::prometheus))
                .route(web::head().to(ops::prometheus)),
        )
        .service(
            get("/version")
                .route(web::get().to(ops::version))
                .route(web::head().to(ops::version)),
        )
        .configure(records)
        .configure(webhooks)
        .configure(pages::routes)
        .default_service(web::to(ops::not_found));
}

/// The turn routes of a caller, each also with the suffix doubled: the commonest mistake in a base URL.
fn turns_of(dialect: &'static Dialect, config: &mut ServiceConfig) {
    let singly = dialect.prefixes.iter().map(|p| format!("{p}{TURN}"));
    for path in singly.flat_map(|path| [format!("{path}{TURN}"), path]) {
        let take = move |request, payload, door, upstream| {
            turn::take(dialect, (request, payload), door, upstream)
        };
        config.service(
            web::resource(path)
                .route(web::post().to(take))
                .default_service(web::to(turn::visited)),
        );
    }
}

/// What voice platforms tell of their calls.
fn webhooks(config: &mut ServiceConfig) {
    for platform in webhooks::ALL {
        let take = move |request, payload, door| webhooks::take(platform, request, payload, door);
        config.service(
            web::resource(platform.path)
                .route(web::post().to(take))
                .default_service(web::to(ops::post_only)),
        );
    }
}

/// What can be asked and told about turns, sessions and people.
fn records(config: &mut ServiceConfig) {
    let get = |path: &'static str| web::resource(path).default_service(web::to(ops::get_only));
    let watch = |path: &'static str| web::resource(path).default_service(web::to(ops::watch_only));
    config
        .service(
            get("/v1/live")
                .route(web::get().to(now::now))
                .route(web::head().to(now::now)),
        )
        .service(
            get("/v1/turns")
                .route(web::get().to(turns::list))
                .route(web::head().to(turns::list)),
        )
        // Before the route with the id, which would take the word for one.
        .service(watch("/v1/turns/live").route(web::get().to(live::turns)))
        .service(
            get("/v1/turns/{id}")
                .route(web::get().to(turns::one))
                .route(web::head().to(turns::one)),
        )
        .service(
            web::resource("/v1/turns/{id}/feedback")
                .route(web::post().to(feedback::take))
                .default_service(web::to(ops::post_only)),
        )
        .service(
            web::resource("/v1/sessions")
                .route(web::get().to(sessions::list))
                .route(web::head().to(sessions::list))
                .route(web::post().to(sessions::mint))
                .default_service(web::to(ops::get_or_post_only)),
        )
        .service(
            web::resource("/v1/sessions/{id}")
                .route(web::get().to(sessions::one))
                .route(web::head().to(sessions::one))
                .route(web::delete().to(sessions::revoke))
                .default_service(web::to(ops::get_or_delete_only)),
        )
        .service(
            web::resource("/v1/sessions/{id}/share")
                .route(web::post().to(share::make))
                .default_service(web::to(ops::post_only)),
        )
        .service(
            get("/v1/shared")
                .route(web::get().to(share::session))
                .route(web::head().to(share::session)),
        )
        .service(
            get("/v1/shared/turns/{id}")
                .route(web::get().to(share::turn))
                .route(web::head().to(share::turn)),
        )
        .service(watch("/v1/sessions/{id}/events").route(web::get().to(live::session)))
        .service(
            web::resource("/v1/sessions/{id}/emotion")
                .route(web::post().to(emotion::take))
                .default_service(web::to(ops::post_only)),
        )
        .service(
            get("/v1/analytics/{report}")
                .route(web::get().to(analytics::report))
                .route(web::head().to(analytics::report)),
        )
        .service(
            get("/v1/export/{what}")
                .route(web::get().to(export::export))
                .route(web::head().to(export::export)),
        )
        .service(
            web::resource("/v1/council")
                .route(web::post().to(council::hold))
                .default_service(web::to(ops::post_only)),
        )
        .service(
            get("/v1/budget")
                .route(web::get().to(budget::standing))
                .route(web::head().to(budget::standing)),
        )
        .service(
            web::resource("/v1/speech/normalize")
                .route(web::post().to(speech::normalized))
                .default_service(web::to(ops::post_only)),
        )
        .service(
            get("/v1/flags")
                .route(web::get().to(flags::list))
                .route(web::head().to(flags::list)),
        )
        .service(
            // A model's slug has a slash in it.
            web::resource("/v1/flags/{name:.+}")
                .route(web::put().to(flags::put))
                .default_service(web::to(ops::put_only)),
        )
        .service(
            web::resource("/v1/users/{user_id}")
                .route(web::delete().to(users::erase))
                .default_service(web::to(ops::delete_only)),
        );
}

/// The trace of a request: the root span's, or a fresh one.
fn trace(request: &HttpRequest) -> TraceContext {
    request
        .extensions()
        .get::<TraceContext>()
        .copied()
        .unwrap_or_default()
}

/// The answer to a request, or its refusal, told and counted.
fn respond(request: &HttpRequest, answered: Result<HttpResponse, Refusal>) -> HttpResponse {
    answered.unwrap_or_else(|refusal| refusal.respond(request, &trace(request)))
}

/// Answers with what `work` makes. It is made on the background runtime: a thousand rows take
/// milliseconds, in which a worker that carries words would be silent.
async fn made(
    door: &Door,
    work: impl Future<Output = Result<Value, Refusal>> + Send + 'static,
) -> Result<HttpResponse, Refusal> {
    let making = door
        .rooms
        .lifecycle
        .spawn(async move { work.await.map(|json| json.to_string()) });
    let json = making.await.unwrap_or(Err(Refusal::Store))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(json))
}
