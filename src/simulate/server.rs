//! The socket side: what the two simulated services share, and the way from a path to an answer.
//!
//! Paths are cut here and not by actix, so that ids are percent-decoded exactly once.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures::stream;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, ZepCall, lock};
use super::memory_fault::UnknownMemoryFault;
use super::models_fault::UnknownModelsFault;
use super::{Options, openrouter, zep};
use crate::clock::Clock;

const MAX_BODY_BYTES: usize = 32 << 20;

/// What all requests share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) stopping: CancellationToken,
    options: Mutex<Options>,
    script: Mutex<VecDeque<String>>,
    recordings: Mutex<BTreeMap<String, (Bytes, usize)>>,
    serial: AtomicU64,
}

impl State {
    pub(super) fn new(options: Options, stopping: CancellationToken) -> Self {
        Self {
            ledger: Ledger::new(),
            stopping,
            options: Mutex::new(options),
            script: Mutex::default(),
            recordings: Mutex::default(),
            serial: AtomicU64::new(0),
        }
    }

    pub(super) fn options(&self) -> Options {
        lock(&self.options).clone()
    }

    pub(super) fn set_options(&self, options: Options) {
        *lock(&self.options) = options;
    }

    pub(super) fn set_script(&self, names: Vec<String>) {
        *lock(&self.script) = names.into();
    }

    pub(super) fn next_script(&self) -> Option<String> {
        lock(&self.script).pop_front()
    }

    pub(super) fn add_recording(&self, name: &str, bytes: Bytes, cut_every: usize) {
        lock(&self.recordings).insert(name.to_owned(), (bytes, cut_every));
    }

    pub(super) fn recording(&self, name: &str) -> Option<(Bytes, usize)> {
        lock(&self.recordings).get(name).cloned()
    }

    /// `gen-<seconds>-<20 alphanumerics>`.
    pub(super) fn generation_id(&self) -> String {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let (mut high, mut low) = self.next();
        let tail: String = (0..20)
            .filter_map(|at| {
                let half = if at < 10 { &mut high } else { &mut low };
                let letter = LETTERS.get(usize::try_from(*half % 62).ok()?)?;
                *half /= 62;
                Some(char::from(*letter))
            })
            .collect();
        format!("gen-{}-{tail}", Clock::System.now_s())
    }

    /// A fresh id of the shape Zep gives.
    pub(super) fn uuid(&self) -> String {
        let (high, low) = self.next();
        uuid::Uuid::from_u64_pair(high, low).to_string()
    }

    fn next(&self) -> (u64, u64) {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let now = u64::try_from(Clock::System.now_ms()).unwrap_or(0);
        (mix(now ^ (serial << 48)), mix(serial))
    }
}

/// A step of `SplitMix64`: a bijection, so that different serials never meet.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A request as both services read it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) authorization: Option<String>,
    /// Null when there was no JSON.
    pub(super) body: Value,
    pub(super) bytes: usize,
    pub(super) received_at: Instant,
    head: HttpRequest,
}

impl Request {
    fn new(head: HttpRequest, body: &[u8]) -> Self {
        let header = head.headers().get(AUTHORIZATION);
        Self {
            method: head.method().clone(),
            authorization: header.and_then(|value| Some(value.to_str().ok()?.to_owned())),
            body: serde_json::from_slice(body).unwrap_or_default(),
            bytes: body.len(),
            received_at: Instant::now(),
            head,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        let value = self.head.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    }

    /// Whether a key came with this scheme, such as `Bearer `.
    pub(super) fn has_key(&self, scheme: &str) -> bool {
        let key = self
            .authorization
            .as_deref()
            .and_then(|value| value.strip_prefix(scheme));
        key.is_some_and(|key| !key.trim().is_empty())
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.head.query_string().split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
        })
    }
}

/// A server over `listener`, not yet polled.
pub(super) fn serve(
    listener: TcpListener,
    state: web::Data<State>,
) -> io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .default_service(web::to(front))
    })
    .workers(1)
    .max_connections(65_536)
    .disable_signals()
    .tcp_nodelay(true)
    .keep_alive(Duration::from_secs(90))
    .h1_allow_half_closed(false)
    .shutdown_timeout(1)
    .listen(listener)?
    .run();
    Ok(server)
}

/// Drops the connection without a byte: a body that fails before its head was flushed.
pub(super) fn drop_connection() -> HttpResponse {
    let failed: Result<Bytes, io::Error> = Err(io::ErrorKind::ConnectionReset.into());
    HttpResponse::Ok().streaming(stream::iter([failed]))
}

async fn front(state: web::Data<State>, head: HttpRequest, body: Bytes) -> HttpResponse {
    let request = Request::new(head, &body);
    let raw = request.head.uri().path().to_owned();
    let segments: Vec<String> = raw
        .trim_start_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["api", "v1", rest @ ..] => openrouter::answer(&state, &request, rest).await,
        ["api", "v2", rest @ ..] => {
            let path = request.head.uri().path_and_query();
            state.ledger.note_zep(
                request.bytes,
                ZepCall {
                    method: request.method.to_string(),
                    path: path.map_or(raw.clone(), ToString::to_string),
                    body: request.body.clone(),
                    received_at: request.received_at,
                },
            );
            zep::answer(&state, &request, rest).await
        }
        ["__trap"] => {
            state.ledger.note_trapped();
            HttpResponse::Ok().finish()
        }
        ["__ledger"] if request.method == Method::GET => {
            HttpResponse::Ok().json(state.ledger.to_json())
        }
        ["__reset"] if request.method == Method::POST => {
            state.ledger.reset();
            state.set_script(Vec::new());
            HttpResponse::Ok().json(json!({}))
        }
        ["__options"] if request.method == Method::POST => set_options(&state, &request.body),
        _ => HttpResponse::NotFound()
            .json(json!({"error": {"message": "nothing is simulated here"}})),
    }
}

/// Changes what the body names; nothing when any of it cannot be read.
fn set_options(state: &State, body: &Value) -> HttpResponse {
    match changed(state.options(), body) {
        Ok((options, script)) => {
            state.set_options(options);
            if let Some(script) = script {
                state.set_script(script);
            }
            HttpResponse::Ok().json(json!({}))
        }
        Err(told) => HttpResponse::BadRequest().json(json!({"error": {"message": told}})),
    }
}

fn changed(mut options: Options, body: &Value) -> Result<(Options, Option<Vec<String>>), String> {
    let fields = body.as_object().ok_or("an object of options is wanted")?;
    let mut script = None;
    for (name, value) in fields {
        let millis = || {
            let ms = value.as_u64();
            ms.map(Duration::from_millis)
                .ok_or(format!("{name} is in milliseconds"))
        };
        match name.as_str() {
            "first_token_ms" => options.first_token = millis()?,
            "gap_ms" => options.gap = millis()?,
            "memory_latency_ms" => options.memory_latency = millis()?,
            "generation_lag_ms" => options.generation_lag = millis()?,
            "models_fault" => {
                options.models_fault = match value.as_str() {
                    None | Some("" | "none") => None,
                    Some(fault) => Some(
                        fault
                            .parse()
                            .map_err(|e: UnknownModelsFault| e.to_string())?,
                    ),
                }
            }
            "memory_fault" => {
                options.memory_fault = match value.as_str() {
                    None | Some("" | "none") => None,
                    Some(fault) => Some(
                        fault
                            .parse()
                            .map_err(|e: UnknownMemoryFault| e.to_string())?,
                    ),
                }
            }
            "script" => {
                let names: Option<Vec<String>> = value.as_array().and_then(|all| {
                    all.iter()
                        .map(|item| Some(item.as_str()?.to_owned()))
                        .collect()
                });
                script = Some(names.ok_or("script is a list of fault names")?);
            }
            other => return Err(format!("no option is called {other}")),
        }
    }
    Ok((options, script))
}
