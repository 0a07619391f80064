//! The pages and the login: what a browser is given, and what it is believed.

use std::fs;
use std::path::Path;

use quest_clm::dashboard::Shelf;
use serde_json::json;

use crate::app::TestApp;
use crate::caller::{Request, Response};
use crate::errors::refused;

const KEYS: &[(&str, &str)] = &[
    ("ADMIN_API_KEYS", "admin-1,admin+2"),
    ("CLM_API_KEYS", "caller-1"),
];
/// All that pages and files may weigh over the wire, in bytes.
const MOST: usize = 150_000;

fn form(body: &str) -> Request {
    Request::bytes("/login", body)
        .typed("application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
}

/// The login's cookie as a browser sends it back.
fn cookie(response: &Response) -> String {
    let set = &response.headers["set-cookie"];
    set.split(';').next().unwrap().to_owned()
}

async fn logged_in(app: &TestApp) -> String {
    let response = app.send(&form("page=%2Fdashboard&key=admin-1")).await;
    assert_eq!(response.status, 303, "{}", response.text());
    cookie(&response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_pages_and_files_are_served_under_a_strict_policy() {
    let app = TestApp::spawn(&[]).await;
    let files = Shelf::get().iter().filter(|a| !a.name.ends_with(".html"));
    let files: Vec<String> = files.map(|a| format!("/assets/{}", a.name)).collect();
    let pages = [
        "/dashboard",
        "/playground",
        "/session",
        "/shared",
        "/docs",
        "/openapi.json",
        "/llms.txt",
    ];
    let pages = pages.map(str::to_owned);
    for path in pages.iter().chain(&files) {
        let served = app.send(&Request::get(path)).await;
        assert_eq!(served.status, 200, "{path}");
        let policy = &served.headers["content-security-policy"];
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'none'"));
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(served.headers["x-content-type-options"], "nosniff");
        assert_eq!(served.headers["referrer-policy"], "no-referrer");
        assert_eq!(served.headers["cache-control"], "no-cache");
        let known = Request::get(path).header("if-none-match", &served.headers["etag"]);
        let again = app.send(&known).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let packed = app
            .send(&Request::get(path).header("accept-encoding", "gzip"))
            .await;
        assert!(packed.body.len() <= served.body.len());
        assert_eq!(packed.headers["vary"], "accept-encoding");
    }
    refused(
        &app.send(&Request::get("/assets/mod.rs")).await,
        404,
        "not_found",
    );
    refused(
        &app.send(&Request::post("/dashboard", &json!({}))).await,
        405,
        "method_not_allowed",
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_turned_into_a_cookie_that_opens_what_the_key_does() {
    let app = TestApp::spawn(KEYS).await;
    let closed = app.send(&Request::get("/dashboard")).await;
    assert_eq!(closed.status, 401);
    assert!(closed.text().contains("value=\"/dashboard\""));
    assert!(closed.headers["content-security-policy"].contains("form-action 'self'"));
    for key in ["wrong", "caller-1", ""] {
        let wrong = app
            .send(&form(&format!("page=%2Fplayground&key={key}")))
            .await;
        assert_eq!(wrong.status, 401);
        let text = wrong.text();
        assert!(text.contains("ADMIN_API_KEYS where") && text.contains("value=\"/playground\""));
        assert!(!wrong.headers.contains_key("set-cookie"));
    }
    let elsewhere = app
        .send(&form("page=https%3A%2F%2Fevil&key=admin%2B2"))
        .await;
    assert_eq!(
        (elsewhere.status, elsewhere.headers["location"].as_str()),
        (303, "/dashboard")
    );
    let set = &elsewhere.headers["set-cookie"];
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("admin"), "{set}");
    let cookie = cookie(&elsewhere);
    for path in [
        "/dashboard",
        "/playground",
        "/v1/turns",
        "/v1/budget",
        "/metrics",
        "/models",
    ] {
        let opened = app
            .send(&Request::get(path).header("cookie", &cookie))
            .await;
        assert_eq!(opened.status, 200, "{path}");
        let stranger = app.send(&Request::get(path)).await;
        assert_eq!(stranger.status, 401, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sites_page_changes_nothing_with_the_cookie() {
    let app = TestApp::spawn(KEYS).await;
    let cookie = logged_in(&app).await;
    let put =
        || Request::put("/v1/flags/hedging", &json!({"value": false})).header("cookie", &cookie);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil"),
        ("x-nothing", "said"),
    ] {
        refused(
            &app.send(&put().header(name, value)).await,
            403,
            "unauthorized",
        );
    }
    let turn = Request::hume("s", "Hello").header("cookie", &cookie);
    refused(&app.send(&turn).await, 403, "unauthorized");
    let login = Request::bytes("/login", "key=admin-1").header("sec-fetch-site", "cross-site");
    refused(&app.send(&login).await, 403, "unauthorized");
    let logout = Request::post("/logout", &json!({})).header("origin", "http://evil");
    refused(&app.send(&logout).await, 403, "unauthorized");

    let ours = app.send(&put().header("origin", "http://clm")).await;
    assert_eq!(ours.status, 200, "{}", ours.text());
    let by = ours.json()["changed_by"].as_str().unwrap().to_owned();
    let with_key = Request::put("/v1/flags/hedging", &json!({"value": true}));
    let with_key = with_key.header("authorization", "Bearer admin-1");
    let with_key = app.send(&with_key).await.json();
    assert_eq!(
        with_key["changed_by"],
        json!(by),
        "the audit names the key behind the login"
    );
    let turn = Request::hume("s", "Hello").header("cookie", &cookie);
    app.hear(&turn.header("sec-fetch-site", "same-origin"))
        .await;
    let out = Request::post("/logout", &json!({})).header("origin", "http://clm");
    let out = app.send(&out).await;
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].contains("Max-Age=0"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_admin_key_is_set_the_page_says_so() {
    let app = TestApp::spawn(&[("CLM_API_KEYS", "caller-1")]).await;
    let closed = app.send(&Request::get("/playground")).await;
    assert_eq!(closed.status, 401);
    assert!(
        closed.text().contains("Set ADMIN_API_KEYS"),
        "{}",
        closed.text()
    );
    app.stop().await;
}

#[test]
fn everything_together_is_light() {
    let of = |a: &quest_clm::dashboard::Asset| a.gzip.as_ref().map_or(a.plain.len(), Vec::len);
    let all: usize = Shelf::get().iter().map(of).sum();
    println!("all pages and files, compressed: {all} bytes");
    assert!(all <= MOST, "{all} bytes");
}

#[test]
fn the_playground_plays_the_rehearsal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rehearsal = fs::read_to_string(root.join("src/cli/rehearse/scene.rs")).unwrap();
    let (_, list) = rehearsal.split_once("SCENES").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let faults = list
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains(','));
    let faults: Vec<&str> = faults.filter(|text| !text.contains(", ")).collect();
    assert_eq!(faults.len(), 10, "{faults:?}");
    let scenes = &Shelf::get().file("scenes.js").unwrap().plain;
    for fault in faults {
        assert!(scenes.contains(&format!("\"{fault}\"")), "{fault}");
    }
}
