//! A store without a socket: it can be down for an hour of a clock that is held.

use std::collections::HashMap;

use super::*;
use crate::memory::store::{Line, Reception, Speaker, Told};

#[derive(Default)]
pub(in crate::memory) struct Imagined {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// What calls meet while it is down.
    trouble: Option<Trouble>,
    threads: HashMap<String, Vec<(Speaker, String)>>,
    calls: u32,
    refused: u32,
}

/// Ways to be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection is refused.
    Refused,
    /// The request never gets through, and nothing says so for a while.
    Lost,
    /// 503, before anything is looked at.
    Unavailable,
    RateLimited,
    /// The key is not taken.
    Unauthorized,
}

impl Imagined {
    pub(super) fn is(&self, trouble: Option<Trouble>) {
        self.inside.lock().unwrap().trouble = trouble;
    }

    /// What was written to a thread.
    pub(super) fn texts(&self, who: &Person) -> Vec<String> {
        let inside = self.inside.lock().unwrap();
        let lines = inside.threads.get(who.zep_thread()).into_iter().flatten();
        lines.map(|(_, text)| text.clone()).collect()
    }

    /// Calls so far, and how many of them failed.
    pub(super) fn calls(&self) -> (u32, u32) {
        let inside = self.inside.lock().unwrap();
        (inside.calls, inside.refused)
    }

    async fn fail(&self) -> Result<(), MemoryError> {
        let trouble = {
            let mut inside = self.inside.lock().unwrap();
            inside.calls += 1;
            inside.refused += u32::from(inside.trouble.is_some());
            inside.trouble
        };
        Err(match trouble {
            None => return Ok(()),
            Some(Trouble::Refused) => {
                let client = crate::outbound::direct().unwrap();
                let (_held, base) = silent();
                client.get(base.parse().unwrap()).await.unwrap_err().into()
            }
            Some(Trouble::Lost) => {
                sleep(Duration::from_secs(15)).await;
                MemoryError::Timeout
            }
            Some(Trouble::Unavailable) => MemoryError::Status(503),
            Some(Trouble::RateLimited) => MemoryError::RateLimited {
                after: Duration::from_secs(60),
            },
            Some(Trouble::Unauthorized) => MemoryError::Unauthorized,
        })
    }

    pub(in crate::memory) async fn introduce(&self) -> Result<Reception, MemoryError> {
        self.fail().await.map(|()| Reception::Accepted)
    }

    pub(in crate::memory) async fn told(&self, who: &Person) -> Result<Vec<Told>, MemoryError> {
        self.fail().await?;
        let inside = self.inside.lock().unwrap();
        let lines = inside.threads.get(who.zep_thread()).into_iter().flatten();
        let told = lines.map(|(speaker, text)| Told {
            role: speaker.role().to_owned(),
            content: text.clone(),
            created_at: None,
        });
        Ok(told.collect())
    }

    pub(in crate::memory) async fn write(
        &self,
        who: &Person,
        lines: &[Line],
    ) -> Result<Reception, MemoryError> {
        self.fail().await?;
        sleep(Duration::from_millis(40)).await;
        let mut inside = self.inside.lock().unwrap();
        let thread = inside.threads.entry(who.zep_thread().to_owned());
        let lines = lines.iter().map(|line| (line.speaker, line.text.clone()));
        thread.or_default().extend(lines);
        Ok(Reception::Accepted)
    }
}
