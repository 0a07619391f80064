-- Notes that a turn of an experiment counts. It may not be here yet.
-- Parameter: ?1, the commit as JSON.
insert into committed_turn (turn_id, created_at)
select ?1 ->> 'turn_id', ?1 ->> 'created_at'
where true
on conflict (turn_id) do nothing
