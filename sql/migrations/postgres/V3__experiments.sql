-- Which turns of experiments count: they are told of later, when the session's next request shows them, or
-- a minute of silence does.

alter table turn add committed boolean;
comment on column turn.committed is 'Whether it counts for its experiment; null where it has none.';

create table committed_turn (
    turn_id    uuid primary key,
    created_at timestamptz not null
);
comment on table committed_turn is 'Turns of experiments that count. Also kept when that comes before its turn.';
comment on column committed_turn.turn_id is 'The turn that counts.';
comment on column committed_turn.created_at is 'When that was known.';
