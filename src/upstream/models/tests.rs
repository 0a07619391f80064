//! The list of models: read, refused, and fetched from the simulator.

use std::net::TcpListener;

use proptest::prelude::*;

use super::*;
use crate::config::{Sources, load};
use crate::outbound;
use crate::simulate::{ModelsFault, Options, Simulator};

fn priced(pricing: &str) -> Option<Price> {
    let body = format!(r#"{{"data":[{{"id":"a/b","pricing":{pricing}}}]}}"#);
    read(body.as_bytes()).unwrap().models[0].facts.price
}

#[test]
fn prices_are_read_exactly_or_not_at_all() {
    let price = |input, output, cache: Option<i64>| {
        Some(Price {
            input: MicroUsd(input),
            output: MicroUsd(output),
            cache_read: cache.map(MicroUsd),
        })
    };
    for (pricing, expected) in [
        (
            r#"{"prompt":"0.0000001","completion":"0.0000005","input_cache_read":"0.00000001"}"#,
            price(100_000, 500_000, Some(10_000)),
        ),
        (
            r#"{"prompt":"8.25e-7","completion":"4.125E-6","discount":0.5}"#,
            price(825_000, 4_125_000, None),
        ),
        (r#"{"prompt":0,"completion":5e-7}"#, price(0, 500_000, None)),
        (r#"{"prompt":"0","completion":"0"}"#, price(0, 0, None)),
        (
            r#"{"prompt":"0.000001","completion":"0.000005","input_cache_read":"-1"}"#,
            price(1_000_000, 5_000_000, None),
        ),
        (r#"{"prompt":"-1","completion":"-1"}"#, None),
        (r#"{"prompt":"0.000001","completion":"-1"}"#, None),
        (r#"{"prompt":"0.000001"}"#, None),
        (r#"{"prompt":"0.000001","completion":null}"#, None),
        (r#"{"prompt":"0.000001","completion":""}"#, None),
        (r#"{"prompt":"0.000001","completion":"free"}"#, None),
        (r#"{"prompt":"0.000001","completion":["0"]}"#, None),
        (r#"{"prompt":"NaN","completion":"0"}"#, None),
        (r#"{"prompt":"12","completion":"0"}"#, None),
        ("null", None),
        ("{}", None),
        ("\"0\"", None),
        ("[]", None),
    ] {
        assert_eq!(priced(pricing), expected, "{pricing}");
    }
}

#[test]
fn odd_rows_cost_themselves_and_a_part_says_nothing_of_the_rest() {
    for (body, models, is_whole) in [
        (r#"{"data":[{"id":"a/b"}]}"#, 1, true),
        (
            r#"  {"data":[{"id":"a/b"}],"total_count":1,"links":{"next":null}} "#,
            1,
            true,
        ),
        (r#"{"data":[{"id":"a/b"}],"total_count":2}"#, 1, false),
        (r#"{"data":[{"id":"a/b"}],"links":{"next":"/x"}}"#, 1, false),
        (
            r#"{"data":[{"id":"a/b"},7,null,{"id":8},{"id":""}]}"#,
            1,
            false,
        ),
        (
            r#"{"data":[{"id":"a/b","id":"c/d"},{"id":"e\ud83d"}]}"#,
            2,
            true,
        ),
    ] {
        let listing = read(body.as_bytes()).unwrap();
        assert_eq!(
            (listing.models.len(), listing.is_whole),
            (models, is_whole),
            "{body}"
        );
    }
    let long = format!(r#"{{"data":[{{"id":"{}"}}]}}"#, "a".repeat(201));
    let many = format!(
        r#"{{"data":[{}]}}"#,
        vec![r#"{"id":"a"}"#; 20_001].join(",")
    );
    for body in [
        "",
        "{",
        "<html>",
        "[]",
        "null",
        "7",
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":[]}"#,
        r#"{"data":[1,2]}"#,
        r#"{"error":{"code":500}}"#,
        &long,
        &many,
        &"[".repeat(100_000),
    ] {
        assert_eq!(read(body.as_bytes()), None, "{body:.40}");
    }
    assert_eq!(read(b"{\"data\":[{\"id\":\"\xff\"}]}"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_or_none(body: Vec<u8>) {
        let _ = read(&body);
    }

    #[test]
    fn any_price_is_one_or_unknown(prompt in ".{0,80}", completion in ".{0,80}") {
        let body = serde_json::json!({"data": [{"id": "a/b",
            "pricing": {"prompt": prompt, "completion": completion}}]});
        let listing = read(body.to_string().as_bytes()).unwrap();
        let price = listing.models[0].facts.price;
        prop_assert!(price.is_none_or(|p| p.input.0 >= 0 && p.output.0 >= 0));
    }
}

#[test]
fn failures_are_tried_again_sooner_than_tomorrow() {
    let seconds = |n| backoff(n).as_secs();
    assert_eq!(
        [1, 2, 3, 7, 8, 100].map(seconds),
        [30, 60, 120, 1920, 3600, 3600]
    );
    for _ in 0..100 {
        let pause = jittered(REFRESH_EVERY);
        assert!(pause >= REFRESH_EVERY && pause < REFRESH_EVERY * 11 / 10);
    }
}

#[tokio::test]
async fn a_catalogue_survives_whatever_it_is_told() {
    let life = Lifecycle::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let simulator = Simulator::start(listener, Options::default(), &life)
        .await
        .unwrap();
    let base = simulator.openrouter_url();
    let target = |base: &str| {
        let pairs = [("OPENROUTER_BASE_URL", base), ("OPEN_ROUTER_API_KEY", "k")];
        Target::new(
            &load(&Sources::from_pairs(pairs)).unwrap().upstream,
            Catalog::default(),
        )
        .unwrap()
    };
    let client = outbound::client().unwrap();
    let catalog = Catalog::default();
    let ask = async |fault| {
        let options = simulator.options();
        simulator.set_options(Options {
            models_fault: fault,
            ..options
        });
        refresh(&catalog, &target(&base), &client).await.0
    };
    // Nothing good yet: what ships holds, and nobody is gone.
    assert_eq!(ask(Some(ModelsFault::Html)).await, Outcome::Unreadable);
    assert_eq!(catalog.is_listed("openai/gpt-6-luna"), None);
    assert_eq!(ask(None).await, Outcome::Fresh);
    let price = catalog.price("openai/gpt-6.1-terra");
    for (fault, outcome) in [
        (ModelsFault::Status(500), Outcome::Refused),
        (ModelsFault::Status(401), Outcome::Refused),
        (ModelsFault::Html, Outcome::Unreadable),
        (ModelsFault::Empty, Outcome::Unreadable),
        (ModelsFault::Half, Outcome::Unreadable),
        (ModelsFault::Huge, Outcome::TooLarge),
    ] {
        assert_eq!(ask(Some(fault)).await, outcome, "{fault:?}");
        assert_eq!(catalog.price("openai/gpt-6.1-terra"), price);
        assert_eq!(catalog.is_listed("openai/gpt-6-luna"), Some(true));
        assert_eq!(catalog.is_listed("openai/gpt-4"), Some(false));
    }
    let nobody = refresh(&catalog, &target("http://127.0.0.1:9/api/v1"), &client)
        .await
        .0;
    assert_eq!(nobody, Outcome::Unreachable);
    assert_eq!(catalog.price("openai/gpt-6.1-terra"), price);
    // A server that tells no prices: what it lists costs nobody knows what.
    assert_eq!(ask(Some(ModelsFault::Unpriced)).await, Outcome::Unpriced);
    assert_eq!(catalog.price("openai/gpt-6.1-terra"), None);
    assert_eq!(catalog.estimate("openai/gpt-6.1-terra", 10, 10), None);
    simulator.stop().await;
}

#[test]
fn an_end_and_a_need_to_think_are_read_and_oddities_are_neither() {
    let read_one = |more: &str| {
        let body = format!(r#"{{"data":[{{"id":"a/b",{more}}}]}}"#);
        let facts = read(body.as_bytes()).unwrap().models[0].facts;
        (facts.ends_ms, facts.must_think)
    };
    let december = 1_765_497_599_000;
    for (more, expected) in [
        (r#""expiration_date":null"#, (None, None)),
        (r#""expiration_date":"2025-12-11""#, (Some(december), None)),
        (
            r#""expiration_date":"2025-12-11T23:59:59Z""#,
            (Some(december), None),
        ),
        (r#""expiration_date":"soon""#, (None, None)),
        (r#""expiration_date":1765497599"#, (None, None)),
        (
            r#""reasoning":{"mandatory":true,"supported_efforts":["high","low","minimal"]}"#,
            (None, Some("minimal")),
        ),
        (
            r#""reasoning":{"mandatory":true,"supported_efforts":["medium",7]}"#,
            (None, Some("medium")),
        ),
        (r#""reasoning":{"mandatory":true}"#, (None, Some("low"))),
        (
            r#""reasoning":{"mandatory":false,"supported_efforts":["low"]}"#,
            (None, None),
        ),
        (r#""reasoning":null"#, (None, None)),
    ] {
        assert_eq!(read_one(more), expected, "{more}");
    }
}
