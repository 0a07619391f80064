//! What comes after a turn was kept, in both stores: what it really cost, what its user thought of it, and
//! that they want to be forgotten.

use quest_clm::record::{Capture, Erasure, Feedback, TurnFilter};
use quest_clm::turn::{Correction, CostSource, MicroUsd, Outcome, TurnRecord};
use serde_json::json;

use crate::contract::{Both, turns, walk};
use crate::kept::{NOW_MS, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_reaches_attempt_turn_and_session_once() {
    let mut one = turn(2);
    one.attempts.push(one.attempts[0].clone());
    one.attempts[1].cost_source = CostSource::Reported;
    one.cost_microusd = Some(MicroUsd(204));
    let both = Both::with(std::slice::from_ref(&one)).await;
    let correction = |position, cost| Correction {
        turn_id: one.turn_id.clone(),
        position,
        cost_microusd: MicroUsd(cost),
        provider: None,
        prompt_tokens: Some(1000),
        completion_tokens: None,
    };
    for (name, kept) in both.each() {
        for _ in 0..2 {
            kept.recorder.correct(correction(0, 1000));
        }
        // Upstream's own word stands.
        kept.recorder.correct(correction(1, 7777));
        kept.recorder.correct(correction(9, 1));
        kept.settled().await;
        let found = kept.reader.turn(&one.turn_id).await.unwrap().unwrap();
        assert_eq!(
            found.attempts[0].cost_microusd,
            Some(MicroUsd(1000)),
            "{name}"
        );
        assert_eq!(found.attempts[0].cost_source, CostSource::Corrected);
        assert_eq!(found.attempts[0].prompt_tokens, Some(1000));
        assert_eq!(found.attempts[1].cost_microusd, Some(MicroUsd(102)));
        assert_eq!(found.cost_microusd, Some(MicroUsd(1102)));
        assert_eq!(found.cost_source, CostSource::Corrected);
        assert_eq!(found.prompt_tokens, Some(1802));
        let session = kept
            .reader
            .session(&one.session_id)
            .await
            .unwrap()
            .unwrap()
            .0;
        assert_eq!(session.cost_microusd, MicroUsd(1102), "{name}");
        assert_eq!(session.prompt_tokens, 1802);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_cost_becomes_known() {
    let mut one = turn(4);
    assert_eq!(one.cost_source, CostSource::Unknown);
    one.outcome = Outcome::Interrupted;
    let both = Both::with(std::slice::from_ref(&one)).await;
    for (name, kept) in both.each() {
        let session = kept
            .reader
            .session(&one.session_id)
            .await
            .unwrap()
            .unwrap()
            .0;
        assert_eq!(
            (session.cost_microusd, session.unknown_costs),
            (MicroUsd(0), 1)
        );
        kept.recorder.correct(Correction {
            turn_id: one.turn_id.clone(),
            position: 0,
            cost_microusd: MicroUsd(5),
            provider: Some("Groq".to_owned()),
            prompt_tokens: None,
            completion_tokens: Some(9),
        });
        kept.settled().await;
        let session = kept
            .reader
            .session(&one.session_id)
            .await
            .unwrap()
            .unwrap()
            .0;
        assert_eq!(
            (session.cost_microusd, session.unknown_costs),
            (MicroUsd(5), 0),
            "{name}"
        );
        let found = kept.reader.turn(&one.turn_id).await.unwrap().unwrap();
        assert_eq!(found.attempts[0].provider.as_deref(), Some("Groq"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_is_heard_before_and_after_its_turn() {
    let (early, late) = (turn(1), turn(2));
    let both = Both::with(std::slice::from_ref(&late)).await;
    let say = |turn: &TurnRecord, satisfaction, created_at| Feedback {
        turn_id: turn.turn_id.clone(),
        satisfaction,
        created_at,
    };
    for (name, kept) in both.each() {
        assert!(kept.recorder.take_feedback(say(&early, 5, NOW_MS)));
        assert!(kept.recorder.take_feedback(say(&late, 1, NOW_MS)));
        assert!(
            kept.recorder.take_feedback(say(&late, 4, NOW_MS)),
            "the later word stands"
        );
        assert!(
            kept.recorder.take_feedback(say(&late, 2, NOW_MS - 1)),
            "not one from before"
        );
        kept.settled().await;
        kept.keep(std::slice::from_ref(&early)).await;
        for (turn, expected) in [(&early, 5), (&late, 4)] {
            let found = kept.reader.turn(&turn.turn_id).await.unwrap().unwrap();
            assert_eq!(found.satisfaction, Some(expected), "{name}");
        }
    }
    let totals = &both.reports().await[1]["totals"];
    assert_eq!(
        (&totals["mean_satisfaction"], &totals["rated"]),
        (&json!(4.5), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_forgotten_and_the_books_are_not() {
    let turns = turns();
    let both = Both::with(&turns).await;
    let before = both.reports().await;
    let theirs: Vec<_> = turns
        .iter()
        .filter(|t| t.user_hash.as_deref() == Some("user-3"))
        .collect();
    // On its way while they are forgotten.
    let mut straggler = turn(10);
    straggler.turn_id = crate::kept::id_at(NOW_MS - 5000, 77_777);
    straggler.user_hash = Some("user-3".to_owned());
    straggler.session_id = "session-3".to_owned();
    for (_, kept) in both.each() {
        kept.recorder.capture(Capture {
            turn_id: theirs[0].turn_id.clone(),
            user_hash: Some("user-3".to_owned()),
            sealed: "c2VhbGVk".to_owned(),
            created_at: NOW_MS - 1000,
            expires_at: NOW_MS + 1000,
        });
        kept.settled().await;
        let sealed = kept.reader.captured(&theirs[0].turn_id).await.unwrap();
        assert_eq!(sealed.as_deref(), Some("c2VhbGVk"));
        assert!(kept.recorder.erase(Erasure {
            user_hash: "user-3".to_owned(),
            erased_at: NOW_MS,
        }));
        kept.settled().await;
    }
    assert_eq!(both.reports().await, before, "what it cost stays");
    for (name, kept) in both.each() {
        kept.keep(std::slice::from_ref(&straggler)).await;
        let all = walk(kept, &TurnFilter::default()).await;
        assert_eq!(all.len(), turns.len() + 1, "{name}");
        let text = serde_json::to_string(&all).unwrap();
        assert!(
            !text.contains("user-3") && !text.contains("session-3\""),
            "{name}"
        );
        assert_eq!(
            all.iter().filter(|t| t.session_id == "erased").count(),
            theirs.len() + 1
        );
        assert_eq!(
            kept.reader.session("session-3").await.unwrap(),
            None,
            "{name}"
        );
        assert_eq!(kept.reader.session("erased").await.unwrap(), None, "{name}");
        assert_eq!(
            kept.reader.captured(&theirs[0].turn_id).await.unwrap(),
            None
        );
        assert!(kept.reader.session("session-4").await.unwrap().is_some());
    }
    both.settled().await;
}
