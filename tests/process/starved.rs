//! A processor that is there a tenth of the time: deadlines are kept all the same.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::service::{Service, Signals, is_fallback_line};

const STOPPED: Duration = Duration::from_millis(90);
const RUNS: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_the_line_is_heard_by_whom_a_tenth_of_a_processor_serves() {
    let service = Service::start(&[]).await;
    let whole = service.say("before", "Hello").await.text;
    let faults = json!({"script": ["hang", "hang", "hang", "hang", "hang", "hang"]});
    service.simulate(&faults).await;
    let pid = service.pid();
    let mut starver = Signals::new();
    let starve = async {
        loop {
            starver.send("STOP", pid);
            sleep(STOPPED).await;
            starver.send("CONT", pid);
            sleep(RUNS).await;
        }
    };
    let talk = async {
        // Two at once: nothing is told apart by being alone.
        let (a, b) = tokio::join!(service.say("s-1", "Hello"), service.say("s-2", "Hello"));
        service.simulate(&json!({"script": []})).await;
        (a, b, service.say("after", "Hello").await)
    };
    let (a, b, after) = tokio::select! {
        never = starve => never,
        heard = talk => heard,
    };
    for heard in [a, b] {
        assert!(is_fallback_line(&heard.text), "{}", heard.text);
        let spoke = heard.spoke.unwrap();
        println!("the line was heard after {spoke:?}");
        assert!(spoke <= Duration::from_secs(6), "{spoke:?}");
        assert!(spoke >= Duration::from_millis(4900), "{spoke:?}");
    }
    assert_eq!(after.text, whole, "an ordinary turn is whole");
    assert!(after.ended < Duration::from_secs(5), "{:?}", after.ended);
}
