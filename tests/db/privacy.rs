//! What people say, who they are, and the keys: with the models and in memory, and nowhere else.
//! Planted wherever a request, an answer or a setting can carry it, and looked for wherever the
//! service writes.

mod search;
mod sink;
mod stage;
mod story;

use quest_clm::config;
use quest_clm::pipeline::unseal;
use quest_clm::session::Pseudonyms;
use quest_clm::vault::{DataKey, Vault};
use serde_json::json;

use self::search::Search;
use self::stage::{DATA_KEY, Place, Stage, keys, nothing_in};
use crate::caller::Request;
use crate::service::until;

/// What models and memory are told, by where it comes from.
const TOLD: &[(&str, &[&str])] = &[
    (
        "the user's words",
        &[
            "Philippa Quarrendon",
            "+44 7700 900461",
            "p.quarrendon@post.example",
            "Lilienfelder Gasse 17",
            "sk-or-v1-71c0ffee5eed71c0",
        ],
    ),
    ("how somebody sounds", &["Griesgramlichkeit"]),
    ("a neutral reading", &["Murrkopfigkeit", "Sauertoepfigkeit"]),
    ("a reading by itself", &["Miesepetrigkeit"]),
    ("history", &["Thistlewood", "Brackenbury"]),
    ("a system message", &["Osterhagen"]),
    ("memory", &["Dunsterville"]),
    ("the model's answer", &["Applecrossing"]),
    ("tools", &["Pfannenstiel", "Hollerbusch", "Kummerfeld"]),
    ("what was cut off", &["Marchmontstrasse"]),
    ("words to a store that is away", &["Abendrothsweg"]),
];

/// What nobody is told.
const UNTOLD: &[(&str, &[&str])] = &[
    (
        "user ids",
        &[
            "eglantine.rosewarne@post.example",
            "marmaduke.featherstone@post.example",
            "clementine.ashgrove@post.example",
        ],
    ),
    ("a malformed body", &["Ravensbourne"]),
    ("an address", &["Wetherbyfield"]),
    ("headers", &["Kirschbaumallee", "Muehlenbecker"]),
    ("a wrong key", &["Schluesselburg"]),
    ("a front end's backend", &["Pennyfarthing"]),
    ("what somebody thought of it", &["Langweiligerhof"]),
    ("an upstream error", &["Schlotterbeck", "Zwiebelfisch"]),
];

/// A session id that nobody signed: kept as it came, and neither logged nor sent anywhere.
const BARE: &str = "call-Schneegloeckchen-77";

/// All that was planted there, as words.
fn planted(place: &str) -> String {
    let places = TOLD.iter().chain(UNTOLD);
    let (_, words) = places.clone().find(|(p, _)| *p == place).unwrap();
    words.join(" and ")
}

/// The one of the user ids.
fn user(number: usize) -> &'static str {
    UNTOLD[0].1[number]
}

fn each(
    places: &'static [(&'static str, &'static [&'static str])],
) -> impl Iterator<Item = (&'static str, &'static str)> {
    places
        .iter()
        .flat_map(|(place, words)| words.iter().map(move |word| (*place, *word)))
}

/// For all that must be nowhere.
fn search() -> Search {
    Search::new(each(TOLD).chain(each(UNTOLD)).chain(keys()))
}

fn holds(place: &Place, text: &str) -> bool {
    place.1.windows(text.len()).any(|w| w == text.as_bytes())
}

/// What an operator can ask, of these turns too.
fn questions(turns: &[String]) -> Vec<String> {
    let fixed = [
        "/healthz",
        "/readyz",
        "/version",
        "/v1/live",
        "/v1/turns?limit=200",
        "/v1/sessions?limit=200",
        "/v1/export/turns?format=jsonl",
        "/v1/export/turns?format=csv",
        "/v1/export/sessions?format=jsonl",
        "/v1/analytics/models",
        "/v1/analytics/coaches",
        "/v1/analytics/savings",
        "/v1/analytics/spend",
        "/v1/analytics/experiments",
    ];
    let sessions = format!("/v1/sessions/{BARE}");
    let turns = turns.iter().map(|id| format!("/v1/turns/{id}"));
    let fixed = fixed.iter().map(|path| (*path).to_owned());
    fixed.chain([sessions]).chain(turns).collect()
}

/// Looks into every place, and holds that each is one where something can be found.
async fn look_everywhere(stage: &Stage) {
    let turns = stage.service.turns();
    let last = turns.last().unwrap();
    until("the last turn with the collector", async || {
        holds(&stage.sent(), last).then_some(())
    })
    .await;
    until("something in Redis", async || {
        (!stage.redis().await.1.is_empty()).then_some(())
    })
    .await;
    let tables = stage.tables().await;
    assert!(tables.iter().any(|table| holds(table, last)));
    let answers = stage.answers(&questions(&turns)).await;
    let told = answers.iter().filter(|answer| holds(answer, last));
    let told: Vec<_> = told.map(|(name, _)| name).collect();
    assert!(
        told.len() >= 4,
        "the list, both exports and the turn itself: {told:?}"
    );
    // Where words are captured, a turn's own answer shows them to whoever has an admin key.
    let (shown, answers): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|a| holds(a, "\"words\":{"));
    let is_captured = stage.count("capture").await != Some(0);
    assert_eq!(shown.is_empty(), !is_captured);
    assert!(
        shown
            .iter()
            .all(|(name, _)| name.starts_with("GET /v1/turns/0"))
    );
    // Them, and neither names nor keys.
    nothing_in(&shown, &Search::new(each(UNTOLD).chain(keys())));
    let metrics = stage.answers(&["/metrics".to_owned()]).await;
    // The call that was hung up brought no bill, and is asked about a little later.
    until("lines of every level", async || {
        let [ours, _] = stage.logs();
        (holds(&ours, "TRACE") || holds(&ours, "DEBUG")).then_some(())
    })
    .await;
    let [ours, theirs] = stage.logs();
    assert!(holds(&ours, last) && holds(&theirs, last));
    let outside = [metrics, vec![stage.redis().await, stage.sent(), ours]].concat();
    nothing_in(&outside, &Search::new([("a session id", BARE)]));
    let all = [outside, tables, answers, stage.files()].concat();
    nothing_in(&all, &search());
    nothing_in(&[theirs], &asked_of_the_database());
}

/// For what the database was sent: what an operator looks for is in the question.
fn asked_of_the_database() -> Search {
    let told = each(UNTOLD).filter(|(place, _)| *place != "an address");
    Search::new(each(TOLD).chain(told).chain(keys()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_words_and_no_keys_are_anywhere() {
    let mut stage = Stage::open(&[]).await;
    let watch = stage.watch().await;
    story::odd_requests(&stage).await;
    story::conversation(&stage).await;
    story::readings(&stage).await;
    story::tools(&stage).await;
    story::named_by_the_body(&stage).await;
    story::hang_up(&stage).await;
    stage.is_kept().await;
    look_everywhere(&stage).await;
    story::outage(&mut stage).await;
    stage.stop().await;
    nothing_in(&stage.files(), &search());
    let seen = ("GET /v1/turns/live".to_owned(), watch.response().await.body);
    assert!(holds(&seen, stage.service.turns().last().unwrap()));
    nothing_in(&[seen], &search());
    story::recovery(&mut stage).await;
    story::erasure(&stage).await;
    // Last: afterwards every model is left alone for a while.
    story::failures(&stage).await;
    stage.is_kept().await;
    look_everywhere(&stage).await;
    stage.stop().await;
    let [ours, theirs] = stage.logs();
    nothing_in(&[stage.files(), vec![ours]].concat(), &search());
    nothing_in(&[theirs], &asked_of_the_database());
    // All of it was really said: those who are meant to have it do.
    let told = stage.told();
    Search::new(each(TOLD)).finds_all("what was told", &told);
    // They have no names and no keys either.
    nothing_in(
        &[("what was told".to_owned(), told)],
        &Search::new(each(UNTOLD).chain(keys())),
    );
}

/// What seals captured words, and what stands for people.
fn secrets() -> (Vault, Pseudonyms) {
    let key = DataKey::load(&config::Store {
        database: None,
        data_dir: "/nowhere".into(),
        data_key: Some(DATA_KEY.to_owned().into()),
        retention: None,
        capture_ttl: std::time::Duration::from_secs(60),
    })
    .unwrap();
    (Vault::new(&key), Pseudonyms::new(&key))
}

/// A link to a session whose words are kept: what it opens holds none of them, nor who spoke.
async fn a_link(stage: &Stage) -> String {
    let path = format!("/v1/sessions/{BARE}/share");
    let made = stage.admin(Request::post(&path, &json!({}))).await;
    let path = made.json()["path"].as_str().unwrap().to_owned();
    let (_, link) = path.split_once('#').unwrap();
    for (link, status) in [(link, 200), (&link[1..], 401)] {
        let shown = Request::get("/v1/shared").header("x-clm-share", link);
        let shown = stage.service.send(&shown).await;
        assert_eq!(shown.status, status, "{}", shown.text());
        let shown = [("what a link opens".to_owned(), shown.body)];
        nothing_in(&shown, &search());
        nothing_in(&shown, &Search::new([("a session id", BARE)]));
    }
    link.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captured_words_are_sealed_and_go_with_their_person() {
    let mut stage = Stage::open(&[("CAPTURE_TEXT", "true")]).await;
    story::conversation(&stage).await;
    story::named_by_the_body(&stage).await;
    story::hang_up(&stage).await;
    stage.is_kept().await;
    let turns = stage.service.turns().len();
    until("a capture of each turn", async || {
        (stage.count("capture").await? == turns).then_some(())
    })
    .await;
    let (vault, names) = secrets();
    let rows = stage
        .ask("select json_build_array(turn_id, sealed) from capture")
        .await;
    let opened = rows.iter().map(|row| {
        let (turn, sealed): (String, String) = serde_json::from_str(row).unwrap();
        let words = unseal(&vault, &turn, &sealed).expect("words of this turn");
        serde_json::to_string(&words).unwrap()
    });
    let opened: String = opened.collect();
    for place in [
        "the user's words",
        "the model's answer",
        "history",
        "memory",
    ] {
        let there = each(TOLD).filter(|(p, _)| *p == place);
        Search::new(there).finds_all("what was captured", opened.as_bytes());
    }
    let sounds = each(TOLD).filter(|(p, _)| p.contains("sounds") || p.contains("reading"));
    let never = Search::new(sounds.chain(each(UNTOLD)).chain(keys()));
    nothing_in(&[("captures".to_owned(), opened.into_bytes())], &never);
    let link = a_link(&stage).await;
    look_everywhere(&stage).await;
    let theirs = format!(
        "capture where user_hash = '{}'",
        names.user(user(story::SIGNED))
    );
    let kept = stage.count(&theirs).await.unwrap();
    assert!(kept > 0 && kept < turns, "{kept} of {turns}");
    story::erasure(&stage).await;
    // The turns become nobody's first, in a statement of its own; the words go after them.
    until("their words are gone", async || {
        (stage.count(&theirs).await? == 0).then_some(())
    })
    .await;
    assert_eq!(stage.count("capture").await, Some(turns - kept));
    // Away, the database has to be given them later: until then they are sealed on the disk.
    story::outage(&mut stage).await;
    stage.stop().await;
    let [ours, theirs] = stage.logs();
    let left = [stage.files(), stage.tables().await, vec![stage.sent()]].concat();
    for place in left.iter().chain([&ours, &theirs]) {
        assert!(!holds(place, &link[..40]), "a link is in {}", place.0);
    }
    nothing_in(&[stage.files(), vec![ours]].concat(), &search());
    nothing_in(&[theirs], &asked_of_the_database());
}
