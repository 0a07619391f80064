//! What platforms ask and tell: alive, ready, metrics, version, webhooks; and the pages.

use serde_json::json;

use crate::dashboard::{self, HTML, Page};
use crate::http::error::Kind;
use crate::http::webhooks::{self, Platform};

use super::operation::{Operation, Who};
use super::parameters::{header, path};
use super::schema::{
    Fields, about, either, list, maybe, object, of, open, text, truth, whole, words,
};

const PROCESS: &str = "Process";
const WEBHOOKS: &str = "Webhooks";
const PAGES: &str = "Pages";

pub(super) fn operations() -> Vec<Operation> {
    let told = webhooks::ALL.iter().map(|platform| webhook(platform));
    [process(), told.collect(), pages()].concat()
}

fn process() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/healthz", "health", "The process runs")
            .tag(PROCESS)
            .answers(200, "It does.", object(vec![("status", words(["ok"]))])),
        Operation::new("GET", "/readyz", "ready", "Whether turns can be taken")
            .tag(PROCESS)
            .about(
                "A lost store, memory or Redis degrades, it does not make unready: speech goes on without \
                 them. Whoever sends an admin key is told of each.",
            )
            .answers(200, "They can.", of("Ready"))
            .answers(503, "The service is stopping.", of("Ready")),
        Operation::new("GET", "/version", "version", "The build")
            .tag(PROCESS)
            .answers(
                200,
                "It.",
                object(vec![
                    ("name", text()),
                    ("version", text()),
                    ("profile", words(["debug", "release"])),
                ]),
            ),
        Operation::new("GET", "/metrics", "metrics", "Prometheus text")
            .tag(PROCESS)
            .who(Who::Admin)
            .answers_in(
                200,
                "Every metric of docs/TELEMETRY.md.",
                "text/plain; version=0.0.4; charset=utf-8",
                json!({ "schema": text() }),
            ),
    ]
}

fn webhook(platform: &Platform) -> Operation {
    let (scheme, body, example) = match platform.name {
        "hume" => (
            "humeSignature",
            open(either(
                vec![("event_name", text())],
                vec![("chat_id", text())],
            )),
            json!({ "event_name": "chat_started", "chat_id": "a-chat", "custom_session_id": "a-session" }),
        ),
        _ => (
            "elevenlabsSignature",
            open(either(
                vec![("type", text())],
                vec![("data", json!({ "type": "object" }))],
            )),
            json!({ "type": "post_call_transcription", "data": { "conversation_id": "a-call" } }),
        ),
    };
    let id = format!("{}Webhook", platform.name);
    let summary = format!("What {} tells of its calls", platform.name);
    let status = words(["taken", "ignored", "repeated"]);
    let operation = Operation::new("POST", platform.path, &id, &summary)
        .tag(WEBHOOKS)
        .about(
            "A call that begins has its speaker's memory fetched ahead; one that ends has its last turn \
             remembered at once. Signed with the platform's key, which is configured here.",
        )
        .who(Who::Platform(scheme));
    let operation = match platform.name {
        "hume" => operation.parameter(header(
            "x-hume-ai-webhook-timestamp",
            "When it was signed, seconds since 1970; at most 180 s ago.",
            text(),
        )),
        _ => operation,
    };
    operation
        .takes(body, example)
        .answers(200, "Heard.", object(vec![("status", status)]))
        .refuses(&[Kind::Unavailable])
}

fn pages() -> Vec<Operation> {
    let known = || {
        header(
            "if-none-match",
            "The `ETag` of what is known already.",
            text(),
        )
    };
    let mut all: Vec<Operation> = Page::ALL
        .iter()
        .map(|page| {
            let id = format!("page{}", page.path().replace('/', "-"));
            let operation = Operation::new("GET", page.path(), &id, page.title())
                .tag(PAGES)
                .parameter(known())
                .answers_in(200, "The page.", HTML, json!({ "schema": text() }))
                .answers_bare(304, "It is what is known already.");
            match page.is_open() {
                true => operation,
                false => operation
                    .about("Without a login it is the form that asks for an admin key.")
                    .answers_in(401, "The login.", HTML, json!({ "schema": text() })),
            }
        })
        .collect();
    let file = |path: &str, id: &str, summary: &str, forms: &[&str]| {
        let operation = Operation::new("GET", path, id, summary)
            .tag(PAGES)
            .parameter(known())
            .answers_bare(304, "It is what is known already.");
        forms.iter().fold(operation, |operation, form| {
            operation.answers_in(200, "It.", form, json!({ "schema": text() }))
        })
    };
    all.extend([
        file(
            "/shared",
            "page-shared",
            "The page of a session that a link opens",
            &[HTML],
        ),
        file("/openapi.json", "openapi", "This document", &[]).answers(
            200,
            "It.",
            json!({ "type": "object" }),
        ),
        file(
            "/llms.txt",
            "llms",
            "What this is and where to read on, for language models",
            &[crate::http::pages::TEXT],
        ),
        file(
            "/assets/{file}",
            "asset",
            "A file that a page loads",
            dashboard::FORMS,
        )
        .parameter(path("file", "The file's name.", text(), "base.css"))
        .refuses(&[Kind::NotFound]),
        log_in(),
        Operation::new("POST", "/logout", "logOut", "End the login of a browser")
            .tag(PAGES)
            .about("Heeded only where one of our own pages asks.")
            .answers_bare(204, "The cookie is gone.")
            .refuses_foreign(),
    ]);
    all
}

fn log_in() -> Operation {
    let form = either(
        vec![("key", about(text(), "an admin key"))],
        vec![(
            "page",
            about(
                text(),
                "where it leads: the path of a page, else the dashboard",
            ),
        )],
    );
    Operation::new("POST", "/login", "logIn", "Turn an admin key into a cookie")
        .tag(PAGES)
        .about("Heeded only where one of our own pages asks.")
        .takes_form(form)
        .answers_bare(303, "It is one: the cookie, and the way to the page.")
        .answers_in(
            401,
            "It is none: the form again.",
            HTML,
            json!({ "schema": text() }),
        )
        .refuses_foreign()
}

pub(super) fn schemas() -> Fields {
    let resting = object(vec![
        ("model", text()),
        (
            "state",
            about(
                words(["open", "half_open", "cooling"]),
                "why it is not asked as usual",
            ),
        ),
    ]);
    let store = either(
        vec![("status", words(["ok", "down"])), ("kind", text())],
        vec![("refused", maybe(text()))],
    );
    let spool = object(vec![
        ("status", words(["ok", "degraded"])),
        ("rows", about(whole(), "that wait")),
        ("bytes", whole()),
        ("age_s", maybe(whole())),
        (
            "quarantined",
            about(whole(), "set aside, as no store takes them"),
        ),
    ]);
    let memory = either(
        vec![("status", words(["off", "ok", "down"]))],
        vec![
            ("kind", maybe(text())),
            ("writes_waiting", whole()),
            (
                "on_disk",
                about(whole(), "of them, those that outlive the process"),
            ),
            ("age_s", maybe(whole())),
            ("spool", words(["ok", "degraded"])),
        ],
    );
    let dependencies = object(vec![
        ("store", store),
        ("spool", spool),
        ("memory", memory),
        (
            "redis",
            object(vec![("status", words(["off", "ok", "down"]))]),
        ),
        (
            "upstream",
            object(vec![("status", text()), ("resting", list(resting))]),
        ),
    ]);
    let ready = either(
        vec![("status", words(["ready", "degraded", "stopping"]))],
        vec![
            ("dependencies", about(dependencies, "with an admin key")),
            ("inflight", about(whole(), "turns that run")),
            ("memory_is_short", truth()),
        ],
    );
    vec![("Ready", ready)]
}
