//! Letters on their way to a receiver on a real socket that is down, slow, odd, or gone.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use tokio::task::JoinHandle;

use super::*;
use crate::alert::kinds::Alert;
use crate::alert::queue::{MOST, PAUSES};
use crate::alert::scripted::{Heard, Receiver, Reply};
use crate::lifecycle::Lifecycle;
use crate::spool::{Left, Limits, Spool, look};

/// So short that a test need not wait, and so many that none runs out.
const SHORT: &[Duration] = &[Duration::from_millis(10); 1000];
/// So long that a test sees no second try that was not hurried.
const LONG: &[Duration] = &[Duration::from_secs(3600)];

fn letter(target: &str) -> Letter {
    let target = target.to_owned();
    Letter::new(&Alert::BreakerOpen { target }, Clock::System.now_ms())
}

struct Office {
    life: Lifecycle,
    letters: mpsc::Sender<Letter>,
    courier: JoinHandle<()>,
}

impl Office {
    fn open(receiver: &Receiver, dir: &Path, pauses: &'static [Duration]) -> Self {
        let life = Lifecycle::new();
        let (letters, courier) = courier(&life, receiver, dir, pauses);
        let courier = life.spawn(courier.run());
        Self {
            life,
            letters,
            courier,
        }
    }

    async fn send(&self, letter: &Letter) {
        self.letters.send(letter.clone()).await.unwrap();
    }

    /// Lets what is due go out, and no more.
    async fn close(self) {
        drop(self.letters);
        self.courier.await.unwrap();
    }

    /// Ends now.
    async fn cut(self) {
        self.life.hard().cancel();
        self.close().await;
    }
}

fn courier(
    life: &Lifecycle,
    receiver: &Receiver,
    dir: &Path,
    pauses: &'static [Duration],
) -> (mpsc::Sender<Letter>, Courier) {
    let (letters, inbox) = mpsc::channel(8);
    let courier = Courier {
        post: Arc::new(Post::new(receiver.webhook.clone()).unwrap()),
        shelf: Shelf::new(dir.to_owned(), life.clone()),
        queue: Queue::new(pauses),
        inbox,
        clock: Clock::System,
        hard: life.hard().clone(),
    };
    (letters, courier)
}

/// As a receiver checks it.
fn is_signed(heard: &Heard, receiver: &Receiver) -> bool {
    let (id, at) = (heard.id(), heard.header("webhook-timestamp"));
    let mut mac = receiver.webhook.keys[0].mac();
    mac.update(format!("{id}.{at}.{}", heard.body).as_bytes());
    let signature = heard.header("webhook-signature").strip_prefix("v1,");
    mac.verify_slice(&STANDARD.decode(signature.unwrap()).unwrap())
        .is_ok()
}

#[tokio::test]
async fn what_fails_is_tried_again_under_the_same_id_until_it_arrives() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let script = [
        Reply::Status(500),
        Reply::Redirect,
        Reply::Close,
        Reply::Status(404),
        Reply::Status(429),
    ];
    let mut receiver = Receiver::start(&servers, &script).await;
    let office = Office::open(&receiver, dir.path(), SHORT);
    let sent = letter("a");
    office.send(&sent).await;
    for n in 0..=script.len() {
        let heard = receiver.next().await;
        assert_eq!(
            (heard.id(), heard.path()),
            (sent.id.as_str(), "/hook"),
            "{n}"
        );
        assert_eq!(heard.body, sent.body);
        assert_eq!(heard.header("content-type"), "application/json");
        assert!(is_signed(&heard, &receiver), "{n}");
    }
    office.send(&letter("b")).await;
    assert_ne!(receiver.next().await.id(), sent.id, "it has arrived");
    office.close().await;
    assert!(receiver.heard.try_recv().is_err());
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_and_tried_again() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let mut receiver = Receiver::start(&servers, &[Reply::Hang]).await;
    let (letters, mut courier) = courier(&servers, &receiver, dir.path(), SHORT);
    let mut post = Post::new(receiver.webhook.clone()).unwrap();
    post.patience = Duration::from_millis(50);
    courier.post = Arc::new(post);
    servers.spawn(courier.run());
    let sent = letter("a");
    letters.send(sent.clone()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(receiver.next().await.id(), sent.id);
    }
    servers.hard().cancel();
}

#[tokio::test]
async fn a_restart_loses_none_and_keeps_their_order_and_ids() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let down = [Reply::Status(503), Reply::Hang, Reply::Hang];
    let mut receiver = Receiver::start(&servers, &down).await;
    let sent = [letter("a"), letter("b"), letter("c")];
    let office = Office::open(&receiver, dir.path(), LONG);
    for letter in &sent {
        office.send(letter).await;
    }
    assert_eq!(receiver.next().await.id(), sent[0].id);
    assert_eq!(receiver.next().await.id(), sent[1].id);
    office.cut().await;
    // What nobody had begun with is kept as well, and what was being tried.
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(3));
    let mut receiver = Receiver::start(&servers, &[]).await;
    let office = Office::open(&receiver, dir.path(), LONG);
    for letter in &sent {
        assert_eq!(receiver.next().await.id(), letter.id);
    }
    office.close().await;
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test]
async fn who_says_gone_is_not_asked_again() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let mut receiver = Receiver::start(&servers, &[Reply::Status(410)]).await;
    let office = Office::open(&receiver, dir.path(), SHORT);
    let sent = [letter("a"), letter("b")];
    for letter in &sent {
        office.send(letter).await;
        assert_eq!(receiver.next().await.id(), letter.id);
    }
    office.close().await;
    assert!(receiver.heard.try_recv().is_err());
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test]
async fn a_receiver_that_is_back_gets_at_once_what_it_missed() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let script = [Reply::Close, Reply::Status(500), Reply::Status(200)];
    let mut receiver = Receiver::start(&servers, &script).await;
    let office = Office::open(&receiver, dir.path(), LONG);
    let sent = [letter("a"), letter("b"), letter("c")];
    for letter in &sent {
        office.send(letter).await;
        assert_eq!(receiver.next().await.id(), letter.id);
    }
    assert_eq!(receiver.next().await.id(), sent[0].id);
    assert_eq!(receiver.next().await.id(), sent[1].id);
    office.close().await;
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test]
async fn of_an_answer_without_end_only_the_status_is_read() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let mut receiver = Receiver::start(&servers, &[Reply::Endless]).await;
    let office = Office::open(&receiver, dir.path(), SHORT);
    office.send(&letter("a")).await;
    receiver.next().await;
    office.close().await;
    assert!(receiver.heard.try_recv().is_err());
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test]
async fn a_letter_whose_days_are_over_is_given_up() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let mut receiver = Receiver::start(&servers, &[Reply::Status(500)]).await;
    let office = Office::open(&receiver, dir.path(), &[]);
    for letter in [letter("a"), letter("b")] {
        office.send(&letter).await;
        assert_eq!(receiver.next().await.id(), letter.id);
    }
    office.close().await;
    assert!(receiver.heard.try_recv().is_err());
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(0));
    servers.hard().cancel();
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(&servers, &[]).await;
    let (_letters, mut courier) = courier(&servers, &receiver, dir.path(), PAUSES);
    courier.shelf.open().await.unwrap();
    for n in 0..MOST + 10 {
        courier.take_in(letter(&n.to_string())).await;
    }
    assert_eq!(courier.queue.len(), MOST);
    drop(courier);
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(MOST as u64));
    servers.hard().cancel();
}

#[tokio::test]
async fn while_another_holds_the_directory_letters_wait_in_memory() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let receiver = Receiver::start(&servers, &[]).await;
    let (other, _) = Spool::open(dir.path(), Limits::default()).unwrap();
    let (_letters, mut courier) = courier(&servers, &receiver, dir.path(), PAUSES);
    let now = Instant::now();
    let mut state = State {
        is_closed: false,
        reopen: Some(now),
        is_troubled: false,
    };
    courier.open(&mut state).await;
    assert!(state.reopen.is_some_and(|at| at >= now + REOPEN));
    let waiting = letter("a");
    courier.take_in(waiting.clone()).await;
    let unkept = courier.queue.unkept();
    assert!(unkept.len() == 1 && *unkept[0] == waiting);
    drop(other);
    state.reopen = Some(now);
    courier.open(&mut state).await;
    assert!(state.reopen.is_none() && courier.queue.unkept().is_empty());
    drop(courier);
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(1));
    servers.hard().cancel();
}

#[tokio::test]
async fn what_is_no_letter_is_set_aside() {
    let (servers, dir) = (Lifecycle::new(), tempfile::tempdir().unwrap());
    let (mut spool, _) = Spool::open(dir.path(), Limits::default()).unwrap();
    let kept = letter("a");
    for payload in [b"{}".to_vec(), serde_json::to_vec(&kept).unwrap()] {
        spool
            .append(crate::spool::Class::Essential, &payload, 0)
            .unwrap();
    }
    drop(spool);
    let shelf = Shelf::new(dir.path().to_owned(), servers.clone());
    let found = shelf.open().await.unwrap();
    let letters: Vec<&Letter> = found.letters.iter().map(|(letter, _)| letter).collect();
    assert_eq!((letters, found.unreadable), (vec![&kept], 1));
    drop(shelf);
    assert_eq!(look(dir.path()).unwrap(), Left::Rows(1));
}
