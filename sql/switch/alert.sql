-- Notes that something was told, unless it was.
-- Parameters: key, now.
insert into alert (key, raised_at) values (:key, :now) on conflict (key) do nothing
