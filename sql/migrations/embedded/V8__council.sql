-- The same column as in PostgreSQL: whose part of a council a call was.

alter table attempt add column coach text;
