//! A newer request of a session on another machine.

use std::time::Duration;

use quest_clm::session::Replay;
use quest_clm::turn::FinishReason;
use rand::seq::SliceRandom as _;
use tokio::time::{Instant, sleep};

use super::repeats::{KEY, Machine, PLACE, is_ended, newest};
use super::server::Redis;
use super::until;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_request_on_another_machine_ends_the_turn_and_nothing_else_does() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let first = a.speaks_noted(&redis, "I am").await;
    let second = b.speaks_noted(&redis, "I am stuck").await;
    until("the first is ended", async || is_ended(&first)).await;
    let third = a.speaks_noted(&redis, "I am stuck at work").await;
    until("so is the second", async || is_ended(&second)).await;
    // What is not noted is ended by nobody elsewhere.
    let (unnoted, _) = b.begins("a helper's");
    let fourth = a.speaks_noted(&redis, "I am stuck at work, and").await;
    until("the third, by its own machine", async || is_ended(&third)).await;
    sleep(Duration::from_millis(100)).await;
    assert!(!is_ended(&unnoted));
    assert!(!is_ended(&fourth));
    let left: i64 = redis.ask(&["TTL", &newest(&a)]);
    assert!((290..=300).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_nobody_could_say_is_one_cuts_nobody_off_and_a_newer_request_ends_both() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    let c = Machine::start(&redis, KEY).await;
    let mut same = Vec::new();
    for machine in [&a, &b] {
        same.push(machine.speaks_noted(&redis, "I am stuck").await);
    }
    sleep(Duration::from_millis(100)).await;
    assert!(same.iter().all(|turn| !is_ended(turn)));
    c.speaks("I am stuck at work").await;
    until("both are ended", async || {
        same.iter().all(|turn| is_ended(turn))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_requests_that_come_to_machines_at_once_one_is_left() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    for round in 0..100 {
        // Two of each machine, and those of one in either order.
        let begun = [&a, &b, &a, &b].map(|machine| {
            let words = rand::random::<u64>().to_string();
            let (turn, ticket) = machine.begins(&words);
            (machine, machine.key(&words), turn, ticket)
        });
        let mut noted: Vec<_> = begun.iter().collect();
        noted.shuffle(&mut rand::rng());
        for (machine, key, _, ticket) in noted {
            machine.repeats.begun(PLACE, *key, *ticket);
        }
        let left = || begun.iter().filter(|(_, _, t, _)| !is_ended(t)).count();
        until("one is left", async || left() <= 1).await;
        sleep(Duration::from_millis(5)).await;
        assert_eq!(left(), 1, "{round}");
        for (_, _, turn, _) in &begun {
            turn.end(FinishReason::Stop, None, Replay::Forget);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_burst_each_ends_what_another_machine_says_also_where_the_next_overtakes_it() {
    let redis = Redis::start().await;
    let (a, b) = tokio::join!(Machine::start(&redis, KEY), Machine::start(&redis, KEY));
    for round in 0..100 {
        let first = a.speaks_noted(&redis, &format!("{round}")).await;
        for more in 0..3 {
            b.begins_and_tells(&format!("{round} and {more}"));
            // As long as a note takes, more or less: now and then the next begins before it is answered.
            let until = Instant::now() + Duration::from_micros(rand::random::<u64>() % 400);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
        until("the first is ended", async || is_ended(&first)).await;
    }
}
