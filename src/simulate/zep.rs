//! The simulated Zep: `/api/v2`, the v3 dialect.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::memory_fault::MemoryFault;
use super::server::{Request, State, drop_connection};
use super::store::{Store, StoredMessage, StoredThread, StoredUser};
use crate::clock::{self, Clock};

const MAX_MESSAGES: usize = 30;
const MAX_CHARS: usize = 4096;
/// Characters that a search answers with, unless it asks for others.
const FOUND_CHARS: u64 = 2_500;
const MAX_FOUND_CHARS: u64 = 50_000;
const HUGE_BYTES: usize = 5 << 20;

/// Answers a request whose path goes on with `path` after `/api/v2`.
pub(super) async fn answer(state: &State, request: &Request, path: &[&str]) -> HttpResponse {
    let options = state.options();
    tokio::time::sleep(options.memory_latency).await;
    if options.require_key && !request.has_key("Api-Key ") {
        return plain(StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let searches = path == ["graph", "search"];
    let writes = request.method == Method::POST && !searches;
    match options.memory_fault {
        Some(MemoryFault::Slow(wait)) => tokio::time::sleep(wait).await,
        Some(MemoryFault::Hang) => std::future::pending().await,
        Some(MemoryFault::SearchHangs) if searches => std::future::pending().await,
        Some(MemoryFault::Internal) => return internal(),
        Some(MemoryFault::WritesFail) if writes => return internal(),
        Some(MemoryFault::HtmlBadGateway) => {
            return HttpResponse::BadGateway()
                .content_type("text/html; charset=UTF-8")
                .body("<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>");
        }
        Some(MemoryFault::PlainUnauthorized) => {
            return plain(StatusCode::UNAUTHORIZED, "unauthorized");
        }
        Some(MemoryFault::RateLimited) => {
            return HttpResponse::TooManyRequests()
                .content_type("text/plain")
                .insert_header(("retry-after", "60"))
                .insert_header(("x-ratelimit-limit", "300"))
                .insert_header(("x-ratelimit-remaining", "-43"))
                .body("Rate limit exceeded for FREE plan");
        }
        Some(MemoryFault::Garbage) => {
            return HttpResponse::Ok()
                .content_type("application/json")
                .body("{\"context\": \"Ines");
        }
        Some(MemoryFault::Down) => return drop_connection(),
        _ => {}
    }
    let mut call = ZepRequest {
        state,
        body: &request.body,
        fault: options.memory_fault,
        lastn: request.query("lastn").and_then(|n| n.parse().ok()),
    };
    call.route(&request.method, path)
}

struct ZepRequest<'a> {
    state: &'a State,
    body: &'a Value,
    fault: Option<MemoryFault>,
    /// Of a thread's messages, the newest so many.
    lastn: Option<usize>,
}

impl ZepRequest<'_> {
    fn route(&mut self, method: &Method, path: &[&str]) -> HttpResponse {
        let state = self.state;
        let mut store = state.ledger.store();
        let method = method.as_str();
        if let ["threads", id, _] = path
            && self.fault == Some(MemoryFault::ThreadMissingOnce)
            && store.first_miss(id)
        {
            return missing("thread not found");
        }
        match (method, path) {
            ("POST", ["users"]) => self.create_user(&mut store),
            ("GET", ["users", id]) => match store.user(id) {
                Some(user) => reply(StatusCode::OK, &user_json(user)),
                None => missing("user not found"),
            },
            ("DELETE", ["users", id]) => gone(store.remove_user(id), "user not found"),
            ("GET", ["users", id, "warm"]) => match store.context(id) {
                Some(_) => message(StatusCode::OK, "warm cache hint sent"),
                None => missing("user graph not found"),
            },
            ("POST", ["threads"]) => self.create_thread(&mut store),
            ("DELETE", ["threads", id]) => gone(store.remove_thread(id), "thread not found"),
            ("GET", ["threads", id, "context"]) => self.context(&store, id),
            ("POST", ["threads", id, "messages"]) => self.add_messages(&mut store, id),
            ("GET", ["threads", id, "messages"]) => match store.thread(id) {
                Some(thread) => reply(StatusCode::OK, &messages_json(thread, self.lastn)),
                None => missing("thread not found"),
            },
            ("POST", ["graph", "search"]) => self.search(&store),
            ("GET", ["projects", "info"]) => reply(
                StatusCode::OK,
                &json!({"project": {"uuid": state.uuid(), "name": "simulated"}}),
            ),
            _ => missing("not found"),
        }
    }

    fn create_user(&self, store: &mut Store) -> HttpResponse {
        let Some(user_id) = text(self.body, "user_id") else {
            return message(StatusCode::BAD_REQUEST, "user_id is required");
        };
        let user = StoredUser {
            user_id: user_id.clone(),
            first_name: text(self.body, "first_name"),
            created_at: now(),
            body: self.body.clone(),
            ..StoredUser::default()
        };
        let made = user_json(&user);
        if store.add_user(user) {
            reply(StatusCode::CREATED, &made)
        } else {
            let told = format!("user already exists with user_id: {user_id}");
            message(StatusCode::BAD_REQUEST, &told)
        }
    }

    fn create_thread(&self, store: &mut Store) -> HttpResponse {
        let (Some(thread_id), Some(user_id)) =
            (text(self.body, "thread_id"), text(self.body, "user_id"))
        else {
            return message(
                StatusCode::BAD_REQUEST,
                "thread_id and user_id are required",
            );
        };
        if thread_id.chars().count() > 500 {
            return message(StatusCode::BAD_REQUEST, "thread_id is too long");
        }
        if store.user(&user_id).is_none() {
            return missing("user not found");
        }
        let thread = StoredThread {
            thread_id: thread_id.clone(),
            user_id: user_id.clone(),
            created_at: now(),
            ..StoredThread::default()
        };
        let made = json!({"uuid": self.state.uuid(), "thread_id": thread_id, "user_id": user_id,
            "created_at": thread.created_at});
        if store.add_thread(thread) {
            reply(StatusCode::CREATED, &made)
        } else {
            let told = format!("session with id {thread_id} already exists");
            message(StatusCode::BAD_REQUEST, &told)
        }
    }

    fn context(&self, store: &Store, thread_id: &str) -> HttpResponse {
        let Some(thread) = store.thread(thread_id) else {
            return missing("thread not found");
        };
        reply(StatusCode::OK, &self.context_json(store, &thread.user_id))
    }

    fn context_json(&self, store: &Store, user_id: &str) -> Value {
        match self.fault {
            Some(MemoryFault::EmptyContext) => json!({"context": ""}),
            Some(MemoryFault::MissingContext) => json!({}),
            Some(MemoryFault::HugeContext) => {
                let line = "  - The user mentioned one more thing. (2026-01-01 00:00:00+00:00 - present)\n";
                let facts = line.repeat(HUGE_BYTES.div_ceil(line.len()));
                json!({"context": format!("<FACTS>\n{facts}</FACTS>")})
            }
            _ => store
                .context(user_id)
                .map_or_else(|| json!({}), |context| json!({"context": context})),
        }
    }

    /// The one scope that answers with a text.
    fn search(&self, store: &Store) -> HttpResponse {
        let (Some(user_id), Some(query)) = (text(self.body, "user_id"), text(self.body, "query"))
        else {
            return message(StatusCode::BAD_REQUEST, "user_id and query are required");
        };
        if text(self.body, "scope").as_deref() != Some("auto") {
            return message(StatusCode::BAD_REQUEST, "only scope auto is simulated");
        }
        let most = self.body.get("max_characters").and_then(Value::as_u64);
        let most = most.unwrap_or(FOUND_CHARS).min(MAX_FOUND_CHARS);
        match self.fault {
            Some(MemoryFault::EmptyContext) => reply(StatusCode::OK, &json!({"context": ""})),
            Some(MemoryFault::MissingContext) => reply(StatusCode::OK, &json!({})),
            _ if store.user(&user_id).is_none() => missing("user not found"),
            _ => {
                let found = store.search(&user_id, &query, usize::try_from(most).unwrap_or(0));
                reply(StatusCode::OK, &json!({"context": found}))
            }
        }
    }

    fn add_messages(&self, store: &mut Store, thread_id: &str) -> HttpResponse {
        if self.fault == Some(MemoryFault::Quota) {
            let told = "forbidden: Account is over the episode usage limit";
            return message(StatusCode::FORBIDDEN, told);
        }
        let Some(user_id) = store.thread(thread_id).map(|thread| thread.user_id.clone()) else {
            return missing("thread not found");
        };
        let Some(messages) = self.body.get("messages").and_then(Value::as_array) else {
            return message(StatusCode::BAD_REQUEST, "messages is required");
        };
        if messages.len() > MAX_MESSAGES {
            return message(
                StatusCode::BAD_REQUEST,
                "messages may not have more than 30 items",
            );
        }
        let stored: Option<Vec<StoredMessage>> =
            messages.iter().map(|item| self.stored(item)).collect();
        let Some(stored) = stored else {
            return message(
                StatusCode::BAD_REQUEST,
                "each message needs a role and a content",
            );
        };
        if stored
            .iter()
            .any(|item| item.content.chars().count() > MAX_CHARS)
        {
            return message(
                StatusCode::BAD_REQUEST,
                "content may not be longer than 4096 characters",
            );
        }
        let uuids: Vec<&str> = stored.iter().map(|item| item.uuid.as_str()).collect();
        let mut made = json!({"message_uuids": uuids, "task_id": self.state.uuid()});
        store.add_messages(thread_id, stored);
        if self.body.get("return_context") == Some(&Value::Bool(true))
            && let (Some(made), Value::Object(context)) =
                (made.as_object_mut(), self.context_json(store, &user_id))
        {
            made.extend(context);
        }
        reply(StatusCode::OK, &made)
    }

    fn stored(&self, item: &Value) -> Option<StoredMessage> {
        Some(StoredMessage {
            uuid: self.state.uuid(),
            role: text(item, "role")?,
            name: text(item, "name"),
            content: item.get("content")?.as_str()?.to_owned(),
            created_at: text(item, "created_at").unwrap_or_else(now),
        })
    }
}

fn text(body: &Value, field: &str) -> Option<String> {
    let text = body.get(field)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn now() -> String {
    clock::rfc3339(Clock::System.now_ms())
}

fn user_json(user: &StoredUser) -> Value {
    json!({"user_id": user.user_id, "first_name": user.first_name, "created_at": user.created_at,
        "email": user.body.get("email"), "last_name": user.body.get("last_name"),
        "metadata": user.body.get("metadata"), "time_zone": user.body.get("time_zone")})
}

fn messages_json(thread: &StoredThread, lastn: Option<usize>) -> Value {
    let all = thread.messages.len();
    let skipped = all.saturating_sub(lastn.unwrap_or(all));
    let messages: Vec<&StoredMessage> = thread.messages.iter().skip(skipped).collect();
    json!({"messages": messages, "row_count": messages.len(),
        "total_count": all, "user_id": thread.user_id,
        "thread_created_at": thread.created_at})
}

fn reply(status: StatusCode, body: &Value) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header(("x-ratelimit-limit", "600"))
        .insert_header(("x-ratelimit-remaining", "599"))
        .insert_header(("x-ratelimit-increment", "1"))
        .json(body)
}

fn message(status: StatusCode, told: &str) -> HttpResponse {
    if status.is_success() {
        return reply(status, &json!({"message": told}));
    }
    reply(status, &json!({"message": told, "request_id": "simulated"}))
}

fn missing(told: &str) -> HttpResponse {
    message(StatusCode::NOT_FOUND, told)
}

fn internal() -> HttpResponse {
    message(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
}

fn gone(was_there: bool, told: &str) -> HttpResponse {
    if was_there {
        message(StatusCode::OK, "OK")
    } else {
        missing(told)
    }
}

fn plain(status: StatusCode, told: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .body(told)
}
