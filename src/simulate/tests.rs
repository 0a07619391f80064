//! The simulator over a real socket, family by family.

mod books;
mod streams;

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::outbound;

struct Rig {
    simulator: Simulator,
    client: reqwest::Client,
}

impl Rig {
    async fn start() -> Self {
        Self::with(Options {
            first_token: Duration::from_millis(2),
            gap: Duration::from_millis(1),
            memory_latency: Duration::ZERO,
            ..Options::default()
        })
        .await
    }

    async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let simulator = Simulator::start(listener, options, &Lifecycle::new())
            .await
            .unwrap();
        Self {
            simulator,
            client: outbound::client().unwrap(),
        }
    }

    fn chat(&self, body: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}/chat/completions", self.simulator.openrouter_url());
        self.client.post(url).json(body)
    }

    async fn open(&self, model: &str) -> reqwest::Response {
        self.chat(&turn(model)).send().await.unwrap()
    }

    async fn zep(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.simulator.zep_url());
        let request = self.client.request(method.parse().unwrap(), url);
        let response = request.json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    async fn until(&self, holds: impl Fn(&Ledger) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !holds(self.simulator.ledger()) {
            assert!(
                Instant::now() < deadline,
                "{}",
                self.simulator.ledger().to_json()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn turn(model: &str) -> Value {
    json!({"model": model, "stream": true, "messages": [
        {"role": "system", "content": "You are the career coach."},
        {"role": "user", "content": "Should I take the new job?"}]})
}

#[tokio::test]
async fn zep_keeps_users_threads_and_messages() {
    let rig = Rig::start().await;
    let user = json!({"user_id": "a/b", "first_name": "Ines", "last_name": null});
    let thread = json!({"thread_id": "t 1", "user_id": "a/b"});
    assert_eq!(
        rig.zep("POST", "/threads", thread.clone()).await.1["message"],
        "user not found"
    );
    assert_eq!(rig.zep("POST", "/users", user.clone()).await.0, 201);
    let (status, again) = rig.zep("POST", "/users", user).await;
    assert_eq!(
        (status, &again["message"]),
        (400, &json!("user already exists with user_id: a/b"))
    );
    assert_eq!(rig.zep("GET", "/users/a%2Fb/warm", json!({})).await.0, 404);
    assert_eq!(
        rig.zep("GET", "/threads/t%201/context", json!({})).await.0,
        404
    );
    assert_eq!(rig.zep("POST", "/threads", thread.clone()).await.0, 201);
    let (status, again) = rig.zep("POST", "/threads", thread).await;
    assert_eq!(
        (status, &again["message"]),
        (400, &json!("session with id t 1 already exists"))
    );
    assert_eq!(
        rig.zep("GET", "/threads/t%201/context", json!({})).await,
        (200, json!({}))
    );
    let said = json!({"messages": [{"role": "user", "name": null, "content": "I froze again."},
        {"role": "assistant", "content": "Where?"}], "return_context": true});
    let (status, made) = rig.zep("POST", "/threads/t%201/messages", said).await;
    assert_eq!(
        (status, made["message_uuids"].as_array().unwrap().len()),
        (200, 2)
    );
    assert!(
        made["context"]
            .as_str()
            .unwrap()
            .contains("- Ines said: I froze again. (")
    );
    let (_, context) = rig.zep("GET", "/threads/t%201/context", json!({})).await;
    assert_eq!(context["context"], made["context"]);
    let long = json!({"messages": [{"role": "user", "content": "é".repeat(4097)}]});
    assert_eq!(
        rig.zep("POST", "/threads/t%201/messages", long).await.0,
        400
    );
    let many = json!({"messages": vec![json!({"role": "user", "content": "a"}); 31]});
    assert_eq!(
        rig.zep("POST", "/threads/t%201/messages", many).await.0,
        400
    );
    assert_eq!(rig.simulator.ledger().zep_threads()[0].messages.len(), 2);
    assert_eq!(
        rig.zep("GET", "/threads/t%201/messages", json!({})).await.1["row_count"],
        2
    );
    let newest = rig.zep("GET", "/threads/t%201/messages?lastn=1", json!({}));
    let newest = newest.await.1;
    assert_eq!(
        (&newest["row_count"], &newest["total_count"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(newest["messages"][0]["role"], "assistant");
    assert_eq!(rig.zep("DELETE", "/users/a%2Fb", json!({})).await.0, 200);
    assert_eq!(rig.zep("DELETE", "/users/a%2Fb", json!({})).await.0, 404);
    assert_eq!(
        rig.zep("GET", "/threads/t%201/messages", json!({})).await.0,
        404
    );
    assert_eq!(
        rig.simulator.ledger().zep()[3].path,
        "/api/v2/users/a%2Fb/warm"
    );
}

#[tokio::test]
async fn memory_goes_wrong_as_told() {
    let rig = Rig::start().await;
    rig.simulator.seed_memory("u", &["Ines leads a team."]);
    rig.zep(
        "POST",
        "/threads",
        json!({"thread_id": "t", "user_id": "u"}),
    )
    .await;
    let url = format!("http://{}/__options", rig.simulator.addr());
    let said = json!({"messages": [{"role": "user", "content": "Hi"}]});
    for (fault, read, write) in [
        ("500", 500, 500),
        ("html-502", 502, 502),
        ("401-text", 401, 401),
        ("403-quota", 200, 403),
        ("429-text", 429, 429),
        ("404-thread-once", 404, 200),
        ("empty", 200, 200),
        ("write-500", 200, 500),
        ("slow:5", 200, 200),
        ("garbage", 200, 200),
        ("huge", 200, 200),
        ("missing-context", 200, 200),
    ] {
        let set = rig
            .client
            .post(&url)
            .json(&json!({"memory_fault": fault}))
            .send();
        assert_eq!(set.await.unwrap().status(), 200);
        assert_eq!(
            rig.zep("GET", "/threads/t/context", json!({})).await.0,
            read,
            "{fault}"
        );
        assert_eq!(
            rig.zep("POST", "/threads/t/messages", said.clone()).await.0,
            write,
            "{fault}"
        );
        let search = json!({"user_id": "u", "query": "a team", "scope": "auto"});
        let found = rig.zep("POST", "/graph/search", search).await;
        assert_eq!(found.0, if read == 404 { 200 } else { read }, "{fault}");
    }
    let set = |fault| {
        rig.simulator.set_options(Options {
            memory_fault: fault,
            ..rig.simulator.options()
        })
    };
    set(Some(MemoryFault::Down));
    let context = format!("{}/threads/t/context", rig.simulator.zep_url());
    let error = rig.client.get(&context).send().await.unwrap_err();
    assert!(error.is_request() && error.status().is_none(), "{error:?}");
    set(Some(MemoryFault::Hang));
    let asked = rig.simulator.ledger().zep().len();
    tokio::select! {
        _ = rig.client.get(&context).send() => panic!("a hanging memory answered"),
        () = rig.until(|ledger| ledger.zep().len() > asked) => {}
    }
    let bad = rig
        .client
        .post(&url)
        .json(&json!({"gap_ms": 1, "speed": 2}))
        .send();
    assert_eq!(bad.await.unwrap().status(), 400);
}

#[tokio::test]
async fn keys_are_asked_for_when_told() {
    let rig = Rig::with(Options {
        require_key: true,
        ..Options::default()
    })
    .await;
    assert_eq!(rig.open("ok").await.status(), 401);
    assert_eq!(
        rig.chat(&turn("402"))
            .bearer_auth("k")
            .send()
            .await
            .unwrap()
            .status(),
        402
    );
    let info = rig
        .client
        .get(format!("{}/projects/info", rig.simulator.zep_url()));
    let refused = info
        .try_clone()
        .unwrap()
        .bearer_auth("k")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.text().await.unwrap(), "unauthorized");
    let taken = info
        .header("authorization", "Api-Key k")
        .send()
        .await
        .unwrap();
    assert_eq!(taken.status(), 200);
}

#[tokio::test]
async fn the_hard_token_breaks_what_runs_and_frees_the_socket() {
    let life = Lifecycle::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let simulator = Simulator::start(listener, Options::default(), &life)
        .await
        .unwrap();
    let client = outbound::client().unwrap();
    let url = format!("{}/chat/completions", simulator.openrouter_url());
    let response = client
        .post(url)
        .json(&turn("stall:0"))
        .send()
        .await
        .unwrap();
    life.hard().cancel();
    tokio::time::timeout(Duration::from_secs(5), life.drained())
        .await
        .unwrap();
    assert!(response.bytes().await.is_err());
    let call = simulator.ledger().chats().remove(0);
    assert_eq!(call.end.map(|(end, _)| end), Some(CallEnd::Broken));
    assert!(TcpListener::bind(simulator.addr()).is_ok());
}
