//! `GET /v1/export/{turns|sessions}`: everything of a time, as a file.
//!
//! It is made page by page, as it is taken: never more than a page is in memory, and a reader that is
//! slow is waited for. What cannot be finished is broken off in the middle of the response, so that the
//! reader's client reports it: a file that lacks its end and does not say so is worse than none.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Lifecycle;
use crate::record::{MAX_PAGE, Page, Reader, SessionFilter, Source, TurnFilter};
use crate::telemetry::events::ExportCut;

use super::error::Refusal;
use super::query::{Asked, WINDOW};
use super::sessions::{self, session_json};
use super::turns::{self, turn_json};
use super::{Door, csv, respond};

/// Of what there are exports.
pub(super) const WHAT: &[&str] = &["turns", "sessions"];

const JSON_LINES: &str = "application/jsonl; charset=utf-8";

/// The columns of table `turn` in its order, in the API's terms.
const TURN_COLUMNS: &[&str] = &[
    "turn_id",
    "session_id",
    "user_hash",
    "profile",
    "identity",
    "coach",
    "coach_reason",
    "tier",
    "complexity",
    "experiment",
    "variant",
    "planned_model",
    "served_model",
    "provider",
    "generation_id",
    "outcome",
    "auth_ms",
    "memory_ms",
    "plan_ms",
    "upstream_headers_ms",
    "first_token_ms",
    "first_speakable_ms",
    "total_ms",
    "overhead_ms",
    "memory_outcome",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_source",
    "hedged",
    "continued",
    "lead_in",
    "satisfaction",
    "trace_id",
    "created_at",
    "model_reason",
    "ceiling_usd",
];

/// The same of table `session`.
const SESSION_COLUMNS: &[&str] = &[
    "session_id",
    "user_hash",
    "first_turn_at",
    "last_turn_at",
    "turns",
    "failed_turns",
    "total_ms",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "unknown_costs",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Csv,
    JsonLines,
}

/// What is left of an export.
#[derive(Clone, Debug)]
struct Rest {
    store: Reader,
    what: What,
    form: Form,
}

#[derive(Clone, Debug)]
enum What {
    Turns(TurnFilter),
    Sessions(SessionFilter),
}

/// Why an export does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Cut {
    #[error("the store went away")]
    Store,
    #[error("the service is stopping")]
    Stopping,
}

pub(super) async fn export(
    request: HttpRequest,
    door: Data<Door>,
    name: Path<String>,
) -> HttpResponse {
    let begun = async {
        door.keys.admin(&request)?;
        let rest = Rest::wanted(&request, &door, &name)?;
        let (header, mut file) = rest.head();
        let soft = door.rooms.lifecycle.soft().clone();
        // Before the response's head, so that a store that is away is told as such.
        let (first, rest) = rest
            .page(&door.rooms.lifecycle, &soft)
            .await
            .map_err(|_| Refusal::Store)?;
        let lifecycle = door.rooms.lifecycle.clone();
        let pages = pages(rest, move |rest| {
            let (lifecycle, soft) = (lifecycle.clone(), soft.clone());
            async move { rest.page(&lifecycle, &soft).await }
        });
        let all = stream::iter([Ok(header), Ok(first)]).chain(pages);
        // An empty chunk would be the last one.
        let all = all.filter(|piece| {
            let is_empty = piece.as_ref().is_ok_and(Bytes::is_empty);
            std::future::ready(!is_empty)
        });
        Ok(file.streaming(Box::pin(all)))
    };
    let begun = begun.await;
    respond(&request, begun)
}

/// Page after page, each made when it is asked for.
fn pages<R, F>(
    rest: Option<R>,
    mut page: impl FnMut(R) -> F,
) -> impl Stream<Item = Result<Bytes, Cut>>
where
    F: Future<Output = Result<(Bytes, Option<R>), Cut>>,
{
    stream::try_unfold(rest, move |rest| {
        let page = rest.map(&mut page);
        async move {
            let Some(page) = page else {
                return Ok(None);
            };
            match page.await {
                Ok(made) => Ok(Some(made)),
                Err(cut) => {
                    let reason = &cut.to_string();
                    ExportCut { reason }.emit();
                    Err(cut)
                }
            }
        }
    })
}

impl Rest {
    fn wanted(request: &HttpRequest, door: &Door, name: &str) -> Result<Self, Refusal> {
        let format: &[&str] = &["format"];
        let (asked, what) = match name {
            "turns" => {
                let asked = Asked::of(request, &[turns::FILTERS, WINDOW, format])?;
                let filter = TurnFilter {
                    limit: MAX_PAGE,
                    ..turns::filter(door, &asked)?
                };
                (asked, What::Turns(filter))
            }
            "sessions" => {
                let asked = Asked::of(request, &[sessions::FILTERS, WINDOW, format])?;
                let filter = SessionFilter {
                    limit: MAX_PAGE,
                    ..sessions::filter(door, &asked)?
                };
                (asked, What::Sessions(filter))
            }
            _ => return Err(Refusal::NoSuch("export", WHAT.join(", "))),
        };
        let form = asked.choice("format", &[("csv", Form::Csv), ("jsonl", Form::JsonLines)])?;
        Ok(Self {
            store: door.store.clone(),
            what,
            form: form.unwrap_or(Form::Csv),
        })
    }

    /// How the file begins, and the response that it is sent in.
    fn head(&self) -> (Bytes, actix_web::HttpResponseBuilder) {
        let (name, columns) = match self.what {
            What::Turns(_) => ("turns", TURN_COLUMNS),
            What::Sessions(_) => ("sessions", SESSION_COLUMNS),
        };
        match self.form {
            Form::Csv => (
                csv::header(columns),
                csv::attachment(format!("clm-{name}.csv"), csv::CONTENT_TYPE),
            ),
            Form::JsonLines => (
                Bytes::new(),
                csv::attachment(format!("clm-{name}.jsonl"), JSON_LINES),
            ),
        }
    }

    /// The next page as text, and what is left after it. Made on the background runtime: a thousand
    /// rows take milliseconds, in which a worker that carries words would be silent.
    ///
    /// # Cancellation
    /// Safe: the page is made and thrown away.
    async fn page(
        self,
        lifecycle: &Lifecycle,
        soft: &CancellationToken,
    ) -> Result<(Bytes, Option<Self>), Cut> {
        let page = lifecycle.spawn(self.ask());
        match soft.run_until_cancelled(page).await {
            None => Err(Cut::Stopping),
            Some(page) => page.unwrap_or(Err(Cut::Stopping)),
        }
    }

    async fn ask(mut self) -> Result<(Bytes, Option<Self>), Cut> {
        let (text, next) = match &mut self.what {
            What::Turns(filter) => {
                let page = self.store.turns(filter).await.map_err(|_| Cut::Store)?;
                if page.source == Source::Recent {
                    return Err(Cut::Store);
                }
                let text = self.form.text(TURN_COLUMNS, &page, |t| turn_json(t, false));
                filter.before.clone_from(&page.next_cursor);
                (text, page.next_cursor)
            }
            What::Sessions(filter) => {
                let page = self.store.sessions(filter).await.map_err(|_| Cut::Store)?;
                let text = self.form.text(SESSION_COLUMNS, &page, session_json);
                filter.before.clone_from(&page.next_cursor);
                (text, page.next_cursor)
            }
        };
        Ok((text, next.map(|_| self)))
    }
}

impl Form {
    fn text<T>(self, columns: &[&str], page: &Page<T>, json: impl Fn(&T) -> Value) -> Bytes {
        let items = page.items.iter().map(json);
        match self {
            Self::JsonLines => items
                .map(|item| format!("{item}\n"))
                .collect::<String>()
                .into(),
            Self::Csv => {
                let items: Vec<Map<String, Value>> = items
                    .filter_map(|item| match item {
                        Value::Object(fields) => Some(fields),
                        _ => None,
                    })
                    .collect();
                csv::lines(columns, items.iter())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of one number each, up to and without `cut_at`.
    fn counted(cut_at: u32) -> impl Stream<Item = Result<Bytes, Cut>> {
        pages(Some(1_u32), move |n| async move {
            let text = Bytes::from(n.to_string());
            match n {
                n if n == cut_at => Err(Cut::Store),
                3 => Ok((text, None)),
                n => Ok((text, Some(n + 1))),
            }
        })
    }

    #[tokio::test]
    async fn pages_follow_each_other_to_the_last_or_to_a_cut() {
        let all: Vec<_> = counted(9).collect().await;
        assert_eq!(all, ["1", "2", "3"].map(|page| Ok(Bytes::from(page))));
        let cut: Vec<_> = counted(2).collect().await;
        assert_eq!(cut, [Ok(Bytes::from("1")), Err(Cut::Store)]);
        let none = pages(None::<u32>, |_| async { Err(Cut::Store) });
        assert!(none.collect::<Vec<_>>().await.is_empty());
    }

    #[tokio::test]
    async fn a_page_is_made_when_it_is_asked_for() {
        let made = std::cell::Cell::new(0);
        let pages = pages(Some(()), |()| {
            made.set(made.get() + 1);
            async { Ok((Bytes::from("x"), Some(()))) }
        });
        let mut pages = Box::pin(pages);
        assert_eq!(made.get(), 0);
        assert!(pages.next().await.is_some());
        assert_eq!(made.get(), 1);
    }
}
