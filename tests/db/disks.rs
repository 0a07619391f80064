//! The spool's own disk takes nothing: rows go by memory, and back to the disk as soon as it is well.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::arrivals::{all_arrive, refused, serving_as, spoken, standing, turns, within};
use crate::service::{Service, nine_of_ten};
use crate::support::postgres::Database;
use crate::support::proxy::Proxy;

const RECOVERED: Duration = Duration::from_secs(30);
const NOISE: Duration = Duration::from_millis(150);
/// No file may have a byte more, and a write is an error, as on a full disk.
const FULL: &str = "trap '' XFSZ; ulimit -S -f 0 && exec \"$0\" serve";
/// The key is not on the disk that is full.
const KEY: (&str, &str) = (
    "DATA_KEY",
    "0123456789abcdef0123456789abcdef0123456789abcdef",
);

/// From now on files may grow.
fn free(service: &Service) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--fsize=unlimited", "--pid", &service.pid().to_string()]);
    assert!(prlimit.status().unwrap().success());
}

async fn spool_is(service: &Service, status: &str) -> Duration {
    within(&format!("the spool is {status}"), RECOVERED, async || {
        standing(service, "spool").await["status"] == status
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_full_disk_costs_no_word_and_no_row() {
    let database = Database::fresh().await;
    let proxy = Proxy::to(database.addr()).await;
    let through = database.url_at(proxy.addr());
    let mut service = serving_as(FULL, &through, &[KEY]).await;
    let with = nine_of_ten(turns(&service, "with", 30).await);
    let took = all_arrive(database.url(), &spoken(&service), RECOVERED).await;
    assert_eq!(standing(&service, "spool").await["status"], "degraded");
    within("somebody is told", RECOVERED, async || {
        let told = service.metrics("clm_alerts_total").await;
        told.iter().any(|line| line.contains("spool.degraded"))
    })
    .await;
    // Now without the store too.
    proxy.refuse().await;
    proxy.reset().await;
    let without = nine_of_ten(turns(&service, "without", 30).await);
    refused(&service).await;
    within("all rows wait in memory", RECOVERED, async || {
        let spool = standing(&service, "spool").await;
        spool["rows"] == 60 && spool["status"] == "degraded"
    })
    .await;
    // The disk first: what waits in memory goes there, and is there after a crash.
    free(&service);
    let freed = spool_is(&service, "ok").await;
    service.kill();
    service.start_again().await;
    proxy.pass().await;
    let heard = spoken(&service);
    let back = all_arrive(database.url(), &heard, RECOVERED).await;
    println!(
        "g7: first words {with:?} with the store, {without:?} without; 30 turns there after {took:?}; \
         on the disk {freed:?} after it was free; all {} there {back:?} after a crash",
        heard.len()
    );
    assert!(without <= with + NOISE, "{with:?}, {without:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_spool_that_cannot_be_made_costs_no_row() {
    // A file is where the directory should be.
    let line = ": > \"$DATA_DIR/spool\" && exec \"$0\" serve";
    let database = Database::fresh().await;
    let proxy = Proxy::to(database.addr()).await;
    let service = serving_as(line, &database.url_at(proxy.addr()), &[]).await;
    turns(&service, "with", 10).await;
    all_arrive(database.url(), &spoken(&service), RECOVERED).await;
    assert_eq!(service.readiness().await["status"], "degraded");
    proxy.refuse().await;
    proxy.reset().await;
    turns(&service, "without", 10).await;
    refused(&service).await;
    spool_is(&service, "degraded").await;
    std::fs::remove_file(service.data().join("spool")).unwrap();
    let freed = spool_is(&service, "ok").await;
    proxy.pass().await;
    let back = all_arrive(database.url(), &spoken(&service), RECOVERED).await;
    within("it is ready", RECOVERED, async || {
        service.readiness().await["status"] == json!("ready")
    })
    .await;
    println!(
        "g7: a directory was made {freed:?} after it could be; all 20 turns there {back:?} later"
    );
}
