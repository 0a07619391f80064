-- The same index as in PostgreSQL: from upstream's name for a call to the turn.

create index attempt_generation on attempt (generation_id) where generation_id is not null;
