-- What a race leaves behind: two models at once, an answer continued by another, a lead-in phrase;
-- and of each call why it was made and where its cost is from. Rows of before had none of it.

-- 1 where two models raced for the first words
alter table turn add column hedged integer not null default 0;
-- 1 where another model was asked to go on after words were out
alter table turn add column continued integer not null default 0;
-- 1 where a lead-in phrase was said before the answer
alter table turn add column lead_in integer not null default 0;

-- first, fallback, mended, hedge or resume
alter table attempt add column cause text not null default 'first';
-- reported, corrected, estimated or unknown
alter table attempt add column cost_source text not null default 'unknown';
