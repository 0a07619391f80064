-- Brings a turn in line with what was noted of it.
-- Parameter: ?1, the commit as JSON.
update turn set committed = true
where turn_id = ?1 ->> 'turn_id' and experiment is not null and committed is not true
