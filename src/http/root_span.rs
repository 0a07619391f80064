//! One server span per request.
//!
//! Ours rather than a middleware crate's: those keep the query string, which here holds session
//! ids, and take the status of the head for the end of the story, which for a stream it is not.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;

use crate::telemetry::spans;
use crate::turn::TraceContext;

/// Continues the caller's trace or begins one, and carries the request in its span.
///
/// # Errors
/// Passes on what the inner service gives.
pub async fn root_span(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let traceparent = request
        .headers()
        .get("traceparent")
        .and_then(|v| v.to_str().ok());
    let trace = TraceContext::continued(traceparent);
    let route = request
        .match_pattern()
        .unwrap_or_else(|| "unmatched".to_owned());
    let span = spans::request(request.method().as_str(), &route, &trace);
    request.extensions_mut().insert(trace);
    let response = next.call(request).instrument(span.clone()).await?;
    spans::answered(&span, response.status().as_u16());
    Ok(response)
}
