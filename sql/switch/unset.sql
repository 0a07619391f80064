-- Takes a flag away: the setting of its name holds again.
-- Parameter: name.
delete from flag where name = :name
