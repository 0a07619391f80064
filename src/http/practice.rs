//! A turn that nobody takes, for practice.

use std::hint::black_box;
use std::time::Duration;

use tokio::time::Instant;

use crate::pipeline::{self, TurnRequest};
use crate::session::{Speaker, Unproven};
use crate::turn::{Identity, ProsodyPolicy, SessionId, Tier, TraceContext};
use crate::upstream::OpenRouter;

use super::Door;
use super::callers::decode;
use super::callers::hume::{self, HUME};

/// Turns of a talk that has just begun.
const TURNS: usize = 3;
const SESSION: &str = "practice";

/// A request that is made up, of nobody and about nothing.
#[derive(Debug)]
pub struct Practice {
    body: String,
}

impl Default for Practice {
    fn default() -> Self {
        Self {
            body: hume::request(TURNS, hume::USER_LINE),
        }
    }
}

impl Practice {
    /// Goes the way of a turn from its body until a model would be asked, and leaves nothing behind: no
    /// place in a session, no money, no row. The bytes that would have been sent.
    #[must_use]
    pub fn go_through(&self, door: &Door, upstream: &OpenRouter) -> Option<usize> {
        let began = Instant::now();
        let mut decoded = decode(self.body.as_bytes(), &HUME).ok()?;
        let speaker = Speaker {
            session: SessionId::parse(SESSION).ok()?,
            user: None,
            identity: Identity::None,
            is_new: true,
            tier: Tier::Free,
            pin: None,
            prosody: ProsodyPolicy::Prompt,
        };
        // Whoever comes without an id gets one.
        black_box(door.sessions.identify(Unproven::default()).is_ok());
        decoded.hear(speaker.prosody, door.rooms.clock.now_ms(), |_| Vec::new());
        let request = TurnRequest {
            profile: HUME.profile,
            speaker,
            conversation: decoded.conversation,
            pin: None,
            council: None,
            streams: true,
            signals: false,
            as_written: false,
            faults: Vec::new(),
            trace: TraceContext::new(),
            auth: Duration::ZERO,
            began,
            known: began.elapsed(),
        };
        pipeline::practise(&door.rooms, upstream, request)
    }
}
