-- From upstream's name for a call, as its bills have it, to the turn.

create index attempt_generation on attempt (generation_id) where generation_id is not null;
