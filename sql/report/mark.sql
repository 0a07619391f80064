-- Begins a summary, unless somebody else has.
-- Parameters: start, grain (hours), now.
insert into summarised (start_at, grain, is_ready, marked_at)
values (:start, :grain, false, :now)
on conflict (start_at, grain) do nothing
