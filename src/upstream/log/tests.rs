use super::*;

fn open(log: &Rc<AttemptLog>, provider: Option<&str>) -> Row {
    let row = log.begin("openai/gpt-6-luna", Cause::First);
    row.sent(4000);
    row.status(200);
    row.describe(&Meta {
        provider: provider.map(str::to_owned),
        ..Meta::default()
    });
    row
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_dropped_was_cancelled_and_ends_there() {
    let log = AttemptLog::new(Instant::now(), Catalog::default());
    let row = log.begin("m", Cause::Hedge);
    tokio::time::advance(Duration::from_millis(30)).await;
    drop(row);
    tokio::time::advance(Duration::from_millis(30)).await;
    let rows = log.take();
    assert!(rows[0].cancelled);
    assert!((rows[0].ended_ms - 30.0).abs() < 1.0, "{rows:?}");
    assert_eq!(rows[0].cost_source, CostSource::Unknown, "no head came");
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_bill_is_estimated_and_a_bill_is_the_truth() {
    let log = AttemptLog::new(Instant::now(), Catalog::default());
    let cancelled = open(&log, Some("OpenAI"));
    cancelled.words(400);
    drop(cancelled);
    drop(open(&log, Some("Google")));
    let billed = open(&log, Some("OpenAI"));
    billed.usage(&Usage {
        cost: Some(MicroUsd(7)),
        ..Usage::default()
    });
    billed.close();
    let rows = log.take();
    let costs: Vec<_> = rows.iter().map(|r| r.cost_microusd.unwrap().0).collect();
    // $0.10 and $0.50 per million: 1,000 tokens in, and 100, or the usual 120, out.
    assert_eq!(costs, [150, 160, 7]);
    let sources: Vec<_> = rows.iter().map(|r| r.cost_source).collect();
    use CostSource::{Estimated, Reported};
    assert_eq!(sources, [Estimated, Estimated, Reported]);
    assert!(!rows[2].cancelled && rows[0].cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_out_is_not_free_because_no_head_came() {
    let log = AttemptLog::new(Instant::now(), Catalog::default());
    let hung_up = log.begin("openai/gpt-6-luna", Cause::First);
    hung_up.sent(4000);
    drop(hung_up);
    let unreachable = log.begin("openai/gpt-6-luna", Cause::Fallback);
    unreachable.sent(4000);
    unreachable.failed(&AttemptError::Cut);
    let rows = log.take();
    assert_eq!(rows[0].cost_microusd, Some(MicroUsd(100)));
    assert_eq!(rows[0].cost_source, CostSource::Estimated);
    assert_eq!(rows[1].cost_microusd, None, "nobody had it");
}

#[tokio::test(start_paused = true)]
async fn h4_without_a_price_the_cost_is_unknown_and_with_a_newer_one_it_is_newer() {
    use crate::routing::catalog::{Facts, Listed, Listing, Price};
    let catalog = Catalog::default();
    for (price, expected) in [
        (None, None),
        (Some((0, 0)), Some(0)),
        (Some((200_000, 1_000_000)), Some(300)),
    ] {
        let price = price.map(|(input, output)| Price {
            input: MicroUsd(input),
            output: MicroUsd(output),
            cache_read: None,
        });
        let models = vec![Listed {
            slug: "openai/gpt-6-luna".to_owned(),
            dated: None,
            facts: Facts {
                price,
                ..Facts::default()
            },
        }];
        // A turn under way is estimated by what is known when it settles.
        let log = AttemptLog::new(Instant::now(), catalog.clone());
        let row = open(&log, Some("OpenAI"));
        row.words(400);
        drop(row);
        let is_whole = true;
        catalog.replace(Listing { models, is_whole }, Instant::now());
        let row = log.take().remove(0);
        assert_eq!(row.cost_microusd, expected.map(MicroUsd));
        let source = expected.map_or(CostSource::Unknown, |_| CostSource::Estimated);
        assert_eq!(row.cost_source, source);
    }
}
