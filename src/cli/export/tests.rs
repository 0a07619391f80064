//! What is exported, and what is left of an export that broke off.

use super::*;
use crate::cli::scripted::{Scripted, clm, cut, nowhere, refusal, stream};

const CSV: &str = "turn_id,note\r\n1,\"two\nlines \"\"q\"\"\"\r\n2,x\r\n";

#[tokio::test]
async fn rows_go_to_standard_output_with_their_number_beside_them() {
    let jsonl = "{\"a\":\"\\\"\"}\n{}\n{}\n";
    let server = Scripted::start([
        stream("text/csv", CSV),
        stream("application/x-ndjson", jsonl),
    ]);
    let (exit, out, err) = clm(&server.url, &["export", "turns", "--coach", "career"]).await;
    assert_eq!((exit, out.as_str()), (Exit::Fine, CSV));
    assert!(err.starts_with("clm: 2 rows in "), "{err}");
    let line = [
        "export",
        "sessions",
        "--format",
        "jsonl",
        "--since",
        "2026-11-22T09:00:00Z",
        "--until",
        "1h",
    ];
    let (_, out, err) = clm(&server.url, &line).await;
    assert_eq!(out, jsonl);
    assert!(err.starts_with("clm: 3 rows in "), "{err}");
    let asked = server.asked();
    let today = "GET /v1/export/turns?format=csv&since=20";
    assert!(asked[0].starts_with(today), "{asked:?}");
    assert!(asked[0].ends_with("Z&coach=career"), "{asked:?}");
    let since = "GET /v1/export/sessions?format=jsonl&since=2026-11-22T09%3A00%3A00Z&until=20";
    assert!(asked[1].starts_with(since), "{asked:?}");
}

#[tokio::test]
async fn a_file_gets_its_name_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (file, part) = (
        dir.path().join("turns.csv"),
        dir.path().join("turns.csv.part"),
    );
    let server = Scripted::start([
        cut("text/csv", "turn_id\r\n1\r\n2"),
        stream("text/csv", CSV),
    ]);
    let line = ["export", "turns", "-o", file.to_str().unwrap()];
    let (exit, out, err) = clm(&server.url, &line).await;
    assert_eq!((exit, out.as_str()), (Exit::Problem, ""));
    assert!(err.contains("not whole: 1 row in "), "{err}");
    assert!(err.contains("turns.csv.part\n"), "{err}");
    assert!(!file.exists() && part.exists());
    let (exit, out, _) = clm(&server.url, &line).await;
    assert_eq!((exit, out.as_str()), (Exit::Fine, ""));
    assert_eq!(fs::read_to_string(&file).unwrap(), CSV);
    assert!(!part.exists());
}

#[tokio::test]
async fn a_cut_stream_is_no_export() {
    let server = Scripted::start([cut("text/csv", "turn_id\r\n1\r\n")]);
    let (exit, out, err) = clm(&server.url, &["export", "turns"]).await;
    assert_eq!((exit, out.as_str()), (Exit::Problem, "turn_id\r\n1\r\n"));
    assert!(err.contains("not whole: 1 row in "), "{err}");
}

#[tokio::test]
async fn refusals_leave_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.csv");
    let line = ["export", "turns", "-o", file.to_str().unwrap()];
    for status in [400, 401, 404, 503] {
        let server = Scripted::start([refusal(status, "no", "so")]);
        let (exit, _, err) = clm(&server.url, &line).await;
        assert_eq!(exit, Exit::Problem);
        assert!(err.contains(&status.to_string()), "{err}");
    }
    assert_eq!(clm(&nowhere(), &line).await.0, Exit::Unreachable);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let server = Scripted::start([stream("text/csv", CSV)]);
    let nowhere = dir.path().join("no/such/dir");
    let line = ["export", "turns", "-o", nowhere.to_str().unwrap()];
    let (exit, _, err) = clm(&server.url, &line).await;
    assert_eq!(exit, Exit::Problem);
    assert!(err.contains("cannot be written"), "{err}");
}

#[tokio::test]
async fn wrong_words_are_told_before_anybody_is_asked() {
    for (wrong, told) in [
        (&["export", "turn"][..], "turns"),
        (&["export", "turns", "--since", "yesterday"], "24h"),
        (&["export", "turns", "--format", "xml"], "jsonl"),
        (&["export", "sessions", "--coach", "career"], "export turns"),
    ] {
        let (exit, _, err) = clm("http://h", wrong).await;
        assert_eq!(exit, Exit::Usage);
        assert!(err.contains(told), "{err}");
    }
}

#[test]
fn rows_are_counted_wherever_pieces_are_cut() {
    let mut rows = Rows::new(RowFormat::Csv);
    for byte in CSV.bytes() {
        rows.passed(&[byte]);
    }
    assert_eq!(rows.count(), 2);
    assert_eq!(
        rows::told(1200, Duration::from_secs(2)),
        "1200 rows in 2.0 s, 600 a second"
    );
    assert_eq!(rows::told(0, Duration::ZERO), "0 rows in 0.0 s, 0 a second");
}

#[test]
fn a_time_ago_is_counted_back() {
    let now = 1_795_338_902_000;
    for (text, at) in [
        ("1h", "2026-11-22T08:15:02.000Z"),
        ("9999d", "1999-07-08T09:15:02.000Z"),
        ("4000000000d", "1970-01-01T00:00:00.000Z"),
        ("2026-11-22T10:00:00+01:00", "2026-11-22T10:00:00+01:00"),
    ] {
        assert_eq!(instant(text, now), at);
    }
}
