-- The same tables as in PostgreSQL (sql/migrations/postgres says what each column means): what was
-- missing of turns and attempts; sessions, feedback, captured words, erasures.

alter table turn add column complexity real;
alter table turn add column experiment text;
alter table turn add column variant text;
-- 1 to 5; null when the user did not say
alter table turn add column satisfaction integer;
create index turn_coach on turn (coach, turn_id);
create index turn_model on turn (coalesce(served_model, planned_model), turn_id);
create index turn_outcome on turn (outcome, turn_id);
create index turn_slow on turn (turn_id) where first_speakable_ms > 1000;
create index turn_time on turn (created_at);
create index turn_user on turn (user_hash) where user_hash is not null;

-- Made anew: an attempt may now come without its turn, which was set aside or is on its way.
alter table attempt rename to attempt_before;
create table attempt (
    turn_id           text    not null,
    position          integer not null,
    cause             text    not null,
    model             text    not null,
    provider          text,
    generation_id     text,
    status            integer,
    error_kind        text,
    started_ms        real    not null,
    headers_ms        real,
    first_token_ms    real,
    ended_ms          real    not null,
    prompt_tokens     integer,
    completion_tokens integer,
    cost_microusd     integer,
    cost_source       text    not null,
    cancelled         integer not null,
    created_at        integer not null,
    primary key (turn_id, position)
) strict, without rowid;
insert into attempt
select a.turn_id, a.position, a.cause, a.model, a.provider, a.generation_id, a.status, a.error_kind,
       a.started_ms, a.headers_ms, a.first_token_ms, a.ended_ms, a.prompt_tokens, a.completion_tokens,
       a.cost_microusd, a.cost_source, a.cancelled, t.created_at
from attempt_before a join turn t on t.turn_id = a.turn_id;
drop table attempt_before;
create index attempt_time on attempt (created_at);

create table session (
    session_id        text    primary key not null,
    user_hash         text,
    first_turn_at     integer not null,
    last_turn_at      integer not null,
    turns             integer not null,
    failed_turns      integer not null,
    total_ms          real    not null,
    prompt_tokens     integer not null,
    completion_tokens integer not null,
    cost_microusd     integer not null,
    unknown_costs     integer not null
) strict, without rowid;
create index session_newest on session (last_turn_at, session_id);
create index session_person on session (user_hash) where user_hash is not null;
insert into session
select session_id, max(user_hash), min(created_at), max(created_at), count(*),
       count(*) filter (where outcome in ('failed', 'shed')), sum(total_ms),
       coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),
       coalesce(sum(cost_microusd), 0), count(*) filter (where cost_microusd is null)
from turn group by session_id;

create table feedback (
    turn_id      text    primary key not null,
    satisfaction integer not null check (satisfaction between 1 and 5),
    created_at   integer not null
) strict, without rowid;

create table capture (
    turn_id    text    primary key not null,
    user_hash  text,
    sealed     text    not null,
    created_at integer not null,
    expires_at integer not null
) strict;
create index capture_expiry on capture (expires_at);
create index capture_user on capture (user_hash) where user_hash is not null;

create table erasure (
    user_hash text    primary key not null,
    erased_at integer not null
) strict, without rowid;
