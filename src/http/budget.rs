//! `GET /v1/budget`: how the day's money stands.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::routing::budget::Standing;

use super::{Door, respond};

const DAY_MS: i64 = 86_400_000;

pub(super) async fn standing(request: HttpRequest, door: Data<Door>) -> HttpResponse {
    let told = door.keys.admin(&request).map(|()| {
        let budget = &door.rooms.budget;
        let standing = budget.standing(door.rooms.clock.now_ms());
        HttpResponse::Ok().json(as_json(&standing, budget.sharing_word()))
    });
    respond(&request, told)
}

fn as_json(standing: &Standing, sharing: &str) -> Value {
    let limits = &standing.limits;
    json!({
        "day": rfc3339(standing.day_ms),
        "resets_at": rfc3339(standing.day_ms + DAY_MS),
        "budget_usd": limits.daily.to_string(),
        "hard_cap_usd": limits.cap.to_string(),
        "user_daily_cap_usd": limits.user.map(|cap| cap.to_string()),
        "session_cap_usd": limits.session.map(|cap| cap.to_string()),
        "spent_usd": standing.spent.to_string(),
        "reserved_usd": standing.reserved.to_string(),
        "left_usd": standing.left().to_string(),
        "percent": standing.percent(),
        "is_low": standing.is_low(),
        "sharing": sharing,
        "at_hand_usd": standing.at_hand.to_string(),
        "store_is_away": standing.is_apart,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::budget::Limits;
    use crate::turn::MicroUsd;

    #[test]
    fn money_is_told_in_dollars() {
        let standing = Standing {
            day_ms: 1_764_288_000_000,
            limits: Limits {
                daily: MicroUsd(50_000_000),
                cap: MicroUsd(100_000_000),
                user: Some(MicroUsd(2_000_000)),
                session: None,
            },
            spent: MicroUsd(46_500_000),
            reserved: MicroUsd(20_000),
            at_hand: MicroUsd(53_480_000),
            is_apart: false,
        };
        let told = as_json(&standing, "alone");
        for (name, expected) in [
            ("day", json!("2025-11-28T00:00:00.000Z")),
            ("resets_at", json!("2025-11-29T00:00:00.000Z")),
            ("budget_usd", json!("50.000000")),
            ("hard_cap_usd", json!("100.000000")),
            ("user_daily_cap_usd", json!("2.000000")),
            ("session_cap_usd", json!(null)),
            ("spent_usd", json!("46.500000")),
            ("left_usd", json!("3.500000")),
            ("percent", json!(93)),
            ("is_low", json!(true)),
        ] {
            assert_eq!(told[name], expected, "{name}");
        }
    }
}
