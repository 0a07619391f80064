-- What reports read instead of all turns: one row an hour and a day for each kind of turn, made by
-- a background task once the hour is over, and made anew when a late row falls into it.

create table summary (
    grain             smallint not null,
    start_at          timestamptz not null,
    coach             text not null,
    model             text not null,
    tier              text not null,
    experiment        text not null,
    variant           text not null,
    turns             bigint not null,
    failed            bigint not null,
    interrupted       bigint not null,
    prompt_tokens     bigint not null,
    completion_tokens bigint not null,
    cost_microusd     bigint not null,
    cost_squares      double precision not null,
    estimated_microusd bigint not null,
    unknown_costs     bigint not null,
    satisfaction_sum  bigint not null,
    satisfaction_squares bigint not null,
    satisfied         bigint not null,
    response_sum_ms   double precision not null,
    first_token_sum_ms double precision not null,
    responses         text not null,
    first_tokens      text not null,
    primary key (start_at, grain, coach, model, tier, experiment, variant)
);
comment on table summary is 'Turns of an hour or a day, added up by everything that reports group by.';
comment on column summary.grain is 'Hours that a row covers: 1 or 24.';
comment on column summary.start_at is 'Where they begin, UTC.';
comment on column summary.coach is 'As in turn.';
comment on column summary.model is 'The model that answered, else the one planned.';
comment on column summary.tier is 'As in turn.';
comment on column summary.experiment is 'As in turn; empty for none.';
comment on column summary.variant is 'As in turn; empty for none.';
comment on column summary.turns is 'How many turns.';
comment on column summary.failed is 'Turns that ended failed, partial_failed or shed.';
comment on column summary.interrupted is 'Turns that the caller hung up on, or overtook.';
comment on column summary.prompt_tokens is 'Billed tokens read.';
comment on column summary.completion_tokens is 'Billed tokens written.';
comment on column summary.cost_microusd is 'What is known of the cost.';
comment on column summary.cost_squares is 'Sum of the squares of each turn''s known cost, for intervals.';
comment on column summary.estimated_microusd is 'The part of cost_microusd that is an estimate.';
comment on column summary.unknown_costs is 'Turns whose cost is not known.';
comment on column summary.satisfaction_sum is 'Sum of what users said, 1 to 5 each.';
comment on column summary.satisfaction_squares is 'Sum of its squares, for intervals.';
comment on column summary.satisfied is 'How many said something.';
comment on column summary.response_sum_ms is 'Sum of total_ms of turns that were answered to their end.';
comment on column summary.first_token_sum_ms is 'Sum of first_speakable_ms.';
comment on column summary.responses is 'Counts of total_ms by bucket, as JSON; see src/record/report/sketch.rs.';
comment on column summary.first_tokens is 'Counts of first_speakable_ms by bucket, as JSON.';

create table summary_call (
    grain             smallint not null,
    start_at          timestamptz not null,
    model             text not null,
    calls             bigint not null,
    errors            bigint not null,
    cancelled         bigint not null,
    cost_microusd     bigint not null,
    unknown_costs     bigint not null,
    primary key (start_at, grain, model)
);
comment on table summary_call is 'Upstream calls of an hour or a day, added up by model.';
comment on column summary_call.grain is 'Hours that a row covers: 1 or 24.';
comment on column summary_call.start_at is 'Where they begin, UTC.';
comment on column summary_call.model is 'As it was asked for.';
comment on column summary_call.calls is 'How many calls.';
comment on column summary_call.errors is 'Calls with an error_kind.';
comment on column summary_call.cancelled is 'Calls closed by us.';
comment on column summary_call.cost_microusd is 'What is known of their cost.';
comment on column summary_call.unknown_costs is 'Calls that were answered and whose cost is not known.';

create table summarised (
    start_at  timestamptz not null,
    grain     smallint not null,
    is_ready  boolean not null,
    marked_at timestamptz not null,
    primary key (start_at, grain)
);
comment on table summarised is 'Hours and days that are being summarised or have been. A turn or an attempt that comes or changes takes the mark away.';
comment on column summarised.start_at is 'Where it begins, UTC.';
comment on column summarised.grain is 'Hours: 1 or 24.';
comment on column summarised.is_ready is 'The summary is there and true.';
comment on column summarised.marked_at is 'When somebody began to make it.';

create function unmark_summaries() returns trigger language plpgsql as $$
begin
    delete from summarised s
    using (select distinct date_trunc('hour', created_at, 'UTC') as hour from touched) t
    where (s.grain = 1 and s.start_at = t.hour)
       or (s.grain = 24 and s.start_at = date_trunc('day', t.hour, 'UTC'));
    return null;
end $$;

create trigger turn_came after insert on turn
    referencing new table as touched for each statement execute function unmark_summaries();
create trigger turn_changed after update on turn
    referencing new table as touched for each statement execute function unmark_summaries();
create trigger attempt_came after insert on attempt
    referencing new table as touched for each statement execute function unmark_summaries();
create trigger attempt_changed after update on attempt
    referencing new table as touched for each statement execute function unmark_summaries();

-- Buckets of durations for percentiles: each 2 % wider than the one before, so what is read from them
-- is true to 1 %. The embedded store has the same function from src/record/embedded.rs.
create function clm_bucket(ms double precision) returns integer
language sql immutable parallel safe
as $$ select case when ms < 1 then 0 else cast(floor(50 * ln(ms)) as integer) end $$;
