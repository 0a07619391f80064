-- Keeps what a user thought of a turn; of two words about one turn the later one stands.
-- Parameter: ?1, the feedback as JSON.
insert into feedback as f (turn_id, satisfaction, created_at)
select ?1 ->> 'turn_id', ?1 ->> 'satisfaction', ?1 ->> 'created_at'
where true
on conflict (turn_id) do update set
    satisfaction = excluded.satisfaction,
    created_at = excluded.created_at
where f.created_at <= excluded.created_at
