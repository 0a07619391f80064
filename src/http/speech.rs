//! `POST /v1/speech/normalize`: what would be said of a text.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use crate::speech::{Language, normalize};

use super::error::Refusal;
use super::{Door, MAX_SMALL_BODY_BYTES, body, respond};

pub(super) async fn normalized(
    request: HttpRequest,
    payload: Payload,
    door: Data<Door>,
) -> HttpResponse {
    let normalized = async {
        door.keys.admin(&request)?;
        let body = body::read(&request, payload, MAX_SMALL_BODY_BYTES).await?;
        let (text, language) = wanted(&body)?;
        Ok(HttpResponse::Ok().json(json!({ "spoken": normalize(&text, language) })))
    };
    let normalized = normalized.await;
    respond(&request, normalized)
}

/// The text, and its language: as it is told, else as the text shows.
fn wanted(body: &[u8]) -> Result<(String, Language), Refusal> {
    let invalid = |problem: &str| Refusal::Invalid(problem.to_owned());
    let mut fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| invalid("the body must be an object such as {\"text\": \"…\"}"))?;
    if fields
        .keys()
        .any(|name| name != "text" && name != "language")
    {
        return Err(invalid(
            "`text` and `language` must be the only fields of the body",
        ));
    }
    let Some(Value::String(text)) = fields.remove("text") else {
        return Err(invalid("`text` must be a string"));
    };
    let language = match fields.remove("language") {
        None | Some(Value::Null) => Language::heard([text.as_str()]),
        Some(Value::String(tag)) => Language::of(&tag),
        Some(_) => return Err(invalid("`language` must be a tag such as \"en\"")),
    };
    Ok((text, language))
}
