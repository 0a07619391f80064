-- The same columns as in PostgreSQL: whose part of a council a call was, and what of its prompt was cached.

alter table attempt add column coach text;
alter table attempt add column cached_tokens integer;
