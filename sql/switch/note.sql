-- Notes a change of a flag.
-- Parameters: id, name, value (absent: taken away), expires (absent: never), now, by.
insert into flag_change (id, name, value, expires_at, changed_at, changed_by)
values (
    :id,
    :name,
    :value, -- when value
    null, -- when gone
    :expires, -- when expires
    null, -- when never
    :now,
    :by
)
