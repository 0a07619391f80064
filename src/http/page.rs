//! The short page for a person who opens a turn route in a browser.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST};
use actix_web::{HttpRequest, HttpResponse};

/// What to paste into a shell; `address` is without a trailing slash.
#[must_use]
pub fn curl(address: &str, needs_key: bool) -> String {
    let key = if needs_key {
        "  -H \"Authorization: Bearer ${CLM_API_KEYS%%,*}\" \\\n"
    } else {
        ""
    };
    format!(
        "curl -N {address}/chat/completions \\\n{key}  -H 'Content-Type: application/json' \\\n  \
         -d '{{\"messages\":[{{\"role\":\"user\",\"content\":\"I was passed over for a promotion.\"}}]}}'"
    )
}

pub(super) fn turn_route(request: &HttpRequest) -> HttpResponse {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("localhost");
    let curl = escape(&curl(&format!("http://{host}"), false));
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>clm</title>\
         <h1>This is a language model for voice platforms</h1>\
         <p>It answers <code>POST</code> requests in the form of OpenAI chat completions, as \
         Server-Sent Events. A browser cannot talk to it from here; a shell can:</p>\
         <pre>{curl}</pre>\
         <p>If the server has caller keys, add \
         <code>-H 'Authorization: Bearer &lt;key&gt;'</code>.</p></html>"
    );
    HttpResponse::Ok()
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-content-type-options", "nosniff"))
        .content_type("text/html; charset=utf-8")
        .body(body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
