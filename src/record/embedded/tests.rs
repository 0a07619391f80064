use super::*;

fn turn(id: &str, more: &str) -> Entry {
    let json = format!(
        r#"{{"turn_id":"{id}","session_id":"s","profile":"hume","identity":"body","coach":"master",
        "coach_reason":"default","tier":"free","planned_model":"a","outcome":"complete","total_ms":1.5,
        "memory_outcome":"off","cost_source":"unknown","attempts":0,"hedged":false,"continued":false,
        "trace_id":"x","created_at":0{more}}}"#
    );
    Entry {
        kind: Kind::Turn,
        json,
    }
}

/// How many turns are kept, and how many their session has heard of.
async fn counts(store: &Embedded) -> Row {
    let sql = "select (select count(*) from turn) as turns, (select turns from session) as told";
    let rows = store.ask(Question::new(sql, vec![])).await.unwrap();
    rows.into_iter().next().unwrap()
}

#[test]
fn parts_are_alike_and_begin_with_no_turns_calls() {
    // One in five is a row by itself, which shifts the pairs.
    let kinds = [Kind::Turn, Kind::Attempts].repeat(2);
    let kinds = kinds.into_iter().chain([Kind::Chat]).cycle();
    for rows in 0..12 * PART {
        let json = String::new;
        let batch = kinds.clone().take(rows);
        let batch: Vec<_> = batch.map(|kind| Entry { kind, json: json() }).collect();
        let parts = parts(&batch);
        assert_eq!(parts.concat(), batch);
        assert_eq!(parts.len(), rows.div_ceil(PART));
        let lengths = || parts.iter().map(|part| part.len());
        assert!(lengths().all(|length| length <= PART + 1));
        assert!(parts.iter().all(|part| part[0].kind != Kind::Attempts));
        let spread = lengths().max().unwrap_or(0) - lengths().min().unwrap_or(0);
        assert!(spread <= 2 * parts.len(), "{rows}: {spread}");
    }
}

#[tokio::test]
async fn a_refused_row_takes_its_part_back_and_leaves_the_store_usable() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), &Lifecycle::new()).unwrap();
    let good = turn("a", r#","lead_in":false"#);
    for bad in [turn("b", ""), turn("b", r#","lead_in":"no number""#)] {
        let batch = Arc::new(vec![good.clone(), bad]);
        assert!(store.keep(batch).await.unwrap_err().is_poison());
        assert_eq!(counts(&store).await["turns"], 0);
    }
    // Once more, and its session has heard of it once.
    for _ in 0..2 {
        store.keep(Arc::new(vec![good.clone()])).await.unwrap();
        let counts = counts(&store).await;
        assert_eq!((&counts["turns"], &counts["told"]), (&1.into(), &1.into()));
    }
}

#[tokio::test]
async fn what_stands_before_the_part_of_a_refused_row_is_kept_and_comes_again_to_no_effect() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), &Lifecycle::new()).unwrap();
    let good = |n: usize| turn(&n.to_string(), r#","lead_in":false"#);
    let mut batch: Vec<_> = (0..PART + 2).map(good).collect();
    batch[PART] = turn("bad", "");
    assert!(store.keep(Arc::new(batch.clone())).await.is_err());
    assert_eq!(counts(&store).await["turns"], PART / 2 + 1);
    batch[PART] = good(PART);
    store.keep(Arc::new(batch)).await.unwrap();
    let counts = counts(&store).await;
    let all = (PART + 2).into();
    assert_eq!((&counts["turns"], &counts["told"]), (&all, &all));
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_called_off_and_the_next_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), &Lifecycle::new()).unwrap();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n)
        select count(*) as n from n";
    let endless = Question::new(endless, vec![]);
    let short = Duration::from_millis(20);
    let reader = &store.readers[0];
    for _ in 0..3 {
        let ended = answer(&mut lock(reader), &endless, short).unwrap_err();
        assert!(matches!(ended, StoreError::Timeout), "{ended}");
        assert_eq!(counts(&store).await["turns"], 0);
    }
}

#[tokio::test]
async fn a_question_that_outlives_the_store_leaves_no_log_behind() {
    let dir = tempfile::tempdir().unwrap();
    let lifecycle = Lifecycle::new();
    let store = Embedded::open(dir.path(), &lifecycle).unwrap();
    let entry = turn("a", r#","lead_in":false"#);
    store.keep(Arc::new(vec![entry])).await.unwrap();
    let long = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)
        select count(*) as n from n, turn";
    let asked = Arc::new(store);
    let asking = Arc::clone(&asked);
    let mut question = Box::pin(async move { asking.ask(Question::new(long, vec![])).await });
    assert!(futures::poll!(&mut question).is_pending());
    drop(question);
    drop(asked);
    let log = dir.path().join("clm.db-wal");
    assert!(log.exists(), "it is still being answered");
    lifecycle.drained().await;
    assert!(!log.exists());
}
