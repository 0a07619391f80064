//! The API's document against the router: neither knows a route that the other does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use quest_clm::http::{openapi, served};

use crate::app::TestApp;
use crate::caller::Request;
use crate::errors::refused;

/// Every method that might be asked.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];
/// Paths whose documented GETs never end by themselves.
const LIVE: [&str; 2] = ["/v1/turns/live", "/v1/sessions/{id}/events"];

/// Methods by path, as they are documented.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let paths = openapi::document()["paths"].as_object().unwrap();
    let methods = paths.iter().map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        let methods = methods.map(|method| method.to_ascii_uppercase());
        (path.clone(), methods.collect())
    });
    methods.collect()
}

/// A path as OpenAPI writes it, from one as actix does.
fn plain(path: &str) -> String {
    path.replace(":.+}", "}")
}

/// A path with something in the places of its parameters.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{report}" => "models",
        "{what}" => "turns",
        "{file}" => "base.css",
        "{name}" => "hedging",
        part if part.starts_with('{') => "somebody",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn what_is_served_is_documented_and_what_is_documented_is_served() {
    let mut known = BTreeMap::new();
    for route in served() {
        let methods: BTreeSet<String> = route.methods.iter().map(|m| (*m).to_owned()).collect();
        let before = known.insert(plain(&route.path), methods);
        assert_eq!(before, None, "{} is served twice", route.path);
    }
    assert_eq!(known, documented());
    assert!(known.len() > 40, "{}", known.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_documented_method_is_taken_and_any_other_is_told_which_are() {
    let app = TestApp::spawn(&[]).await;
    for (path, methods) in documented() {
        for method in METHODS {
            let asked = format!("{method} {path}");
            let request = Request::method(method, &filled(&path));
            let mut call = app.call(&request).await;
            if methods.contains(method) {
                let head = call.head().await;
                assert_ne!(head.status, 405, "{asked}");
                let is_nobody = head.status == 404;
                assert!(
                    !is_nobody || path.contains("{id}"),
                    "{asked}: {}",
                    head.status
                );
                let kind = head.headers.get("content-type");
                let is_stream = kind.is_some_and(|kind| kind == "text/event-stream");
                assert_eq!(is_stream, LIVE.contains(&path.as_str()), "{asked}");
                continue;
            }
            let allow: BTreeSet<String> = {
                let head = call.head().await;
                assert_eq!(head.status, 405, "{asked}");
                let allow = head.headers["allow"].split(", ");
                allow.map(str::to_owned).collect()
            };
            assert_eq!(allow, methods, "{asked}");
            if method != "HEAD" {
                refused(&call.response().await, 405, "method_not_allowed");
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_open_to_everybody_and_light() {
    let app = TestApp::spawn(&[("ADMIN_API_KEYS", "admin-1"), ("CLM_API_KEYS", "caller-1")]).await;
    for path in ["/docs", "/openapi.json", "/llms.txt"] {
        assert_eq!(app.send(&Request::get(path)).await.status, 200, "{path}");
    }
    let served = app.send(&Request::get("/openapi.json")).await;
    assert_eq!(served.headers["content-type"], "application/json");
    assert_eq!(&served.json(), openapi::document());
    let packed = Request::get("/openapi.json").header("accept-encoding", "gzip");
    let packed = app.send(&packed).await.body.len();
    println!(
        "openapi.json: {} bytes, {packed} compressed",
        served.body.len()
    );
    assert!(packed <= 20_000, "{packed}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_language_models_are_told_leads_somewhere_and_names_every_document() {
    let app = TestApp::spawn(&[]).await;
    let index = app.send(&Request::get("/llms.txt")).await;
    assert_eq!(index.headers["content-type"], "text/plain; charset=utf-8");
    let text = index.text();
    // As llmstxt.org has it: one title, a summary, sections of links.
    assert!(text.starts_with("# clm\n\n> "), "{text}");
    assert_eq!(text.lines().filter(|l| l.starts_with("# ")).count(), 1);
    let links: Vec<&str> = text.split("](").skip(1).collect();
    let links: Vec<&str> = links
        .iter()
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert!(links.contains(&"/docs") && links.contains(&"/openapi.json"));
    for link in links {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        assert_eq!(app.send(&Request::get(path)).await.status, 200, "{link}");
        let kinds = openapi::document()["x-errors"].as_array().unwrap();
        let anchors = kinds
            .iter()
            .map(|kind| format!("error-{}", kind["type"].as_str().unwrap()));
        assert!(
            anchor.is_empty() || anchors.into_iter().any(|a| a == anchor),
            "{link}"
        );
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = text
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(": "));
    let named: BTreeSet<&str> = named
        .map(|(name, _)| name)
        .filter(|n| n.ends_with(".md"))
        .collect();
    let docs = fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|file| file.unwrap().file_name().into_string().unwrap());
    let docs = docs
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"));
    let there: BTreeSet<String> = docs.chain(["README.md".to_owned()]).collect();
    assert_eq!(
        named
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>(),
        there
    );
    app.stop().await;
}

#[test]
fn routes_are_declared_in_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rest = vec![root];
    let mut declaring = BTreeSet::new();
    while let Some(at) = rest.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rest.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let ways = ["web::resource(", "web::scope(", "web::route()", ".route(\""];
            if ways.iter().any(|way| text.contains(way)) {
                declaring.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(declaring.into_iter().collect::<Vec<_>>(), ["router.rs"]);
}
