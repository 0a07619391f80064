-- Whose part of a council a call was.

alter table attempt add column coach text;
comment on column attempt.coach is 'The specialist of a council that was asked; null where the coach of the turn was.';
