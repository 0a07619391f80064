//! The client of Zep Cloud, v3 dialect: one method per thing this service wants of it.
//!
//! Our ids are derived, so nothing has to be stored to find a person again; users and threads are
//! created when Zep first says that it does not know them. A write that may have been applied (a
//! server error, a read timeout) is never repeated: v3 has no idempotency key.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use lru::LruCache;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::time::timeout;

use super::Person;
use super::error::MemoryError;
use super::store::{Found, Line, Reception, Told};
use super::wire::{self, Verdict};
use crate::clock::Clock;
use crate::lifecycle::give_way;
use crate::outbound::{self, Direct};

/// A question in all, with whatever has to be created for it. Longer than any turn waits: the
/// answer is for the next one then.
const READ: Duration = Duration::from_secs(5);
/// One call of a write. Nobody waits for it, and giving up early would lose what may yet arrive.
const WRITE: Duration = Duration::from_secs(15);
/// Users and threads remembered as created.
const KNOWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(32_767);

/// See the module's words.
pub(super) struct Zep {
    http: Direct,
    base: String,
    /// Of each request: who asks, with which key, for what.
    headers: HeaderMap,
    clock: Clock,
    /// Ids of users and threads that exist; their prefixes keep them apart.
    known: Mutex<LruCache<Arc<str>, ()>>,
}

impl Zep {
    pub(super) fn new(base: &str, key: &SecretString, clock: Clock) -> Result<Self, MemoryError> {
        let mut key = HeaderValue::from_str(&format!("Api-Key {}", key.expose_secret()))
            .map_err(MemoryError::Key)?;
        key.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, key);
        headers.insert(USER_AGENT, HeaderValue::from_static(outbound::USER_AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        Ok(Self {
            http: outbound::direct()?,
            base: base.to_owned(),
            headers,
            clock,
            known: Mutex::new(LruCache::sparse(KNOWN)),
        })
    }

    /// What is known of `who`, within 5 s.
    pub(super) async fn recall(&self, who: &Person) -> Result<Found, MemoryError> {
        timeout(READ, self.look_up(who))
            .await
            .unwrap_or(Err(MemoryError::Timeout))
    }

    async fn look_up(&self, who: &Person) -> Result<Found, MemoryError> {
        if let Some(found) = self.context(who).await? {
            return Ok(found);
        }
        // A person who comes back in a new session has a memory but not yet this thread.
        match self.post(&["threads"], &wire::new_thread(who)).await? {
            Verdict::Done | Verdict::Exists => {
                self.learn(&who.user);
                self.learn(&who.thread);
                Ok(self.context(who).await?.unwrap_or(Found::Nothing))
            }
            Verdict::Missing | Verdict::Failed(MemoryError::Status(400)) => {
                self.forget(who);
                Ok(Found::Stranger)
            }
            Verdict::Failed(error) => Err(error),
        }
    }

    /// The thread's context; none when the thread is not there.
    async fn context(&self, who: &Person) -> Result<Option<Found>, MemoryError> {
        let url = wire::url(&self.base, &["threads", &who.thread, "context"]);
        let response = self.send(Method::GET, url, None).await?;
        if !response.status().is_success() {
            return match self.verdict(response).await {
                Verdict::Missing => Ok(None),
                Verdict::Failed(error) => Err(error),
                Verdict::Done | Verdict::Exists => Err(MemoryError::Status(409)),
            };
        }
        let body = read(response, wire::CONTEXT_BYTES).await?;
        self.learn(&who.user);
        self.learn(&who.thread);
        Ok(Some(match wire::context(&body)? {
            Some(context) => Found::Context(Arc::from(context)),
            None => Found::Nothing,
        }))
    }

    /// What is known of `who` that bears on `question`, within 5 s; none where there is no such person.
    pub(super) async fn search(
        &self,
        who: &Person,
        question: &str,
    ) -> Result<Option<Arc<str>>, MemoryError> {
        timeout(READ, self.look_for(who, question))
            .await
            .unwrap_or(Err(MemoryError::Timeout))
    }

    async fn look_for(
        &self,
        who: &Person,
        question: &str,
    ) -> Result<Option<Arc<str>>, MemoryError> {
        let url = wire::url(&self.base, &["graph", "search"]);
        let body = json(&wire::search(who, question))?;
        let response = self.send(Method::POST, url, Some(body)).await?;
        if !response.status().is_success() {
            return match self.verdict(response).await {
                Verdict::Missing => Ok(None),
                Verdict::Failed(error) => Err(error),
                Verdict::Done | Verdict::Exists => Err(MemoryError::Status(409)),
            };
        }
        let body = read(response, wire::CONTEXT_BYTES).await?;
        Ok(wire::context(&body)?.map(Arc::from))
    }

    /// Sees to it that `who` exists, user before thread, each asked for at most once.
    pub(super) async fn introduce(&self, who: &Person) -> Result<Reception, MemoryError> {
        if !self.knows(&who.user) {
            match self.write_call(&["users"], &wire::new_user(who)).await? {
                Verdict::Done | Verdict::Exists => self.learn(&who.user),
                Verdict::Missing => return Err(MemoryError::Status(404)),
                Verdict::Failed(error) => return Err(error),
            }
        }
        if !self.knows(&who.thread) {
            match self
                .write_call(&["threads"], &wire::new_thread(who))
                .await?
            {
                Verdict::Done | Verdict::Exists => self.learn(&who.thread),
                // The user we thought we knew is gone, or not yet there for this endpoint.
                Verdict::Missing | Verdict::Failed(MemoryError::Status(400)) => {
                    self.forget(who);
                    return Ok(Reception::Stranger);
                }
                Verdict::Failed(error) => return Err(error),
            }
        }
        Ok(Reception::Accepted)
    }

    /// Adds `lines` to the thread of `who`, who must have been introduced.
    pub(super) async fn write(
        &self,
        who: &Person,
        lines: &[Line],
    ) -> Result<Reception, MemoryError> {
        let path = ["threads", &who.thread, "messages"];
        match self.write_call(&path, &wire::messages(lines)).await? {
            Verdict::Done => Ok(Reception::Accepted),
            Verdict::Missing => {
                self.forget(who);
                Ok(Reception::Stranger)
            }
            Verdict::Exists => Err(MemoryError::Status(409)),
            Verdict::Failed(error) => Err(error),
        }
    }

    /// The thread's newest messages, at most 200 of them, within 15 s; none where there is no thread.
    pub(super) async fn told(&self, who: &Person) -> Result<Vec<Told>, MemoryError> {
        timeout(WRITE, self.messages(who))
            .await
            .unwrap_or(Err(MemoryError::Timeout))
    }

    async fn messages(&self, who: &Person) -> Result<Vec<Told>, MemoryError> {
        let mut url = wire::url(&self.base, &["threads", &who.thread, "messages"]);
        url.push_str(&format!("?lastn={}", wire::TOLD));
        let response = self.send(Method::GET, url, None).await?;
        if !response.status().is_success() {
            return match self.verdict(response).await {
                Verdict::Missing => Ok(Vec::new()),
                Verdict::Failed(error) => Err(error),
                Verdict::Done | Verdict::Exists => Err(MemoryError::Status(409)),
            };
        }
        wire::told(&read(response, wire::TOLD_BYTES).await?)
    }

    /// Erases the user with all threads and whatever was drawn from them, within 15 s; false when
    /// there was no such user.
    pub(super) async fn erase(&self, user: &str) -> Result<bool, MemoryError> {
        let url = wire::url(&self.base, &["users", user]);
        let erased = timeout(WRITE, async {
            let response = self.send(Method::DELETE, url, None).await?;
            Ok(self.verdict(response).await)
        });
        let erased = erased.await.unwrap_or(Err(MemoryError::Timeout))?;
        self.lock().pop(user);
        match erased {
            Verdict::Done => Ok(true),
            Verdict::Missing => Ok(false),
            Verdict::Exists => Err(MemoryError::Status(409)),
            Verdict::Failed(error) => Err(error),
        }
    }

    /// Forgets that `who` was created, so that the next write sees to it.
    fn forget(&self, who: &Person) {
        let mut known = self.lock();
        known.pop(&who.user);
        known.pop(&who.thread);
    }

    async fn write_call<B: Serialize + Sync>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<Verdict, MemoryError> {
        // Several are often made and answered at once.
        give_way();
        timeout(WRITE, self.post(path, body))
            .await
            .unwrap_or(Err(MemoryError::Timeout))
    }

    async fn post<B: Serialize + Sync>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<Verdict, MemoryError> {
        let url = wire::url(&self.base, path);
        let response = self.send(Method::POST, url, Some(json(body)?)).await?;
        Ok(self.verdict(response).await)
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>, MemoryError> {
        let is_json = body.is_some();
        let mut request = Request::new(Full::new(Bytes::from(body.unwrap_or_default())));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(url).map_err(MemoryError::Address)?;
        self.headers.clone_into(request.headers_mut());
        if is_json {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        Ok(self.http.request(request).await?)
    }

    /// What an answer whose body is of no interest means. The status has decided by the time the
    /// body is read, so a body that breaks off changes nothing.
    async fn verdict(&self, response: Response<Incoming>) -> Verdict {
        let status = response.status().as_u16();
        let wait = self.wait(response.headers());
        let mut answer = response.into_body();
        let mut body = Vec::new();
        while body.len() < wire::ANSWER_BYTES {
            match answer.frame().await {
                Some(Ok(frame)) => body.extend_from_slice(frame.data_ref().map_or(&[], |d| d)),
                Some(Err(_)) | None => break,
            }
        }
        wire::judge(status, wait, &body)
    }

    fn wait(&self, headers: &HeaderMap) -> Duration {
        let reset = headers.get("x-ratelimit-reset");
        let text = |value: Option<&'_ HeaderValue>| -> Option<String> {
            value.and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        wire::wait(
            text(headers.get(RETRY_AFTER)).as_deref(),
            text(reset).as_deref(),
            self.clock.now_s(),
        )
    }

    fn knows(&self, id: &str) -> bool {
        self.lock().get(id).is_some()
    }

    fn learn(&self, id: &Arc<str>) {
        self.lock().put(Arc::clone(id), ());
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Arc<str>, ()>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json<B: Serialize>(body: &B) -> Result<Vec<u8>, MemoryError> {
    serde_json::to_vec(body).map_err(MemoryError::Body)
}

/// The whole body, as long as it keeps within `limit` bytes.
async fn read(response: Response<Incoming>, limit: usize) -> Result<Vec<u8>, MemoryError> {
    let mut answer = response.into_body();
    let mut body = Vec::new();
    while let Some(frame) = answer.frame().await {
        let frame = frame?;
        let Some(piece) = frame.data_ref() else {
            continue;
        };
        if body.len() + piece.len() > limit {
            return Err(MemoryError::TooLarge { limit });
        }
        body.extend_from_slice(piece);
    }
    Ok(body)
}
