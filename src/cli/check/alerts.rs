//! Whether alerts reach somebody.

use tokio::time::timeout;

use super::{Checkup, PATIENCE, Row};
use crate::alert::{self, Answer};
use crate::config::{Settings, Webhook};

const NAME: &str = "alerts";

pub(super) async fn examine(checkup: &Checkup<'_>, settings: &Settings) -> Row {
    match &settings.alerts {
        Some(webhook) if checkup.sends_alert => send(checkup, webhook).await,
        Some(webhook) => Row::ok(
            NAME,
            format!(
                "sent to {}; `clm check --send-test-alert` tries it",
                webhook.host
            ),
        ),
        None if checkup.sends_alert => Row::fail(
            NAME,
            "nobody to send a test to: ALERT_WEBHOOK_URL is not set",
        )
        .hint("set ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET"),
        None => Row::ok(NAME, "in the log alone: ALERT_WEBHOOK_URL is not set"),
    }
}

async fn send(checkup: &Checkup<'_>, webhook: &Webhook) -> Row {
    let sent = timeout(PATIENCE, alert::send_test(webhook, checkup.clock)).await;
    let answer = match sent {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Row::fail(NAME, format!("no HTTP client: {error}")),
        Err(_) => Answer::TimedOut,
    };
    let host = &webhook.host;
    let Some(trouble) = answer.trouble() else {
        return Row::ok(NAME, format!("a test alert was taken by {host}"));
    };
    Row::fail(NAME, format!("{host} {trouble}")).hint(match answer {
        Answer::Refused(401 | 403) => {
            "check that the receiver has this ALERT_WEBHOOK_SECRET and the right time"
        }
        Answer::Refused(_) | Answer::Gone => {
            "check the path of ALERT_WEBHOOK_URL, and what the receiver logged"
        }
        _ => {
            "check ALERT_WEBHOOK_URL, DNS and the way out of this network; \
             ALLOW_PRIVATE_WEBHOOKS=true where it is in a private one"
        }
    })
}
