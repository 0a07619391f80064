//! The pages people open, the files those load, and the login: `GET /dashboard`, `/playground`, `/session`,
//! `/shared`, `/docs`, `/openapi.json`, `/llms.txt`, `/assets/{file}`; `POST /login`, `/logout`.
//!
//! Nothing that a page shows is in the page: it asks the JSON routes for it, each of which wants a key or
//! a login itself. The files are the same for everybody and need neither.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH,
    LOCATION, REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use percent_encoding::percent_decode_str;

use crate::dashboard::{self, Asset, Page, Shelf};

use super::error::Refusal;
use super::router::{Router, get, post};
use super::{Door, Keys, MAX_SMALL_BODY_BYTES, auth, body, openapi, ops, respond};

/// Nothing inline, nothing from elsewhere, in nobody's frame. uPlot sets styles from script, which no
/// policy about styles in markup forbids.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The login alone has a form that is sent.
const LOGIN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What a plain text is declared as.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
static LLMS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("llms.txt", TEXT, include_str!("llms.txt")));

const WRONG: &str = "That is not one of the admin keys. They are the values of ADMIN_API_KEYS where \
     this server runs; a caller's key from CLM_API_KEYS does not open this page.";
const CLOSED: &str = "No admin key is set, so nobody can log in. Set ADMIN_API_KEYS where this server \
     runs and start it again.";

pub(super) fn routes(router: &mut Router<'_>) {
    // Compressed now, before any turn needs this worker.
    Shelf::ready();
    openapi::asset();
    LazyLock::force(&LLMS);
    router
        .at(Page::Dashboard.path(), [get(dashboard)])
        .at(Page::Playground.path(), [get(playground)])
        .at(Page::Session.path(), [get(session)])
        .at("/shared", [get(shared)])
        .at(Page::Docs.path(), [get(docs)])
        .at("/openapi.json", [get(document)])
        .at("/llms.txt", [get(index)])
        .at("/assets/{file}", [get(file)])
        .at("/login", [post(log_in)])
        .at("/logout", [post(log_out)]);
}

async fn dashboard(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    open(&request, &door, Page::Dashboard)
}

async fn playground(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    open(&request, &door, Page::Playground)
}

async fn session(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    open(&request, &door, Page::Session)
}

/// The same page for whoever has a link: what it shows, the link has to open.
async fn shared(request: HttpRequest) -> HttpResponse {
    open_file(&request, Shelf::get().page(Page::Session))
}

fn open(request: &HttpRequest, door: &Door, page: Page) -> HttpResponse {
    let id = || session_in(request.query_string().as_bytes());
    match door.keys.admin(request) {
        Ok(()) => open_file(request, Shelf::get().page(page)),
        Err(Refusal::AdminClosed) => login(page, id(), Some(CLOSED)),
        Err(_) => login(page, id(), None),
    }
}

/// Open to everybody: so is what it shows.
async fn docs(request: HttpRequest) -> HttpResponse {
    open_file(&request, Shelf::get().page(Page::Docs))
}

async fn document(request: HttpRequest) -> HttpResponse {
    open_file(&request, openapi::asset())
}

/// What this is and where to read on, in the manner of llmstxt.org.
async fn index(request: HttpRequest) -> HttpResponse {
    open_file(&request, &LLMS)
}

async fn file(request: HttpRequest, name: Path<String>) -> HttpResponse {
    let Some(file) = Shelf::get().file(&name) else {
        return ops::not_found(request).await;
    };
    open_file(&request, file)
}

fn open_file(request: &HttpRequest, file: &'static Asset) -> HttpResponse {
    let mut response = guarded(StatusCode::OK, POLICY);
    response.insert_header((REFERRER_POLICY, "no-referrer"));
    sent(request, response, file)
}

/// A file, unless the browser has it already.
fn sent(
    request: &HttpRequest,
    mut response: HttpResponseBuilder,
    asset: &'static Asset,
) -> HttpResponse {
    let asks = |name| {
        let value = request.headers().get(name);
        value.and_then(|v| v.to_str().ok()).unwrap_or_default()
    };
    response
        // Asked for again each time, and mostly answered with 304: a new release is seen at once.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, asset.etag.as_str()))
        .insert_header((VARY, "accept-encoding"));
    let known = asks(IF_NONE_MATCH).split(',').map(str::trim);
    if known
        .map(|tag| tag.trim_start_matches("W/"))
        .any(|tag| tag == asset.etag)
    {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response.content_type(asset.content_type);
    match &asset.gzip {
        Some(gzip) if takes_gzip(asks(ACCEPT_ENCODING)) => response
            .insert_header((CONTENT_ENCODING, "gzip"))
            .body(gzip.as_slice()),
        _ => response.body(&*asset.plain),
    }
}

fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|c| c.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn login(page: Page, id: Option<String>, problem: Option<&'static str>) -> HttpResponse {
    guarded(StatusCode::UNAUTHORIZED, LOGIN_POLICY)
        // A form's origin is told to us alone, and only so can we tell that it is ours.
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(dashboard::login(page, id.as_deref(), problem))
}

/// Takes an admin key from the login's form and answers with the cookie that stands for it.
async fn log_in(request: HttpRequest, payload: Payload, door: Data<Door>) -> HttpResponse {
    let logged_in = async {
        if !auth::is_ours(&request) {
            return Err(Refusal::Foreign);
        }
        let form = body::take(&request, payload, MAX_SMALL_BODY_BYTES).await?;
        let key = field(&form, "key").unwrap_or_default();
        let (page, id) = wanted(&field(&form, "page").unwrap_or_default());
        let Some(cookie) = door.keys.log_in(&request, key.trim_ascii()) else {
            return Ok(login(page, id, Some(WRONG)));
        };
        Ok(guarded(StatusCode::SEE_OTHER, LOGIN_POLICY)
            .insert_header((SET_COOKIE, cookie))
            .insert_header((LOCATION, dashboard::address(page, id.as_deref())))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish())
    };
    let logged_in = logged_in.await;
    respond(&request, logged_in)
}

async fn log_out(request: HttpRequest) -> HttpResponse {
    if !auth::is_ours(&request) {
        return respond(&request, Err(Refusal::Foreign));
    }
    guarded(StatusCode::NO_CONTENT, LOGIN_POLICY)
        .insert_header((SET_COOKIE, Keys::log_out(&request)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

/// The page that an address of ours names, and the session that it is to show; the dashboard for any other.
fn wanted(address: &[u8]) -> (Page, Option<String>) {
    let mut parts = address.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let page = Page::ALL.into_iter().find(|p| p.path().as_bytes() == path);
    let id = parts.next().and_then(session_in);
    (page.unwrap_or(Page::Dashboard), id)
}

fn session_in(query: &[u8]) -> Option<String> {
    String::from_utf8(field(query, "id")?).ok()
}

/// A field of an HTML form's body.
fn field(form: &[u8], name: &str) -> Option<Vec<u8>> {
    let form = std::str::from_utf8(form).ok()?;
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let spaced = value.replace('+', " ");
    Some(percent_decode_str(&spaced).collect())
}

fn guarded(status: StatusCode, policy: &'static str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_by_its_names() {
        let form = b"page=%2Fplayground&key=a%2Bb+c%3D&key=second";
        assert_eq!(field(form, "key").as_deref(), Some(&b"a+b c="[..]));
        assert_eq!(field(form, "page").as_deref(), Some(&b"/playground"[..]));
        assert_eq!(field(form, "other"), None);
        assert_eq!(field(b"\xff=1", "key"), None);
    }

    #[test]
    fn a_login_leads_to_pages_of_ours_alone() {
        for (address, page, id) in [
            ("/playground", Page::Playground, None),
            ("/session?id=a%22b", Page::Session, Some("a\"b")),
            ("/session", Page::Session, None),
            ("/session/", Page::Dashboard, None),
            ("https://evil/session?id=a", Page::Dashboard, Some("a")),
            ("//evil", Page::Dashboard, None),
            ("", Page::Dashboard, None),
        ] {
            let id = id.map(str::to_owned);
            assert_eq!(wanted(address.as_bytes()), (page, id), "{address}");
        }
        assert_eq!(dashboard::address(Page::Dashboard, Some("a")), "/dashboard");
    }

    #[test]
    fn only_who_takes_gzip_gets_it() {
        for (accepted, taken) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(accepted), taken, "{accepted}");
        }
    }
}
