//! What waits: it outlives an outage, the process, and the disk.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use futures::FutureExt as _;

use super::imagined::Trouble;
use super::remember::{said, texts};
use super::*;

const HOUR_S: usize = 3600;
/// Conversations that they belong to.
const TALKS: usize = 450;

/// Everything under a directory. A file that is let go of meanwhile holds nothing any more.
fn bytes(dir: &Path) -> Vec<u8> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let read = |path: std::path::PathBuf| match path.is_dir() {
        true => bytes(&path),
        false => match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.unwrap(),
        },
    };
    entries.flat_map(read).collect()
}

fn holds(dir: &Path, words: &str) -> bool {
    bytes(dir)
        .windows(words.len())
        .any(|w| w == words.as_bytes())
}

/// The time is held: what a thread does besides takes none of it, so it is given real time.
async fn keep_up(memory: &Memory) {
    let desk = &memory.room.as_ref().unwrap().desk;
    while desk.inbox() > 1000 {
        thread::sleep(Duration::from_millis(1));
        tokio::task::yield_now().await;
    }
}

/// An hour of `trouble` at so many turns a second, and then none: all is written, each once, in order.
async fn outlast(trouble: Trouble, turns: usize) {
    let all = HOUR_S * turns;
    tokio::time::pause();
    let dir = tempfile::tempdir().unwrap();
    let life = Lifecycle::new();
    let store = Arc::new(Imagined::default());
    let over = Store::Imagined(Arc::clone(&store));
    let memory = Memory::over(over, shelf(dir.path(), KEY), &life, Clock::Fixed(0)).unwrap();
    store.is(Some(trouble));
    let at = |n: usize| i64::try_from(n).unwrap();
    let people: Vec<Person> = (0..TALKS)
        .map(|n| Person::new(&n.to_string(), "s"))
        .collect();
    for n in 0..all {
        let who = &people[n % TALKS];
        assert!(memory.remember(who, said(&n.to_string(), "", at(n))), "{n}");
        if n % turns == turns - 1 {
            sleep(Duration::from_secs(1)).await;
            keep_up(&memory).await;
        }
        let room = memory.room.as_ref().unwrap();
        assert!(room.queue.room() <= queue::WINDOW, "bounded");
    }
    assert_eq!(memory.waiting().exchanges, all);
    let (calls, refused) = store.calls();
    assert_eq!(calls, refused);
    assert!(calls < 600, "a store that is down is left alone: {calls}");
    store.is(None);
    let up = Instant::now();
    let queue = &memory.room.as_ref().unwrap().queue;
    while memory.waiting().exchanges > 0 {
        if queue.room() == queue::WINDOW {
            // The disk is being read, which takes no time here.
            thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        } else {
            sleep(Duration::from_millis(20)).await;
        }
        assert!(up.elapsed() < Duration::from_secs(3600), "never written");
    }
    println!(
        "{trouble:?}: {all} exchanges, written within {:?}",
        up.elapsed()
    );
    assert_eq!(memory.lost(), 0);
    for (first, who) in people.iter().enumerate() {
        let expected: Vec<String> = (0..all / TALKS)
            .map(|n| (n * TALKS + first).to_string())
            .collect();
        assert_eq!(store.texts(who), expected);
    }
    memory.drain().await;
}

#[tokio::test]
async fn d8_an_hour_of_refused_connections_loses_nothing() {
    outlast(Trouble::Refused, 20).await;
}

#[tokio::test]
async fn d8_an_hour_of_rate_limits_loses_nothing() {
    outlast(Trouble::RateLimited, 1).await;
}

#[tokio::test]
async fn d8_an_hour_of_errors_before_the_words_are_sent_loses_nothing() {
    outlast(Trouble::Unavailable, 1).await;
}

#[tokio::test]
async fn d8_shorter_troubles_lose_nothing_either() {
    tokio::time::pause();
    for trouble in [Trouble::Lost, Trouble::Unauthorized] {
        let dir = tempfile::tempdir().unwrap();
        let life = Lifecycle::new();
        let store = Arc::new(Imagined::default());
        let over = Store::Imagined(Arc::clone(&store));
        let memory = Memory::over(over, shelf(dir.path(), KEY), &life, Clock::Fixed(0)).unwrap();
        store.is(Some(trouble));
        for n in 0..20 {
            assert!(memory.remember(&ines(), said(&n.to_string(), "", n)));
        }
        sleep(Duration::from_secs(3 * 3600)).await;
        store.is(None);
        memory.drain().await;
        let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(store.texts(&ines()), expected, "{trouble:?}");
        assert_eq!((memory.lost(), memory.waiting().exchanges), (0, 0));
    }
}

/// Takes whatever is asked for, when `up`; else asks to wait.
fn when(up: &Arc<Mutex<bool>>) -> impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static {
    let up = Arc::clone(up);
    move |_, _| match *up.lock().unwrap() {
        true => answer(200, "{}"),
        false => Answer {
            retry_after: Some("60"),
            ..answer(429, "slow down")
        },
    }
}

#[tokio::test]
async fn what_an_earlier_run_left_is_written_first_and_in_order() {
    let up = Arc::new(Mutex::new(false));
    let mut stage = Stage::new(when(&up));
    let marco = Person::new("marco", "s1");
    for n in 0..40 {
        assert!(
            stage
                .memory
                .remember(&ines(), said(&format!("planted {n}"), "", n))
        );
        assert!(
            stage
                .memory
                .remember(&marco, said(&format!("planted {n}"), "", n))
        );
    }
    stage.restart(KEY).await;
    assert!(!holds(stage.dir.path(), "planted"), "sealed");
    assert!(!holds(stage.dir.path(), ines().zep_user()));
    until("found", || stage.backlog() == 80).await;
    assert!(stage.memory.remember(&ines(), said("planted 40", "", 40)));
    stage.restart(KEY).await;
    until("found again", || stage.backlog() == 81).await;
    assert_eq!(texts(&stage, &ines()), [""; 0]);
    *up.lock().unwrap() = true;
    stage.restart(KEY).await;
    stage.memory.drain().await;
    let expected: Vec<String> = (0..41).map(|n| format!("planted {n}")).collect();
    assert_eq!(texts(&stage, &ines()), expected);
    assert_eq!(texts(&stage, &marco), expected[..40]);
    assert_eq!((stage.memory.lost(), stage.backlog()), (0, 0));
    stage.restart(KEY).await;
    stage.memory.drain().await;
    assert_eq!(texts(&stage, &ines()).len(), 41, "and once");
}

/// A store that holds its answer to the first write back, and knows what it took.
fn slow_to_answer(stored: &Arc<Mutex<Vec<Value>>>) -> Stage {
    let door = Arc::new(Semaphore::new(0));
    let stored = Arc::clone(stored);
    Stage::new(move |seen, before| {
        let mut stored = stored.lock().unwrap();
        match seen.call.split_once(' ').unwrap() {
            ("POST", path) if path.ends_with("/messages") => {
                stored.extend(seen.body["messages"].as_array().unwrap().iter().cloned());
                Answer {
                    held: (before == 0).then(|| Arc::clone(&door)),
                    ..answer(200, "{}")
                }
            }
            ("GET", path) if path.ends_with("/messages") => {
                let told = serde_json::json!({"messages": *stored});
                answer(200, told.to_string())
            }
            _ => answer(200, "{}"),
        }
    })
}

#[tokio::test]
async fn d9_what_was_taken_before_the_end_is_not_written_again() {
    let stored = Arc::default();
    let mut stage = slow_to_answer(&stored);
    assert!(stage.memory.remember(&ines(), said("a", "b", 1)));
    until("taken", || stored.lock().unwrap().len() == 2).await;
    for n in 2..30 {
        assert!(stage.memory.remember(&ines(), said("a", "b", n * 1000)));
    }
    // It was written, and nobody was told: the same words were not, though they are alike.
    stage.restart(KEY).await;
    stage.memory.drain().await;
    assert_eq!(texts(&stage, &ines()).len(), 2 * 29);
    assert_eq!((stage.memory.lost(), stage.backlog()), (0, 0));
}

#[tokio::test]
async fn with_another_key_what_waits_is_set_aside_and_counted() {
    let up = Arc::new(Mutex::new(false));
    let mut stage = Stage::new(when(&up));
    for n in 0..3 {
        assert!(stage.memory.remember(&ines(), said("planted", "", n)));
    }
    stage.restart("another-key-0123456789").await;
    until("set aside", || stage.memory.lost() == 3).await;
    *up.lock().unwrap() = true;
    assert_eq!(stage.backlog(), 0);
    stage.restart("another-key-0123456789").await;
    assert!(stage.memory.remember(&ines(), said("new", "", 9)));
    stage.memory.drain().await;
    assert_eq!(texts(&stage, &ines()), ["new"]);
    let aside = stage.dir.path().join("spool/memory/quarantine");
    assert_eq!(fs::read_dir(aside).unwrap().count(), 3);
    assert!(!holds(stage.dir.path(), "planted"));
}

#[tokio::test]
async fn without_a_disk_memory_works_and_what_is_left_is_lost() {
    let up = Arc::new(Mutex::new(true));
    let stage = Stage::new(when(&up));
    let dir = tempfile::tempdir().unwrap();
    // Not a directory, whoever one is.
    fs::write(dir.path().join("spool"), "in the way").unwrap();
    let memory = memory(&stage.base, dir.path(), &stage.life);
    assert!(memory.remember(&ines(), said("a", "b", 0)));
    until("written", || memory.waiting().exchanges == 0).await;
    assert!(memory.waiting().is_degraded);
    assert_eq!(texts(&stage, &ines()), ["a", "b"]);
    *up.lock().unwrap() = false;
    assert!(memory.remember(&ines(), said("c", "", 0)));
    until("refused", || {
        memory.health() == MemoryHealth::Down("rate_limited")
    })
    .await;
    stage.life.hard().cancel();
    memory.drain().await;
    assert_eq!((memory.waiting().exchanges, memory.lost()), (0, 1));
}

#[tokio::test]
async fn a_disk_that_comes_late_gives_what_it_held() {
    let up = Arc::new(Mutex::new(false));
    let mut stage = Stage::new(when(&up));
    assert!(stage.memory.remember(&ines(), said("old", "", 0)));
    let (spool, away) = (
        stage.dir.path().join("spool"),
        stage.dir.path().join("away"),
    );
    stage.life.hard().cancel();
    stage.memory.drain().await;
    fs::rename(&spool, &away).unwrap();
    fs::write(&spool, "in the way").unwrap();
    *up.lock().unwrap() = true;
    stage.life = Lifecycle::new();
    let settings = config::Memory {
        api_key: Some("z_secret".to_owned().into()),
        base_url: stage.base.clone(),
    };
    let shelf = shelf(stage.dir.path(), KEY);
    stage.memory = Memory::start(&settings, shelf, &stage.life, Clock::System).unwrap();
    assert!(stage.memory.remember(&ines(), said("new", "", 1)));
    until("the new one", || texts(&stage, &ines()) == ["new"]).await;
    fs::remove_file(&spool).unwrap();
    fs::rename(&away, &spool).unwrap();
    until("the old one", || texts(&stage, &ines()) == ["new", "old"]).await;
    stage.memory.drain().await;
    assert_eq!((stage.memory.lost(), stage.backlog()), (0, 0));
}

#[tokio::test]
async fn a_directory_in_use_is_waited_for() {
    let up = Arc::new(Mutex::new(false));
    let stage = Stage::new(when(&up));
    assert!(stage.memory.remember(&ines(), said("first", "", 0)));
    until("kept", || stage.memory.waiting().oldest_ms.is_some()).await;
    let life = Lifecycle::new();
    let second = memory(&stage.base, stage.dir.path(), &life);
    let marco = Person::new("marco", "s1");
    *up.lock().unwrap() = true;
    assert!(second.remember(&marco, said("second", "", 0)));
    until("written all the same", || {
        texts(&stage, &marco) == ["second"]
    })
    .await;
    assert!(second.waiting().is_degraded);
    stage.life.hard().cancel();
    stage.memory.drain().await;
    until("the first's", || texts(&stage, &ines()) == ["first"]).await;
    until("the directory is its own", || !second.waiting().is_degraded).await;
    second.drain().await;
    assert_eq!(second.lost(), 0);
}

#[tokio::test]
async fn only_its_owner_can_look_at_what_waits() {
    let up = Arc::new(Mutex::new(false));
    let stage = Stage::new(when(&up));
    assert!(stage.memory.remember(&ines(), said("a", "", 0)));
    until("kept", || stage.memory.waiting().oldest_ms.is_some()).await;
    let dir = stage.dir.path().join("spool/memory");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions();
    assert_eq!(mode(&dir), Permissions::from_mode(0o40700));
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path).mode() & 0o077, 0, "{path:?}");
    }
}

#[tokio::test]
async fn more_than_can_come_in_at_once_is_taken_by_whoever_waits_for_room() {
    let dir = tempfile::tempdir().unwrap();
    let life = Lifecycle::new();
    let store = Arc::new(Imagined::default());
    let over = Store::Imagined(Arc::clone(&store));
    let memory = Memory::over(over, shelf(dir.path(), KEY), &life, Clock::Fixed(0)).unwrap();
    store.is(Some(Trouble::Refused));
    let who = Person::new("u", "s");
    let all = 3 * desk::INBOX;
    let mut had_to_wait = false;
    for n in 0..all {
        had_to_wait |= memory.room().now_or_never().is_none();
        assert!(memory.room().await);
        assert!(memory.remember(&who, said(&n.to_string(), "", 0)), "{n}");
    }
    assert!(had_to_wait);
    assert_eq!((memory.waiting().exchanges, memory.lost()), (all, 0));
    life.hard().cancel();
    memory.drain().await;
    assert_eq!(memory.room().now_or_never(), Some(false));
    assert!(!memory.remember(&who, said("late", "", 0)));
}
