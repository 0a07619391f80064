//! Closed sets: how a turn ended, who spoke, what memory gave. Each has one spelling, used in the
//! table, in metrics and in JSON alike.

use serde::{Deserialize, Serialize};

/// Declares a closed set with its one spelling.
macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every member, in declaration order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The spelling used in records, metrics and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The member with this spelling, if there is one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

closed_set! {
    /// How a turn ended. Settled exactly once per admitted turn.
    Outcome {
        /// The model's answer reached its own end and was handed to the caller whole.
        Complete => "complete",
        /// The caller hung up before the end (a barge-in): normal, not an error.
        Interrupted => "interrupted",
        /// A newer request of the same session replaced this one.
        Superseded => "superseded",
        /// A break after words were out, continued to a proper end by another attempt.
        PartialRecovered => "partial_recovered",
        /// A break after words were out; the stream was ended politely where it stood.
        PartialFailed => "partial_failed",
        /// Nothing could be said but the spoken fallback line.
        Failed => "failed",
        /// Refused before any work: the service was full or leaving, or a budget's limit was reached.
        Shed => "shed",
    }
}

closed_set! {
    /// How far the speaker's identity can be trusted.
    Identity {
        /// A session id signed by this service.
        Signed => "signed",
        /// Named by the request itself; trusted only where no signing key is set.
        Body => "body",
        /// Minted by this service because the request carried no id.
        Minted => "minted",
        /// Unknown or refused: memory is neither read nor written, tier is free.
        None => "none",
    }
}

closed_set! {
    /// What the session pays for; decides the class of model.
    Tier {
        Free => "free",
        Premium => "premium",
        Enterprise => "enterprise",
    }
}

closed_set! {
    /// What memory gave this turn.
    MemoryOutcome {
        /// A context was at hand in time, from the cache or from a fetch.
        Hit => "hit",
        /// The last good context, older than the freshness window, was used.
        Stale => "stale",
        /// The store answered: nothing is known of this person yet.
        Miss => "miss",
        /// The deadline passed first and nothing older was cached.
        Late => "late",
        /// Memory is switched off, or this speaker may not use it.
        Off => "off",
        /// The store failed and nothing older was cached.
        Error => "error",
    }
}

closed_set! {
    /// Where a cost figure comes from.
    CostSource {
        /// The upstream's own usage chunk.
        Reported => "reported",
        /// Looked up afterwards by generation id.
        Corrected => "corrected",
        /// Computed here from token counts and list prices.
        Estimated => "estimated",
        /// Not known; never to be read as zero.
        Unknown => "unknown",
    }
}

closed_set! {
    /// Why an upstream call was made.
    Cause {
        /// The plan's first model.
        First => "first",
        /// The model before it failed without a word.
        Fallback => "fallback",
        /// The same model again, without what it had refused.
        Mended => "mended",
        /// The model before it was slow; the two race.
        Hedge => "hedge",
        /// The model before it broke off in mid-answer.
        Resume => "resume",
        /// Whom a council is to hear.
        Plan => "plan",
        /// What a specialist of a council has to say.
        Specialist => "specialist",
    }
}

closed_set! {
    /// Why a stream ended, in `OpenAI`'s words.
    FinishReason {
        Stop => "stop",
        Length => "length",
        ToolCalls => "tool_calls",
        ContentFilter => "content_filter",
    }
}

closed_set! {
    /// Why a turn could not be answered, as a program is told.
    Fault {
        /// No model said a word in time.
        Unanswered => "upstream_failed",
        /// The answer broke off and nobody could go on.
        BrokenOff => "upstream_broke_off",
        /// There is no money for it.
        Unpaid => "budget_exhausted",
    }
}

closed_set! {
    /// Whose dialect of the wire a request speaks.
    CallerProfile {
        Hume => "hume",
        Openai => "openai",
        Elevenlabs => "elevenlabs",
        Vapi => "vapi",
        /// No caller's: the council's own route.
        Council => "council",
    }
}
