-- The same as in PostgreSQL: which turns of experiments count.

alter table turn add column committed integer;

create table committed_turn (
    turn_id    text    primary key not null,
    created_at integer not null
) strict, without rowid;
