//! `GET /v1/analytics/{report}`: what models and coaches cost and how they did.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::clock::rfc3339;
use crate::record::{Report, ReportKind};

use super::error::Refusal;
use super::query::Asked;
use super::{Door, csv, respond};

const DEFAULT_RANGE: (&str, Duration) = ("24h", Duration::from_secs(24 * 3600));

#[derive(Clone, Copy)]
enum Form {
    Json,
    Csv,
}

pub(super) async fn report(
    request: HttpRequest,
    door: Data<Door>,
    name: Path<String>,
) -> HttpResponse {
    let reported = async {
        door.keys.admin(&request)?;
        let kind = ReportKind::parse(&name).ok_or_else(|| {
            let names = ReportKind::ALL.map(ReportKind::as_str);
            Refusal::NoSuch("report", names.join(", "))
        })?;
        let asked = Asked::of(&request, &[&["range", "format"]])?;
        let form = asked.choice("format", &[("json", Form::Json), ("csv", Form::Csv)])?;
        let (text, default) = DEFAULT_RANGE;
        let (text, range) = asked.range()?.unwrap_or((text.to_owned(), default));
        let reporter = door.reporter.clone();
        // Adding up takes milliseconds: not on a worker that carries words.
        let lifecycle = &door.rooms.lifecycle;
        let report = lifecycle.spawn(async move { reporter.report(kind, range).await });
        let Ok(Ok(report)) = report.await else {
            return Err(Refusal::Store);
        };
        Ok(match form.unwrap_or(Form::Json) {
            Form::Json => as_json(&report, &text),
            Form::Csv => as_csv(&report, &text),
        })
    };
    let reported = reported.await;
    respond(&request, reported)
}

fn as_json(report: &Report, range: &str) -> HttpResponse {
    let mut json = json!({
        "range": {
            "range": range,
            "since": rfc3339(report.since_ms),
            "until": rfc3339(report.until_ms),
        },
        "items": report.items,
        "totals": report.totals,
    });
    if let Some(fields) = json.as_object_mut()
        && report.is_stale
    {
        fields.insert("stale".to_owned(), json!(true));
    }
    HttpResponse::Ok().json(json)
}

fn as_csv(report: &Report, range: &str) -> HttpResponse {
    let columns = report.kind.columns();
    let table = [
        csv::header(columns),
        csv::lines(columns, report.items.iter()),
    ];
    let name = format!("clm-{}-{range}.csv", report.kind.as_str());
    csv::attachment(name, csv::CONTENT_TYPE).body(table.concat())
}
