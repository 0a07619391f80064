-- What budgets, flags and alerts need: why a model was chosen, what a turn of unknown cost counts as,
-- who holds how much of a day's cap, what is switched, and what was told already.

alter table turn add column model_reason text;
alter table turn add column ceiling_microusd bigint;
comment on column turn.model_reason is 'Why planned_model: tier:<tier>, budget:<limit>, complexity:<n>, override or experiment:<name>/<variant>.';
comment on column turn.ceiling_microusd is 'What it cost at most, where that was not known when it ended: what budgets count until it is.';

comment on column attempt.cause is 'Why it was made: first, fallback, mended, hedge, resume, plan or specialist.';

create table lease (
    day_at     timestamptz not null,
    machine    text not null,
    held_microusd  bigint not null,
    taken_microusd bigint not null,
    spent_microusd bigint not null,
    told_at    timestamptz not null,
    primary key (day_at, machine)
);
comment on table lease is 'What each machine holds of a day''s hard cap. Changed under an advisory lock; see src/routing/budget/lease.rs.';
comment on column lease.day_at is 'Where the day begins, UTC.';
comment on column lease.machine is 'A process, by a name that it drew when it started.';
comment on column lease.held_microusd is 'What it may spend that day, what it spent included.';
comment on column lease.taken_microusd is 'What it had settled or set aside when it last told.';
comment on column lease.spent_microusd is 'What it had settled.';
comment on column lease.told_at is 'When that was. Silent for a minute, it holds no more than it spent.';

create table flag (
    name       text primary key,
    value      text not null,
    expires_at timestamptz,
    changed_at timestamptz not null,
    changed_by text not null
);
comment on table flag is 'Switches that are set; where none is, the setting of the same name holds.';
comment on column flag.name is 'hedging, resume, lead_ins, council, capture, speech_filter or model:<slug>.';
comment on column flag.value is 'true, false or a percentage of the sessions.';
comment on column flag.expires_at is 'When the setting holds again; null for never.';
comment on column flag.changed_at is 'When it was set.';
comment on column flag.changed_by is 'A fingerprint of the admin key it was set with.';

create table flag_change (
    id         uuid primary key,
    name       text not null,
    value      text,
    expires_at timestamptz,
    changed_at timestamptz not null,
    changed_by text not null
);
comment on table flag_change is 'Every change of a flag, for ever.';
comment on column flag_change.id is 'UUIDv7: sorts by time.';
comment on column flag_change.name is 'As in flag.';
comment on column flag_change.value is 'As in flag; null where the flag was taken away.';
comment on column flag_change.expires_at is 'As in flag.';
comment on column flag_change.changed_at is 'As in flag.';
comment on column flag_change.changed_by is 'As in flag.';

create table alert (
    key       text primary key,
    raised_at timestamptz not null
);
comment on table alert is 'What the operator was told, so that no other machine and no restart tells it again.';
comment on column alert.key is 'What about, with its window: budget:<day>:<percent>, model:<slug>:gone, ….';
comment on column alert.raised_at is 'When.';
