//! What ends where: each resource, the calls that it lasts for, and what is done then.

use crate::fit::reached_at;
use crate::model::Model;

const MIB: f64 = 1024.0 * 1024.0;

/// A resource and where it ends.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    /// What it is held to.
    pub(crate) bound: String,
    pub(crate) calls: f64,
    /// One machine's own: more machines move it.
    pub(crate) is_machine: bool,
    /// What callers and operators notice.
    pub(crate) seen: &'static str,
    pub(crate) then: &'static str,
}

impl Model {
    /// In the order in which they end.
    pub(crate) fn limits(&self) -> Vec<Limit> {
        let mut all = self.of_machine();
        all.extend(self.shared());
        all.sort_by(|one, two| one.calls.total_cmp(&two.calls));
        all
    }

    fn of_machine(&self) -> Vec<Limit> {
        let machine = self.machine;
        let memory = machine.memory_gib * 1024.0 * self.get("memory_at_most");
        let spool = self.get("spool_limit") * MIB;
        let outage = 3600.0 * self.get("outage");
        let waiting = |calls| self.turns(calls) * outage * self.get("spool_bytes");
        let rows = |calls| {
            let turns = self.turns(calls);
            self.rows_of(turns, turns * self.get("attempts"))
        };
        vec![
            Limit {
                name: "writing to memory by a machine",
                bound: format!(
                    "{} exchanges wait for {} writes at once of {} s",
                    self.get("zep_window"),
                    self.get("zep_threads"),
                    self.get("zep_write")
                ),
                calls: reached_at(self.get("zep_window"), |calls| self.unwritten(calls)),
                is_machine: true,
                seen: "`clm_memory_backlog` grows and does not fall: what was said is known ever later, and waits on the disk",
                then: "more machines; more writers at once",
            },
            Limit {
                name: "people at hand of a machine",
                bound: format!("{} people", self.get("at_hand")),
                calls: self.get("at_hand"),
                is_machine: true,
                seen: "a context is asked for again, a turn is counted early",
                then: "more machines, with sessions that stay on theirs",
            },
            Limit {
                name: "processor of a machine",
                bound: format!(
                    "{} cores, {} of each",
                    machine.cores,
                    self.get("busy_at_most")
                ),
                calls: reached_at(machine.cores, |calls| self.cores(calls)),
                is_machine: true,
                seen: "the tail of the first word grows",
                then: "more machines, or larger ones: `WORKERS` follows the cores",
            },
            Limit {
                name: "memory of a machine",
                bound: format!(
                    "{} GiB, {} of it",
                    machine.memory_gib,
                    self.get("memory_at_most")
                ),
                calls: reached_at(memory, |calls| self.memory_mib(calls)),
                is_machine: true,
                seen: "new turns hear a busy sentence (`shed`)",
                then: "more memory",
            },
            Limit {
                name: "open files of a machine",
                bound: format!("{} files", machine.files),
                calls: reached_at(machine.files, |calls| self.files(calls)),
                is_machine: true,
                seen: "callers wait to be let in",
                then: "a higher `LimitNOFILE`; HTTP/2 to the models halves it",
            },
            Limit {
                name: "`MAX_TURNS` of a machine",
                bound: format!("{} turns", self.get("max_turns")),
                calls: reached_at(self.get("max_turns"), |calls| {
                    Self::peak(self.streams(calls))
                }),
                is_machine: true,
                seen: "new turns hear a busy sentence (`shed`)",
                then: "a higher one, where memory and files allow it",
            },
            Limit {
                name: "catching up after an outage of PostgreSQL",
                bound: format!("{} rows/s", self.get("replay_rows")),
                calls: reached_at(self.get("replay_rows"), rows),
                is_machine: true,
                seen: "`clm_spool_age_seconds` does not fall until fewer speak; no turn waits",
                then: "more machines; a shorter `PACE` where the database can take it",
            },
            Limit {
                name: "bills of calls that were hung up on",
                bound: format!("{} questions/s", self.get("bill_rate")),
                calls: reached_at(self.get("bill_rate"), |calls| self.bills(calls)),
                is_machine: true,
                seen: "what they cost stays an estimate (`crowded_out`)",
                then: "more machines",
            },
            Limit {
                name: "the spool while PostgreSQL is away",
                bound: format!("{} MiB, {} h", self.get("spool_limit"), self.get("outage")),
                calls: reached_at(spool, waiting),
                is_machine: true,
                seen: "details of upstream calls are dropped first, and counted",
                then: "more machines, each with a spool of its own; or a larger bound",
            },
        ]
    }

    fn shared(&self) -> Vec<Limit> {
        let day = 3600.0 * self.get("busy_hours") * self.dollars_per_turn();
        let pooled =
            (self.get("postgres_connections") / self.get("connections_per_machine")).floor();
        let each = self.calls_per_machine();
        vec![
            Limit {
                name: "the day's cap",
                bound: format!("${} a day", self.get("day_cap")),
                calls: reached_at(self.get("day_cap"), |calls| self.turns(calls) * day),
                is_machine: false,
                seen: "cheaper models, then a sentence for want of money",
                then: "`DAILY_BUDGET_USD`, `DAILY_HARD_CAP_USD`",
            },
            Limit {
                name: "Zep's requests",
                bound: format!("{}/min", self.get("zep_limit")),
                calls: reached_at(self.get("zep_limit"), |calls| self.zep(calls)),
                is_machine: false,
                seen: "turns without memory (`mem=error`), writes wait on the disk",
                then: "a plan by contract; several Zep projects, people divided by hash; beyond that a store of our own",
            },
            Limit {
                name: "processor of one HAProxy",
                bound: format!(
                    "{} cores, {} of each",
                    self.get("proxy_cores"),
                    self.get("busy_at_most")
                ),
                calls: reached_at(self.get("proxy_cores"), |calls| self.proxy_cores(calls)),
                is_machine: false,
                seen: "the tail of all words grows",
                then: "a larger one, since it has a thread for each; several HAProxys behind DNS or anycast",
            },
            Limit {
                name: "open files of one HAProxy",
                bound: format!("{} files", self.get("proxy_files")),
                calls: reached_at(self.get("proxy_files"), |calls| self.proxy_files(calls)),
                is_machine: false,
                seen: "callers wait to be let in",
                then: "a higher limit; several HAProxys",
            },
            Limit {
                name: "PostgreSQL's connections",
                bound: format!(
                    "{pooled} machines of {}",
                    self.get("connections_per_machine")
                ),
                calls: reached_at(pooled, |calls| {
                    let (needed, spare) = Self::fleet(calls, each);
                    needed + spare
                }),
                is_machine: false,
                seen: "records wait in the spool, reports answer 503",
                then: "PgBouncer in transaction mode",
            },
            Limit {
                name: "PostgreSQL's disk",
                bound: format!(
                    "{} TB, {} days",
                    self.get("postgres_disk"),
                    self.get("retention")
                ),
                calls: reached_at(self.get("postgres_disk") * 1e12, |calls| {
                    let day = 3600.0 * self.get("busy_hours") * self.get("row_bytes");
                    self.turns(calls) * day * self.get("retention")
                }),
                is_machine: false,
                seen: "rows wait in the spools",
                then: "a larger one; a shorter `RETENTION_DAYS`",
            },
            Limit {
                name: "the sum of an hour in PostgreSQL",
                bound: format!(
                    "{} s, {} million rows a second",
                    self.get("sum_within"),
                    self.get("sum_rows") / 1e6
                ),
                calls: reached_at(self.get("sum_within") * self.get("sum_rows"), |calls| {
                    self.turns(calls) * 3600.0
                }),
                is_machine: false,
                seen: "what a killed machine had spent and not told is not found",
                then: "one PostgreSQL for each share of the sessions, each with its share of the day's cap",
            },
            Limit {
                name: "PostgreSQL's rows",
                bound: format!(
                    "{:.0} rows/s: {} cores, {} of each",
                    self.rows_at_most(),
                    self.get("postgres_cores"),
                    self.get("busy_at_most")
                ),
                calls: reached_at(self.rows_at_most(), |calls| {
                    let turns = self.turns(calls);
                    self.rows_of(turns, turns * self.get("attempts"))
                }),
                is_machine: false,
                seen: "spools grow on every machine; no turn waits",
                then: "partitions by day, then one PostgreSQL for each share of the sessions: no statement of a turn joins two of them",
            },
            Limit {
                name: "one Redis",
                bound: format!("{} of a core", self.get("busy_at_most")),
                calls: reached_at(self.get("busy_at_most"), |calls| {
                    let (needed, spare) = Self::fleet(calls, each);
                    self.redis_cores(calls, needed + spare)
                }),
                is_machine: false,
                seen: "repeats on another machine are paid again, and newer requests there end nothing",
                then: "a Redis for each region or share of the sessions: the keys are in one slot, so a cluster alone does not divide them",
            },
        ]
    }

    /// Calls that one machine carries, whatever ends it first.
    pub(crate) fn calls_per_machine(&self) -> f64 {
        let own = self.of_machine().into_iter().map(|l| l.calls);
        own.fold(f64::INFINITY, f64::min)
    }
}
