//! Redis, broken in the same ways.

use std::io::ErrorKind;
use std::time::Duration;

use crate::support::proxy::Proxy;
use crate::support::redis::{Redis, ask, ask_within};

#[tokio::test]
async fn it_answers_and_forgets() {
    let redis = Redis::start().await;
    let addr = redis.addr();
    assert_eq!(ask(addr, "PING").unwrap(), "+PONG");
    assert_eq!(ask(addr, "SET k v").unwrap(), "+OK");
    assert_eq!(ask(addr, "EXISTS k").unwrap(), ":1");
    redis.flush();
    assert_eq!(ask(addr, "EXISTS k").unwrap(), ":0");
    assert_eq!(redis.url(), format!("redis://{addr}"));
    let proxy = Proxy::to(addr).await;
    assert_eq!(ask(proxy.addr(), "PING").unwrap(), "+PONG");
    assert!(
        redis
            .url_at(proxy.addr())
            .ends_with(&proxy.addr().to_string())
    );
}

#[tokio::test]
async fn killed_or_stopped_it_refuses_and_comes_back_empty() {
    let mut redis = Redis::start().await;
    let addr = redis.addr();
    for round in 0..2 {
        assert_eq!(ask(addr, "EXISTS k").unwrap(), ":0");
        assert_eq!(ask(addr, "SET k v").unwrap(), "+OK");
        if round == 0 {
            redis.kill().await;
        } else {
            redis.stop().await;
        }
        let refused = ask(addr, "PING").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        redis.start_again().await;
    }
    assert_eq!(ask(addr, "EXISTS k").unwrap(), ":0");
}

#[tokio::test]
async fn paused_it_answers_nobody_until_it_goes_on() {
    let mut redis = Redis::start().await;
    redis.pause().await;
    let late = ask_within(redis.addr(), "PING", Duration::from_millis(150)).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::WouldBlock);
    redis.resume();
    assert_eq!(ask(redis.addr(), "PING").unwrap(), "+PONG");
}

#[tokio::test]
async fn settings_are_as_a_test_wants_them() {
    let redis = Redis::with(&[("requirepass", "secret"), ("maxmemory", "1mb")]).await;
    let refused = ask(redis.addr(), "GET k").unwrap();
    assert!(refused.starts_with("-NOAUTH"), "{refused}");
}
