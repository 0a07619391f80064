//! PostgreSQL, shared and broken.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::support::postgres::{Database, Postgres, Setup, ask, connected, rows};

const TABLE: &str = "create table t (words text); insert into t values ('kept')";
const READ: &str = "select words from t";

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = tokio::join!(Database::fresh(), Database::fresh());
    ask(one.url(), TABLE).await.unwrap();
    assert_eq!(ask(one.url(), READ).await.unwrap(), ["kept"]);
    let refused = ask(other.url(), READ).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::UNDEFINED_TABLE));
    assert_eq!(one.addr(), Postgres::shared().await.addr());
}

#[tokio::test]
async fn a_database_goes_when_the_next_one_comes() {
    let postgres = Postgres::start().await;
    let count = "select count(*) from pg_database where datname ~ '^t[0-9a-f]{32}$'";
    for _ in 0..3 {
        let database = postgres.database().await;
        assert_eq!(ask(database.url(), "select 1").await.unwrap(), ["1"]);
        assert_eq!(postgres.admin(count).await.unwrap(), ["1"]);
    }
}

#[tokio::test]
async fn a_killed_server_refuses_and_comes_back_with_its_data() {
    let mut postgres = Postgres::start().await;
    let url = postgres.url();
    ask(&url, TABLE).await.unwrap();
    // Somebody is connected, which must not keep it from coming back.
    let config = url.parse().unwrap();
    connected(&config, async |client| {
        assert_eq!(rows(client, "select 1").await.unwrap(), ["1"]);
        postgres.kill().await;
        assert!(rows(client, "select 1").await.unwrap_err().is_closed());
    })
    .await
    .unwrap();
    let refused = ask(&url, READ).await.unwrap_err();
    assert!(format!("{refused:?}").contains("ConnectionRefused"));
    postgres.start_again().await;
    assert_eq!(ask(&url, READ).await.unwrap(), ["kept"]);
    assert!(postgres.log().contains("not properly shut down"));
}

#[tokio::test]
async fn a_stopped_server_says_goodbye() {
    let mut postgres = Postgres::start().await;
    let url = postgres.url();
    ask(&url, TABLE).await.unwrap();
    let config = url.parse().unwrap();
    connected(&config, async |client| {
        let (asleep, ()) = tokio::join!(rows(client, "select pg_sleep(60)"), postgres.stop());
        let told = asleep.unwrap_err();
        assert_eq!(told.code(), Some(&SqlState::ADMIN_SHUTDOWN));
    })
    .await
    .unwrap();
    assert!(ask(&url, READ).await.is_err());
    postgres.start_again().await;
    assert_eq!(ask(&url, READ).await.unwrap(), ["kept"]);
}

#[tokio::test]
async fn a_paused_server_answers_nobody_until_it_goes_on() {
    let mut postgres = Postgres::start().await;
    let url = postgres.url();
    let config = url.parse().unwrap();
    let a_while = Duration::from_millis(150);
    connected(&config, async |client| {
        assert_eq!(rows(client, "select 1").await.unwrap(), ["1"]);
        postgres.pause().await;
        // An open connection and a new one.
        let (open, new) = tokio::join!(
            timeout(a_while, rows(client, "select 2")),
            timeout(a_while, ask(&url, "select 3"))
        );
        assert!(open.is_err() && new.is_err());
        postgres.resume();
        // The answer to the question that was given up comes first, and is not taken for this one's.
        assert_eq!(rows(client, "select 4").await.unwrap(), ["4"]);
    })
    .await
    .unwrap();
    // It can be killed as it stands.
    postgres.pause().await;
    postgres.kill().await;
    postgres.start_again().await;
    assert_eq!(ask(&url, "select 5").await.unwrap(), ["5"]);
    // And one that is dropped so is no more than another.
    postgres.pause().await;
}

#[tokio::test]
async fn a_full_disk_is_what_postgresql_calls_one() {
    let mut postgres = Postgres::with(Setup::default().fillable_disk()).await;
    let url = postgres.url();
    ask(&url, TABLE).await.unwrap();
    postgres.fill_disk();
    // More than the pages that the table has.
    let more = "insert into t select repeat('x', 1000) from generate_series(1, 40)";
    let refused = ask(&url, more).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::DISK_FULL), "{refused:?}");
    assert!(postgres.log().contains("No space left on device"));
    assert_eq!(ask(&url, READ).await.unwrap(), ["kept"], "it reads on");
    postgres.free_disk();
    ask(&url, more).await.unwrap();
    postgres.stop().await;
    postgres.start_again().await;
    assert_eq!(ask(&url, READ).await.unwrap().len(), 41);
}
