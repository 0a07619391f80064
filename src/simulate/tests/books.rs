//! What calls cost and what models are listed, and what goes wrong with asking for either.

use std::time::Duration;

use serde_json::{Value, json};

use super::Rig;
use crate::simulate::Options;
use crate::turn::MicroUsd;

#[tokio::test]
async fn what_a_call_cost_is_told_with_the_trouble_that_its_name_asks_for() {
    let rig = Rig::with(Options {
        first_token: Duration::ZERO,
        gap: Duration::ZERO,
        generation_lag: Duration::ZERO,
        ..Options::default()
    })
    .await;
    for (model, statuses) in [
        ("ok", [200, 200]),
        ("sim/generation-404:1", [404, 200]),
        ("sim/generation-500", [500, 500]),
        ("sim/generation-429:1:7", [429, 200]),
        ("sim/generation-html", [200, 200]),
        ("sim/generation-byok", [200, 200]),
        ("sim/generation-zero:1", [200, 200]),
    ] {
        assert!(rig.read(model).await.1, "{model}");
        let call = rig.simulator.ledger().chats().pop().unwrap();
        let url = format!(
            "{}/generation?id={}",
            rig.simulator.openrouter_url(),
            call.id
        );
        let mut costs = Vec::new();
        for status in statuses {
            let told = rig.client.get(&url).send().await.unwrap();
            assert_eq!(told.status(), status, "{model}");
            if status == 429 {
                assert_eq!(told.headers()["retry-after"], "7");
            }
            let told: Value = told.json().await.unwrap_or_default();
            let part = |name: &str| told["data"][name].as_f64().unwrap_or(0.0);
            let sum = part("total_cost") + part("upstream_inference_cost");
            costs.push(MicroUsd::from_dollars(sum).unwrap().0);
        }
        let last = match model {
            "sim/generation-500" | "sim/generation-html" => 0,
            _ => call.bill_microusd(),
        };
        assert_eq!(costs[1], last, "{model}: {costs:?}");
        assert_eq!(
            costs[0] == 0,
            statuses[0] != 200 || last == 0 || model.contains("zero")
        );
    }
}

#[tokio::test]
async fn the_list_of_models_goes_wrong_as_told() {
    let rig = Rig::start().await;
    let options = format!("http://{}/__options", rig.simulator.addr());
    for (fault, status, begin) in [
        ("none", 200, "{\"data\":[{"),
        ("503", 503, "{\"error\""),
        ("html", 200, "<!doctype"),
        ("empty", 200, "{\"data\":[]}"),
        ("half", 200, "{\"data\":[{"),
        ("unpriced", 200, "{\"data\":[{\"id\""),
        ("huge", 200, "    "),
    ] {
        let set = rig
            .client
            .post(&options)
            .json(&json!({"models_fault": fault}));
        assert_eq!(set.send().await.unwrap().status(), 200);
        let url = format!("{}/models", rig.simulator.openrouter_url());
        let told = rig.client.get(url).send().await.unwrap();
        assert_eq!(told.status(), status, "{fault}");
        assert!(told.text().await.unwrap().starts_with(begin), "{fault}");
    }
    let set = rig
        .client
        .post(&options)
        .json(&json!({"models_fault": "moon"}));
    assert_eq!(set.send().await.unwrap().status(), 400);
}
