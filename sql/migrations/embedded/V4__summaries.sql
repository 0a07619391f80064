-- The same tables as in PostgreSQL: what reports read instead of all turns.

create table summary (
    grain             integer not null,
    start_at          integer not null,
    coach             text    not null,
    model             text    not null,
    tier              text    not null,
    experiment        text    not null,
    variant           text    not null,
    turns             integer not null,
    failed            integer not null,
    interrupted       integer not null,
    prompt_tokens     integer not null,
    completion_tokens integer not null,
    cost_microusd     integer not null,
    cost_squares      real    not null,
    estimated_microusd integer not null,
    unknown_costs     integer not null,
    satisfaction_sum  integer not null,
    satisfaction_squares integer not null,
    satisfied         integer not null,
    response_sum_ms   real    not null,
    first_token_sum_ms real   not null,
    responses         text    not null,
    first_tokens      text    not null,
    primary key (start_at, grain, coach, model, tier, experiment, variant)
) strict, without rowid;

create table summary_call (
    grain             integer not null,
    start_at          integer not null,
    model             text    not null,
    calls             integer not null,
    errors            integer not null,
    cancelled         integer not null,
    cost_microusd     integer not null,
    unknown_costs     integer not null,
    primary key (start_at, grain, model)
) strict, without rowid;

create table summarised (
    start_at  integer not null,
    grain     integer not null,
    is_ready  integer not null,
    marked_at integer not null,
    primary key (start_at, grain)
) strict, without rowid;

-- A day is 86,400,000 ms and an hour 3,600,000: both begin on a multiple of theirs.
create trigger turn_came after insert on turn begin
    delete from summarised where (grain = 1 and start_at = new.created_at - new.created_at % 3600000)
                              or (grain = 24 and start_at = new.created_at - new.created_at % 86400000);
end;
create trigger turn_changed after update on turn begin
    delete from summarised where (grain = 1 and start_at = new.created_at - new.created_at % 3600000)
                              or (grain = 24 and start_at = new.created_at - new.created_at % 86400000);
end;
create trigger attempt_came after insert on attempt begin
    delete from summarised where (grain = 1 and start_at = new.created_at - new.created_at % 3600000)
                              or (grain = 24 and start_at = new.created_at - new.created_at % 86400000);
end;
create trigger attempt_changed after update on attempt begin
    delete from summarised where (grain = 1 and start_at = new.created_at - new.created_at % 3600000)
                              or (grain = 24 and start_at = new.created_at - new.created_at % 86400000);
end;
