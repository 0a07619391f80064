//! Behind a pooler that gives each transaction another connection.

use std::time::Duration;

use futures::future::join_all;

use crate::arrivals::{all_arrive, serving, spoken, turns};
use crate::caller::Request;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{Postgres, ask};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_pass_a_pooler_of_transactions() {
    let postgres = Postgres::start().await;
    // Fewer connections than a process of ours has.
    let pooler = PgBouncer::before(&postgres, 2).await;
    let pooled = postgres.url_at(pooler.addr());
    let one = serving(&pooled).await;
    let own = [("DATABASE_URL", pooled.as_str())];
    let other = one.another(&own).await;
    let list = Request::get("/v1/turns?limit=10");
    let talk = [&one, &other].map(|service| {
        let list = &list;
        async move {
            let lists = (0..40).map(|_| service.send(list));
            let (_, lists) = tokio::join!(turns(service, "pooled", 40), join_all(lists));
            assert!(lists.iter().all(|list| list.status == 200));
        }
    });
    join_all(talk).await;
    // Before anybody looks past the pooler, whose own connection would be counted until its end is seen to.
    let used = "select count(*) from pg_stat_activity where usename = 'clm'";
    let used: u32 = postgres.admin(used).await.unwrap()[0].parse().unwrap();
    assert!((1..=2).contains(&used), "{used}");
    let mut heard = spoken(&one);
    heard.extend(spoken(&other));
    let took = all_arrive(&postgres.url(), &heard, Duration::from_secs(30)).await;
    // Nothing of ours stays behind on a connection that others use.
    let left = "select current_setting('statement_timeout') || current_setting('lock_timeout')";
    for _ in 0..4 {
        assert_eq!(ask(&pooled, left).await.unwrap(), ["00"]);
    }
    println!("80 turns through {used} connections, the last there after {took:?}");
}
