//! What models cost, shipped and refreshed.

use proptest::prelude::*;

use super::*;
use crate::coach::Roster;

#[test]
fn every_model_of_the_built_in_roster_has_a_price() {
    for coach in Roster::built_in().unwrap().iter() {
        let m = &coach.models;
        for model in [&m.cost_saving, &m.balanced, &m.high, &m.fallback] {
            assert!(shipped(model).is_some(), "{}: {model}", coach.id);
        }
    }
}

#[test]
fn rows_are_in_order_once_each_and_plausible() {
    assert!(PRICES.is_sorted_by(|a, b| a.0 < b.0));
    for (slug, price) in PRICES {
        assert!(slug.contains('/') && !slug.contains(':'), "{slug}");
        assert!(price.input.0 > 0 && price.output >= price.input, "{slug}");
        assert!(price.cache_read.is_none_or(|c| c < price.input), "{slug}");
    }
}

#[test]
fn an_estimate_is_exact_and_rounds_up() {
    for (model, prompt, completion, micro) in [
        ("openai/gpt-6-luna", 1_200, 80, Some(160)),
        ("openai/gpt-6-luna", 1, 0, Some(1)),
        ("openai/gpt-6-luna", 0, 0, Some(0)),
        // 0.0825 and 0.5 of a micro-dollar are one, not two.
        ("google/gemini-3.8-flash", 1, 0, Some(1)),
        ("google/gemini-3.1-flash-lite", 1, 1, Some(2)),
        ("google/gemini-3.8-flash", 1_000, 40, Some(990)),
        ("anthropic/claude-opus-5", 1_000_000, 0, Some(5_000_000)),
        ("anthropic/claude-sonnet-5:nitro", 10, 1, Some(30)),
        ("inception/mercury-3:free", 10, 0, Some(1)),
        (
            "anthropic/claude-opus-5",
            u64::MAX,
            u64::MAX,
            Some(i64::MAX),
        ),
        ("sim/429:2", 10, 10, Some(6)),
        ("gpt-6-luna", 10, 10, None),
        ("", 10, 10, None),
    ] {
        let estimate = Catalog::default().estimate(model, prompt, completion);
        assert_eq!(estimate, micro.map(MicroUsd), "{model}");
    }
}

#[test]
fn tokens_round_up() {
    for (bytes, tokens) in [(0, 0), (1, 1), (4, 1), (5, 2), (4_000, 1_000)] {
        assert_eq!(tokens_of(bytes), tokens);
    }
}

fn listed(slug: &str, price: Option<(i64, i64)>) -> Listed {
    Listed {
        slug: slug.to_owned(),
        dated: Some(format!("{slug}-20261101")),
        facts: Facts {
            price: price.map(|(input, output)| plain(input, output)),
            ..Facts::default()
        },
    }
}

#[test]
fn a_newer_list_goes_before_the_one_that_ships() {
    let catalog = Catalog::default();
    let everybodys = catalog.clone();
    let now = Instant::now();
    assert_eq!(catalog.is_listed("openai/gpt-6-luna"), None);
    assert_eq!(catalog.age(now), None);
    let models = vec![
        listed("openai/gpt-6-luna", Some((200_000, 900_000))),
        listed("new/free", Some((0, 0))),
        listed("new/varies", None),
        // Its own slug is another's dated one.
        listed("openai/gpt-6-luna-20261101", Some((1, 1))),
        listed("anthropic/claude-opus-5", None),
    ];
    let is_whole = true;
    everybodys.replace(Listing { models, is_whole }, now);
    let input = |slug: &str| catalog.price(slug).map(|p| p.input.0);
    for (slug, price, is_listed) in [
        ("openai/gpt-6-luna", Some(200_000), Some(true)),
        ("openai/gpt-6-luna:nitro", Some(200_000), Some(true)),
        ("openai/gpt-6-luna:free", Some(200_000), Some(false)),
        ("openai/gpt-6-luna-20261101", Some(1), Some(true)),
        ("new/free", Some(0), Some(true)),
        ("new/free-20261101", Some(0), Some(true)),
        ("new/varies", None, Some(true)),
        // Shipped with a price, and now listed without one.
        ("anthropic/claude-opus-5", None, Some(true)),
        // Gone, and still priced.
        ("anthropic/claude-sonnet-5", Some(2_000_000), Some(false)),
        ("sim/cut:5", Some(200_000), None),
        ("~openai/gpt-latest", None, None),
        ("@preset/coach", None, None),
        ("nobody/knows", None, Some(false)),
    ] {
        assert_eq!(input(slug), price, "{slug}");
        assert_eq!(catalog.is_listed(slug), is_listed, "{slug}");
    }
    assert_eq!(catalog.estimate("new/free", 10, 10), Some(MicroUsd(0)));
    assert_eq!(catalog.estimate("new/varies", 10, 10), None);
    let later = now + Duration::from_secs(60);
    assert_eq!(catalog.age(later), Some(Duration::from_secs(60)));
    // An empty list changes nothing, and of a part nobody can say who is gone.
    catalog.replace(Listing::default(), later);
    assert_eq!(input("openai/gpt-6-luna"), Some(200_000));
    let models = vec![listed("new/free", None)];
    let is_whole = false;
    catalog.replace(Listing { models, is_whole }, later);
    assert_eq!(catalog.is_listed("openai/gpt-6-luna"), None);
    assert_eq!(catalog.is_listed("new/free"), Some(true));
    assert_eq!(input("openai/gpt-6-luna"), Some(100_000));
}

proptest! {
    #[test]
    fn an_estimate_never_overflows_and_never_falls_below_its_parts(
        input in 0..=i64::MAX, output in 0..=i64::MAX, prompt: u64, completion: u64,
    ) {
        let catalog = Catalog::default();
        let models = vec![listed("a/b", Some((input, output)))];
        catalog.replace(Listing { models, is_whole: true }, Instant::now());
        let all = catalog.estimate("a/b", prompt, completion).unwrap();
        let (one, other) = (catalog.estimate("a/b", prompt, 0), catalog.estimate("a/b", 0, completion));
        prop_assert!(all.0 >= 0 && Some(all) >= one && Some(all) >= other);
        prop_assert!(all <= one.unwrap() + other.unwrap());
    }
}
