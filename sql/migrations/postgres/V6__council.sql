-- Whose part of a council a call was, and what of its prompt was cached.

alter table attempt add column coach text;
comment on column attempt.coach is 'The specialist of a council that was asked; null where the coach of the turn was.';
alter table attempt add column cached_tokens bigint;
comment on column attempt.cached_tokens is 'Of prompt_tokens, those that the provider had in its cache.';
