-- The founding schema of the embedded store: one row per turn, one per upstream call.
-- No words of anybody. Times in milliseconds from the end of the request body, money in millionths
-- of a dollar, created_at in milliseconds since the Unix epoch (UTC).

create table turn (
    -- UUIDv7: sorts by the time the turn began, so it is key and cursor at once
    turn_id             text    primary key not null,
    -- as the caller sent it; a pseudonym where the id was a signed one
    session_id          text    not null,
    -- keyed hash of the user id; null when nobody is known
    user_hash           text,
    -- whose dialect of the wire the caller spoke
    profile             text    not null,
    -- signed, body, minted or none
    identity            text    not null,
    coach               text    not null,
    -- keyword:<word>, named, kept, pinned or default
    coach_reason        text    not null,
    tier                text    not null,
    -- the first candidate; the one that answered is served_model
    planned_model       text    not null,
    served_model        text,
    provider            text,
    -- upstream's own name for the answer, for its support and its bills
    generation_id       text,
    -- how it ended, from a closed set
    outcome             text    not null,
    auth_ms             real,
    -- how long memory was waited for
    memory_ms           real,
    plan_ms             real,
    upstream_headers_ms real,
    first_token_ms      real,
    first_speakable_ms  real,
    total_ms            real    not null,
    -- our own share of first_speakable_ms: less the waiting on memory and upstream
    overhead_ms         real,
    -- hit, stale, miss, late, off or error
    memory_outcome      text    not null,
    prompt_tokens       integer,
    completion_tokens   integer,
    cached_tokens       integer,
    reasoning_tokens    integer,
    -- all attempts of the turn together; null when not known, never zero for "unknown"
    cost_microusd       integer,
    -- reported, corrected, estimated or unknown
    cost_source         text    not null,
    -- how many upstream calls were made
    attempts            integer not null,
    trace_id            text    not null,
    created_at          integer not null
) strict;

-- "the turns of this session", newest first
create index turn_session on turn (session_id, turn_id);
-- "the trace id from a user's report"
create index turn_trace on turn (trace_id);

create table attempt (
    turn_id           text    not null references turn (turn_id),
    -- order of the calls within the turn, from 0
    position          integer not null,
    -- as it was asked for
    model             text    not null,
    provider          text,
    generation_id     text,
    -- HTTP status; null when no response head came
    status            integer,
    -- null when it went well
    error_kind        text,
    started_ms        real    not null,
    headers_ms        real,
    first_token_ms    real,
    ended_ms          real    not null,
    prompt_tokens     integer,
    completion_tokens integer,
    cost_microusd     integer,
    -- closed by us before the stream's own end
    cancelled         integer not null,
    primary key (turn_id, position)
) strict, without rowid;
