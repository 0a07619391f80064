-- Sets a flag.
-- Parameters: name, value, expires (absent: never), now, by.
insert into flag (name, value, expires_at, changed_at, changed_by)
values (
    :name,
    :value,
    :expires, -- when expires
    null, -- when never
    :now,
    :by
)
on conflict (name) do update set
    value = excluded.value,
    expires_at = excluded.expires_at,
    changed_at = excluded.changed_at,
    changed_by = excluded.changed_by
