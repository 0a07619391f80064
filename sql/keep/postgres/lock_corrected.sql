-- Takes the turns that are corrected, in one order: of two machines that correct one turn the second then
-- adds up what the first wrote.
-- Parameter: $1, a JSON array of corrections.
select t.turn_id from turn t
where t.turn_id in (
    select c.turn_id from jsonb_to_recordset(cast($1 as jsonb)) as c (turn_id uuid)
)
order by t.turn_id
for update
