//! Bodies: a request's, read within its bounds, and a turn's, which owns everything behind it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::callers::EventMouth;
use super::error::Refusal;
use super::limits::Slot;

/// How long a request's body may take, first byte to last.
pub(super) const BODY_WAIT: Duration = Duration::from_secs(5);
/// How often a silent stream says that it lives, where the caller's dialect takes it.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const COMMENT: &[u8] = b": keep-alive\n\n";

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
pub(super) trait Outlet {
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
    mouth: Rc<RefCell<M>>,
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
            mouth,
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
        if let Some(turn) = &mut this.turn
            && turn.as_mut().poll(cx).is_ready()
        {
            this.turn = None;
        }
        let said = this.mouth.borrow_mut().take();
        if !said.is_empty() {
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
