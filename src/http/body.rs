//! Bodies: a request's, read within its bounds, and a turn's, which owns everything behind it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures::StreamExt as _;
use serde::Deserialize;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::doze::Doze;
use crate::pipeline::{MAX_BACKLOG_BYTES, Mouth};

use super::callers::EventMouth;
use super::error::Refusal;
use super::limits::Slot;
use super::words_first::ready_first;

/// How long a request's body may take, first byte to last.
pub(super) const BODY_WAIT: Duration = Duration::from_secs(5);
/// How often a silent stream says that it lives, where the caller's dialect takes it.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const COMMENT: &[u8] = b": keep-alive\n\n";
/// Words that come so soon after the last ones belong to a burst: more are likely to have come with them.
/// No model speaks as fast, token by token.
const BURST: Duration = Duration::from_millis(1);
/// No more of a burst waits for the rest of it, in bytes.
const MAX_GATHERED_BYTES: usize = 4 << 10;

/// Reads a JSON body of at most `limit` bytes within [`BODY_WAIT`].
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Bytes, Refusal> {
    if !is_json(request) {
        return Err(Refusal::MediaType);
    }
    take(request, payload, limit).await
}

/// The same of a body of any kind, such as a form.
pub(super) async fn take(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let declared = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok());
    let declared = declared.and_then(|v| v.parse::<usize>().ok()).unwrap_or(0);
    if declared > limit {
        return Err(Refusal::TooLarge(limit));
    }
    let all = async {
        let mut body = BytesMut::new();
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(|_| Refusal::Broken)?;
            if body.is_empty() && piece.len() == declared {
                return Ok(piece);
            }
            if body.len() + piece.len() > limit {
                return Err(Refusal::TooLarge(limit));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    };
    timeout(BODY_WAIT, all)
        .await
        .unwrap_or(Err(Refusal::Slow(BODY_WAIT)))
}

/// The fields of a JSON object.
///
/// # Errors
/// When the body is none, or not these.
pub(super) fn fields<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Refusal> {
    // Serde would take an array as well, in the order in which the fields stand in the code.
    if !body.trim_ascii_start().starts_with(b"{") {
        let wanted = "the body is to be a JSON object";
        return Err(Refusal::Invalid(wanted.to_owned()));
    }
    serde_json::from_slice(body).map_err(|e| Refusal::Invalid(e.to_string()))
}

/// `application/json`, `application/<x>+json`, or nothing declared at all.
fn is_json(request: &HttpRequest) -> bool {
    let Some(declared) = request.headers().get(CONTENT_TYPE) else {
        return true;
    };
    let declared = declared.to_str().unwrap_or_default();
    let essence = declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    subtype == "json" || subtype.ends_with("+json")
}

/// A mouth whose words go out as they come.
pub(super) trait Outlet: Mouth {
    /// Takes away what was said since the last taking.
    fn take(&mut self) -> Bytes;
}

impl Outlet for EventMouth {
    fn take(&mut self) -> Bytes {
        Self::take(self)
    }
}

/// A turn's response body. It owns the turn: dropping it drops the upstream response, the permit and
/// the guard with it.
pub(super) struct TurnBody<M> {
    /// `None` once the turn has ended; what it said may still have to be taken.
    turn: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Actix asks once more after each token; only what has woken is polled.
    doze: Doze,
    mouth: Rc<RefCell<M>>,
    /// When words were given last.
    given: Instant,
    /// Bytes that wait for the rest of their burst.
    gathered: usize,
    keep_alive: Option<Pin<Box<Sleep>>>,
    /// Given back with the body.
    _slots: [Slot; 2],
}

impl<M: Outlet> TurnBody<M> {
    pub(super) fn new(
        turn: impl Future<Output = ()> + 'static,
        mouth: Rc<RefCell<M>>,
        keeps_alive: bool,
    ) -> Self {
        let keep_alive = keeps_alive.then(|| Box::pin(sleep(KEEP_ALIVE)));
        Self {
            turn: Some(Box::pin(turn)),
            doze: Doze::default(),
            mouth,
            given: Instant::now(),
            gathered: 0,
            keep_alive,
            _slots: Default::default(),
        }
    }

    /// The same, counted among the open turns of its key and its session for as long as it lives.
    pub(super) fn counted(self, slots: [Slot; 2]) -> Self {
        Self {
            _slots: slots,
            ..self
        }
    }

    /// The same, begun: its request is on its way to a model before the caller's answer is put together and
    /// written. What it says meanwhile goes out with the first piece.
    ///
    /// # Cancellation
    /// As that of the body.
    pub(super) async fn begun(mut self) -> Self {
        poll_fn(|cx| {
            self.advance(cx);
            Poll::Ready(())
        })
        .await;
        // What is said by now goes out with the head, in one write; it need not wait for more.
        self.gathered = self.mouth.borrow().backlog();
        // Whoever writes to the model is among them.
        ready_first().await;
        self
    }

    /// Polls the turn, where something has woken it.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if let Some(turn) = &mut self.turn
            && self.doze.poll(cx, |cx| turn.as_mut().poll(cx)).is_ready()
        {
            self.turn = None;
        }
    }

    /// Whether what was said waits for one round of this thread's other tasks: a burst then goes out in one
    /// write, rather than in one a token. It waits no longer than rounds bring more of it.
    fn gathers(&mut self) -> bool {
        let waits = self.mouth.borrow().backlog();
        let brought = waits > std::mem::replace(&mut self.gathered, waits);
        let gathers = brought
            && waits < MAX_GATHERED_BYTES
            && self.turn.is_some()
            && self.given.elapsed() < BURST;
        if !gathers {
            self.gathered = 0;
        }
        gathers
    }

    fn comment(&mut self, cx: &mut Context<'_>) -> Option<Bytes> {
        let timer = self.keep_alive.as_mut()?;
        timer.as_mut().poll(cx).is_ready().then(|| {
            timer.as_mut().reset(Instant::now() + KEEP_ALIVE);
            // Polled once more so that the moved timer wakes us.
            let _ = timer.as_mut().poll(cx);
            Bytes::from_static(COMMENT)
        })
    }
}

impl<M: Outlet> MessageBody for TurnBody<M> {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        this.advance(cx);
        if this.gathers() {
            // Behind whoever brings what upstream has sent, in this thread's queue.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let said = this.mouth.borrow_mut().take();
        if !said.is_empty() {
            this.given = Instant::now();
            // A turn that waits for room waits for this taking.
            if said.len() >= MAX_BACKLOG_BYTES {
                this.doze.rouse();
            }
            if let Some(timer) = &mut this.keep_alive {
                timer.as_mut().reset(Instant::now() + KEEP_ALIVE);
            }
            return Poll::Ready(Some(Ok(said)));
        }
        if this.turn.is_none() {
            return Poll::Ready(None);
        }
        match this.comment(cx) {
            Some(comment) => Poll::Ready(Some(Ok(comment))),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for what it spawned"
)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::http::callers::Frame;

    /// One that has said what is said at once, before any word.
    fn mouth() -> Rc<RefCell<EventMouth>> {
        let frame = Frame {
            id: "chatcmpl-1".to_owned(),
            created: 0,
            model: "clm".to_owned(),
            fingerprint: "s".to_owned(),
            trace_id: "t".to_owned(),
        };
        let mouth = Rc::new(RefCell::new(EventMouth::new(&frame, false)));
        mouth.borrow_mut().take();
        mouth
    }

    async fn given(body: TurnBody<EventMouth>) -> Vec<String> {
        let mut body = Box::pin(body);
        let mut given = Vec::new();
        while let Some(Ok(piece)) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            given.push(String::from_utf8(piece.to_vec()).unwrap());
        }
        given
    }

    /// What a body gives, piece by piece, whose turn says these words each so many milliseconds after the one
    /// before, brought one by one by another task of the thread.
    async fn pieces(words: Vec<(u64, String)>) -> Vec<String> {
        let mouth = mouth();
        let (sender, mut receiver) = mpsc::channel::<String>(1);
        tokio::spawn(async move {
            for (after, words) in words {
                sleep(Duration::from_millis(after)).await;
                sender.send(words).await.unwrap();
            }
        });
        let speaking = Rc::clone(&mouth);
        let turn = async move {
            while let Some(words) = receiver.recv().await {
                speaking.borrow_mut().words(&words);
            }
        };
        given(TurnBody::new(turn, mouth, false)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_has_asked_before_its_body_is_given_and_is_heard_after() {
        for after in [0, 50] {
            let (ask, asked) = oneshot::channel();
            let (answer, answered) = oneshot::channel();
            let is_asked = Arc::new(AtomicBool::new(false));
            let model = Arc::clone(&is_asked);
            tokio::spawn(async move {
                asked.await.unwrap();
                model.store(true, Ordering::Relaxed);
                sleep(Duration::from_millis(after)).await;
                answer.send("Hello.").unwrap();
            });
            let mouth = mouth();
            mouth.borrow_mut().words("At once.");
            let speaking = Rc::clone(&mouth);
            let turn = async move {
                ask.send(()).unwrap();
                let words = answered.await.unwrap();
                speaking.borrow_mut().words(words);
            };
            let mut body = TurnBody::new(turn, mouth, false).begun().await;
            assert!(is_asked.load(Ordering::Relaxed), "{after}");
            if after > 0 {
                let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_next(cx))).await;
                assert!(first.is_ready(), "it goes out with the head");
            }
            let given = given(body).await;
            assert!(given.concat().contains("Hello."), "{after}: {given:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_words_that_come_singly_do_not_wait() {
        let words = [
            (0, "a"),
            (0, "b"),
            (0, "c"),
            (2, "d"),
            (2, "e"),
            (0, "f"),
            (0, "g"),
        ];
        let words = words.map(|(after, words)| (after, words.to_owned()));
        let given = pieces(words.to_vec()).await;
        let said = |piece: &String| piece.matches("\"content\":").count();
        assert_eq!(
            given.iter().map(said).collect::<Vec<_>>(),
            [3, 1, 1, 2],
            "{given:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_that_does_not_end_goes_out_in_parts() {
        let long = "x".repeat(300);
        let given = pieces(vec![(0, long.clone()); 200]).await;
        assert_eq!(given.concat().matches(&long).count(), 200);
        let longest = given.iter().map(String::len).max().unwrap();
        assert!(
            (MAX_GATHERED_BYTES..MAX_GATHERED_BYTES + 1000).contains(&longest),
            "{longest}"
        );
    }
}
