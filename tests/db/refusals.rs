//! Servers that are set up to refuse: passwords, TLS, too many connections, a read-only default.

use std::process::{Command, Stdio};

use tokio_postgres::error::SqlState;

use crate::support::postgres::{Auth, Postgres, Setup, ask, connected};

#[tokio::test]
async fn a_password_is_asked_for() {
    for (auth, stored) in [(Auth::Scram, "SCRAM-SHA-256"), (Auth::Md5, "md5")] {
        let postgres = Postgres::with(Setup::default().auth(auth)).await;
        assert_eq!(ask(&postgres.url(), "select 1").await.unwrap(), ["1"]);
        let how = "select rolpassword from pg_authid where rolname = 'clm'";
        let kept = postgres.admin(how).await.unwrap();
        assert!(kept[0].starts_with(stored), "{kept:?}");
        let wrong = postgres.url().replace("secret", "wrong");
        let refused = ask(&wrong, "select 1").await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));
    }
}

#[tokio::test]
async fn tls_is_offered_with_a_certificate_that_holds() {
    let postgres = Postgres::with(Setup::default().tls_required()).await;
    let done = Command::new("openssl")
        .args(["s_client", "-starttls", "postgres", "-connect"])
        .arg(postgres.addr().to_string())
        .args(["-verify_return_error", "-verify_ip", "127.0.0.1", "-CAfile"])
        .arg(postgres.authority())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    // Without it nobody comes in.
    let refused = ask(&postgres.url(), "select 1").await.unwrap_err();
    let code = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    assert_eq!(refused.code(), Some(&code));
}

#[tokio::test]
async fn settings_are_as_a_test_wants_them() {
    let setup = Setup::default()
        .set("max_connections", "5")
        .set("default_transaction_read_only", "on")
        .tls();
    let postgres = Postgres::with(setup).await;
    let database = postgres.database().await;
    let refused = ask(database.url(), "create table t ()").await.unwrap_err();
    let code = SqlState::READ_ONLY_SQL_TRANSACTION;
    assert_eq!(refused.code(), Some(&code));
    // Three of the five are kept for superusers.
    let config = database.url().parse().unwrap();
    connected(&config, async |_| {
        connected(&config, async |_| {
            let refused = ask(database.url(), "select 1").await.unwrap_err();
            assert_eq!(refused.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));
        })
        .await
        .unwrap();
    })
    .await
    .unwrap();
}
