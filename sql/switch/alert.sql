-- Notes that something is told, unless it was told a moment ago.
-- Parameters: key, now, before (what was told earlier is told again).
insert into alert (key, raised_at) values (:key, :now)
on conflict (key) do update set raised_at = excluded.raised_at where alert.raised_at < :before
