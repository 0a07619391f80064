-- One session's totals.
-- Parameter: session. Row: the columns of session.
select * from session where session_id = :session
