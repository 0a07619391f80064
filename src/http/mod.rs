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
pub mod openapi;
mod page;
mod pages;
mod parting;
mod practice;
mod query;
mod root_span;
mod router;
mod sessions;
mod share;
mod speech;
mod turn;
mod turns;
mod users;
mod webhooks;
mod words_first;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse};
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
use router::{Router, delete, get, post, put, watch};

pub use auth::Keys;
pub use limits::TurnLimits;
pub use page::curl;
pub use parting::part_when_leaving;
pub use practice::Practice;
pub use root_span::root_span;
pub use router::Served;
pub use webhooks::Webhooks;

/// Bodies other than a turn's, in bytes.
const MAX_SMALL_BODY_BYTES: usize = 64 << 10;

/// What the front door needs of the house; one per process.
#[derive(Clone)]
pub struct Door {
    pub rooms: Arc<Rooms>,
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

/// Puts every route into an application.
pub fn routes(config: &mut ServiceConfig) {
    mount(config);
}

/// Puts into an application what operators ask on a port of their own: no key is wanted, nobody's turns are told.
pub fn ops_routes(config: &mut ServiceConfig) {
    config.default_service(web::to(ops::not_found));
    Router::new(config)
        .at("/healthz", [get(ops::healthz)])
        .at("/readyz", [get(ops::readyz)])
        .at("/metrics", [get(ops::prometheus_without_key)]);
}

/// Every route, as it is served.
#[must_use]
pub fn served() -> Vec<Served> {
    let mut served = Vec::new();
    let _ = App::new().configure(|config| served = mount(config));
    served
}

fn mount(config: &mut ServiceConfig) -> Vec<Served> {
    config.default_service(web::to(ops::not_found));
    let mut router = Router::new(config);
    for dialect in callers::ALL {
        turns_of(dialect, &mut router);
    }
    router
        .at("/models", [get(ops::models)])
        .at("/v1/models", [get(ops::models)])
        .at("/healthz", [get(ops::healthz)])
        .at("/readyz", [get(ops::readyz)])
        .at("/metrics", [get(ops::prometheus)])
        .at("/version", [get(ops::version)]);
    records(&mut router);
    for platform in webhooks::ALL {
        let take = move |request, payload, door| webhooks::take(platform, request, payload, door);
        router.at(platform.path, [post(take)]);
    }
    pages::routes(&mut router);
    router.served()
}

/// The turn routes of a caller, each also with the suffix doubled: the commonest mistake in a base URL.
fn turns_of(dialect: &'static Dialect, router: &mut Router<'_>) {
    let singly = dialect.prefixes.iter().map(|p| format!("{p}{TURN}"));
    for path in singly.flat_map(|path| [format!("{path}{TURN}"), path]) {
        let take = move |request, payload, door, upstream| {
            turn::take(dialect, (request, payload), door, upstream)
        };
        router.or_else(&path, [post(take)], web::to(turn::visited));
    }
}

/// What can be asked and told about turns, sessions and people.
fn records(router: &mut Router<'_>) {
    router
        .at("/v1/live", [get(now::now)])
        .at("/v1/turns", [get(turns::list)])
        // Before the route with the id, which would take the word for one.
        .at("/v1/turns/live", [watch(live::turns)])
        .at("/v1/turns/{id}", [get(turns::one)])
        .at("/v1/turns/{id}/feedback", [post(feedback::take)])
        .at("/v1/sessions", [get(sessions::list), post(sessions::mint)])
        .at(
            "/v1/sessions/{id}",
            [get(sessions::one), delete(sessions::revoke)],
        )
        .at("/v1/sessions/{id}/share", [post(share::make)])
        .at("/v1/shared", [get(share::session)])
        .at("/v1/shared/turns/{id}", [get(share::turn)])
        .at("/v1/sessions/{id}/events", [watch(live::session)])
        .at("/v1/sessions/{id}/emotion", [post(emotion::take)])
        .at("/v1/analytics/{report}", [get(analytics::report)])
        .at("/v1/export/{what}", [get(export::export)])
        .at("/v1/council", [post(council::hold)])
        .at("/v1/budget", [get(budget::standing)])
        .at("/v1/speech/normalize", [post(speech::normalized)])
        .at("/v1/flags", [get(flags::list)])
        // A model's slug has a slash in it.
        .at("/v1/flags/{name:.+}", [put(flags::put)])
        .at("/v1/users/{user_id}", [delete(users::erase)]);
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
