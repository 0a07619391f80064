//! Nothing outlives the tests, whichever way they end.

use std::process::Command;

use crate::support::{Janitor, Port, until};

#[tokio::test]
async fn what_a_dead_test_left_is_ended_and_removed() {
    let room = tempfile::tempdir().unwrap();
    let janitor = Janitor::hire(room.path());
    // One that hears, one that is paused, and one whose number means nothing any longer.
    let mut servers: Vec<_> = (0..3)
        .map(|_| Command::new("sleep").arg("600").spawn().unwrap())
        .collect();
    let mut forgotten = servers.pop().unwrap();
    for server in [&servers[0], &servers[1], &forgotten] {
        janitor.watch(server.id());
    }
    janitor.forget(forgotten.id());
    let paused = servers[1].id().to_string();
    let mut stop = Command::new("sh");
    stop.args(["-c", "kill -STOP $0", &paused]);
    assert!(stop.status().unwrap().success());
    drop(janitor);
    until("both have ended", async || {
        servers.iter_mut().all(|s| s.try_wait().unwrap().is_some())
    })
    .await;
    until("the directory has gone", async || !room.path().exists()).await;
    assert!(forgotten.try_wait().unwrap().is_none());
    forgotten.kill().unwrap();
    forgotten.wait().unwrap();
}

#[tokio::test]
async fn a_port_is_nobody_elses_until_it_is_let_go() {
    let port = Port::reserve();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert_ne!(port.addr(), taken.local_addr().unwrap());
    assert!(std::net::TcpStream::connect(port.addr()).is_err());
    std::net::TcpListener::bind(port.addr()).unwrap();
}
