//! Whom it erases, and that it asks first.

use serde_json::json;

use super::*;
use crate::cli::scripted::{Scripted, answer, clm, nowhere, refusal};

#[tokio::test]
async fn a_user_is_erased_by_the_encoded_name() {
    let done = json!({ "erased": {
        "records": "queued", "memory": { "store": "not_asked" }, "recent": 3,
    } });
    let server = Scripted::start([
        answer(202, "application/json", &done.to_string()),
        answer(202, "application/json", &done.to_string()),
    ]);
    let (exit, out, err) = clm(&server.url, &["erase-user", "a/b ü%", "--yes"]).await;
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    insta::assert_snapshot!(out, @r"
    memory.store  not_asked
    recent        3
    records       queued
    ");
    let (_, out, _) = clm(&server.url, &["erase-user", "u", "--yes", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), done);
    assert_eq!(
        server.asked(),
        ["DELETE /v1/users/a%2Fb%20%C3%BC%25", "DELETE /v1/users/u"]
    );
}

#[tokio::test]
async fn nobody_is_erased_unasked() {
    let sources = Sources::from_pairs([("HOST", "127.0.0.1")]);
    let args = |user: &str| EraseArgs {
        user: user.to_owned(),
        yes: false,
        json: false,
        server: ServerArgs {
            url: None,
            key: None,
        },
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = erase(&args("u"), &sources, Asked::Script, &mut out, &mut err).await;
    assert_eq!(exit.unwrap(), Exit::Usage);
    assert!(String::from_utf8(err).unwrap().contains("--yes"));
    for step in [".", ".."] {
        let (exit, ..) = clm(&nowhere(), &["erase-user", step, "--yes"]).await;
        assert_eq!(exit, Exit::Usage);
    }
    assert_eq!(
        clm("http://h", &["erase-user", "", "--yes"]).await.0,
        Exit::Usage
    );
}

#[tokio::test]
async fn refusals_are_told() {
    for status in [401, 404, 503] {
        let server = Scripted::start([refusal(status, "no", "so")]);
        let (exit, out, err) = clm(&server.url, &["erase-user", "u", "--yes"]).await;
        assert_eq!((exit, out.as_str()), (Exit::Problem, ""));
        assert!(err.contains(&status.to_string()), "{err}");
    }
    let (exit, ..) = clm(&nowhere(), &["erase-user", "u", "--yes"]).await;
    assert_eq!(exit, Exit::Unreachable);
}
