//! From so many calls to what they need. All of it is arithmetic on [`Measured`].

use crate::fit::{Curve, Practice, Room};
use crate::measured::{Measured, Mode};

/// What one machine is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) cores: f64,
    pub(crate) memory_gib: f64,
    pub(crate) files: f64,
    /// Whether models are asked over HTTP/2, many streams a connection.
    pub(crate) is_h2: bool,
}

/// Measured, fitted, and asked about one kind of machine.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) measured: Measured,
    pub(crate) machine: Machine,
    pub(crate) curve: Curve,
    pub(crate) speaking: Room,
    pub(crate) held: Room,
}

/// What so many calls need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    pub(crate) turns: f64,
    pub(crate) tokens: f64,
    pub(crate) streams: f64,
    /// At its busiest: streams come by chance.
    pub(crate) streams_peak: f64,
    pub(crate) cores: f64,
    pub(crate) upstream_h1: f64,
    pub(crate) upstream_h2: f64,
    pub(crate) rows: f64,
    pub(crate) row_bytes_day: f64,
    pub(crate) redis: f64,
    pub(crate) zep: f64,
    pub(crate) transactions: f64,
    /// What PostgreSQL keeps in the end, bytes.
    pub(crate) kept_bytes: f64,
    pub(crate) redis_cores: f64,
    pub(crate) requests: f64,
    /// Questions what calls cost that were hung up on, a minute.
    pub(crate) bills: f64,
    pub(crate) tokens_in: f64,
    /// What leaves the machines, to callers and to models, in bytes a day.
    pub(crate) traffic_day: f64,
    /// Dollars an hour: models, machines, what leaves them.
    pub(crate) models_hour: f64,
    pub(crate) machines_hour: f64,
    pub(crate) traffic_hour: f64,
    pub(crate) spool_hour: f64,
    pub(crate) log_day: f64,
    pub(crate) proxy_cores: f64,
    /// What all must carry together, one lost, and those that a deploy takes out at once.
    pub(crate) machines: f64,
    pub(crate) spare: f64,
    /// Of one machine, when the spare ones are away.
    pub(crate) busy_each: f64,
    pub(crate) memory_mib_each: f64,
    pub(crate) files_each: f64,
}

/// At most one in so many is replaced at once, rounded up.
const REPLACED_AT_ONCE: f64 = 20.0;
/// Of a token, as SAVINGS.md counts them.
const CHARACTERS: f64 = 4.0;
const HOURS_OF_A_MONTH: f64 = 730.0;
/// Streams open by chance: so many standard deviations above the mean.
const DEVIATIONS: f64 = 4.0;

impl Model {
    pub(crate) fn new(measured: Measured, machine: Machine) -> Self {
        let practice = Practice {
            most: measured.get("practice"),
            fades: measured.get("rig_tokens") / measured.get("practice_after"),
        };
        Self {
            curve: Curve::fit(&measured.processor, practice),
            speaking: Room::fit(&measured.memory, Mode::Speaking),
            held: Room::fit(&measured.memory, Mode::Held),
            measured,
            machine,
        }
    }

    pub(crate) fn get(&self, name: &str) -> f64 {
        self.measured.get(name)
    }

    /// Words that the coach says in a turn.
    pub(crate) fn words(&self) -> f64 {
        self.get("coach_speaks") * self.get("turn_every") * self.get("words_per_minute") / 60.0
    }

    pub(crate) fn tokens_per_turn(&self) -> f64 {
        self.words() * self.get("tokens_per_word")
    }

    /// How long a turn's stream is open: it is read faster than it is spoken.
    pub(crate) fn stream_s(&self) -> f64 {
        self.get("first_token") + self.tokens_per_turn() / self.get("model_pace")
    }

    pub(crate) fn turns(&self, calls: f64) -> f64 {
        calls / self.get("turn_every")
    }

    pub(crate) fn streams(&self, calls: f64) -> f64 {
        self.turns(calls) * self.stream_s()
    }

    pub(crate) fn peak(streams: f64) -> f64 {
        streams + DEVIATIONS * streams.sqrt()
    }

    pub(crate) fn dollars_per_turn(&self) -> f64 {
        ["free", "premium", "enterprise"]
            .iter()
            .map(|tier| self.get(tier) * self.dollars_of(tier))
            .sum()
    }

    /// A turn of this tier.
    pub(crate) fn dollars_of(&self, tier: &str) -> f64 {
        self.get(&format!("dollars_{tier}")) * self.dearer()
    }

    /// How much dearer a turn is than where it was measured: the longer a call, the more of it is sent again.
    fn dearer(&self) -> f64 {
        let answer = self.get("output_times") * self.get("answer_tokens");
        (self.tokens_in() + answer) / (self.get("prompt_tokens") + answer)
    }

    /// Turns that went before one, on the average of a call.
    fn past_turns(&self) -> f64 {
        (self.get("call_minutes") * 60.0 / self.get("turn_every") - 1.0).max(0.0) / 2.0
    }

    pub(crate) fn tokens_in(&self) -> f64 {
        let more = self.past_turns() - self.get("bill_past_turns");
        self.get("prompt_tokens") + more * self.get("past_turn_tokens")
    }

    /// Of a mixed call, or of one tier's.
    pub(crate) fn dollars_per_minute(&self, per_turn: f64) -> f64 {
        per_turn * 60.0 / self.get("turn_every")
    }

    /// Reading a call's history costs more the longer it is; half its turns on the average.
    fn history_cores(&self, turns: f64) -> f64 {
        turns * self.get("history_us") * self.past_turns() / 1e6
    }

    /// Cores that are as busy as they may be.
    pub(crate) fn cores(&self, calls: f64) -> f64 {
        let busy = self.get("busy_at_most");
        let turns = self.turns(calls);
        let each = self.curve.rate_at(busy);
        turns * self.tokens_per_turn() / each + self.history_cores(turns) / busy
    }

    /// Streams that a machine has open, on the average, when each of its cores is so busy.
    pub(crate) fn streams_at(&self, busy: f64) -> f64 {
        let turns = self.machine.cores * self.curve.rate_at(busy) / self.tokens_per_turn();
        turns * self.stream_s()
    }

    pub(crate) fn memory_mib(&self, calls: f64) -> f64 {
        let streams = Self::peak(self.streams(calls));
        let needed = self.get("memory_kept")
            + self.speaking.kib(streams) / 1024.0
            + self.get("memory_session") * calls / 1024.0;
        self.get("memory_rest") + needed.max(self.get("memory_touched"))
    }

    /// Files of one machine with so many calls.
    pub(crate) fn files(&self, calls: f64) -> f64 {
        let streams = Self::peak(self.streams(calls));
        self.files_of(streams, self.machine.is_h2) + self.kept(calls) - streams
    }

    pub(crate) fn files_of(&self, streams: f64, is_h2: bool) -> f64 {
        let upstream = if is_h2 {
            self.connections_h2(streams)
        } else {
            streams * self.get("attempts") * (self.get("files_per_stream") - 1.0)
        };
        self.get("files_fixed") + streams + upstream
    }

    fn connections_h2(&self, streams: f64) -> f64 {
        (streams * self.get("attempts") / self.get("h2_streams")).ceil()
    }

    /// Cores of HAProxy that are as busy as they may be.
    pub(crate) fn proxy_cores(&self, calls: f64) -> f64 {
        self.turns(calls) * self.get("proxy_turn") / 1e6 / self.get("busy_at_most")
    }

    /// Files of HAProxy: callers keep a connection between turns, machines none.
    pub(crate) fn proxy_files(&self, calls: f64) -> f64 {
        self.kept(calls) + Self::peak(self.streams(calls))
    }

    /// Connections of callers, those between two turns among them.
    fn kept(&self, calls: f64) -> f64 {
        (calls * self.get("keep")).max(Self::peak(self.streams(calls)))
    }

    /// Requests a minute.
    pub(crate) fn zep(&self, calls: f64) -> f64 {
        self.zep_of(self.turns(calls) * 60.0, calls / self.get("call_minutes"))
    }

    /// Questions a second what calls cost that were hung up on.
    pub(crate) fn bills(&self, calls: f64) -> f64 {
        self.turns(calls) * self.get("hung_up") * self.get("bill_looks")
    }

    /// Requests to Zep for so many turns of so many calls.
    pub(crate) fn zep_of(&self, turns: f64, calls: f64) -> f64 {
        turns * (self.get("zep_reads") + self.get("zep_writes")) + calls * self.get("zep_call")
    }

    /// Rows for so many turns, which asked models so often.
    pub(crate) fn rows_of(&self, turns: f64, attempts: f64) -> f64 {
        turns * (self.get("rows") - 1.0) + attempts
    }

    /// Scripts for so many turns, on machines that ran for so many seconds together.
    pub(crate) fn redis_of(&self, turns: f64, machine_seconds: f64) -> f64 {
        turns * self.get("redis_scripts") + machine_seconds
    }

    /// Cores of Redis: scripts of turns, and machines that read each other's numbers.
    pub(crate) fn redis_cores(&self, calls: f64, machines: f64) -> f64 {
        let scripts = self.redis_of(self.turns(calls), machines) * self.get("redis_script");
        let readings = machines.min(self.get("redis_readers"));
        (scripts + readings * machines * self.get("redis_reading")) / 1e6
    }

    /// Exchanges that wait to be written to memory. Each write takes all that waits of a person: while everybody's turn comes
    /// round, more is said.
    pub(crate) fn unwritten(&self, calls: f64) -> f64 {
        let round = calls * self.get("zep_write") / self.get("zep_threads");
        calls * round / self.get("turn_every") / 2.0
    }

    /// Rows a second that PostgreSQL takes while its cores are as busy as they may be.
    pub(crate) fn rows_at_most(&self) -> f64 {
        self.get("postgres_cores") * self.get("busy_at_most") * 1e6 / self.get("postgres_row")
    }

    /// Bytes that a turn sends, to its caller and to models.
    fn sent(&self) -> f64 {
        let history = self.past_turns() * self.get("past_turn_tokens") * CHARACTERS;
        let asked = self.get("bytes_to_models") + history;
        self.get("bytes_to_callers") + asked * self.get("attempts")
    }

    /// Machines that carry the calls, and the spare ones: one lost, and those that a deploy replaces at once.
    pub(crate) fn fleet(calls: f64, each: f64) -> (f64, f64) {
        let needed = (calls / each).ceil().max(1.0);
        (needed, 1.0 + (needed / REPLACED_AT_ONCE).ceil())
    }

    pub(crate) fn need(&self, calls: f64) -> Need {
        let turns = self.turns(calls);
        let tokens = turns * self.tokens_per_turn();
        let streams = self.streams(calls);
        let peak = Self::peak(streams);
        let day = 3600.0 * self.get("busy_hours");
        let (needed, spare) = Self::fleet(calls, self.calls_per_machine());
        let (each, cores) = (calls / needed, self.machine.cores);
        let busy =
            self.curve.busy(tokens / needed / cores) + self.history_cores(self.turns(each)) / cores;
        let requests = turns * self.get("attempts");
        Need {
            turns,
            tokens,
            streams,
            streams_peak: peak,
            cores: self.cores(calls),
            upstream_h1: peak * self.get("attempts"),
            upstream_h2: self.connections_h2(peak),
            rows: self.rows_of(turns, requests),
            row_bytes_day: turns * day * self.get("row_bytes"),
            redis: self.redis_of(turns, needed + spare),
            zep: self.zep(calls),
            transactions: (needed + spare) * self.get("transactions"),
            kept_bytes: turns * day * self.get("row_bytes") * self.get("retention"),
            redis_cores: self.redis_cores(calls, needed + spare),
            requests: requests * 60.0,
            bills: self.bills(calls) * 60.0,
            tokens_in: requests * 60.0 * self.tokens_in(),
            traffic_day: turns * day * self.sent(),
            models_hour: turns * 3600.0 * self.dollars_per_turn(),
            machines_hour: (needed + spare) * self.get("machine_dollars") / HOURS_OF_A_MONTH,
            traffic_hour: turns * 3600.0 * self.sent() / 1e9 * self.get("traffic_dollars"),
            spool_hour: turns * 3600.0 * self.get("spool_bytes"),
            log_day: turns * day * self.get("log_bytes"),
            proxy_cores: self.proxy_cores(calls),
            machines: needed,
            spare,
            busy_each: busy,
            memory_mib_each: self.memory_mib(each),
            files_each: self.files(each),
        }
    }
}
