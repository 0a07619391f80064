//! One operation of the document: a method of a route, who may use it, what it takes and answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::http::error::Kind;

use super::parameters;
use super::schema::with;

pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Anybody,
    /// A caller key, or the login of the pages.
    Caller,
    /// An admin key, or the login of the pages.
    Admin,
    /// The same, or the session's signed id in `x-clm-session`.
    Holder,
    /// The same, or that id in the address.
    HolderOrPath,
    /// Whoever has a link to a session.
    Link,
    /// A voice platform, by the signature of this security scheme.
    Platform(&'static str),
}

impl Who {
    fn security(self) -> Value {
        match self {
            Self::Anybody => json!([]),
            Self::Caller => json!([{ "callerKey": [] }, { "login": [] }]),
            Self::Admin => json!([{ "adminKey": [] }, { "login": [] }]),
            Self::Holder => json!([{ "adminKey": [] }, { "login": [] }, { "sessionId": [] }]),
            // Who has the address has the id.
            Self::HolderOrPath => {
                json!([{ "adminKey": [] }, { "login": [] }, { "sessionId": [] }, {}])
            }
            Self::Link => json!([{ "shareLink": [] }]),
            Self::Platform(scheme) => json!([{ scheme: [] }]),
        }
    }

    /// With which statuses the others are sent away.
    fn refused(self, reads: bool) -> &'static [u16] {
        match (self, reads) {
            (Self::Anybody, _) => &[],
            (Self::Platform(_), _) | (_, true) => &[401],
            // A login is believed only where our own page asks.
            (_, false) => &[401, 403],
        }
    }
}

/// An operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: String,
    id: String,
    tag: &'static str,
    summary: String,
    description: String,
    who: Who,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Answer>,
    refusals: BTreeMap<u16, BTreeSet<&'static str>>,
    is_deprecated: bool,
}

/// What is answered with a status.
#[derive(Clone, Debug, Default)]
struct Answer {
    description: String,
    headers: Option<Value>,
    /// By type.
    content: Map<String, Value>,
}

impl Operation {
    pub(super) fn new(method: &'static str, path: &str, id: &str, summary: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            id: id.to_owned(),
            tag: "",
            summary: summary.to_owned(),
            description: String::new(),
            who: Who::Anybody,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            refusals: BTreeMap::new(),
            is_deprecated: false,
        }
    }

    pub(super) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    pub(super) fn about(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    pub(super) fn who(mut self, who: Who) -> Self {
        self.who = who;
        let reads = matches!(self.method, "GET" | "HEAD");
        for status in who.refused(reads) {
            self.refuse(*status, Kind::Unauthorized);
        }
        self
    }

    pub(super) fn deprecated(mut self) -> Self {
        self.is_deprecated = true;
        self
    }

    pub(super) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Query parameters, by the names with which the route itself knows them.
    pub(super) fn query(mut self, known: &[&[&'static str]]) -> Self {
        let known = known.iter().flat_map(|names| names.iter());
        self.parameters
            .extend(known.map(|name| parameters::query(name)));
        self.refuses(&[Kind::InvalidRequest])
    }

    /// The same with one of them as part of the example.
    pub(super) fn example(mut self, name: &str, value: Value) -> Self {
        let named =
            |parameter: &&mut Value| parameter.get("name").and_then(Value::as_str) == Some(name);
        if let Some(parameter) = self.parameters.iter_mut().find(named) {
            *parameter = with(parameter.take(), json!({ "example": value }));
        }
        self
    }

    /// A JSON body, with an example.
    pub(super) fn takes(mut self, schema: Value, example: Value) -> Self {
        self.body = Some(json!({
            "required": true,
            "content": { JSON: { "schema": schema, "example": example } },
        }));
        self.refuse(400, Kind::Timeout);
        self.refuses(&[
            Kind::InvalidRequest,
            Kind::Timeout,
            Kind::PayloadTooLarge,
            Kind::UnsupportedMediaType,
        ])
    }

    /// A body that is not JSON.
    pub(super) fn takes_form(mut self, schema: Value) -> Self {
        self.body = Some(json!({
            "required": true,
            "content": { "application/x-www-form-urlencoded": { "schema": schema } },
        }));
        self.refuse(400, Kind::Timeout);
        self.refuses(&[Kind::Timeout, Kind::PayloadTooLarge])
    }

    /// An answer of this status in JSON.
    pub(super) fn answers(self, status: u16, description: &str, schema: Value) -> Self {
        self.answers_in(status, description, JSON, json!({ "schema": schema }))
    }

    /// The same in any form; two forms of one status are told apart by their type.
    pub(super) fn answers_in(
        mut self,
        status: u16,
        description: &str,
        form: &str,
        content: Value,
    ) -> Self {
        let answer = self.answers.entry(status).or_default();
        if answer.description.is_empty() {
            description.clone_into(&mut answer.description);
        }
        answer.content.insert(form.to_owned(), content);
        self
    }

    /// An answer without a body.
    pub(super) fn answers_bare(mut self, status: u16, description: &str) -> Self {
        self.answers.insert(status, Answer::bare(description));
        self
    }

    /// With the headers of this status' answer.
    pub(super) fn headers(mut self, status: u16, headers: Value) -> Self {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer.headers = Some(headers);
        }
        self
    }

    pub(super) fn refuses(mut self, kinds: &[Kind]) -> Self {
        for kind in kinds {
            let status = kind.statuses().first().map_or(0, |status| status.as_u16());
            self.refuse(status, *kind);
        }
        self
    }

    /// Whoever asks from another site's page is sent away.
    pub(super) fn refuses_foreign(mut self) -> Self {
        self.refuse(403, Kind::Unauthorized);
        self
    }

    fn refuse(&mut self, status: u16, kind: Kind) {
        self.refusals
            .entry(status)
            .or_default()
            .insert(kind.as_str());
    }

    /// Whether its answer is a stream alone, so that there is no HEAD of it.
    pub(super) fn never_ends(&self) -> bool {
        let forms = self.answers.get(&200).map(|answer| &answer.content);
        forms.is_some_and(|forms| !forms.is_empty() && forms.keys().all(|form| form == EVENTS))
    }

    /// The same asked with HEAD.
    pub(super) fn head(&self) -> Self {
        let answers = self.answers.iter().map(|(status, answer)| {
            let content = Map::new();
            (
                *status,
                Answer {
                    content,
                    ..answer.clone()
                },
            )
        });
        let refused = self.refusals.iter().map(|(status, kinds)| {
            let kinds: Vec<&str> = kinds.iter().copied().collect();
            (*status, Answer::bare(&kinds.join(", ")))
        });
        Self {
            method: "HEAD",
            id: format!("{}Head", self.id),
            summary: format!("{}: the head alone", self.summary),
            description: String::new(),
            answers: refused.chain(answers).collect(),
            refusals: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// The refusals that this operation needs of the document's components.
    pub(super) fn shared(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        let named = |(status, kinds): (&u16, &BTreeSet<&'static str>)| {
            (refusal_name(*status, kinds), refusal(*status, kinds))
        };
        self.refusals.iter().map(named)
    }

    pub(super) fn json(&self) -> Value {
        let mut responses: Map<String, Value> = Map::new();
        for (status, kinds) in &self.refusals {
            let name = refusal_name(*status, kinds);
            let shared = json!({ "$ref": format!("#/components/responses/{name}") });
            responses.insert(status.to_string(), shared);
        }
        for (status, answer) in &self.answers {
            let mut answer = answer.clone();
            // The refusals of the same status stand beside it.
            if let Some(kinds) = self.refusals.get(status) {
                let error = json!({ "schema": error_of(kinds) });
                answer.content.insert(JSON.to_owned(), error);
            }
            responses.insert(status.to_string(), answer.json());
        }
        let mut more = Map::new();
        let mut put = |name: &str, value: Value| more.insert(name.to_owned(), value);
        if !self.description.is_empty() {
            put("description", json!(self.description));
        }
        if !self.parameters.is_empty() {
            put("parameters", json!(self.parameters));
        }
        if let Some(body) = &self.body {
            put("requestBody", body.clone());
        }
        if self.is_deprecated {
            put("deprecated", json!(true));
        }
        let always = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "security": self.who.security(),
            "responses": responses,
        });
        with(always, Value::Object(more))
    }
}

impl Answer {
    fn bare(description: &str) -> Self {
        Self {
            description: description.to_owned(),
            ..Self::default()
        }
    }

    fn json(self) -> Value {
        let mut json = Map::new();
        json.insert("description".to_owned(), json!(self.description));
        if let Some(headers) = self.headers {
            json.insert("headers".to_owned(), headers);
        }
        if !self.content.is_empty() {
            json.insert("content".to_owned(), Value::Object(self.content));
        }
        Value::Object(json)
    }
}

fn refusal_name(status: u16, kinds: &BTreeSet<&'static str>) -> String {
    let kinds: Vec<&str> = kinds.iter().copied().collect();
    format!("{status}-{}", kinds.join("-"))
}

fn refusal(status: u16, kinds: &BTreeSet<&'static str>) -> Value {
    let linked = kinds
        .iter()
        .map(|kind| format!("[{kind}](/docs#error-{kind})"));
    let trace = json!({ "x-clm-trace-id": { "$ref": "#/components/headers/TraceId" } });
    let headers = match status {
        429 | 503 => with(
            trace,
            json!({ "retry-after": { "$ref": "#/components/headers/RetryAfter" } }),
        ),
        _ => trace,
    };
    json!({
        "description": linked.collect::<Vec<_>>().join(", "),
        "headers": headers,
        "content": { JSON: { "schema": error_of(kinds) } },
    })
}

/// An error of one of these types.
fn error_of(kinds: &BTreeSet<&'static str>) -> Value {
    json!({
        "$ref": "#/components/schemas/Error",
        "properties": { "error": { "properties": { "type": { "enum": kinds } } } },
    })
}
