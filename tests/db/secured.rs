//! `sslmode` means what it means to every client of PostgreSQL.

use std::time::Duration;

use crate::arrivals::{refused, serving, told, turns, within};
use crate::support::postgres::{Postgres, Setup};

const RECOVERED: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_arrive_encrypted_where_that_is_asked_for() {
    let postgres = Postgres::with(Setup::default().tls_required()).await;
    let url = postgres.url();
    let authority = postgres.authority().display().to_string();
    let full = format!("sslmode=verify-full&sslrootcert={authority}");
    let named = url.replace("127.0.0.1", "localhost");
    for (n, url) in [
        url.clone(),
        format!("{url}?sslmode=prefer"),
        format!("{url}?sslmode=require"),
        format!("{url}?{full}"),
        format!("{named}?{full}"),
    ]
    .iter()
    .enumerate()
    {
        let service = serving(url).await;
        turns(&service, &format!("tls-{n}"), 2).await;
        let all = (2 * n + 2).to_string();
        within(url, RECOVERED, async || {
            let there = postgres.admin("select count(*) from turn").await;
            there.unwrap_or_default() == [all.as_str()]
        })
        .await;
        let plain = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid)
                     where usename = 'clm' and not ssl";
        assert_eq!(postgres.admin(plain).await.unwrap(), ["0"], "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_nobody_we_trust_is_refused_and_told() {
    let postgres = Postgres::with(Setup::default().tls_required()).await;
    let url = postgres.url();
    let other = Postgres::with(Setup::default().tls()).await;
    let strangers = other.authority().display().to_string();
    for (parameters, kind, why) in [
        (
            "sslmode=verify-full".to_owned(),
            "connection",
            "UnknownIssuer",
        ),
        (
            format!("sslmode=verify-full&sslrootcert={strangers}"),
            "connection",
            "certificate",
        ),
        (
            format!("sslmode=require&sslrootcert={strangers}"),
            "connection",
            "certificate",
        ),
        // The server lets nobody in without.
        ("sslmode=disable".to_owned(), "refused", "SQLSTATE 28000"),
    ] {
        let service = serving(&format!("{url}?{parameters}")).await;
        turns(&service, "refused", 2).await;
        assert_eq!(refused(&service).await, kind, "{parameters}");
        let line = told(&service, "records wait: the store takes none").await;
        let told = line["why"].as_str().unwrap();
        assert!(told.contains(why), "{parameters}: {told}");
        println!("{}: {told}", parameters.split('&').next().unwrap());
    }
    let count = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(
        postgres.admin(count).await.unwrap(),
        ["0"],
        "nothing came through"
    );
}
