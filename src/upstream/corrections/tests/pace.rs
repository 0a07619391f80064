//! How fast the books are asked, and when they are left alone.

use super::super::schedule::SHORTEST;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_refusal_rests_everybody_for_as_long_as_it_says() {
    let rig = Rig::start();
    let limited = Look::Refused(Duration::from_secs(30));
    rig.script("gen-a", [limited, bill(1)]);
    rig.script("gen-b", [Look::Trouble(Duration::from_secs(90)), bill(2)]);
    rig.consider("a", "gen-a");
    rig.corrections
        .consider_attempt("b", 0, "gen-b", NOW_MS + 1000);
    rig.script("gen-c", [bill(3)]);
    sleep(Duration::from_secs(2)).await;
    rig.consider("c", "gen-c");
    sleep(Duration::from_secs(300)).await;
    assert_eq!(rig.found().len(), 3);
    let all = rig.books.lock().asked.clone();
    let early = all.iter().filter(|(_, ms)| *ms < 30_000);
    // At first a and b, which were asked within the second.
    assert!(early.count() <= 2, "{all:?}");
    assert!(
        all.iter().all(|(_, ms)| !(2_000..30_000).contains(ms)),
        "{all:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_crowd_out_the_oldest_and_one_call_is_asked_about_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::start();
    for n in 0..10_003 {
        rig.consider(&format!("t{n}"), &format!("gen-{n}"));
        rig.consider(&format!("t{n}"), &format!("gen-{n}"));
    }
    assert_eq!(rig.corrections.waiting(), 10_000);
    rig.books.lock().takes = Duration::from_secs(2);
    sleep(Duration::from_secs(20)).await;
    let all = rig.books.lock();
    assert_eq!(all.most, AT_ONCE);
    assert!(
        (145..=160).contains(&all.asked.len()),
        "{}",
        all.asked.len()
    );
    assert!(
        all.asked
            .iter()
            .all(|(id, _)| !["gen-0", "gen-1", "gen-2"].contains(&id.as_str()))
    );
    let text = recorder.handle().render();
    let line = r#"clm_cost_corrections_total{result="crowded_out"} 3"#;
    assert!(text.lines().any(|l| l == line), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_few_questions_a_second_at_most() {
    let rig = Rig::start();
    for n in 0..100 {
        rig.consider(&format!("t{n}"), &format!("gen-{n}"));
    }
    sleep(Duration::from_secs(11)).await;
    let asked = rig.books.lock().asked.len();
    assert!((38..=41).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn the_more_wait_the_sooner_each_is_asked_about() {
    let rig = Rig::start();
    // Eight a second, for ten minutes; each is in the books at the second look.
    for n in 0..8 * 600 {
        let id = format!("gen-{n}");
        rig.script(&id, [Look::NotYet, bill(1)]);
        rig.consider(&format!("t{n}"), &id);
        sleep(Duration::from_millis(125)).await;
    }
    let (waiting, found) = (rig.corrections.waiting(), rig.found().len());
    assert!(waiting < 600, "{waiting} wait");
    assert!(found > 4000, "{found} found");
    // Never faster than this, however many wait.
    for n in 0..9000 {
        rig.consider(&format!("u{n}"), &format!("gen-gone-{n}"));
    }
    let before = rig.books.lock().asked.len();
    sleep(Duration::from_secs(10)).await;
    let asked = rig.books.lock().asked.len() - before;
    assert!((350..=401).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn however_many_wait_a_refusal_calms_the_pace_for_a_minute() {
    let rig = Rig::start();
    rig.script("gen-0", [Look::Refused(Duration::from_secs(10))]);
    for n in 0..2000 {
        rig.consider(&format!("t{n}"), &format!("gen-{n}"));
    }
    // Two thousand first looks take less than a minute.
    sleep(Duration::from_secs(150)).await;
    let all = rig.books.lock().asked.clone();
    let refused = all.iter().find(|(id, _)| id == "gen-0").unwrap().1;
    let asked = |ms: std::ops::Range<u128>| {
        let since = all.iter().filter_map(|(_, at)| at.checked_sub(refused));
        since.filter(|at| ms.contains(at)).count()
    };
    let (resting, calm, after) = (
        asked(1..10_000),
        asked(10_000..70_000),
        asked(70_500..80_500),
    );
    assert_eq!(resting, 0);
    assert!((235..=241).contains(&calm), "{calm}");
    assert!((350..=401).contains(&after), "{after}");
}

#[tokio::test(start_paused = true)]
async fn a_later_and_shorter_refusal_shortens_nothing() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    for n in 0..2000 {
        let job = Job {
            turn_id: format!("t{n}"),
            position: 0,
            generation_id: format!("gen-{n}"),
            estimate: None,
        };
        schedule.add(job, Duration::from_secs(3), now);
    }
    let (first, _) = schedule.take(now).unwrap();
    let (second, _) = schedule.take(now + SHORTEST).unwrap();
    schedule.judge(
        first,
        Look::Refused(Duration::from_secs(300)),
        now + SHORTEST,
    );
    schedule.judge(
        second,
        Look::Refused(Duration::from_secs(1)),
        now + SHORTEST,
    );
    let rested = now + SHORTEST + Duration::from_secs(300);
    assert_eq!(schedule.next_at(), Some(rested));
    assert!(schedule.take(rested).is_some());
    assert_eq!(schedule.next_at(), Some(rested + SHORTEST * 10), "calm");
}
