//! What the operator is told, by signed webhooks, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use quest_clm::lifecycle::Lifecycle;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::app::{TestApp, until};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Somebody who takes webhooks and checks what signs them.
struct Receiver {
    url: String,
    taken: Arc<Mutex<Vec<Value>>>,
    _life: Lifecycle,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let taken: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (life, taking) = (Lifecycle::new(), Arc::clone(&taken));
        life.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let event = loop {
                    stream.read_buf(&mut bytes).await.unwrap();
                    if let Some(event) = event(&bytes) {
                        break event;
                    }
                };
                taking.lock().unwrap().push(event);
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        });
        Self {
            url,
            taken,
            _life: life,
        }
    }

    async fn app(&self, settings: &[(&str, &str)]) -> TestApp {
        let own = [
            ("ALERT_WEBHOOK_URL", self.url.as_str()),
            ("ALERT_WEBHOOK_SECRET", SECRET),
            ("ALLOW_PRIVATE_WEBHOOKS", "true"),
        ];
        TestApp::spawn(&[&own, settings].concat()).await
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        let of_kind = taken.iter().filter(|event| event["type"] == kind);
        of_kind.cloned().collect()
    }

    async fn told(&self, kind: &str) -> Value {
        until(kind, async || self.of(kind).first().cloned()).await
    }
}

/// The event of a whole request, its signature checked.
fn event(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let headers: BTreeMap<String, &str> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    if body.len() < headers["content-length"].parse::<usize>().ok()? {
        return None;
    }
    let (id, at) = (headers["webhook-id"], headers["webhook-timestamp"]);
    let key = STANDARD
        .decode(SECRET.strip_prefix("whsec_").unwrap())
        .unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(headers["webhook-signature"], format!("v1,{signature}"));
    Some(serde_json::from_str(body).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h7_each_threshold_of_the_budget_is_told_once_and_so_is_the_cap() {
    let receiver = Receiver::start().await;
    let app = receiver
        .app(&[
            ("DAILY_BUDGET_USD", "0.001"),
            ("DAILY_HARD_CAP_USD", "0.003"),
            ("OPENROUTER_FALLBACK_ENABLED", "false"),
        ])
        .await;
    let mut turns = 0;
    while receiver.of("budget.cap").is_empty() {
        turns += 1;
        assert!(turns < 200, "the cap is never told");
        app.ask("Hello").await;
        sleep(Duration::from_millis(50)).await;
    }
    let full = async || {
        let told = receiver.of("budget.threshold");
        let percents = told
            .iter()
            .map(|event| event["data"]["percent"].as_u64().unwrap());
        percents.max().filter(|most| *most == 100)
    };
    until("all of it is told", full).await;
    // Whatever comes after changes nothing.
    for _ in 0..5 {
        app.ask("Hello").await;
    }
    sleep(Duration::from_millis(1_500)).await;
    let told = receiver.of("budget.threshold");
    let percents: Vec<u64> = told
        .iter()
        .map(|e| e["data"]["percent"].as_u64().unwrap())
        .collect();
    let mut once = percents.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(percents, once, "each once, and in order");
    assert_eq!(receiver.of("budget.cap").len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a5_a_key_without_money_a_gone_model_and_an_open_breaker_are_told_once() {
    let receiver = Receiver::start().await;
    let app = receiver
        .app(&[("COACH_MODEL_NETWORK", "x/no-such-model")])
        .await;
    let gone = receiver.told("model.gone").await;
    assert_eq!(gone["data"]["model"], json!("x/no-such-model"));
    assert_eq!(gone["data"]["successor"], json!("openai/gpt-6-luna"));
    for _ in 0..3 {
        app.script(&["402"]);
        app.ask("Hello").await;
    }
    let refused = receiver.told("upstream.key_refused").await;
    assert_eq!(refused["data"]["status"], json!(402));
    // Its own model fails until nobody asks it any more.
    for _ in 0..4 {
        app.script(&["500"]);
        app.ask("Hello").await;
    }
    let breaker = receiver.told("breaker.open").await;
    assert_eq!(breaker["data"]["target"], json!("openai/gpt-6.1-terra"));
    sleep(Duration::from_millis(1_500)).await;
    for kind in ["model.gone", "upstream.key_refused", "breaker.open"] {
        assert_eq!(receiver.of(kind).len(), 1, "{kind}");
    }
    app.stop().await;
}
