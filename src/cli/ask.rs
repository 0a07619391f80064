//! A running server as the commands ask it: where it is, the key that opens its records, and what
//! its refusals say.

use std::io::{self, Write};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::timeout;

use crate::config::Sources;
use crate::outbound;

use super::{Exit, cause, plain, server, settings};

/// The longest that a server may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the server is and what opens its records.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The server's address; else HOST and PORT.
    #[arg(long, value_name = "URL", value_parser = address)]
    pub(super) url: Option<Url>,
    /// The admin key; else the first of ADMIN_API_KEYS.
    #[arg(long)]
    pub(super) key: Option<String>,
}

/// An address that requests can go to: `localhost:8080` is a URL too, of a scheme `localhost`.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("not a URL ({e})"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("begins with neither http:// nor https://".to_owned()),
    }
}

/// A server, and the key for it.
#[derive(Debug)]
pub(super) struct Server {
    base: Url,
    key: Option<SecretString>,
    client: Client,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nobody answers there; why.
    Unreachable(String),
    /// The server refused: its status, its message and its hint.
    Refused(StatusCode, String),
    /// The answer broke off, or cannot be understood.
    Broken(String),
}

impl Server {
    /// The server that `args` or the settings name; `None`, once told why, where there is none.
    ///
    /// # Errors
    /// When `err` takes no more.
    pub(super) fn find(
        args: &ServerArgs,
        sources: &Sources,
        err: &mut impl Write,
    ) -> io::Result<Option<Self>> {
        let Some(settings) = settings(sources, err)? else {
            return Ok(None);
        };
        let Some(base) = server(args.url.as_ref(), &settings, err)? else {
            return Ok(None);
        };
        let client = match outbound::client() {
            Ok(client) => client,
            Err(e) => {
                writeln!(err, "clm: no HTTP client: {}", cause(&e))?;
                return Ok(None);
            }
        };
        let key = args.key.clone().map(SecretString::from);
        Ok(Some(Self {
            base,
            key: key.or_else(|| settings.keys.admins.first().cloned()),
            client,
        }))
    }

    /// A request to the route of these segments, each percent-encoded.
    pub(super) fn request(&self, method: Method, route: &[&str]) -> RequestBuilder {
        let request = self.client.request(method, join(&self.base, route));
        match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        }
    }

    /// Says why there is no answer, and how the command ends with that.
    ///
    /// # Errors
    /// When `err` takes no more.
    pub(super) fn tell(&self, why: &Unanswered, err: &mut impl Write) -> io::Result<Exit> {
        match why {
            Unanswered::Unreachable(why) => {
                writeln!(
                    err,
                    "clm: nothing answers at {} ({why}); is `clm serve` or `clm demo` running?",
                    self.base
                )?;
                Ok(Exit::Unreachable)
            }
            Unanswered::Refused(_, why) | Unanswered::Broken(why) => {
                writeln!(err, "clm: {}", plain(why))?;
                Ok(Exit::Problem)
            }
        }
    }
}

/// Sends a request; what comes back has begun well.
pub(super) async fn send(request: RequestBuilder) -> Result<Response, Unanswered> {
    let sent = timeout(PATIENCE, request.send()).await;
    let late = |_| Unanswered::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()));
    let response = sent.map_err(late)?.map_err(unanswered)?;
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(Unanswered::Refused(status, refusal(response).await)),
    }
}

/// Sends a request and reads the JSON that answers it.
pub(super) async fn ask(request: RequestBuilder) -> Result<Value, Unanswered> {
    let response = send(request).await?;
    let body = timeout(PATIENCE, response.bytes()).await;
    let late = |_| Unanswered::Broken(format!("no whole answer within {} s", PATIENCE.as_secs()));
    let body = body.map_err(late)?.map_err(unanswered)?;
    let odd = |_| Unanswered::Broken("the answer is no JSON; is it clm that listens there?".into());
    serde_json::from_slice(&body).map_err(odd)
}

/// What a request that got no answer failed of.
pub(super) fn unanswered(error: reqwest::Error) -> Unanswered {
    let error = error.without_url();
    let why = cause(&error);
    if error.is_connect() {
        return Unanswered::Unreachable(why);
    }
    Unanswered::Broken(format!("the answer broke off ({why})"))
}

/// What a refusal says: its message, status and hint.
pub(super) async fn refusal(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    let error = body.get("error").unwrap_or(&Value::Null);
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    match text("message") {
        "" => format!("the server answered {status}; is it clm that listens there?"),
        message => format!("{message} ({status}): {}", text("hint")),
    }
}

/// Below the base's own path, so that a server behind a prefix is found too.
pub(super) fn join(base: &Url, route: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(route);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded_and_put_below_the_base() {
        let base = |text: &str| Url::parse(text).unwrap();
        for (at, route, expected) in [
            ("http://h", &["v1", "turns"][..], "http://h/v1/turns"),
            ("http://h/clm/", &["v1", "u"], "http://h/clm/v1/u"),
            (
                "http://h",
                &["v1", "users", "a/b ü?%2e#c"],
                "http://h/v1/users/a%2Fb%20%C3%BC%3F%252e%23c",
            ),
        ] {
            assert_eq!(join(&base(at), route).as_str(), expected);
        }
    }

    #[test]
    fn an_address_has_a_scheme() {
        assert!(address("https://h:1/clm").is_ok());
        for odd in ["localhost:8080", "h", "ftp://h"] {
            assert!(address(odd).is_err(), "{odd}");
        }
    }
}
