//! Tables for people, from the server's JSON.

use serde_json::json;

use super::*;
use crate::cli::scripted::{Scripted, answer, clm, cut, nowhere, refusal};

const JSON: &str = "application/json";

async fn printed(kind: &str, report: &Value) -> String {
    let server = Scripted::start([answer(200, JSON, &report.to_string())]);
    let (exit, out, err) = clm(&server.url, &["report", kind]).await;
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    assert_eq!(
        server.asked(),
        [format!("GET /v1/analytics/{kind}?range=24h")]
    );
    out
}

#[tokio::test]
async fn models() {
    let report = json!({
        "items": [
            { "model": "anthropic/claude-sonnet-5", "count": 12_345, "cost_usd": "12.300000",
              "unknown_costs": 2, "calls": 12_400, "errors": 62, "error_rate": 0.005,
              "mean_response_ms": 2100.4, "p50_response_ms": 1900.0, "p95_response_ms": 4100.0,
              "mean_first_token_ms": 540.0, "p50_first_token_ms": 500.0,
              "p95_first_token_ms": 990.0, "mean_satisfaction": 4.25 },
            { "model": "x/never-answered", "count": 0, "cost_usd": "0.000000", "unknown_costs": 1,
              "calls": 3, "error_rate": 1.0, "mean_response_ms": null },
        ],
        "totals": { "count": 12_345, "cost_usd": "12.300000", "calls": 12_403,
            "error_rate": 0.0052, "unknown_costs": 3 },
    });
    insta::assert_snapshot!(printed("models", &report).await, @r"
    model                       turns        cost  unpriced   calls   errors  whole mean      p50      p95  first mean     p50     p95  rating
    anthropic/claude-sonnet-5  12,345  $12.300000         2  12,400    0.5 %     2100 ms  1900 ms  4100 ms      540 ms  500 ms  990 ms    4.25
    x/never-answered                0   $0.000000         1       3  100.0 %           -        -        -           -       -       -       -
    total                      12,345  $12.300000         3  12,403    0.5 %           -        -        -           -       -       -       -
    ");
}

#[tokio::test]
async fn savings_say_what_they_leave_out() {
    let figures = json!({ "count": 3, "prompt_tokens": 2436, "completion_tokens": 159,
        "cost_usd": "0.003213", "baseline_usd": "0.029130", "saved_usd": "0.025917",
        "saved_percent": 89.0, "unknown_costs": 0 });
    let mut item = figures.clone();
    item["coach"] = json!("career");
    item["tier"] = json!("premium");
    let mut worse = item.clone();
    worse["tier"] = json!("free");
    worse["saved_usd"] = json!("-0.100000");
    let mut totals = figures;
    totals["baseline_model"] = json!("openai/gpt-4-turbo");
    totals["baseline_usd_per_million_input"] = json!("10.000000");
    totals["baseline_usd_per_million_output"] = json!("30.000000");
    totals["left_out"] = json!("turns of unknown cost");
    let report = json!({ "items": [item, worse], "totals": totals });
    insta::assert_snapshot!(printed("savings", &report).await, @r"
    coach   tier     turns  tokens in  out       paid   baseline       saved   share  unpriced
    career  premium      3      2,436  159  $0.003213  $0.029130   $0.025917  89.0 %         0
    career  free         3      2,436  159  $0.003213  $0.029130  -$0.100000  89.0 %         0
    total                3      2,436  159  $0.003213  $0.029130   $0.025917  89.0 %         0

    baseline: openai/gpt-4-turbo at $10.000000 in and $30.000000 out for a million tokens
    left out: turns of unknown cost
    ");
}

#[tokio::test]
async fn spend_and_experiments() {
    let spend = json!({ "items": [{ "start": "2026-11-22T09:00:00.000Z", "hours": 1, "count": 4,
        "cost_usd": "0.010000", "estimated_usd": "0.001000", "unknown_costs": 0,
        "prompt_tokens": 3000, "completion_tokens": 200 }],
        "totals": { "count": 4, "cost_usd": "0.010000", "estimated_usd": "0.001000",
            "unknown_costs": 0, "prompt_tokens": 3000, "completion_tokens": 200 } });
    insta::assert_snapshot!(printed("spend", &spend).await, @r"
    from (UTC)        turns       cost  of it estimated  unpriced  tokens in  out
    2026-11-22 09:00      4  $0.010000        $0.001000         0      3,000  200
    total                 4  $0.010000        $0.001000         0      3,000  200
    ");
    let experiments = json!({ "items": [{ "experiment": "warmth", "variant": "b", "count": 90,
        "error_rate": 0.0333, "error_rate_95": [0.0114, 0.0935], "mean_cost_usd": 0.001071,
        "mean_cost_usd_95": [0.0009, 0.00125], "mean_satisfaction": 4.2,
        "mean_satisfaction_95": [3.9, 4.5], "p50_first_token_ms": 480.0,
        "verdict": "cheaper by $0.000300 a turn ($0.000210 to $0.000390)" }],
        "totals": { "count": 90 } });
    insta::assert_snapshot!(printed("experiments", &experiments).await, @r"
    experiment  variant  turns  errors            95 %  mean cost                    95 %  first p50  p95  rating          95 %  verdict
    warmth      b           90   3.3 %  1.1 % to 9.3 %  $0.001071  $0.000900 to $0.001250     480 ms    -    4.20  3.90 to 4.50  cheaper by $0.000300 a turn ($0.000210 to $0.000390)
    total                   90       -               -          -                       -          -    -       -             -
    ");
}

#[tokio::test]
async fn what_is_stale_or_empty_is_said_beside_the_data() {
    let stale = json!({ "stale": true, "items": [], "totals": {} }).to_string();
    let server = Scripted::start([answer(200, JSON, &stale), answer(200, JSON, &stale)]);
    let (exit, out, err) = clm(&server.url, &["report", "coaches", "--since", "7d"]).await;
    assert_eq!((exit, out.as_str()), (Exit::Fine, ""));
    assert!(err.contains("from before"), "{err}");
    assert!(err.contains("nothing to report of the last 7d"), "{err}");
    let (_, out, _) = clm(&server.url, &["report", "coaches", "--json"]).await;
    assert_eq!(out.trim_end(), stale);
}

#[tokio::test]
async fn csv_passes_as_it_comes() {
    let csv = "model,count\r\n\"a,b\",3\r\n";
    let server = Scripted::start([answer(200, "text/csv", csv), cut("text/csv", csv)]);
    let (exit, out, _) = clm(&server.url, &["report", "models", "--csv"]).await;
    assert_eq!((exit, out.as_str()), (Exit::Fine, csv));
    assert_eq!(
        server.asked(),
        ["GET /v1/analytics/models?range=24h&format=csv"]
    );
    let (exit, _, err) = clm(&server.url, &["report", "models", "--csv"]).await;
    assert_eq!(exit, Exit::Problem);
    assert!(err.contains("broke off"), "{err}");
}

#[tokio::test]
async fn refusals_and_wrong_words() {
    let server = Scripted::start([refusal(503, "the store cannot be asked", "try again")]);
    assert_eq!(
        clm(&server.url, &["report", "spend"]).await.0,
        Exit::Problem
    );
    assert_eq!(
        clm(&nowhere(), &["report", "spend"]).await.0,
        Exit::Unreachable
    );
    for (wrong, told) in [
        (&["report", "modles"][..], "models"),
        (&["report", "models", "--since", "yesterday"], "24h"),
        (&["report", "models", "--since", "0d"], "24h"),
        (&["report", "models", "--csv", "--json"], "--json"),
    ] {
        let (exit, _, err) = clm("http://h", wrong).await;
        assert_eq!(exit, Exit::Usage);
        assert!(err.contains(told), "{err}");
    }
}

#[test]
fn counts_have_their_thousands_apart() {
    for (count, text) in [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (12_345_678, "12,345,678"),
    ] {
        assert_eq!(table::grouped(count), text);
    }
}
