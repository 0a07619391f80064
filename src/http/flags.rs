//! `GET /v1/flags` and `PUT /v1/flags/{name}`: what is switched without a deploy.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::clock::{parse_rfc3339, rfc3339};
use crate::record::{FlagChange, FlagRow, in_force};
use crate::routing::flags::{Flag, Name, Share, Switch};

use super::error::Refusal;
use super::{Door, MAX_SMALL_BODY_BYTES, body, respond};

/// Every switch with what holds, every model that is switched, and the latest changes.
pub(super) async fn list(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    let listed = async {
        door.keys.admin(&request)?;
        let rows = door.switchboard.flags().await.map_err(|_| Refusal::Store)?;
        let changes = door.switchboard.changes().await;
        let changes = changes.map_err(|_| Refusal::Store)?;
        Ok(HttpResponse::Ok().json(json!({
            "items": items(&door, &rows),
            "changes": changes.iter().map(change).collect::<Value>(),
            "next_cursor": null,
        })))
    };
    let listed = listed.await;
    respond(&request, listed)
}

/// Sets a flag for all machines; `null` hands it back to its setting.
pub(super) async fn put(
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
    name: Path<String>,
) -> HttpResponse {
    let put = async {
        let by = door.keys.admin_name(&request)?;
        let name = Name::parse(&name).map_err(|_| no_such())?;
        let body = body::read(&request, payload, MAX_SMALL_BODY_BYTES).await?;
        let flag = wanted(&body, door.rooms.clock.now_ms())?;
        let set = door.switchboard.set(&name, flag.as_ref(), &by).await;
        set.map_err(|_| Refusal::Store)?;
        // This machine need not wait until it looks again.
        let rows = door.switchboard.flags().await.map_err(|_| Refusal::Store)?;
        door.rooms.flags.take(in_force(&rows));
        let items = items(&door, &rows);
        let item = items.into_iter().find(|item| item["name"] == name.as_str());
        Ok(HttpResponse::Ok().json(item.unwrap_or_else(
            || json!({ "name": name.as_str(), "value": true, "default": true, "is_set": false }),
        )))
    };
    let put = put.await;
    respond(&request, put)
}

fn no_such() -> Refusal {
    let names: Vec<&str> = Switch::ALL.iter().map(|switch| switch.as_str()).collect();
    Refusal::NoSuch("flag", format!("{}, model:SLUG", names.join(", ")))
}

/// The flag that a body asks for; `None`: none.
fn wanted(body: &[u8], now_ms: i64) -> Result<Option<Flag>, Refusal> {
    let invalid = |problem: &str| Refusal::Invalid(problem.to_owned());
    let fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| invalid("the body must be an object such as {\"value\": \"25%\"}"))?;
    if fields
        .keys()
        .any(|name| name != "value" && name != "expires_at")
    {
        return Err(invalid(
            "`value` and `expires_at` must be the only fields of the body",
        ));
    }
    let expires_at = match fields.get("expires_at") {
        None | Some(Value::Null) => None,
        Some(at) => {
            let at = at
                .as_str()
                .and_then(parse_rfc3339)
                .filter(|at| *at > now_ms);
            Some(at.ok_or_else(|| invalid("`expires_at` must be an RFC 3339 time to come"))?)
        }
    };
    match fields.get("value") {
        None => Err(invalid(
            "`value` must be true, false, a percentage such as \"25%\", or null",
        )),
        Some(Value::Null) if expires_at.is_some() => Err(invalid(
            "`expires_at` must not be given where `value` is null",
        )),
        Some(Value::Null) => Ok(None),
        Some(value) => {
            let share: Share = serde_json::from_value(value.clone()).map_err(|_| {
                invalid("`value` must be true, false, a percentage such as \"25%\", or null")
            })?;
            Ok(Some(Flag { share, expires_at }))
        }
    }
}

fn items(door: &Door, rows: &[FlagRow]) -> Vec<Value> {
    let now_ms = door.rooms.clock.now_ms();
    let rows = rows
        .iter()
        .filter(|row| row.expires_at.is_none_or(|at| now_ms < at));
    let rows: BTreeMap<&str, &FlagRow> = rows.map(|row| (row.name.as_str(), row)).collect();
    let switches = Switch::ALL.iter().map(|switch| {
        let default = door.rooms.flags.default_of(*switch);
        item(switch.as_str(), default, rows.get(switch.as_str()).copied())
    });
    let models = rows.iter().filter(|(name, _)| name.starts_with("model:"));
    let models = models.map(|(name, row)| item(name, true, Some(row)));
    switches.chain(models).collect()
}

fn item(name: &str, default: bool, row: Option<&FlagRow>) -> Value {
    let value = row.and_then(|row| Share::parse(&row.value).ok());
    json!({
        "name": name,
        "value": value.map_or(json!(default), |share| json!(share)),
        "default": default,
        "is_set": row.is_some(),
        "expires_at": row.and_then(|row| row.expires_at).map(rfc3339),
        "changed_at": row.map(|row| rfc3339(row.changed_at)),
        "changed_by": row.map(|row| row.changed_by.as_str()),
    })
}

fn change(change: &FlagChange) -> Value {
    let value = change.value.as_deref().and_then(|v| Share::parse(v).ok());
    json!({
        "name": change.name,
        "value": value,
        "expires_at": change.expires_at.map(rfc3339),
        "changed_at": rfc3339(change.changed_at),
        "changed_by": change.changed_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_asks_for_a_share_until_a_time_or_for_none() {
        let of = |body: &str| wanted(body.as_bytes(), 1_000);
        let flag = |share, expires_at| Some(Flag { share, expires_at });
        for (body, expected) in [
            (r#"{"value":true}"#, flag(Share::ON, None)),
            (
                r#"{"value":false,"expires_at":null}"#,
                flag(Share::OFF, None),
            ),
            (
                r#"{"value":"100%","expires_at":"1970-01-01T00:00:02Z"}"#,
                flag(Share::ON, Some(2_000)),
            ),
            (r#"{"value":null}"#, None),
        ] {
            assert_eq!(of(body), Ok(expected), "{body}");
        }
        for odd in [
            "",
            "[]",
            "{}",
            r#"{"value":1}"#,
            r#"{"value":"on"}"#,
            r#"{"value":true,"until":1}"#,
            r#"{"value":true,"expires_at":5}"#,
            r#"{"value":true,"expires_at":"1970-01-01T00:00:01Z"}"#,
            r#"{"value":null,"expires_at":"1970-01-01T00:00:02Z"}"#,
        ] {
            assert!(matches!(of(odd), Err(Refusal::Invalid(_))), "{odd}");
        }
    }
}
