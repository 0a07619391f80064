-- The same columns and tables as in PostgreSQL. A lease is never taken here, as nobody shares the cap:
-- the table is there so that both stores have one schema.

alter table turn add column model_reason text;
alter table turn add column ceiling_microusd integer;

create table lease (
    day_at     integer not null,
    machine    text    not null,
    held_microusd  integer not null,
    taken_microusd integer not null,
    spent_microusd integer not null,
    told_at    integer not null,
    primary key (day_at, machine)
) strict, without rowid;

create table flag (
    name       text primary key,
    value      text    not null,
    expires_at integer,
    changed_at integer not null,
    changed_by text    not null
) strict;

create table flag_change (
    id         text primary key,
    name       text    not null,
    value      text,
    expires_at integer,
    changed_at integer not null,
    changed_by text    not null
) strict;

create table alert (
    key       text primary key,
    raised_at integer not null
) strict;
