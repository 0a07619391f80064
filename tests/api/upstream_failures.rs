//! What upstream does wrong beyond one turn: what is remembered of it, and what is paid.

use serde_json::Value;

use crate::app::{TestApp, is_fallback_line, until};

/// The records of a refused parameter: mended once, and from then on left out at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_parameter_is_paid_for_once() {
    // Several workers, and each turn on a connection of its own: what one learnt all know.
    let app = TestApp::spawn(&[
        ("COACH_MODEL_MASTER", "sim/400-param:temperature"),
        ("WORKERS", "3"),
    ])
    .await;
    for (turn, calls) in [(1, 2), (2, 3), (3, 4)] {
        let heard = app.ask("Hello").await;
        assert!(!is_fallback_line(&heard.text));
        assert_eq!(app.chats().len(), calls, "turn {turn}");
        assert!(app.asked().get("temperature").is_none());
        assert_eq!(app.asked()["model"], "sim/400-param:temperature");
    }
    app.stop().await;
    let app = TestApp::spawn(&[("COACH_MODEL_MASTER", "sim/400-reasoning")]).await;
    app.ask("Hello").await;
    app.ask("Hello").await;
    assert_eq!(app.chats().len(), 3);
    assert_eq!(app.asked()["model"], "sim/400-reasoning");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_too_long_is_shortened_once() {
    use crate::caller::Request;
    use serde_json::json;
    let app = TestApp::spawn(&[
        ("COACH_MODEL_MASTER", "sim/400-context:10"),
        ("ZEP_API_KEY", ""),
    ])
    .await;
    let mut talk = Vec::new();
    for n in 0..12 {
        talk.push(json!({"role": "user", "content": format!("u{n}")}));
        talk.push(json!({"role": "assistant", "content": format!("a{n}")}));
    }
    talk.push(json!({"role": "user", "content": "now"}));
    let heard = app.hear(&Request::talk("s", &json!(talk))).await;
    assert!(!is_fallback_line(&heard.text));
    let asked = app.asked();
    let messages = asked["messages"].as_array().unwrap();
    assert_eq!((app.chats().len(), messages.len()), (2, 8));
    assert_eq!(
        (&messages[0]["role"], &messages[1]["role"]),
        (&json!("system"), &json!("user"))
    );
    assert_eq!(messages.last().unwrap()["content"], "now");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_fallback_one_model_is_asked_once() {
    let app = TestApp::spawn(&[("OPENROUTER_FALLBACK_ENABLED", "false")]).await;
    app.script(&["500"]);
    assert!(is_fallback_line(&app.ask("Hello").await.text));
    assert_eq!(app.chats().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_not_there_costs_one_sentence() {
    let app = TestApp::spawn(&[("OPENROUTER_BASE_URL", "http://127.0.0.1:9/api/v1")]).await;
    let heard = app.ask("Hello").await;
    assert!(is_fallback_line(&heard.text) && heard.ended.as_millis() < 1000);
    let record = app.record(&heard.turn_id).await;
    let attempts = record["attempts"].as_array().unwrap();
    assert!(attempts.len() == 3 && attempts.iter().all(|a| a["error_kind"] == "connect"));
    assert_eq!(record["outcome"], "failed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_a_connect_that_is_never_answered_is_given_up() {
    use socket2::{Domain, Socket, Type};
    // The system answers no connect beyond a full queue: as if packets were lost.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let _first = std::net::TcpStream::connect(addr).unwrap();
    let url = format!("http://{addr}/api/v1");
    let app = TestApp::spawn(&[("OPENROUTER_BASE_URL", &url)]).await;
    let heard = app.ask("Hello").await;
    assert!(is_fallback_line(&heard.text));
    let spoke = heard.spoke.unwrap();
    assert!(spoke.as_millis() < 5000, "{spoke:?}");
    let record = app.record(&heard.turn_id).await;
    for attempt in record["attempts"].as_array().unwrap() {
        assert_eq!(attempt["error_kind"], "connect", "{attempt}");
        let took = attempt["ended_ms"].as_f64().unwrap() - attempt["started_ms"].as_f64().unwrap();
        assert!((780.0..1000.0).contains(&took), "{took} ms");
    }
    app.stop().await;
}

/// The bill: read after the caller's end, with or without choices, and never taken for zero.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bill_is_read_on_after_the_finish() {
    let app = TestApp::spawn(&[]).await;
    let mut costs = Vec::new();
    for (fault, source) in [
        ("ok", "reported"),
        ("usage-nochoices", "reported"),
        ("finish-twice", "reported"),
        ("no-usage", "estimated"),
    ] {
        app.script(&[fault]);
        let heard = app.ask("Hello").await;
        let record = app.record(&heard.turn_id).await;
        assert_eq!(record["cost_source"], source, "{fault}");
        assert!(record["completion_tokens"].is_u64(), "{fault}");
        costs.push(record["cost_usd"].as_str().unwrap().parse::<f64>().unwrap());
    }
    // The words were the same, so the estimate stands beside the bill of the first.
    let error = (costs[3] / costs[0] - 1.0).abs();
    assert!(error < 0.15, "{costs:?}");
    // An interrupted answer has no bill, and that is not nothing.
    app.script(&["stall:3"]);
    let mut call = app.call(&crate::caller::Request::hume("s", "Hello")).await;
    call.hear_words().await;
    let turn = call.turn_id().await;
    call.reset();
    let record: Value = app.record(&turn).await;
    assert_eq!(
        (record["outcome"].as_str(), record["cost_source"].as_str()),
        (Some("interrupted"), Some("estimated"))
    );
    assert!(record["cost_usd"].is_string());
    until("upstream is closed", async || {
        app.chats().last()?.aborted_at()
    })
    .await;
    app.stop().await;
}
