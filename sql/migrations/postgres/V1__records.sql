-- The founding schema in PostgreSQL: turns, what was asked of models for them, sessions, and what
-- people thought of it. No words of anybody.
--
-- Times of day are timestamptz, durations milliseconds from the end of the request body, money
-- millionths of a dollar. Closed sets are text: an older program reads what a newer one wrote.

create table turn (
    turn_id             uuid primary key,
    session_id          text not null,
    user_hash           text,
    profile             text not null,
    identity            text not null,
    coach               text not null,
    coach_reason        text not null,
    tier                text not null,
    complexity          double precision,
    experiment          text,
    variant             text,
    planned_model       text not null,
    served_model        text,
    provider            text,
    generation_id       text,
    outcome             text not null,
    auth_ms             double precision,
    memory_ms           double precision,
    plan_ms             double precision,
    upstream_headers_ms double precision,
    first_token_ms      double precision,
    first_speakable_ms  double precision,
    total_ms            double precision not null,
    overhead_ms         double precision,
    memory_outcome      text not null,
    prompt_tokens       bigint,
    completion_tokens   bigint,
    cached_tokens       bigint,
    reasoning_tokens    bigint,
    cost_microusd       bigint,
    cost_source         text not null,
    attempts            integer not null default 0,
    hedged              boolean not null default false,
    continued           boolean not null default false,
    lead_in             boolean not null default false,
    satisfaction        smallint,
    trace_id            text not null,
    created_at          timestamptz not null
);
comment on table turn is 'One row per turn: one utterance of a person, answered. Kept for RETENTION_DAYS.';
comment on column turn.turn_id is 'UUIDv7: sorts by the time the turn began, so it is key and cursor at once.';
comment on column turn.session_id is 'As the caller sent it; a pseudonym where the id was a signed one.';
comment on column turn.user_hash is 'Keyed hash of the user id; null when nobody is known, and after an erasure.';
comment on column turn.profile is 'Whose dialect of the wire the caller spoke, such as hume or openai.';
comment on column turn.identity is 'How far the speaker can be trusted: signed, body, minted or none.';
comment on column turn.coach is 'Id of the coach who answered.';
comment on column turn.coach_reason is 'Why that coach: keyword:<word>, named, kept, pinned or default.';
comment on column turn.tier is 'What the session pays for: free, premium or enterprise.';
comment on column turn.complexity is 'How demanding the turn was held to be, 0 to 1; null when not judged.';
comment on column turn.experiment is 'The experiment that the session took part in; null for none.';
comment on column turn.variant is 'Its arm in that experiment.';
comment on column turn.planned_model is 'The first candidate; the one that answered is served_model.';
comment on column turn.served_model is 'The model whose words were spoken; null when none was.';
comment on column turn.provider is 'Who ran that model.';
comment on column turn.generation_id is 'Upstream''s own name for the answer, for its support and its bills.';
comment on column turn.outcome is 'How it ended: complete, interrupted, superseded, partial_recovered, partial_failed, failed or shed.';
comment on column turn.auth_ms is 'Until the caller was known.';
comment on column turn.memory_ms is 'How long memory was waited for.';
comment on column turn.plan_ms is 'Until coach and models were chosen.';
comment on column turn.upstream_headers_ms is 'Until the first response head of a model.';
comment on column turn.first_token_ms is 'Until the first event of the answer.';
comment on column turn.first_speakable_ms is 'Until the first words that can be spoken: what the person waited.';
comment on column turn.total_ms is 'Until the turn was over.';
comment on column turn.overhead_ms is 'Our own share of first_speakable_ms: less the waiting on memory and upstream.';
comment on column turn.memory_outcome is 'What memory gave: hit, stale, miss, late, off or error.';
comment on column turn.prompt_tokens is 'Billed tokens read, all attempts together.';
comment on column turn.completion_tokens is 'Billed tokens written, all attempts together.';
comment on column turn.cached_tokens is 'Tokens read that the provider had in its cache.';
comment on column turn.reasoning_tokens is 'Tokens written that nobody heard.';
comment on column turn.cost_microusd is 'All attempts together; null when not known, never zero for unknown.';
comment on column turn.cost_source is 'The weakest source among the attempts: reported, corrected, estimated or unknown.';
comment on column turn.attempts is 'How many upstream calls were made.';
comment on column turn.hedged is 'Two models raced for the first words.';
comment on column turn.continued is 'Another model was asked to go on after words were out.';
comment on column turn.lead_in is 'A lead-in phrase was said before the answer.';
comment on column turn.satisfaction is 'What the user thought of it, 1 to 5; null when they did not say.';
comment on column turn.trace_id is 'The W3C trace of the request, as the caller was told.';
comment on column turn.created_at is 'When the turn began.';

-- One per filter of the lists, each in the order of the lists; the time by which reports read and
-- retention deletes; the person, for an erasure.
create index turn_session on turn (session_id, turn_id);
create index turn_trace on turn (trace_id);
create index turn_coach on turn (coach, turn_id);
create index turn_model on turn (coalesce(served_model, planned_model), turn_id);
create index turn_outcome on turn (outcome, turn_id);
create index turn_slow on turn (turn_id) where first_speakable_ms > 1000;
create index turn_time on turn (created_at);
create index turn_user on turn (user_hash) where user_hash is not null;

create table attempt (
    turn_id           uuid not null,
    position          integer not null,
    cause             text not null,
    model             text not null,
    provider          text,
    generation_id     text,
    status            integer,
    error_kind        text,
    started_ms        double precision not null,
    headers_ms        double precision,
    first_token_ms    double precision,
    ended_ms          double precision not null,
    prompt_tokens     bigint,
    completion_tokens bigint,
    cost_microusd     bigint,
    cost_source       text not null,
    cancelled         boolean not null,
    created_at        timestamptz not null,
    primary key (turn_id, position)
);
comment on table attempt is 'One row per upstream call of a turn; error rates of models come from here.';
comment on column attempt.turn_id is 'The turn it was made for.';
comment on column attempt.position is 'Order of the calls within the turn, from 0.';
comment on column attempt.cause is 'Why it was made: first, fallback, mended, hedge or resume.';
comment on column attempt.model is 'As it was asked for.';
comment on column attempt.provider is 'Who ran it, where upstream said so.';
comment on column attempt.generation_id is 'Upstream''s own name for the answer.';
comment on column attempt.status is 'HTTP status; null when no response head came.';
comment on column attempt.error_kind is 'What went wrong, from a closed set; null when it went well.';
comment on column attempt.started_ms is 'When it was sent.';
comment on column attempt.headers_ms is 'When its response head came.';
comment on column attempt.first_token_ms is 'When its first event came.';
comment on column attempt.ended_ms is 'When it was over.';
comment on column attempt.prompt_tokens is 'Billed tokens read.';
comment on column attempt.completion_tokens is 'Billed tokens written.';
comment on column attempt.cost_microusd is 'What it cost; null when not known.';
comment on column attempt.cost_source is 'reported, corrected, estimated or unknown.';
comment on column attempt.cancelled is 'Closed by us before the stream''s own end.';
comment on column attempt.created_at is 'When its turn began.';

-- Rows come in the order of time: a summary of page ranges finds an hour of them and costs nothing.
create index attempt_time on attempt using brin (created_at) with (pages_per_range = 16, autosummarize = on);

create table session (
    session_id        text primary key,
    user_hash         text,
    first_turn_at     timestamptz not null,
    last_turn_at      timestamptz not null,
    turns             bigint not null,
    failed_turns      bigint not null,
    total_ms          double precision not null,
    prompt_tokens     bigint not null,
    completion_tokens bigint not null,
    cost_microusd     bigint not null,
    unknown_costs     bigint not null
);
comment on table session is 'Totals of a session, kept up to date with its turns.';
comment on column session.session_id is 'As in turn.';
comment on column session.user_hash is 'Keyed hash of the user id; null when nobody is known.';
comment on column session.first_turn_at is 'When its first turn began.';
comment on column session.last_turn_at is 'When its newest turn began.';
comment on column session.turns is 'How many turns it had.';
comment on column session.failed_turns is 'How many of them were answered with the fallback line or shed.';
comment on column session.total_ms is 'How long its turns took together.';
comment on column session.prompt_tokens is 'Billed tokens read.';
comment on column session.completion_tokens is 'Billed tokens written.';
comment on column session.cost_microusd is 'What is known of its cost.';
comment on column session.unknown_costs is 'Turns whose cost is not known and not in cost_microusd.';

create index session_newest on session (last_turn_at, session_id);
create index session_person on session (user_hash) where user_hash is not null;

create table feedback (
    turn_id      uuid primary key,
    satisfaction smallint not null check (satisfaction between 1 and 5),
    created_at   timestamptz not null
);
comment on table feedback is 'What a user thought of a turn. Also kept when it comes before its turn.';
comment on column feedback.turn_id is 'The turn it is about.';
comment on column feedback.satisfaction is '1 (bad) to 5 (good); the newest word stands.';
comment on column feedback.created_at is 'When it was given.';

create table capture (
    turn_id    uuid primary key,
    user_hash  text,
    sealed     text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
comment on table capture is 'The words of turns, where CAPTURE_TEXT asks for them: encrypted, and gone after CAPTURE_TTL.';
comment on column capture.turn_id is 'The turn they were said in.';
comment on column capture.user_hash is 'Keyed hash of the user id, for an erasure.';
comment on column capture.sealed is 'Encrypted under the data key, base64.';
comment on column capture.created_at is 'When the turn began.';
comment on column capture.expires_at is 'When it is deleted.';

create index capture_expiry on capture (expires_at);
create index capture_user on capture (user_hash) where user_hash is not null;

create table erasure (
    user_hash text primary key,
    erased_at timestamptz not null
);
comment on table erasure is 'People who asked to be forgotten: a row of theirs that is still on its way loses its name.';
comment on column erasure.user_hash is 'Keyed hash of the user id.';
comment on column erasure.erased_at is 'Turns that began before then are theirs no more.';
