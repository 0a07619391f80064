-- What other machines hold of a day's cap.
-- Parameters: $1, where the day begins, milliseconds since 1970; $2, the machine that asks.
select machine, held_microusd, taken_microusd, spent_microusd,
       cast(extract(epoch from told_at) * 1000 as bigint) as told_at_ms
from lease
where day_at = to_timestamp($1 / 1000.0) and machine <> $2
