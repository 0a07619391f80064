//! How connections part from a service that leaves.

use actix_web::dev::ServiceResponse;
use actix_web::http::ConnectionType;
use actix_web::web::Data;

use super::Door;

/// Closes the connection after this answer, and says so in its head, once the service was told to stop. Who keeps
/// connections open asks nobody where the next turn is to go: only a new connection makes a balancer that sees no
/// requests choose again.
pub fn part_when_leaving<B>(mut response: ServiceResponse<B>) -> ServiceResponse<B> {
    let door = response.request().app_data::<Data<Door>>();
    if door.is_some_and(|door| !door.rooms.lifecycle.is_ready()) {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    response
}
