-- Writes what a machine holds now.
-- Parameters: $1, where the day begins, milliseconds since 1970; $2, the machine; $3, held; $4, taken;
-- $5, spent; all micro-dollars.
insert into lease (day_at, machine, held_microusd, taken_microusd, spent_microusd, told_at)
values (to_timestamp($1 / 1000.0), $2, $3, $4, $5, clock_timestamp())
on conflict (day_at, machine) do update set
    held_microusd = excluded.held_microusd,
    taken_microusd = excluded.taken_microusd,
    spent_microusd = excluded.spent_microusd,
    told_at = excluded.told_at
