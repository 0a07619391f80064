//! What lies in PostgreSQL, compared with what was heard; and the service in front of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::service::Service;
use crate::support::postgres::ask;

/// What of the tables does not fit together: turns and their attempts, sessions and their turns.
const ODD: &str = "
select 'turn ' || t.turn_id || ' had ' || t.attempts || ' attempts, and ' || count(a.position) || ' lie there'
from turn t left join attempt a using (turn_id)
group by t.turn_id having t.attempts <> count(a.position)
union all
select 'an attempt of no turn: ' || a.turn_id
from attempt a where not exists (select from turn t where t.turn_id = a.turn_id)
union all
select 'session ' || session_id || ' is not the sum of its turns'
from session s full join (
    select session_id, count(*) as turns, sum(total_ms) as total_ms,
           count(*) filter (where outcome in ('failed', 'shed')) as failed,
           coalesce(sum(prompt_tokens), 0) as prompt, coalesce(sum(completion_tokens), 0) as completion,
           coalesce(sum(cost_microusd), 0) as cost, count(*) filter (where cost_microusd is null) as unknown,
           min(created_at) as first_at, max(created_at) as last_at
    from turn group by session_id
) t using (session_id)
where (s.turns, s.failed_turns, s.prompt_tokens, s.completion_tokens, s.cost_microusd, s.unknown_costs,
       s.first_turn_at, s.last_turn_at)
      is distinct from
      (t.turns, t.failed, t.prompt, t.completion, t.cost, t.unknown, t.first_at, t.last_at)
   or abs(s.total_ms - t.total_ms) > 0.01";

/// The service with its records in this database, and with a memory.
pub(crate) async fn serving(url: &str) -> Service {
    serving_as("exec \"$0\" serve", url, &[]).await
}

/// The same, started by this line of a shell and with more settings.
pub(crate) async fn serving_as(line: &str, url: &str, more: &[(&str, &str)]) -> Service {
    let own = [("DATABASE_URL", url), ("ZEP_API_KEY", "zep-test")];
    Service::start_among(line, &[&own[..], more].concat()).await
}

/// So many whole turns, each in a session of its own: how long each first word took.
pub(crate) async fn turns(service: &Service, name: &str, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut text = None;
    for n in 0..count {
        let heard = service.say(&format!("{name}-{n}"), "Hello").await;
        assert_eq!(heard.finish_reason, "stop");
        assert_eq!(*text.get_or_insert(heard.text.clone()), heard.text);
        times.push(heard.spoke.unwrap());
    }
    times
}

/// Waits until it is so, for so long at most; how long it took.
pub(crate) async fn within(
    what: &str,
    limit: Duration,
    mut is_so: impl AsyncFnMut() -> bool,
) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

/// The ids of all turns of a service that were heard of.
pub(crate) fn spoken(service: &Service) -> BTreeSet<String> {
    service.turns().into_iter().collect()
}

/// The ids of all turns that are kept; none where there is no table.
pub(crate) async fn kept(url: &str) -> BTreeSet<String> {
    let found = ask(url, "select turn_id from turn").await;
    found.unwrap_or_default().into_iter().collect()
}

/// What does not fit together, in words.
pub(crate) async fn odd(url: &str) -> Vec<String> {
    ask(url, ODD).await.unwrap()
}

/// Waits until every turn that was heard of lies there, with all that belongs to it, and no other
/// does; how long it took.
pub(crate) async fn all_arrive(url: &str, heard: &BTreeSet<String>, limit: Duration) -> Duration {
    assert!(!heard.is_empty());
    let began = Instant::now();
    loop {
        let there = kept(url).await;
        let unheard: Vec<_> = there.difference(heard).collect();
        assert!(unheard.is_empty(), "turns that nobody heard: {unheard:?}");
        let missing = heard.len() - there.len();
        let odd = if missing == 0 {
            odd(url).await
        } else {
            Vec::new()
        };
        if missing == 0 && odd.is_empty() {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < limit,
            "not within {limit:?}: {missing} of {} turns are missing, {odd:?}",
            heard.len()
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// What readiness says of one of those it leans on.
pub(crate) async fn standing(service: &Service, of: &str) -> Value {
    service.readiness().await["dependencies"][of].clone()
}

/// Waits until readiness says that the store takes no rows; the reason.
pub(crate) async fn refused(service: &Service) -> String {
    let mut why = None;
    within(
        "the store is said to be down",
        Duration::from_secs(10),
        async || {
            let all = service.readiness().await;
            let store = &all["dependencies"]["store"];
            why = store["refused"].as_str().map(str::to_owned);
            assert!(why.is_none() || all["status"] == "degraded", "{all}");
            why.is_some()
        },
    )
    .await;
    why.unwrap()
}

/// The first log line of the records with this message. It may come after what it tells of: the log has a thread and a
/// pipe of its own.
pub(crate) async fn told(service: &Service, message: &str) -> Value {
    let mut first = None;
    within(message, Duration::from_secs(10), async || {
        let lines = service.lines().into_iter();
        let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        first = lines.find(|line| line["message"] == message);
        first.is_some()
    })
    .await;
    first.unwrap()
}
