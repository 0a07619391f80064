//! `GET /v1/live`: what happens now, in numbers.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{Door, trace};

/// All machines' numbers, or this one's with the reason. They are at hand: nobody is asked.
pub(super) async fn now(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    if let Err(refusal) = door.keys.admin(&request) {
        return refusal.respond(&request, &trace(&request));
    }
    HttpResponse::Ok().json(door.counters.snapshot())
}
